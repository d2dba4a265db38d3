{{/*
Analysis: what a metric asks Prometheus, and when an answer is good, bad or none. A template exists for each metric and
use: as a gate, which ends with the first good answers; in the background, which ends with the rollout; as a bake,
which takes all of its time.
*/}}

{{- define "myapp.analysisName" -}}
{{- printf "%s-%s%s" (include "myapp.fullname" .root) (kebabcase .name) (eq .use "gate" | ternary "" (printf "-%s" .use)) -}}
{{- end -}}

{{/* Reference to the templates of several metrics. Takes root, names and use. */}}
{{- define "myapp.analysisOf" -}}
{{- include "myapp.analysisArgs" .root }}
templates:
  {{- range .names }}
  - templateName: {{ include "myapp.analysisName" (dict "root" $.root "name" . "use" $.use) }}
  {{- end }}
{{- end -}}

{{- define "myapp.analysisArgs" -}}
args:
  - name: canary-hash
    valueFrom:
      podTemplateHashValue: Latest
  - name: stable-hash
    valueFrom:
      podTemplateHashValue: Stable
{{- end -}}

{{/* The templates that the strategy refers to, as a JSON list of [name, use], each once. */}}
{{- define "myapp.analysesUsed" -}}
{{- $used := list -}}
{{- $rollout := .Values.rollout -}}
{{- if eq $rollout.strategy "canary" -}}
  {{- range $rollout.canary.steps -}}
    {{- range .analysis -}}{{- $used = append $used (list . "gate") -}}{{- end -}}
  {{- end -}}
  {{- range $rollout.canary.background -}}{{- $used = append $used (list . "background") -}}{{- end -}}
{{- else -}}
  {{- range concat $rollout.blueGreen.prePromotion $rollout.blueGreen.postPromotion -}}{{- $used = append $used (list . "gate") -}}{{- end -}}
{{- end -}}
{{- if gt (int $rollout.bake.seconds) 0 -}}
  {{- range $rollout.bake.analysis -}}{{- $used = append $used (list . "bake") -}}{{- end -}}
{{- end -}}
{{- if eq (include "myapp.engine" .) "sequential" -}}
  {{- $left := list -}}
  {{- range $used -}}
    {{- if and (ne (last .) "bake") (not (include "myapp.isAboutRequests" (dict "root" $ "name" (first .)))) }}{{ $left = append $left . }}{{ end -}}
  {{- end -}}
  {{- $used = $left -}}
{{- end -}}
{{- uniq $used | toJson -}}
{{- end -}}

{{/* A metric with all that is left to defaults, as JSON. Takes root, name and use. */}}
{{- define "myapp.metric" -}}
{{- $analysis := .root.Values.analysis -}}
{{- /* One that does not exist is refused by the validation, which may come later. */ -}}
{{- $own := get $analysis.metrics .name | default dict -}}
{{- $limits := $analysis.limits -}}
{{- $type := $own.type | default .name -}}
{{- $forgive := $own.forgive | default 0 -}}
{{- $minRequests := hasKey $own "minRequests" | ternary $own.minRequests $analysis.minRequests -}}
{{- $interval := include "myapp.scaled" (dict "root" .root "seconds" ($own.intervalSeconds | default $analysis.intervalSeconds)) | int -}}
{{- $failure := hasKey $own "failureLimit" | ternary $own.failureLimit $limits.failure | int -}}
{{- $inconclusive := hasKey $own "inconclusiveLimit" | ternary $own.inconclusiveLimit $limits.inconclusive | int -}}
{{- if eq $analysis.onNoData "pause" -}}
  {{- $inconclusive = max $inconclusive (divf $analysis.noDataSeconds $interval | ceil | int) -}}
{{- end -}}
{{- $passes := $own.passes | default 1 | int -}}
{{- /* More than the limits allow, so that they decide and not the count. */ -}}
{{- $count := add (mul (add $failure $inconclusive 1) $passes) $failure $inconclusive -}}
{{- /* Where requests come only from now on, the first look waits for them; how long they take no factor changes. */ -}}
{{- $delay := or (eq .use "background") (eq .root.Values.rollout.strategy "blueGreen") | ternary $analysis.warmUpSeconds 0 -}}
{{- if hasKey $own "initialDelaySeconds" -}}
  {{- $delay = include "myapp.scaled" (dict "root" .root "seconds" $own.initialDelaySeconds) | int -}}
{{- end -}}
{{- if eq .use "background" -}}
  {{- $count = 0 -}}
  {{- $passes = 0 -}}
{{- else if eq .use "bake" -}}
  {{- $count = add 1 (divf (include "myapp.scaled" (dict "root" .root "seconds" .root.Values.rollout.bake.seconds)) $interval | ceil | int) | max (add 1 $failure) -}}
  {{- $passes = 0 -}}
{{- else if $own.count -}}
  {{- $count = int $own.count -}}
  {{- $passes = 0 -}}
{{- end -}}
{{- if gt (int $count) 0 }}{{ $inconclusive = min $inconclusive (eq (int $passes) 0 | ternary (sub (int $count) 1) (int $count)) }}{{ end -}}
{{- $errors := $limits.consecutiveError -}}
{{- if kindIs "invalid" $errors }}{{ $errors = divf $analysis.noDataSeconds 10 | ceil | int }}{{ end -}}
{{- dict
  "type" $type
  "pass" $own.pass
  "fail" (kindIs "invalid" $own.fail | ternary $own.pass $own.fail)
  "forgive" $forgive
  "doubt" ($own.doubt | default 0)
  "failsOnly" (eq .use "background")
  "quantile" $own.quantile
  "minRequests" $minRequests
  "window" (include "myapp.scaled" (dict "root" .root "seconds" ($own.windowSeconds | default $analysis.windowSeconds)) | int | max 10)
  "interval" $interval
  "initialDelay" $delay
  "count" $count
  "passes" $passes
  "failureLimit" $failure
  "inconclusiveLimit" $inconclusive
  "consecutiveErrorLimit" $errors
  "higherIsBetter" (has $type (list "successRatio" "ingressSuccessRatio"))
  "isJob" (eq $type "smoke")
  | toJson -}}
{{- end -}}

