{{/*
What the schema cannot see: values that are right each for itself and wrong together. All problems are collected and
reported at once, each with the path of the value to change.
*/}}
{{- define "myapp.validate" -}}
{{- $problems := list -}}
{{- range $part := list "Image" "Names" "Environment" "Pod" "Availability" "Network" "Checks" "Hooks" "Mode" "Strategy" "Analysis" "Sequential" "Agent" -}}
  {{- $found := include (printf "myapp.validate%s" $part) $ -}}
  {{- range splitList "\n" $found -}}
    {{- with trim . -}}{{- $problems = append $problems . -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- with $problems -}}
{{- fail (printf "\n\nThe values cannot be used (%d %s):\n  - %s\n" (len .) (eq (len .) 1 | ternary "problem" "problems") (join "\n  - " .)) -}}
{{- end -}}
{{- end -}}

{{/* Each of the following gives one problem a line. */}}

{{- define "myapp.validateImage" }}
{{- if not (or .Values.image.tag .Values.image.digest) }}
image: neither tag nor digest is set, so it is not said what to run; set image.tag or image.digest
{{- end }}
{{- if and .Values.verify.enabled (not (or .Values.hooks.image.tag .Values.hooks.image.digest)) }}
hooks.image: neither tag nor digest is set, but verify.enabled needs the image; set hooks.image.tag or hooks.image.digest, or verify.enabled=false
{{- end }}
{{- end }}

