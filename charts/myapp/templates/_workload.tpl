{{/* The workload: which kind it is, answered once, and what does not depend on the kind. */}}

{{/* As JSON: apiVersion, kind, name. */}}
{{- define "myapp.workload" -}}
{{- dict "apiVersion" "apps/v1" "kind" "Deployment" "name" (include "myapp.fullname" .) | toJson -}}
{{- end -}}

{{/* The fields that a Deployment and a Rollout have in common. */}}
{{- define "myapp.workloadSpec" -}}
{{- if not .Values.autoscaling.enabled }}
replicas: {{ .Values.replicaCount }}
{{- end }}
minReadySeconds: {{ .Values.minReadySeconds }}
progressDeadlineSeconds: {{ .Values.progressDeadlineSeconds }}
revisionHistoryLimit: {{ .Values.revisionHistoryLimit }}
selector:
  matchLabels:
    {{- include "myapp.selectorLabels" . | nindent 4 }}
template:
  {{- include "myapp.podTemplate" . | nindent 2 }}
{{- end -}}