{{/* Spec of a metric in an AnalysisTemplate. Takes root, name and use. */}}
{{- define "myapp.metricSpec" -}}
{{- $metric := include "myapp.metric" . | fromJson -}}
{{- $name := kebabcase .name -}}
{{- if $metric.isJob -}}
name: {{ $name }}
provider:
  job:
    {{- include "myapp.gateJob" (dict "root" .root "hook" "smoke" "flags" (list "verify" "--checks-only")) | nindent 4 }}
{{- else -}}
{{- $background := eq .use "background" -}}
{{- /* Without data the result is empty: to look into it is an error, to ask for its length first is inconclusive. */ -}}
{{- $guard := eq .root.Values.analysis.onNoData "pause" | ternary "len(result) > 0 && " "" -}}
{{- $good := $metric.higherIsBetter | ternary ">=" "<" -}}
{{- $bad := $metric.higherIsBetter | ternary "<" ">=" -}}
name: {{ $name }}{{ if eq .use "bake" }}-bake{{ end }}
interval: {{ $metric.interval }}s
{{- if gt (int $metric.initialDelay) 0 }}
initialDelay: {{ $metric.initialDelay }}s
{{- end }}
{{- if gt (int $metric.count) 0 }}
count: {{ $metric.count }}
{{- end }}
{{- if gt (int $metric.passes) 0 }}
consecutiveSuccessLimit: {{ $metric.passes }}
{{- end }}
failureLimit: {{ $metric.failureLimit }}
inconclusiveLimit: {{ $metric.inconclusiveLimit }}
consecutiveErrorLimit: {{ $metric.consecutiveErrorLimit }}
{{- if not $background }}
successCondition: {{ printf "%sresult[0] %s %v" $guard $good $metric.pass }}
{{- else if $guard }}
successCondition: {{ printf "%s!(result[0] %s %v)" $guard $bad $metric.fail }}
{{- end }}
failureCondition: {{ printf "%sresult[0] %s %v" $guard $bad $metric.fail }}
provider:
  prometheus:
    address: {{ .root.Values.analysis.prometheus.address }}
    timeout: {{ .root.Values.analysis.prometheus.timeoutSeconds }}
    query: |
      {{- include "myapp.query" (dict "root" .root "metric" $metric) | trim | nindent 6 }}
{{- end -}}
{{- end -}}

{{/*
How much counters have grown in the last `window` seconds, summed, pod by pod: from one sample to the other, so that
nothing is extrapolated and the first errors of a pod that is younger than the window count as well. A pod's label
`role` changes when it is promoted, and its counters go on. Takes series, window and by (labels to keep, optional).
*/}}
{{- define "myapp.growth" -}}
{{- $series := printf "sum without (role) (%s)" .series -}}
sum{{ with .by }} by ({{ . }}){{ end }}(clamp_min(
  ({{ $series }} - sum without (role) ({{ .series }} offset {{ .window }}s)) or {{ $series }}, 0
))
{{- end -}}