{{- define "myapp.validateNames" }}
{{- $fullname := include "myapp.fullname" . }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $fullname) }}
fullnameOverride: the name {{ $fullname | quote }} cannot be that of a Service, which begins with a letter and holds a-z, 0-9 and "-" only; set fullnameOverride
{{- end }}
{{- $reserved := list "role" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" }}
{{- range $key := $reserved }}
{{- if hasKey $.Values.podLabels $key }}
podLabels: {{ $key | quote }} is set by the chart, because Services and selectors rely on it; remove it
{{- end }}
{{- end }}
{{- range $key := append (rest $reserved) "safe-deploy.dev/hook" }}
{{- if hasKey ($.Values.hooks.podLabels | default dict) $key }}
hooks.podLabels: {{ $key | quote }} is set by the chart, because policies and ctl rely on it; remove it
{{- end }}
{{- end }}
{{- if hasKey ($.Values.hooks.podLabels | default dict) "role" }}
hooks.podLabels: "role" would put the hook's pod behind the Service; remove it
{{- end }}
{{- range $key := concat (rest $reserved) (list "app.kubernetes.io/managed-by" "app.kubernetes.io/version" "helm.sh/chart" "job-type" "safe-deploy.dev/hook" "safe-deploy.dev/release" "safe-deploy.dev/config") }}
{{- if hasKey ($.Values.commonLabels | default dict) $key }}
commonLabels: {{ $key | quote }} is set by the chart; remove it
{{- end }}
{{- end }}
{{- range $key, $_ := .Values.podAnnotations }}
{{- if or (eq $key "safe-deploy.dev/config") (and $.Values.metrics.annotations (has $key (list "prometheus.io/scrape" "prometheus.io/port" "prometheus.io/path"))) }}
podAnnotations: {{ $key | quote }} is set by the chart; remove it{{ if hasPrefix "prometheus.io/" $key }}, or set metrics.annotations=false{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "myapp.validateEnvironment" }}
{{- $seen := dict }}
{{- range $part := list "config" "flags" "secrets" }}
{{- range $key, $value := get $.Values $part }}
{{- if hasKey $seen $key }}
{{ $part }}.{{ $key }}: is set in {{ get $seen $key }} as well, and only one of them can be the variable's value; remove one
{{- end }}
{{- $_ := set $seen $key $part }}
{{- if kindIs "float64" $value }}
{{- if or (ge $value 9007199254740992.0) (le $value -9007199254740992.0) }}
{{ $part }}.{{ $key }}: a number this large loses its last digits before the chart sees it; write it in quotes
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "myapp.validatePod" }}
{{- if le (int .Values.terminationGracePeriodSeconds) (int .Values.preStop.sleepSeconds) }}
terminationGracePeriodSeconds: is {{ .Values.terminationGracePeriodSeconds }} and contains preStop.sleepSeconds, which is {{ .Values.preStop.sleepSeconds }}, so the service would be killed before it can finish its requests; make it larger
{{- end }}
{{- $portNames := list }}
{{- $portNumbers := list }}
{{- range $name, $port := .Values.ports }}
{{- if not (kindIs "invalid" $port) }}
{{- if has (int $port) $portNumbers }}
ports.{{ $name }}: {{ $port }} has another name already; each port needs a number of its own
{{- end }}
{{- $portNames = append $portNames $name }}
{{- $portNumbers = append $portNumbers (int $port) }}
{{- end }}
{{- end }}
{{- range $kind := list "startup" "readiness" "liveness" }}
{{- with get $.Values.probes $kind }}
{{- $handlers := list }}
{{- range $handler := list "exec" "grpc" "httpGet" "tcpSocket" }}
{{- with get $.Values.probes $kind | dig $handler nil }}
{{- $handlers = append $handlers $handler }}
{{- if and (kindIs "string" .port) (not (has .port $portNames)) }}
probes.{{ $kind }}.{{ $handler }}.port: {{ .port | quote }} is no name in ports ({{ join ", " $portNames }})
{{- end }}
{{- end }}
{{- end }}
{{- if ne (len $handlers) 1 }}
probes.{{ $kind }}: needs exactly one of exec, grpc, httpGet and tcpSocket, but has {{ join " and " $handlers | default "none" }}; set the others to null, or probes.{{ $kind }}=null for no probe
{{- end }}
{{- if and (ne $kind "readiness") (gt (int (.successThreshold | default 1)) 1) }}
probes.{{ $kind }}.successThreshold: must be 1
{{- end }}
{{- end }}
{{- end }}
{{- if not (has .Values.metrics.port $portNames) }}
metrics.port: {{ .Values.metrics.port | quote }} is no name in ports ({{ join ", " $portNames }})
{{- end }}
{{- $volumes := list }}
{{- if not (include "myapp.ownTmp" .) }}{{ $volumes = append $volumes "tmp" }}{{ end }}
{{- range .Values.extraVolumes }}
{{- if has .name $volumes }}
extraVolumes: {{ .name | quote }} is there already{{ if eq .name "tmp" }}, for /tmp; give it another name, or mount it at /tmp{{ end }}
{{- end }}
{{- $volumes = append $volumes .name }}
{{- end }}
{{- $mounts := list }}
{{- range .Values.extraVolumeMounts }}
{{- if not (has .name $volumes) }}
extraVolumeMounts: {{ .name | quote }} is no volume; add it to extraVolumes
{{- end }}
{{- if has .mountPath $mounts }}
extraVolumeMounts: {{ .mountPath }} is mounted twice
{{- end }}
{{- $mounts = append $mounts .mountPath }}
{{- end }}
{{- $containers := list "app" }}
{{- range $part := list "initContainers" "sidecars" }}
{{- range get $.Values $part }}
{{- if has .name $containers }}
{{ $part }}: the pod has a container {{ .name | quote }} already; give it another name
{{- end }}
{{- $containers = append $containers .name }}
{{- end }}
{{- end }}
{{- end }}

