{{/* The agent that watches a canary: its own pod, account and rights, beside the service's. */}}

{{- define "myapp.agentName" -}}{{ include "myapp.fullname" . }}-agent{{- end -}}

{{- define "myapp.agentSelectorLabels" -}}
{{ include "myapp.instanceLabels" . }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "myapp.agentLabels" -}}
{{ include "myapp.agentSelectorLabels" . }}
{{ include "myapp.objectLabels" . }}
{{- end -}}

{{/* The agent's environment, as JSON. */}}
{{- define "myapp.agentEnv" -}}
{{- $port := get .Values.ports .Values.metrics.port | default .Values.metrics.port -}}
{{- $env := dict
  "ROLLOUT" (include "myapp.fullname" .)
  "MODE" .Values.agent.mode
  "OWN_ABORT" .Values.agent.ownAbort
  "STEP_INTERVAL" (toString .Values.agent.stepIntervalSeconds)
  "MAX_STEPS" (toString .Values.agent.maxSteps)
  "SLO_LATENCY" (toString .Values.agent.sloLatencyMs)
  "MODEL_PATH" .Values.agent.modelPath
  "METRICS_PORT" (toString $port)
  "METRICS_PATH" .Values.metrics.path
  "REQUESTS_METRIC" .Values.analysis.names.requests
  "DURATION_BUCKET_METRIC" .Values.analysis.names.durationBucket
  "STATUS_LABEL" .Values.analysis.names.statusLabel
  "ERROR_STATUS" .Values.analysis.names.errorStatus
-}}
{{- toJson $env -}}
{{- end -}}

{{- define "myapp.validateAgent" }}
{{- with .Values.agent }}
{{- if .enabled }}
{{- if not (or .image.tag .image.digest) }}
agent.image: neither tag nor digest is set, but agent.enabled needs the image; set agent.image.tag or agent.image.digest
{{- end }}
{{- if or (ne $.Values.mode "rollout") (ne $.Values.rollout.strategy "canary") }}
agent.enabled: there is nothing that it could watch without weights; set mode=rollout and rollout.strategy=canary, or agent.enabled=false
{{- else if eq .mode "steer" }}
{{- if eq $.Values.rollout.router "none" }}
agent.mode: "steer" moves the weights of a router, and rollout.router is "none"; choose a router, or agent.mode=advise
{{- end }}
{{- $open := list }}
{{- $steps := $.Values.rollout.canary.steps }}
{{- range $index, $step := $steps }}
{{- if hasKey $step "setWeight" }}
{{- $next := dict }}
{{- if lt (add1 $index) (len $steps) }}{{ $next = index $steps (add1 $index) }}{{ end }}
{{- if hasKey $next "pause" }}{{ if not (get $next "pause") }}{{ $open = append $open (int $step.setWeight) }}{{ end }}{{ end }}
{{- end }}
{{- end }}
{{- $missing := list }}
{{- range $weight := list 10 20 30 40 50 60 70 80 90 }}
{{- if not (has $weight $open) }}{{ $missing = append $missing $weight }}{{ end }}
{{- end }}
{{- with $missing }}
agent.mode: "steer" needs each weight from 10 to 90 in tens, followed by "pause: {}", in rollout.canary.steps; missing are {{ join ", " . }}; take them from presets/e.yaml, or set agent.mode=advise
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
