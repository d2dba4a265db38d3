{{/*
What the schema cannot see: values that are right each for itself and wrong together. All problems are collected and
reported at once, each with the path of the value to change.
*/}}
{{- define "myapp.validate" -}}
{{- $problems := list -}}
{{- range $part := list "Image" "Names" "Environment" "Pod" "Availability" "Network" "Checks" "Hooks" -}}
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
{{- end }}
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