{{- define "myapp.validateAvailability" }}
{{- $replicas := .Values.autoscaling.enabled | ternary .Values.autoscaling.minReplicas .Values.replicaCount | int }}
{{- $replicasPath := .Values.autoscaling.enabled | ternary "autoscaling.minReplicas" "replicaCount" }}
{{- if and .Values.verify.enabled (eq $replicas 0) }}
replicaCount: is 0, so there is nothing to verify; set it to 1 or more, or verify.enabled=false
{{- end }}
{{- with .Values.autoscaling }}
{{- if .enabled }}
{{- if lt (int .maxReplicas) (int .minReplicas) }}
autoscaling.maxReplicas: is {{ .maxReplicas }}, less than autoscaling.minReplicas, which is {{ .minReplicas }}
{{- end }}
{{- if not (or .targetCPUUtilizationPercentage .targetMemoryUtilizationPercentage .metrics) }}
autoscaling: has nothing to scale by; set targetCPUUtilizationPercentage, targetMemoryUtilizationPercentage or metrics
{{- end }}
{{- $resources := $.Values.resources | default dict }}
{{- range $resource, $target := dict "cpu" .targetCPUUtilizationPercentage "memory" .targetMemoryUtilizationPercentage }}
{{- if and $target (not (or (dig "requests" $resource "" $resources) (dig "limits" $resource "" $resources))) }}
autoscaling: aims at a percentage of the requested {{ $resource }}, but none is requested; set resources.requests.{{ $resource }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.pdb }}
{{- if .enabled }}
{{- $hasMin := not (kindIs "invalid" .minAvailable) }}
{{- if and $hasMin (not (kindIs "invalid" .maxUnavailable)) }}
pdb: minAvailable and maxUnavailable are both set, and a PodDisruptionBudget takes one; set the other to null
{{- end }}
{{- $kept := int .minAvailable }}
{{- if kindIs "string" .minAvailable }}
{{- /* A percentage is rounded up. */}}
{{- $kept = div (add (mul (trimSuffix "%" .minAvailable | int) $replicas) 99) 100 | int }}
{{- end }}
{{- if and $hasMin (gt $replicas 0) (ge $kept $replicas) }}
pdb.minAvailable: is {{ .minAvailable }} and {{ $replicasPath }} is {{ $replicas }}, so no node could ever be drained; lower it, or use pdb.maxUnavailable
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.strategy }}
{{- if eq .type "RollingUpdate" }}
{{- $zero := list "0" "0%" }}
{{- if and .rollingUpdate (has (.rollingUpdate | dig "maxSurge" "25%" | toString) $zero) (has (.rollingUpdate | dig "maxUnavailable" "25%" | toString) $zero) }}
strategy.rollingUpdate: maxSurge and maxUnavailable are both 0, so no pod could ever be replaced; raise one of them
{{- end }}
{{- end }}
{{- end }}
{{- if ge (int .Values.minReadySeconds) (int .Values.progressDeadlineSeconds) }}
progressDeadlineSeconds: is {{ .Values.progressDeadlineSeconds }}, and must be greater than minReadySeconds, which is {{ .Values.minReadySeconds }}
{{- end }}
{{- end }}

{{- define "myapp.validateNetwork" }}
{{- with .Values.ingress }}
{{- if .enabled }}
{{- if not .hosts }}
ingress.hosts: is empty, so the Ingress would route nothing; set ingress.hosts[0].host
{{- end }}
{{- range $index, $entry := .hosts }}
{{- if not $entry.host }}
ingress.hosts[{{ $index }}].host: is empty, so it would take the requests of every host; name the host
{{- end }}
{{- end }}
{{- else if .held }}
ingress.held: is true, but ingress.enabled is false, so there is no route to hold; set ingress.enabled=true, or leave it out
{{- end }}
{{- if and .held (ne $.Values.service.type "ClusterIP") }}
ingress.held: is true, but service.type is {{ $.Values.service.type }}, a route of its own that leads to the pods as soon as they are ready; set it to ClusterIP
{{- end }}
{{- end }}
{{- if and .Values.worker .Values.ingress.enabled }}
ingress.enabled: is true, but worker is true and no requests are routed to a worker; set it to false
{{- end }}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") }}
service.nodePort: is set, but service.type is ClusterIP; set it to NodePort or LoadBalancer, or service.nodePort to null
{{- end }}
{{- end }}

