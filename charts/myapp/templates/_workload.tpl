{{/* The workload: which kind it is, answered once, and what does not depend on the kind. */}}

{{/* As JSON: apiVersion, kind, name. */}}
{{- define "myapp.workload" -}}
{{- $rollout := eq .Values.mode "rollout" -}}
{{- dict "apiVersion" ($rollout | ternary "argoproj.io/v1alpha1" "apps/v1") "kind" ($rollout | ternary "Rollout" "Deployment") "name" (include "myapp.fullname" .) | toJson -}}
{{- end -}}

{{/* Not empty when a workload of that kind is rendered: during a hand-over there are both. Takes root and kind. */}}
{{- define "myapp.hasWorkload" -}}
{{- if or .root.Values.rollout.handover (eq .kind (include "myapp.workload" .root | fromJson).kind) }}yes{{ end -}}
{{- end -}}

{{/* Metadata of either kind. */}}
{{- define "myapp.workloadMetadata" -}}
name: {{ include "myapp.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "myapp.labels" . | nindent 2 }}
{{- $annotations := .Values.workloadAnnotations | default dict -}}
{{- /* Says of a workload found in the cluster that the other kind may be removed or take over. */}}
{{- if .Values.rollout.handover }}{{ $annotations = merge (dict "safe-deploy.dev/handover" "true") $annotations }}{{ end -}}
{{- if ne (include "myapp.engine" .) "thresholds" }}{{ $annotations = merge (dict "safe-deploy.dev/verdict" (include "myapp.verdictSettings" .)) $annotations }}{{ end -}}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
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
