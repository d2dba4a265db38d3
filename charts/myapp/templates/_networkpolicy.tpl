{{/* Egress rules that the service's pods and those of the hooks share. */}}

{{- define "myapp.dnsEgress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}

{{- define "myapp.databaseEgress" -}}
{{- with .Values.networkPolicy.egress.database }}
{{- if .port }}
- ports:
    - port: {{ .port }}
      protocol: TCP
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}