{{- define "myapp.validateChecks" }}
{{- if and .Values.verify.enabled (not .Values.checks) }}
checks: is empty, and a release that nothing was checked of is not verified; declare at least one check, or set verify.enabled=false
{{- end }}
{{- $names := list }}
{{- range $index, $check := .Values.checks }}
{{- if has $check.name $names }}
checks[{{ $index }}].name: another check is called {{ $check.name | quote }} already
{{- end }}
{{- $names = append $names $check.name }}
{{- end }}
{{- range $index, $check := .Values.checks }}
{{- range $check.dependsOn }}
{{- if not (has . $names) }}
checks[{{ $index }}].dependsOn: names {{ . | quote }}, but no check is called so
{{- end }}
{{- end }}
{{- $repeat := $check.repeat | default dict }}
{{- if gt (int ($repeat.atLeast | default 0)) (int ($repeat.times | default 1)) }}
checks[{{ $index }}].repeat.atLeast: is {{ $repeat.atLeast }}, more than the {{ $repeat.times | default 1 }} of repeat.times
{{- end }}
{{- $method := $check.request.method | default "GET" }}
{{- if and $check.request.body (has $method (list "GET" "HEAD")) }}
checks[{{ $index }}].request.body: is not possible with {{ $method }}; set request.method to POST, PUT, PATCH or DELETE
{{- end }}
{{- end }}
{{- /* What is left when checks that wait for nothing are taken away, again and again, waits for itself. */}}
{{- $done := list }}
{{- range .Values.checks }}
{{- range $check := $.Values.checks }}
{{- $waits := false }}
{{- range $check.dependsOn }}{{ if and (has . $names) (not (has . $done)) }}{{ $waits = true }}{{ end }}{{ end }}
{{- if not $waits }}{{ $done = append $done $check.name }}{{ end }}
{{- end }}
{{- end }}
{{- range $index, $check := .Values.checks }}
{{- if not (has $check.name $done) }}
checks[{{ $index }}].dependsOn: {{ $check.name | quote }} waits, directly or through others, for a circle of checks; break it
{{- end }}
{{- end }}
{{- end }}