{{/* The query of a metric. Takes root and metric. What it does not know it leaves out: NaN becomes an empty result. */}}
{{- define "myapp.query" -}}
{{- $names := .root.Values.analysis.names -}}
{{- $m := .metric -}}
{{- $namespace := printf "%s=%q" $names.namespaceLabel .root.Release.Namespace -}}
{{- $canary := printf "%s,%s=\"{{args.canary-hash}}\"" $namespace $names.hashLabel -}}
{{- $stable := printf "%s,%s=\"{{args.stable-hash}}\"" $namespace $names.hashLabel -}}
{{- $pods := printf "%s,pod=~\"%s-{{args.canary-hash}}-.*\"" $namespace (include "myapp.fullname" .root) -}}
{{- $requests := include "myapp.growth" (dict "series" (printf "%s{%s}" $names.requests $canary) "window" $m.window) -}}
{{- /* Where no request has a status none would ever be bad, so none counts: no data, which never passes. */}}
{{- $withStatus := include "myapp.growth" (dict "series" (printf "%s{%s,%s!=\"\"}" $names.requests $canary $names.statusLabel) "window" $m.window) -}}
{{- $errors := include "myapp.growth" (dict "series" (printf "%s{%s,%s=~%q}" $names.requests $canary $names.statusLabel $names.errorStatus) "window" $m.window) -}}
{{- if eq $m.type "errorRatio" }}
{{- include "myapp.ratioQuery" (dict "metric" $m "bad" (printf "(%s or vector(0))" $errors) "all" $withStatus) }}
{{- else if eq $m.type "successRatio" }}
{{- $successes := include "myapp.growth" (dict "series" (printf "%s{%s,%s=~%q}" $names.requests $canary $names.statusLabel $names.successStatus) "window" $m.window) }}
{{- include "myapp.ratioQuery" (dict "metric" $m "bad" (printf "%s - (%s or vector(0))" $requests $successes) "all" $requests) }}
{{- else if eq $m.type "ingressSuccessRatio" }}
{{- $service := $names.ingressService | default (printf "service=~\"%s-%s-.*\"" .root.Release.Namespace (include "myapp.testedService" .root)) }}
{{- $all := include "myapp.growth" (dict "series" (printf "%s{%s,%s!=\"\"}" $names.ingressRequests $service $names.ingressStatusLabel) "window" $m.window) }}
{{- $bad := include "myapp.growth" (dict "series" (printf "%s{%s,%s=~%q}" $names.ingressRequests $service $names.ingressStatusLabel $names.errorStatus) "window" $m.window) }}
{{- include "myapp.ratioQuery" (dict "metric" $m "bad" (printf "(%s or vector(0))" $bad) "all" $all) }}
{{- else if eq $m.type "errorCount" }}
({{ $errors }} or vector(0))
and on() ({{ $withStatus }} >= {{ $m.minRequests }})
{{- else if eq $m.type "latency" }}
{{ include "myapp.quantileQuery" (dict "names" $names "pods" $canary "metric" $m) }} >= 0
and on() ({{ $requests }} >= {{ $m.minRequests }})
{{- else if eq $m.type "latencyVersusStable" }}
{{- $ofStable := include "myapp.growth" (dict "series" (printf "%s{%s}" $names.requests $stable) "window" $m.window) }}
{{ include "myapp.quantileQuery" (dict "names" $names "pods" $canary "metric" $m) }}
/ ({{ include "myapp.quantileQuery" (dict "names" $names "pods" $stable "metric" $m) }} > 0) >= 0
and on() ({{ $requests }} >= {{ $m.minRequests }})
and on() ({{ $ofStable }} >= {{ $m.minRequests }})
{{- else if eq $m.type "restarts" }}
sum({{ $names.restarts }}{{ printf "{%s}" $pods }}) >= 0
{{- else if eq $m.type "memory" }}
{{ include "myapp.shareOfLimit" (dict "names" $names "pods" $pods "resource" "memory" "used" (printf "%s{%s,container=\"app\"}" $names.memory $pods)) }}
{{- else if eq $m.type "cpu" }}
{{ include "myapp.shareOfLimit" (dict "names" $names "pods" $pods "resource" "cpu" "used" (printf "rate(%s{%s,container=\"app\"}[%vs])" $names.cpu $pods (max 60 $m.window))) }}
{{- else if eq $m.type "queueLag" }}
max({{ $names.queueLag }}{{ printf "{%s}" $canary }}) >= 0
{{- else if eq $m.type "logErrors" }}
{{ include "myapp.growth" (dict "series" (printf "%s{%s,%s}" $names.logLines $canary $names.logErrors) "window" $m.window) }}
or 0 * sum({{ $names.logLines }}{{ printf "{%s}" $canary }})
{{- end }}
{{- end -}}

