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
{{- if and (eq .Values.mode "deployment") (eq .Values.strategy.type "Recreate") }}
{{- $warnings = append $warnings "strategy.type is Recreate: each release is an outage until the new pods are ready." }}
{{- end }}
{{- if not .Values.probes.readiness }}
{{- $warnings = append $warnings "probes.readiness is unset: a pod gets requests before it can answer them." }}
{{- end }}
{{- if and (eq (int .Values.preStop.sleepSeconds) 0) (not .Values.worker) }}
{{- $warnings = append $warnings "preStop.sleepSeconds is 0: requests still routed to a stopping pod may fail." }}
{{- end }}
{{- if and .Values.pdb.enabled (kindIs "invalid" .Values.pdb.minAvailable) (has (toString .Values.pdb.maxUnavailable) (list "0" "0%")) }}
{{- $warnings = append $warnings "pdb.maxUnavailable is 0: no node that runs one of the pods can be drained." }}
{{- end }}
{{- if .Values.existingSecret }}
{{- $warnings = append $warnings (printf "existingSecret: the content of %s is not part of the config version. Give it a new name when it changes, or a rollback will not bring the old content back." .Values.existingSecret) }}
{{- end }}
{{- if eq .Values.mode "rollout" }}
{{- $warnings = append $warnings "A Rollout is not done when Helm is: --wait and --rollback-on-failure (Helm 4) time out on a healthy one, --wait and --atomic (Helm 3) do not wait at all. Leave them out, and follow it with pnpm ctl wait." }}
{{- with .Values.rollout }}
{{- if .handover }}
{{- $warnings = append $warnings "rollout.handover is true: two workloads serve this release. pnpm ctl mode sets it and takes it back." }}
{{- end }}
{{- if ne (float64 .waitScale) 1.0 }}
{{- $warnings = append $warnings (printf "rollout.waitScale is %v: pauses and windows are not as long as they say." .waitScale) }}
{{- end }}
{{- if eq .strategy "canary" }}
{{- $gated := true }}
{{- $gates := false }}
{{- range .canary.steps }}
{{- if hasKey . "setWeight" }}{{ if not $gated }}{{ $gates = true }}{{ end }}{{ $gated = false }}{{ end }}
{{- if hasKey . "analysis" }}{{ $gated = true }}{{ end }}
{{- end }}
{{- if and (or $gates (not $gated)) (ne (include "myapp.engine" $) "sequential") }}
{{- $warnings = append $warnings "rollout.canary.steps raises the weight without an analysis in between: what goes wrong at a weight may pass on to the next." }}
{{- end }}
{{- if and $.Values.autoscaling.enabled (eq .router "none") }}
{{- $warnings = append $warnings "rollout.router is none and autoscaling.enabled is true: weights are shares of pods, so they shift while the number of pods does." }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.metrics.annotations .Values.metrics.serviceMonitor.enabled }}
{{- $warnings = append $warnings "metrics.annotations and metrics.serviceMonitor.enabled are both true: a Prometheus that reads both counts every pod twice." }}
{{- end }}
{{- if .Values.ingress.held }}
{{- $warnings = append $warnings "ingress.held is true: no route leads to this release. pnpm ctl promote verifies it and makes the routes; pnpm ctl abort removes it." }}
{{- end }}
{{- with $warnings }}

Warnings:
{{- range . }}
  - {{ . }}
{{- end }}
{{- end }}
{{- end }}
