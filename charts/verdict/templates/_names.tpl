{{- define "verdict.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | replace "." "-" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "verdict.selectorLabels" -}}
app.kubernetes.io/name: verdict
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "verdict.labels" -}}
{{ include "verdict.selectorLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "verdict.image" -}}
{{- with .Values.image -}}
{{- .repository -}}{{- with .tag }}:{{ . }}{{- end -}}{{- with .digest }}@{{ . }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* What it must see to judge: by watches, however many Rollouts there are. It writes only what a release lets it. */}}
{{- define "verdict.rules" -}}
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# To tell a retry from what it had seen before it was ended.
- apiGroups: [argoproj.io]
  resources: [analysisruns]
  verbs: [list]
{{- end -}}
