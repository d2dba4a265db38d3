{{/*
The pod of the service, the same whatever kind of workload owns it. It changes only when code or config changes:
no chart version, revision, time or random value belongs in here, or going back would not find the old ReplicaSet.
*/}}

{{- define "myapp.podTemplate" -}}
metadata:
  labels:
    {{- include "myapp.selectorLabels" . | nindent 4 }}
    role: stable
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    safe-deploy.dev/config: {{ include "myapp.configVersion" . | quote }}
    {{- if .Values.metrics.annotations }}
    prometheus.io/scrape: "true"
    prometheus.io/port: {{ get .Values.ports .Values.metrics.port | quote }}
    prometheus.io/path: {{ .Values.metrics.path | quote }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "myapp.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
  # Variables for every Service of the namespace would depend on what else runs there.
  enableServiceLinks: false
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with include "myapp.podBase" . | trim }}{{ . | nindent 2 }}{{ end }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range $constraint := . }}
    {{- if not (hasKey $constraint "labelSelector") }}
      {{- $constraint = merge (dict "labelSelector" (dict "matchLabels" (include "myapp.selectorLabels" $ | fromYaml))) $constraint }}
    {{- end }}
    {{- list $constraint | toYaml | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: app
      {{- include "myapp.containerBase" (dict "root" . "configMap" (include "myapp.configMapName" .) "secret" (include "myapp.secretName" .)) | nindent 6 }}
      {{- with .Values.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.args }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- range $name, $port := .Values.ports }}
        {{- if not (kindIs "invalid" $port) }}
        - name: {{ $name }}
          containerPort: {{ $port }}
          protocol: TCP
        {{- end }}
        {{- end }}
      {{- range $kind := list "startup" "readiness" "liveness" }}
      {{- with get $.Values.probes $kind }}
      {{ $kind }}Probe:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with .Values.preStop.sleepSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ . }}
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- with .Values.sidecars }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- include "myapp.volumes" . | nindent 2 }}
{{- end -}}

{{/* What the service's pod and that of its migration share. */}}
{{- define "myapp.podBase" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "myapp.placement" . | trim }}
{{ . }}
{{- end }}
{{- end -}}

{{/* Which nodes may run the pods, those of hooks as well. */}}
{{- define "myapp.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Image, environment, security and mounts of the service: a migration runs with the same.
Takes root, and the names of the configMap and secret to read, because a hook must bring its own.
*/}}
{{- define "myapp.containerBase" -}}
{{- $values := .root.Values -}}
image: {{ include "myapp.image" $values.image | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
envFrom:
  - configMapRef:
      name: {{ .configMap }}
  - secretRef:
      name: {{ .secret }}
  {{- with $values.existingSecret }}
  - secretRef:
      name: {{ . }}
  {{- end }}
  {{- with $values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- if not (include "myapp.ownTmp" .root) }}
  - name: tmp
    mountPath: /tmp
  {{- end }}
  {{- with $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "myapp.volumes" -}}
volumes:
  {{- if not (include "myapp.ownTmp" .) }}
  - name: tmp
    emptyDir: {}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Not empty when the values bring a /tmp of their own. */}}
{{- define "myapp.ownTmp" -}}
{{- range .Values.extraVolumeMounts -}}
{{- if eq .mountPath "/tmp" }}yes{{ end -}}
{{- end -}}
{{- end -}}
