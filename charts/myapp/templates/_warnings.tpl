{{/* What is allowed and may still surprise, for NOTES.txt. */}}
{{- define "myapp.warnings" }}
{{- $replicas := .Values.autoscaling.enabled | ternary .Values.autoscaling.minReplicas .Values.replicaCount | int }}
{{- $warnings := list }}
{{- if not .Values.verify.enabled }}
{{- $warnings = append $warnings "verify.enabled is false: nothing decides whether this release is good, and it can never be the target of a rollback to a verified one." }}
{{- end }}
{{- if and (eq .Values.image.tag "latest") (not .Values.image.digest) }}
{{- $warnings = append $warnings "image.tag is latest: what runs may change without a release, and no rollback brings it back. Set image.digest." }}
{{- end }}
{{- if le $replicas 1 }}
{{- $warnings = append $warnings "One replica: a node's failure or drain is an outage. Set replicaCount to 2 or more." }}
{{- end }}
{{- if eq .Values.strategy.type "Recreate" }}
{{- $warnings = append $warnings "strategy.type is Recreate: each release is an outage until the new pods are ready." }}
{{- end }}
{{- if not .Values.probes.readiness }}
{{- $warnings = append $warnings "probes.readiness is unset: a pod gets requests before it can answer them." }}
{{- end }}
{{- if eq (int .Values.preStop.sleepSeconds) 0 }}
{{- $warnings = append $warnings "preStop.sleepSeconds is 0: requests still routed to a stopping pod may fail." }}
{{- end }}
{{- if and .Values.pdb.enabled (kindIs "invalid" .Values.pdb.minAvailable) (has (toString .Values.pdb.maxUnavailable) (list "0" "0%")) }}
{{- $warnings = append $warnings "pdb.maxUnavailable is 0: no node that runs one of the pods can be drained." }}
{{- end }}
{{- if .Values.existingSecret }}
{{- $warnings = append $warnings (printf "existingSecret: the content of %s is not part of the config version. Give it a new name when it changes, or a rollback will not bring the old content back." .Values.existingSecret) }}
{{- end }}
{{- with $warnings }}

Warnings:
{{- range . }}
  - {{ . }}
{{- end }}
{{- end }}
{{- end }}
