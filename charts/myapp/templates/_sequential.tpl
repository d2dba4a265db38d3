{{/*
The sequential engine: a service (or a Job at each gate) judges every request since the version got its first, by tests
with stated error rates, instead of a query asking Prometheus for the last minutes. Its settings travel as an annotation
of the Rollout, so that they come and go with the release.
*/}}

{{/*
Which engine decides. Unless the values name one: `sequential` where a canary gets a share of the requests. Without a
Rollout there is nothing to decide for, which is `thresholds` too.
*/}}
{{- define "myapp.engine" -}}
{{- if not (include "myapp.hasWorkload" (dict "root" . "kind" "Rollout")) -}}
thresholds
{{- else if .Values.analysis.engine -}}
{{ .Values.analysis.engine }}
{{- else if or .Values.worker (eq .Values.rollout.strategy "blueGreen") -}}
thresholds
{{- else -}}
sequential
{{- end -}}
{{- end -}}

{{/* Not empty when gates or the background ask the service. */}}
{{- define "myapp.asksService" -}}
{{- if and (ne (include "myapp.engine" .) "thresholds") (eq .Values.analysis.sequential.form "service") }}yes{{ end -}}
{{- end -}}

{{/* Not empty when each gate judges by a Job of its own. */}}
{{- define "myapp.judgesByJob" -}}
{{- if and (eq (include "myapp.engine" .) "sequential") (eq .Values.analysis.sequential.form "job") }}yes{{ end -}}
{{- end -}}

{{- define "myapp.verdictRecordName" -}}
{{- printf "%s-verdict" (include "myapp.fullname" .) -}}
{{- end -}}

{{/* Types of metrics that the sequential engine takes the place of: those about requests. */}}
{{- define "myapp.isAboutRequests" -}}
{{- $metric := get .root.Values.analysis.metrics .name | default dict -}}
{{- if has ($metric.type | default .name) (list "errorRatio" "successRatio" "ingressSuccessRatio" "errorCount" "latency" "latencyVersusStable") }}yes{{ end -}}
{{- end -}}

{{/* Of a list of metrics those that stay with the sequential engine, as JSON. Takes root and names. */}}
{{- define "myapp.notAboutRequests" -}}
{{- $left := list -}}
{{- range .names -}}
  {{- if not (include "myapp.isAboutRequests" (dict "root" $.root "name" .)) }}{{ $left = append $left . }}{{ end -}}
{{- end -}}
{{- $left | toJson -}}
{{- end -}}

{{/* What the service, or the Job, must know, as JSON. */}}
{{- define "myapp.verdictSettings" -}}
{{- $analysis := .Values.analysis -}}
{{- $sequential := $analysis.sequential -}}
{{- $policy := $sequential.policy -}}
{{- $rules := list -}}
{{- $events := dict -}}
{{- range $name, $rule := $policy.rules -}}
  {{- if $rule -}}
    {{- $bad := dict "kind" $rule.bad -}}
    {{- if eq $rule.bad "slower" -}}
      {{- $bad = dict "kind" "slower" "than" $rule.seconds -}}
    {{- else if eq $rule.bad "silence" -}}
      {{- $bad = dict "kind" "silence" "settleSeconds" ($rule.settleSeconds | default 10) -}}
    {{- else if eq $rule.bad "matching" -}}
      {{- $bad = dict "kind" "event" "name" $name -}}
      {{- $_ := set $events $name (pick $rule "status" "route") -}}
    {{- end -}}
    {{- $entry := dict "name" (kebabcase $name | replace "-" " ") "bad" $bad "source" "app" -}}
    {{- if not (kindIs "invalid" $rule.p1) }}{{ $_ := set $entry "absolute" (pick $rule "p0" "p1") }}{{ end -}}
    {{- if not (kindIs "invalid" $rule.tolerated) }}{{ $_ := set $entry "relative" (pick $rule "tolerated" "refused") }}{{ end -}}
    {{- if $rule.alphaShare }}{{ $_ := set $entry "alphaShare" $rule.alphaShare }}{{ end -}}
    {{- $rules = append $rules $entry -}}
  {{- end -}}
{{- end -}}
{{- $kept := pick $policy "alpha" "beta" "phi" "warmUpSeconds" "staleSeconds" "blind" "hardEvidence" -}}
{{- $_ := set $kept "rules" $rules -}}
{{- if not (kindIs "invalid" $policy.budget) }}{{ $_ := set $kept "budget" $policy.budget }}{{ end -}}
{{- $names := pick $analysis.names "requests" "statusLabel" "errorStatus" "durationBucket" -}}
{{- $_ := set $names "routeLabel" $sequential.routeLabel -}}
{{- $settings := dict
  "schemaVersion" 1
  "policy" $kept
  "plan" (dict "pollSeconds" $sequential.scrapeSeconds "scrapeSeconds" $sequential.scrapeSeconds "horizonSeconds" $sequential.horizonSeconds "gateSeconds" $sequential.gateSeconds)
  "metrics" (dict "port" (get .Values.ports .Values.metrics.port) "path" .Values.metrics.path)
  "names" $names
  "events" $events
-}}
{{- if $sequential.fallback.prometheus -}}
  {{- $prometheus := pick $analysis.names "hashLabel" "namespaceLabel" -}}
  {{- $_ := set $prometheus "address" $analysis.prometheus.address -}}
  {{- $_ := set $prometheus "scrapeSeconds" $sequential.fallback.scrapeSeconds -}}
  {{- $_ := set $settings "prometheus" $prometheus -}}
{{- end -}}
{{- $settings | toJson -}}
{{- end -}}