{{- define "myapp.validateHooks" }}
{{- if .Values.verify.enabled }}
{{- if ge (int .Values.verify.checksDeadlineSeconds) (int .Values.verify.deadlineSeconds) }}
verify.deadlineSeconds: is {{ .Values.verify.deadlineSeconds }} and contains verify.checksDeadlineSeconds, which is {{ .Values.verify.checksDeadlineSeconds }}; make it larger
{{- end }}
{{- with .Values.probes.startup }}
{{- $longest := add (.initialDelaySeconds | default 0) (mul (.periodSeconds | default 10) (.failureThreshold | default 3)) }}
{{- if ge (int $longest) (int $.Values.verify.deadlineSeconds) }}
verify.deadlineSeconds: is {{ $.Values.verify.deadlineSeconds }}, but probes.startup lets a pod take {{ $longest }} seconds to start; make it larger
{{- end }}
{{- end }}
{{- if ge (int .Values.minReadySeconds) (int .Values.verify.deadlineSeconds) }}
verify.deadlineSeconds: is {{ .Values.verify.deadlineSeconds }}, but no pod is available before minReadySeconds, which is {{ .Values.minReadySeconds }}; make it larger
{{- end }}
{{- end }}
{{- with .Values.migrations }}
{{- if .enabled }}
{{- if and .args .version }}
migrations.version: is not used when migrations.args is set; put it there, and leave one of them empty
{{- end }}
{{- $names := concat (keys $.Values.secrets) (keys $.Values.config) }}
{{- range $.Values.extraEnv }}{{ $names = append $names .name }}{{ end }}
{{- if and (eq (join " " .command) "node /app/migrate.mjs") (not (or (has "DB_DSN" $names) $.Values.existingSecret $.Values.extraEnvFrom)) }}
migrations.enabled: is true, but nothing says where the database is; set secrets.DB_DSN, or existingSecret
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A workload of the other kind in the cluster: only with a hand-over may it be replaced. */}}
{{- define "myapp.validateMode" }}
{{- $fullname := include "myapp.fullname" . }}
{{- $other := dict }}
{{- if eq .Values.mode "rollout" }}
{{- $other = lookup "apps/v1" "Deployment" .Release.Namespace $fullname }}
{{- else if .Capabilities.APIVersions.Has "argoproj.io/v1alpha1/Rollout" }}
{{- $other = lookup "argoproj.io/v1alpha1" "Rollout" .Release.Namespace $fullname }}
{{- end }}
{{- $annotations := dig "metadata" "annotations" dict ($other | default dict) }}
{{- if eq .Release.Name (get $annotations "meta.helm.sh/release-name") }}
{{- $command := printf "pnpm ctl mode %s -n %s --release %s" .Values.mode .Release.Namespace .Release.Name }}
{{- if not .Values.rollout.handover }}
{{- if ne (get $annotations "safe-deploy.dev/handover") "true" }}
mode: is {{ .Values.mode }}, but a {{ $other.kind }} serves this release, and this upgrade would delete it before the new workload serves; run {{ $command }}
{{- end }}
{{- else }}
{{- $image := "" }}
{{- range dig "spec" "template" "spec" "containers" list $other }}{{ if eq .name "app" }}{{ $image = .image }}{{ end }}{{ end }}
{{- $config := dig "spec" "template" "metadata" "annotations" "safe-deploy.dev/config" "" $other }}
{{- if or (ne $image (include "myapp.image" .Values.image)) (ne $config (include "myapp.configVersion" .)) }}
rollout.handover: the {{ $other.kind }} runs {{ $image }} with config {{ $config }}, and a change of mode together with a change of version would skip every gate; change the mode first, then deploy the version
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "myapp.validateStrategy" }}
{{- if include "myapp.hasWorkload" (dict "root" . "kind" "Rollout") }}
{{- $replicas := .Values.autoscaling.enabled | ternary .Values.autoscaling.minReplicas .Values.replicaCount | int }}
{{- $replicasPath := .Values.autoscaling.enabled | ternary "autoscaling.minReplicas" "replicaCount" }}
{{- $ingress := .Values.ingress }}
{{- $router := .Values.rollout.router }}
{{- $none := eq $router "none" }}
{{- $isCanary := eq .Values.rollout.strategy "canary" }}
{{- if and .Values.worker (not $none) }}
rollout.router: is {{ $router }}, but worker is true and no requests are routed to a worker; set it to none
{{- end }}
{{- if not $none }}
{{- if not (and $ingress.enabled $ingress.hosts) }}
rollout.router: is {{ $router }}, but it has nothing to route; set ingress.enabled=true and ingress.hosts
{{- end }}
{{- if and (eq $router "traefik") (gt (len ($ingress.tls | default list)) 1) }}
ingress.tls: an IngressRoute takes one certificate; leave one entry
{{- end }}
{{- if and (eq $router "gatewayAPI") (not .Values.rollout.gatewayAPI.parentRefs) }}
rollout.gatewayAPI.parentRefs: is empty, so no gateway would take the route; name the gateway
{{- end }}
{{- end }}
{{- range $part := list "requests" "limits" }}
{{- $cpu := dig $part "cpu" "" ($.Values.resources | default dict) | toString }}
{{- if regexMatch "^[0-9]+000m$" $cpu }}
resources.{{ $part }}.cpu: is {{ $cpu }}, which Kubernetes writes as {{ trimSuffix "000m" $cpu }}; write it so, or Argo Rollouts changes the field and every later upgrade is a conflict
{{- end }}
{{- end }}
{{- with .Values.rollout.canary }}
{{- if and .headerRoute $none }}
rollout.canary.headerRoute: needs a router that tells requests apart; set rollout.router, or leave it out
{{- end }}
{{- if $isCanary }}
{{- $weight := -1 }}
{{- range $index, $step := .steps }}
{{- $path := printf "rollout.canary.steps[%d]" $index }}
{{- if hasKey $step "setWeight" }}
{{- $next := int $step.setWeight }}
{{- if le $next $weight }}
{{ $path }}.setWeight: is {{ $next }} after {{ $weight }}; weights must rise
{{- end }}
{{- $weight = $next }}
{{- if and $none (gt $next 0) (lt $next 100) (gt $replicas 0) }}
{{- $pods := div (add (mul $next $replicas) 50) 100 | int }}
{{- $off := sub (mul $next $replicas) (mul 100 $pods) | int }}
{{- if or (ge (max $off (mul -1 $off)) (int64 $replicas)) (eq $pods 0) (eq $pods $replicas) }}
{{- $possible := list }}
{{- range $i := untilStep 1 (min 21 $replicas | int) 1 }}{{ $possible = append $possible (div (add (mul 200 $i) $replicas) (mul 2 $replicas)) }}{{ end }}
{{ $path }}.setWeight: is {{ $next }}, but with rollout.router none a weight is a share of the pods, and {{ $replicas }} of them ({{ $replicasPath }}) can carry {{ with $possible }}{{ join ", " . }}{{ if gt $replicas 21 }}, ...{{ end }}{{ else }}none{{ end }} only; change it, {{ $replicasPath }} or the router
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq $weight -1 }}
rollout.canary.steps: has no setWeight, so the new version would get all the traffic at once; add one
{{- end }}
{{- if and .background (gt (int .backgroundFromStep) (len .steps)) }}
rollout.canary.backgroundFromStep: is {{ .backgroundFromStep }}, but there are {{ len .steps }} steps; lower it
{{- end }}
{{- if and .dynamicStableScale $none }}
rollout.canary.dynamicStableScale: needs a router; set rollout.router, or leave it out
{{- end }}
{{- $zero := list "0" "0%" }}
{{- if and (has (toString .maxSurge) $zero) (has (toString .maxUnavailable) $zero) }}
rollout.canary: maxSurge and maxUnavailable are both 0, so no pod could ever be replaced; raise one of them
{{- end }}
{{- if and $none (gt (int $.Values.rollout.bake.seconds) 0) }}
rollout.bake.seconds: a canary without a router has no old pods left at weight 100 to go back to; set rollout.router, or 0
{{- end }}
{{- end }}
{{- end }}
{{- if not $isCanary }}
{{- if .Values.worker }}
rollout.strategy: is blueGreen, but worker is true, and a preview would take real jobs; set it to canary
{{- end }}
{{- if not (has $router (list "none" "traefik")) }}
rollout.router: is {{ $router }}, but blue-green switches a Service and has no weights; set it to none (an Ingress then leads to it) or traefik
{{- end }}
{{- end }}
{{- if and (gt (int .Values.rollout.bake.seconds) 0) (not .Values.rollout.bake.analysis) }}
rollout.bake.analysis: is empty, so nothing would be watched; name a metric, or set rollout.bake.seconds=0
{{- end }}
{{- end }}
{{- end }}

