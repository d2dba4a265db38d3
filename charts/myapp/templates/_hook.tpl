{{/*
Hooks: each is declared once. Helm reads the annotations; Argo CD turns the same into PreSync and PostSync, the weight
into a sync wave. A hook runs with its own config, account and rights: before an install those of the release do not
exist, and under Argo CD a sync may be at any point.
*/}}

{{/* Metadata of a hook object. Takes root, name, hook (verify, smoke or migrate), events, weight, labels (optional)
and when to show its logs (showLogs, optional). */}}
{{- define "myapp.hookMetadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "myapp.hookLabels" . | nindent 2 }}
  {{- include "myapp.objectLabels" .root | nindent 2 }}
annotations:
  helm.sh/hook: {{ .events }}
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation
  {{- with .showLogs }}
  {{- /* Helm prints the Job's own words: `helm test --logs` knows pods only. */}}
  helm.sh/hook-output-log-policy: {{ . }}
  {{- end }}
{{- end -}}

{{- define "myapp.hookLabels" -}}
{{ include "myapp.instanceLabels" .root }}
app.kubernetes.io/component: hook
safe-deploy.dev/hook: {{ .hook }}
{{- with .labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of a hook's pod. Takes root, hook and labels (optional). */}}
{{- define "myapp.hookPodMetadata" -}}
labels:
  {{- include "myapp.hookLabels" . | nindent 2 }}
  {{- with .root.Values.hooks.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.hooks.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The schema version to migrate to, as text: in a values file it may be a number. */}}
{{- define "myapp.schemaVersion" -}}
{{- include "myapp.envString" .Values.migrations.version -}}
{{- end -}}

{{/* What the verify hook and `helm test` bring along: both need the same account and files. */}}
{{- define "myapp.verifyEvents" -}}{{ include "myapp.verifyJobEvents" . }},test{{- end -}}

{{/*
A Rollout is not done when an upgrade is: only its first version, which has no gates, is verified by a hook. And during
a hand-over no workload serves alone.
*/}}
{{- define "myapp.verifyJobEvents" -}}
{{- or (eq .Values.mode "rollout") .Values.rollout.handover | ternary "post-install" "post-install,post-upgrade" -}}
{{- end -}}

{{/* Spec of the Job that runs ctl. Takes root, hook, flags (a list that begins with the subcommand), and account and
configMap if they are not those of the verify hook. */}}
{{- define "myapp.verifyJobSpec" -}}
{{- $values := .root.Values -}}
backoffLimit: 0
# A margin over its own deadline, so that it is the Job that says what was wrong.
activeDeadlineSeconds: {{ add $values.verify.deadlineSeconds 30 }}
template:
  metadata:
    {{- include "myapp.hookPodMetadata" . | nindent 4 }}
  spec:
    restartPolicy: Never
    serviceAccountName: {{ .account | default (include "myapp.verifyAccountName" .root) }}
    automountServiceAccountToken: true
    enableServiceLinks: false
    {{- with $values.imagePullSecrets }}
    imagePullSecrets:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $values.hooks.podSecurityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with include "myapp.placement" .root | trim }}{{ . | nindent 4 }}{{ end }}
    containers:
      - name: {{ .hook }}
        image: {{ include "myapp.image" $values.hooks.image | quote }}
        imagePullPolicy: {{ $values.hooks.image.pullPolicy }}
        args:
          {{- range concat .flags (list "--facts" "/etc/safe-deploy/release.json" "--checks" "/etc/safe-deploy/checks.json") }}
          - {{ . }}
          {{- end }}
        {{- with $values.hooks.securityContext }}
        securityContext:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- with $values.hooks.resources }}
        resources:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        volumeMounts:
          - name: release
            mountPath: /etc/safe-deploy
            readOnly: true
          - name: tmp
            mountPath: /tmp
    volumes:
      - name: release
        configMap:
          name: {{ .configMap | default (printf "%s-verify" (include "myapp.fullname" .root)) }}
      - name: tmp
        emptyDir: {}
{{- end -}}

{{/* Rights of the verify Job, whether a hook or a gate. */}}
{{- define "myapp.verifyRules" -}}
# To see when this version alone serves, and why it does not.
- apiGroups: [apps]
  resources: [deployments, replicasets]
  verbs: [get, list, watch]
{{- if include "myapp.hasWorkload" (dict "root" . "kind" "Rollout") }}
- apiGroups: [argoproj.io]
  resources: [rollouts, analysisruns]
  verbs: [get, list, watch]
{{- end }}
- apiGroups: [""]
  resources: [pods, events]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch]
# To write the verdict, and to collect config versions that nothing refers to. Secrets are never read.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [delete]
{{- end -}}

{{/* What the verify Job must know of the release, as JSON. */}}
{{- define "myapp.releaseFacts" -}}
{{- $fullname := include "myapp.fullname" . -}}
{{- $schema := .Values.migrations.enabled | ternary (include "myapp.schemaVersion" .) "" | default nil -}}
{{- $facts := dict
  "schemaVersion" 1
  "release" .Release.Name
  "namespace" .Release.Namespace
  "revision" .Release.Revision
  "chart" (printf "%s-%s" .Chart.Name .Chart.Version)
  "workload" (pick (include "myapp.workload" . | fromJson) "kind" "name")
  "container" "app"
  "selector" (include "myapp.selectorLabels" . | fromYaml)
  "service" (dict "name" $fullname "port" .Values.service.port)
  "baseUrl" (printf "http://%s.%s.svc:%v" $fullname .Release.Namespace .Values.service.port)
  "image" (include "myapp.image" .Values.image)
  "config" (include "myapp.configVersion" .)
  "configMap" (include "myapp.configMapName" .)
  "secret" (include "myapp.secretName" .)
  "flags" (include "myapp.envData" .Values.flags | fromJson)
  "schema" $schema
  "deadlineSeconds" .Values.verify.deadlineSeconds
  "ledgerKeep" .Values.ledger.keep
  "prometheus" (dict
    "address" .Values.analysis.prometheus.address
    "names" (pick .Values.analysis.names "hashLabel" "namespaceLabel" "requests" "statusLabel" "errorStatus" "durationBucket")
  )
-}}
{{- if eq .Values.mode "rollout" -}}
  {{- $rollout := include "myapp.rolloutServices" . | fromJson -}}
  {{- range $key := list "strategy" "router" -}}{{ $_ := set $rollout $key (get $.Values.rollout $key) }}{{- end -}}
  {{- if and (include "myapp.asksService" .) (eq (include "myapp.engine" .) "sequential") -}}
    {{- $_ := set $rollout "verdictMetric" "sequential" -}}
  {{- end -}}
  {{- $_ := set $facts "rollout" $rollout -}}
{{- end -}}
{{- toPrettyJson $facts -}}
{{- end -}}

{{- define "myapp.checks" -}}
{{- dict "deadline" (printf "%vs" .Values.verify.checksDeadlineSeconds) "checks" .Values.checks | toPrettyJson -}}
{{- end -}}