{{/* A gate of the sequential engine with what else is asked there, as JSON. Takes root, weight and names. */}}
{{- define "myapp.sequentialGate" -}}
{{- $args := (include "myapp.analysisArgs" .root | fromYaml).args -}}
{{- $templates := list (dict "templateName" (printf "%s-sequential" (include "myapp.fullname" .root))) -}}
{{- range .names -}}
  {{- $templates = append $templates (dict "templateName" (include "myapp.analysisName" (dict "root" $.root "name" . "use" "gate"))) -}}
{{- end -}}
{{- dict "analysis" (dict "args" (append $args (dict "name" "weight" "value" (toString .weight))) "templates" $templates) | toJson -}}
{{- end -}}

{{/*
The steps of a canary that the sequential engine judges, as a JSON list: those of the values with a gate after every
change of weight, also of the last, before the weight changes again.
*/}}
{{- define "myapp.sequentialSteps" -}}
{{- $steps := list -}}
{{- $weight := 0 -}}
{{- $gated := true -}}
{{- range .Values.rollout.canary.steps -}}
  {{- if hasKey . "setWeight" -}}
    {{- if not $gated }}{{ $steps = append $steps (include "myapp.sequentialGate" (dict "root" $ "weight" $weight "names" list) | fromJson) }}{{ end -}}
    {{- $weight = int .setWeight -}}
    {{- $gated = eq $weight 0 -}}
    {{- $steps = append $steps (dict "setWeight" $weight) -}}
  {{- else if hasKey . "pause" -}}
    {{- $seconds := dig "seconds" nil (.pause | default dict) -}}
    {{- $pause := dict -}}
    {{- if not (kindIs "invalid" $seconds) }}{{ $pause = dict "duration" (printf "%ss" (include "myapp.scaled" (dict "root" $ "seconds" $seconds))) }}{{ end -}}
    {{- $steps = append $steps (dict "pause" $pause) -}}
  {{- else -}}
    {{- $names := include "myapp.notAboutRequests" (dict "root" $ "names" .analysis) | fromJsonArray -}}
    {{- if and (gt $weight 0) (lt (len $names) (len .analysis)) -}}
      {{- $steps = append $steps (include "myapp.sequentialGate" (dict "root" $ "weight" $weight "names" $names) | fromJson) -}}
      {{- $gated = true -}}
    {{- else if $names -}}
      {{- $steps = append $steps (dict "analysis" (include "myapp.analysisOf" (dict "root" $ "names" $names "use" "gate") | fromYaml)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if ne $weight 100 -}}
  {{- if not $gated }}{{ $steps = append $steps (include "myapp.sequentialGate" (dict "root" $ "weight" $weight "names" list) | fromJson) }}{{ end -}}
  {{- $steps = append $steps (dict "setWeight" 100) -}}
  {{- $gated = false -}}
{{- end -}}
{{- $bake := .Values.rollout.bake -}}
{{- if gt (int $bake.seconds) 0 -}}
  {{- $steps = append $steps (dict "pause" (dict "duration" (printf "%ss" (include "myapp.scaled" (dict "root" . "seconds" $bake.seconds))))) -}}
  {{- $gated = false -}}
{{- end -}}
{{- if not $gated }}{{ $steps = append $steps (include "myapp.sequentialGate" (dict "root" . "weight" 100 "names" list) | fromJson) }}{{ end -}}
{{- $steps | toJson -}}
{{- end -}}

{{/* The background analysis of an engine that asks the service, of either strategy. */}}
{{- define "myapp.sequentialBackground" -}}
{{- $canary := .Values.rollout.canary -}}
{{- $names := $canary.background -}}
{{- $from := $canary.backgroundFromStep -}}
{{- if eq (include "myapp.engine" .) "sequential" -}}
  {{- $names = include "myapp.notAboutRequests" (dict "root" . "names" $names) | fromJsonArray -}}
  {{- /* From the first weight on: gates that are put in would shift a number. */ -}}
  {{- $from = 0 -}}
  {{- range $index, $step := include "myapp.sequentialSteps" . | fromJsonArray -}}
    {{- if and (hasKey $step "setWeight") (eq (int $from) 0) }}{{ $from = add1 $index }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- if or $names (include "myapp.asksService" .) -}}