{{/*
The share of bad answers, or of good ones, among at least `minRequests`. The first `forgive` bad ones are no evidence
against a version, however few requests there were; for it to pass, `doubt` more are added. So between failing and
passing it is NaN, which is neither, and is measured again: the two bounds of a sequential test. Takes metric, bad and
all.
*/}}
{{- define "myapp.ratioQuery" }}
{{- $from := .metric.higherIsBetter | ternary "1 - " "" }}
{{- if gt (float64 .metric.forgive) 0.0 }}
{{ $from }}clamp_min(
{{ .bad }}
- {{ .metric.forgive }}, 0) / ({{ .all }} > 0){{ if not .metric.failsOnly }} {{ .metric.higherIsBetter | ternary "<" ">=" }} {{ .metric.fail }}
or
{{- end }}
{{- end }}
{{- if not (and .metric.failsOnly (gt (float64 .metric.forgive) 0.0)) }}
{{- $enough := printf "(%s >= %d)" .all (max 1 (int .metric.minRequests)) }}
{{ $from }}(
{{ .bad }}
+ {{ .metric.doubt }}) / {{ $enough }}
{{- if gt (float64 .metric.doubt) 0.0 }} {{ .metric.higherIsBetter | ternary ">=" "<" }} {{ .metric.pass }}
or
NaN * {{ $enough }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A quantile of the durations, in seconds. Takes names, pods and metric. */}}
{{- define "myapp.quantileQuery" -}}
histogram_quantile({{ .metric.quantile }}, {{ include "myapp.growth" (dict "series" (printf "%s{%s}" .names.durationBucket .pods) "window" .metric.window "by" "le") }})
{{- end -}}

{{/* The largest share that a pod has of its limit. Takes names, pods, resource and used. */}}
{{- define "myapp.shareOfLimit" -}}
{{- $by := printf "by (%s, pod, container)" .names.namespaceLabel -}}
max(
  max {{ $by }} ({{ .used }})
  / max {{ $by }} ({{ .names.resourceLimits }}{{ printf "{%s,container=\"app\",resource=%q}" .pods .resource }})
) >= 0
{{- end -}}

{{/*
A Job that runs ctl against the version under test. Unlike a hook's it runs at any time, so its account and files are
ordinary objects of the release. Takes root, hook and flags.
*/}}
{{- define "myapp.gateJob" -}}
{{- $name := printf "%s-gate" (include "myapp.fullname" .root) -}}
metadata:
  labels:
    {{- include "myapp.hookLabels" . | nindent 4 }}
spec:
  {{- $account := .root.Values.verify.serviceAccountName | default $name -}}
  {{- include "myapp.verifyJobSpec" (merge (dict "account" $account "configMap" $name) .) | nindent 2 }}
{{- end -}}

{{/* Not empty when a gate runs a Job. */}}
{{- define "myapp.hasGateJob" -}}
{{- if include "myapp.hasWorkload" (dict "root" . "kind" "Rollout") -}}
{{- $jobs := or .Values.verify.enabled (ne (include "myapp.judgesByJob" .) "") | ternary "yes" "" -}}
{{- range include "myapp.analysesUsed" . | fromJsonArray -}}
  {{- if (include "myapp.metric" (dict "root" $ "name" (first .) "use" (last .)) | fromJson).isJob }}{{ $jobs = "yes" }}{{ end -}}
{{- end -}}
{{- $jobs -}}
{{- end -}}
{{- end -}}

{{/*
Seconds that the verdict of a blue-green waits for the other analysis after the promotion: all of it runs at the same
time, and the verdict must be the last. The last query gets its own time to be answered, or an interval if that is
shorter.
*/}}
{{- define "myapp.verdictDelay" -}}
{{- $delay := 0 -}}
{{- if eq .Values.rollout.strategy "blueGreen" -}}
  {{- $uses := list -}}
  {{- range .Values.rollout.blueGreen.postPromotion -}}{{ $uses = append $uses (list . "gate") }}{{- end -}}
  {{- if gt (int .Values.rollout.bake.seconds) 0 -}}
    {{- range .Values.rollout.bake.analysis -}}{{ $uses = append $uses (list . "bake") }}{{- end -}}
  {{- end -}}
  {{- range $uses -}}
    {{- $metric := include "myapp.metric" (dict "root" $ "name" (first .) "use" (last .)) | fromJson -}}
    {{- $measurements := gt (int $metric.passes) 0 | ternary $metric.passes $metric.count | int -}}
    {{- if not $metric.isJob -}}
      {{- $last := mul (int $metric.interval) (sub $measurements 1) -}}
      {{- $answer := min (int $metric.interval) (int $.Values.analysis.prometheus.timeoutSeconds) -}}
      {{- $delay = max $delay (add (int $metric.initialDelay) $last $answer) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $delay -}}
{{- end -}}
