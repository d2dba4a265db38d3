{{/* stub until written */}}
{{- define "myapp.validate" -}}{{- end -}}