analysis:
  startingStep: {{ $from }}
  {{- include "myapp.analysisArgs" . | nindent 2 }}
  templates:
    {{- if include "myapp.asksService" . }}
    - templateName: {{ include "myapp.fullname" . }}-sequential-background
    {{- end }}
    {{- range $names }}
    - templateName: {{ include "myapp.analysisName" (dict "root" $ "name" . "use" "background") }}
    {{- end }}
{{- end -}}
{{- end -}}

{{/* Measurements of a gate until it ends inconclusive. */}}
{{- define "myapp.sequentialCount" -}}
{{- with .Values.analysis.sequential }}{{ divf .gateSeconds .intervalSeconds | ceil | int }}{{ end -}}
{{- end -}}

{{/* The question to the service. Takes root and weight (optional). */}}
{{- define "myapp.webProvider" -}}
{{- $sequential := .root.Values.analysis.sequential -}}
web:
  url: {{ printf "%s/v1/verdict?namespace=%s&rollout=%s&hash={{args.canary-hash}}%s" (trimSuffix "/" $sequential.service.url) .root.Release.Namespace (include "myapp.fullname" .root) (.weight | ternary "&weight={{args.weight}}" "") | quote }}
  timeoutSeconds: 10
  {{- if $sequential.service.insecure }}
  insecure: true
  {{- end }}
  # The whole answer, so that the measurement has the reason.
  jsonPath: "{$}"
{{- end -}}

{{/* Metric of a gate. */}}
{{- define "myapp.sequentialGateMetric" -}}
name: sequential
{{- if include "myapp.judgesByJob" . }}
provider:
  job:
    {{- include "myapp.judgeJob" . | nindent 4 }}
{{- else }}
interval: {{ .Values.analysis.sequential.intervalSeconds }}s
count: {{ include "myapp.sequentialCount" . }}
consecutiveSuccessLimit: 1
failureLimit: 0
inconclusiveLimit: {{ include "myapp.sequentialCount" . }}
consecutiveErrorLimit: {{ include "myapp.serviceErrorLimit" . }}
successCondition: result.verdict == "pass"
failureCondition: result.verdict == "fail"
provider:
  {{- include "myapp.webProvider" (dict "root" . "weight" true) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* How many times in a row the service may be unreachable; it is asked again every 10 s. */}}
{{- define "myapp.serviceErrorLimit" -}}
{{- divf .Values.analysis.noDataSeconds 10 | ceil | int -}}
{{- end -}}

{{/* Metric of the background: it can only take back. */}}
{{- define "myapp.sequentialBackgroundMetric" -}}
name: sequential
interval: {{ .Values.analysis.sequential.intervalSeconds }}s
failureLimit: 0
consecutiveErrorLimit: {{ include "myapp.serviceErrorLimit" . }}
failureCondition: result.verdict == "fail"
provider:
  {{- include "myapp.webProvider" (dict "root" . "weight" false) | nindent 2 }}
{{- end -}}

{{/* The Job that judges one gate, for clusters without the service. */}}
{{- define "myapp.judgeJob" -}}
{{- $sequential := .Values.analysis.sequential -}}
metadata:
  labels:
    {{- include "myapp.hookLabels" (dict "root" . "hook" "judge") | nindent 4 }}
spec:
  backoffLimit: 0
  # A margin over its own deadline, so that it is the Job that says what was missing.
  activeDeadlineSeconds: {{ add $sequential.gateSeconds 60 }}
  template:
    metadata:
      {{- include "myapp.hookPodMetadata" (dict "root" . "hook" "judge") | nindent 6 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ .Values.verify.serviceAccountName | default (printf "%s-gate" (include "myapp.fullname" .)) }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.hooks.podSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with include "myapp.placement" . | trim }}{{ . | nindent 6 }}{{ end }}
      containers:
        - name: judge
          image: {{ include "myapp.image" $sequential.job.image | quote }}
          imagePullPolicy: {{ $sequential.job.image.pullPolicy }}
          args:
            - judge
            - --namespace={{ .Release.Namespace }}
            - --rollout={{ include "myapp.fullname" . }}
            - --hash={{ "{{args.canary-hash}}" }}
            - --weight={{ "{{args.weight}}" }}
            - --timeout-seconds={{ $sequential.gateSeconds }}
          {{- with .Values.hooks.securityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .Values.hooks.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
{{- end -}}