{{- define "myapp.validateAnalysis" }}
{{- if include "myapp.hasWorkload" (dict "root" . "kind" "Rollout") }}
{{- $metrics := .Values.analysis.metrics }}
{{- /* Where each metric is named, and whether a Job may be there. */}}
{{- $places := list (list "rollout.bake.analysis" .Values.rollout.bake.analysis false) }}
{{- if eq .Values.rollout.strategy "canary" }}
{{- range $index, $step := .Values.rollout.canary.steps }}
{{- $places = append $places (list (printf "rollout.canary.steps[%d].analysis" $index) ($step.analysis | default list) true) }}
{{- end }}
{{- $places = append $places (list "rollout.canary.background" .Values.rollout.canary.background false) }}
{{- else }}
{{- range $part := list "prePromotion" "postPromotion" }}
{{- $places = append $places (list (printf "rollout.blueGreen.%s" $part) (get $.Values.rollout.blueGreen $part) true) }}
{{- end }}
{{- end }}
{{- $used := list }}
{{- range $place := $places }}
{{- range index $place 1 }}
{{- $metric := get $metrics . }}
{{- if kindIs "invalid" $metric | or (not (hasKey $metrics .)) }}
{{ first $place }}: names {{ . | quote }}, which is not in analysis.metrics; it has {{ keys $metrics | sortAlpha | join ", " }}
{{- else }}
{{- $used = append $used . }}
{{- if and (eq ($metric.type | default .) "smoke") (not (last $place)) }}
{{ first $place }}: {{ . | quote }} is a Job, which runs once and cannot watch; name it in a gate
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- $types := list "cpu" "errorCount" "errorRatio" "ingressSuccessRatio" "latency" "latencyVersusStable" "logErrors" "memory" "queueLag" "restarts" "smoke" "successRatio" }}
{{- range $name := uniq $used }}
{{- $path := printf "analysis.metrics.%s" $name }}
{{- $metric := get $metrics $name }}
{{- $type := $metric.type | default $name }}
{{- if not (has $type $types) }}
{{ $path }}.type: is not set, and {{ $name | quote }} is no type; set it to one of {{ join ", " $types }}
{{- else if eq $type "smoke" }}
{{- if not $.Values.verify.enabled }}
{{ $path }}: runs checks in the image of the verify Job, which verify.enabled=false leaves out; set verify.enabled=true, or do not name it
{{- end }}
{{- else }}
{{- if kindIs "invalid" $metric.pass }}
{{ $path }}.pass: is not set, so it is not said what is good
{{- else if not (kindIs "invalid" $metric.fail) }}
{{- if has $type (list "successRatio" "ingressSuccessRatio") }}
{{- if gt (float64 $metric.fail) (float64 $metric.pass) }}
{{ $path }}.fail: is {{ $metric.fail }}, above pass, which is {{ $metric.pass }}: an answer would be good and bad
{{- end }}
{{- else if lt (float64 $metric.fail) (float64 $metric.pass) }}
{{ $path }}.fail: is {{ $metric.fail }}, below pass, which is {{ $metric.pass }}: an answer would be good and bad
{{- end }}
{{- end }}
{{- if and (has $type (list "latency" "latencyVersusStable")) (not $metric.quantile) }}
{{ $path }}.quantile: is not set; set it to 0.99 for the 99th percentile
{{- end }}
{{- if and $metric.forgive (not (has $type (list "errorRatio" "successRatio" "ingressSuccessRatio"))) }}
{{ $path }}.forgive: is for ratios only; remove it
{{- end }}
{{- if and $metric.count $metric.passes }}
{{ $path }}: count takes all measurements, passes ends with the first good ones; set one of them
{{- end }}
{{- $failureLimit := hasKey $metric "failureLimit" | ternary $metric.failureLimit $.Values.analysis.limits.failure }}
{{- if and $metric.count (ge (int $failureLimit) (int $metric.count)) }}
{{ $path }}.count: is {{ $metric.count }}, and {{ $failureLimit }} of them may be bad, so it could never fail; make it larger than the limit
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "myapp.validateSequential" }}
{{- $engine := include "myapp.engine" . }}
{{- if ne $engine "thresholds" }}
{{- $sequential := .Values.analysis.sequential }}
{{- $policy := $sequential.policy }}
{{- if eq .Values.rollout.strategy "blueGreen" }}
analysis.engine: is {{ $engine }}, but a blue-green's preview is given no share of the requests, so there is nothing to judge before the promotion and nothing to compare with after it; set it to thresholds, or rollout.strategy to canary
{{- end }}
{{- if .Values.worker }}
analysis.engine: is {{ $engine }}, but worker is true, and it judges answers to requests, of which a worker has none; set it to thresholds
{{- end }}
{{- if hasKey .Values.analysis.metrics "sequential" }}
analysis.metrics.sequential: is the name of the engine's own metric; give it another one
{{- end }}
{{- if eq $sequential.form "job" }}
{{- if eq $engine "both" }}
analysis.sequential.form: is job, but with analysis.engine both it watches in the background, which a Job cannot; set it to service
{{- end }}
{{- if not (or $sequential.job.image.tag $sequential.job.image.digest) }}
analysis.sequential.job.image: neither tag nor digest is set, but form is job; set one of them
{{- end }}
{{- else if and (eq $engine "sequential") (not .Values.verify.enabled) }}
verify.enabled: is false, but Argo Rollouts takes an empty answer of a service for a good one, and only the verification finds that out; set it to true, analysis.sequential.form to job, or analysis.engine to thresholds
{{- end }}
{{- if lt (int $sequential.gateSeconds) (int $sequential.intervalSeconds) }}
analysis.sequential.gateSeconds: is {{ $sequential.gateSeconds }}, less than intervalSeconds, which is {{ $sequential.intervalSeconds }}: a gate would end before it asked
{{- end }}
{{- if le (float64 $policy.staleSeconds) (float64 $sequential.scrapeSeconds) }}
analysis.sequential.policy.staleSeconds: is {{ $policy.staleSeconds }}, and must be longer than analysis.sequential.scrapeSeconds, which is {{ $sequential.scrapeSeconds }}
{{- end }}
{{- if and $sequential.fallback.prometheus (le (float64 $policy.staleSeconds) (float64 $sequential.fallback.scrapeSeconds)) }}
analysis.sequential.policy.staleSeconds: is {{ $policy.staleSeconds }}, and must be longer than analysis.sequential.fallback.scrapeSeconds, which is {{ $sequential.fallback.scrapeSeconds }}
{{- end }}
{{- $pauses := include "myapp.scaled" (dict "root" . "seconds" .Values.rollout.bake.seconds) | int }}
{{- range .Values.rollout.canary.steps }}
{{- $pauses = add $pauses (include "myapp.scaled" (dict "root" $ "seconds" (dig "seconds" 0 (.pause | default dict) | default 0)) | int) }}
{{- end }}
{{- if le (int $sequential.horizonSeconds) (int $pauses) }}
analysis.sequential.horizonSeconds: is {{ $sequential.horizonSeconds }}, but the pauses alone take {{ $pauses }}; make it as long as a rollout can take
{{- end }}
{{- $absolute := false }}
{{- range $name, $rule := $policy.rules }}
{{- if $rule }}
{{- $path := printf "analysis.sequential.policy.rules.%s" $name }}
{{- $hasP0 := not (kindIs "invalid" $rule.p0) }}
{{- $hasP1 := not (kindIs "invalid" $rule.p1) }}
{{- if ne $hasP0 $hasP1 }}
{{ $path }}: has {{ $hasP0 | ternary "p0 and no p1" "p1 and no p0" }}, and a test tells the two apart; set both
{{- else if $hasP1 }}
{{- $absolute = true }}
{{- if ge (float64 $rule.p0) (float64 $rule.p1) }}
{{ $path }}.p0: is {{ $rule.p0 }}, and must be less than p1, which is {{ $rule.p1 }}
{{- end }}
{{- if eq $rule.bad "silence" }}
{{ $path }}: compares answers with the weight, so it can have no p0 and p1; set tolerated and refused
{{- end }}
{{- else if or (kindIs "invalid" $rule.tolerated) (kindIs "invalid" $rule.refused) }}
{{ $path }}: has no p0 and p1, so it needs tolerated and refused: how many times stable's share is borne, and which multiple a gate must rule out
{{- end }}
{{- if and $rule.refused (kindIs "invalid" $rule.tolerated) }}
{{ $path }}.refused: is set without tolerated: nothing is compared with stable; set tolerated
{{- else if and $rule.refused (le (float64 $rule.refused) (float64 $rule.tolerated)) }}
{{ $path }}.refused: is {{ $rule.refused }}, and must be more than tolerated, which is {{ $rule.tolerated }}
{{- end }}
{{- if eq $rule.bad "slower" }}
{{- if kindIs "invalid" $rule.seconds }}
{{ $path }}.seconds: is not set; how long may a request take?
{{- else }}
{{- $limit := float64 $rule.seconds }}
{{- $below := "" }}
{{- $above := "" }}
{{- $isBound := false }}
{{- range $sequential.latencyBounds }}
{{- if eq (float64 .) $limit }}{{ $isBound = true }}{{ end }}
{{- if and (lt (float64 .) $limit) (or (eq $below "") (gt (float64 .) (float64 $below))) }}{{ $below = toString . }}{{ end }}
{{- if and (gt (float64 .) $limit) (or (eq $above "") (lt (float64 .) (float64 $above))) }}{{ $above = toString . }}{{ end }}
{{- end }}
{{- if not $isBound }}
{{ $path }}.seconds: is {{ $rule.seconds }}, and no bucket of the histogram ends there (analysis.sequential.latencyBounds), so how many requests took longer is not known; take {{ compact (list $below $above) | join " or " | default "a bound" }}
{{- end }}
{{- end }}
{{- else if $rule.seconds }}
{{ $path }}.seconds: is for slower only; remove it
{{- end }}
{{- if and (eq $rule.bad "matching") (not (or $rule.status $rule.route)) }}
{{ $path }}: names neither status nor route, so every request would match; set one of them
{{- end }}
{{- if and (ne $rule.bad "matching") (or $rule.status $rule.route) }}
{{ $path }}: status and route are for matching only; remove them
{{- end }}
{{- if and (eq $rule.bad "silence") (eq $.Values.rollout.router "none") }}
{{ $path }}: compares answers with the weight, but rollout.router is none, and nothing keeps to a weight; remove it, or set the router
{{- end }}
{{- end }}
{{- end }}
{{- if not $absolute }}
analysis.sequential.policy.rules: none has p0 and p1, and at weight 100, where no stable version serves, nothing else is left; set them for one
{{- end }}
{{- end }}
{{- end }}
