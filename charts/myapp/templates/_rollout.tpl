{{/* How a Rollout replaces its pods. */}}

{{/* Seconds after `rollout.waitScale`, at least one unless there were none. Takes root and seconds. */}}
{{- define "myapp.scaled" -}}
{{- if gt (float64 .seconds) 0.0 }}{{ mulf .seconds .root.Values.rollout.waitScale | ceil | int | max 1 }}{{ else }}0{{ end -}}
{{- end -}}

{{/* The four Services whose selectors Argo Rollouts writes, as JSON; those of the other strategy are null. */}}
{{- define "myapp.rolloutServices" -}}
{{- $canary := eq .Values.rollout.strategy "canary" -}}
{{- $name := include "myapp.fullname" . -}}
{{- dict
  "stableService" ($canary | ternary (printf "%s-stable" $name) nil)
  "canaryService" ($canary | ternary (printf "%s-canary" $name) nil)
  "activeService" ($canary | ternary nil (printf "%s-active" $name))
  "previewService" ($canary | ternary nil (printf "%s-preview" $name))
  | toJson -}}
{{- end -}}

{{/* The Service that leads to the version under test. */}}
{{- define "myapp.testedService" -}}
{{- $services := include "myapp.rolloutServices" . | fromJson -}}
{{- $services.canaryService | default $services.previewService -}}
{{- end -}}

{{/* The router that the Rollout steers; empty when it steers none, as during a hand-over or while there is no route. */}}
{{- define "myapp.weightRouter" -}}
{{- with .Values.rollout -}}
{{- if and (eq $.Values.mode "rollout") (eq .strategy "canary") (ne .router "none") (not .handover) (not $.Values.ingress.held) }}{{ .router }}{{ end -}}
{{- end -}}
{{- end -}}

{{/*
What marks the pods of the verified version. Argo Rollouts takes back from the pods of a version that is replaced only
what it has added itself, and the template says `role: stable` already: the annotation makes it an addition, so that the
Service leaves old pods as soon as the new version is stable and not when they end.
*/}}
{{- define "myapp.stableMetadata" -}}
labels:
  role: stable
annotations:
  safe-deploy.dev/stable: "true"
{{- end -}}

{{- define "myapp.canaryStrategy" -}}
{{- $services := include "myapp.rolloutServices" . | fromJson -}}
{{- $router := include "myapp.weightRouter" . -}}
{{- with .Values.rollout.canary -}}
stableService: {{ $services.stableService }}
canaryService: {{ $services.canaryService }}
stableMetadata:
  {{- include "myapp.stableMetadata" $ | nindent 2 }}
canaryMetadata:
  labels:
    role: canary
maxSurge: {{ .maxSurge }}
maxUnavailable: {{ .maxUnavailable }}
{{- if $router }}
trafficRouting:
  {{- include (printf "myapp.%sRouting" $router) $ | trim | nindent 2 }}
abortScaleDownDelaySeconds: {{ .abortScaleDownDelaySeconds }}
{{- if .dynamicStableScale }}
dynamicStableScale: true
{{- else }}
scaleDownDelaySeconds: {{ .scaleDownDelaySeconds }}
{{- end }}
{{- end }}
{{- if ne (include "myapp.engine" $) "thresholds" }}
{{- with include "myapp.sequentialBackground" $ }}
{{ . }}
{{- end }}
{{- else }}
{{- with .background }}
analysis:
  startingStep: {{ $.Values.rollout.canary.backgroundFromStep }}
  {{- include "myapp.analysisOf" (dict "root" $ "names" . "use" "background") | nindent 2 }}
{{- end }}
{{- end }}
steps:
  {{- if eq (include "myapp.engine" $) "sequential" }}
  {{- include "myapp.sequentialSteps" $ | fromJsonArray | toYaml | nindent 2 }}
  {{- else }}
  {{- $weight := 0 }}
  {{- range .steps }}
  {{- if hasKey . "setWeight" }}
  {{- $weight = int .setWeight }}
  - setWeight: {{ .setWeight }}
  {{- else if hasKey . "pause" }}
  {{- $seconds := dig "seconds" nil (.pause | default dict) }}
  {{- if kindIs "invalid" $seconds }}
  - pause: {}
  {{- else }}
  - pause:
      duration: {{ include "myapp.scaled" (dict "root" $ "seconds" $seconds) }}s
  {{- end }}
  {{- else }}
  - analysis:
      {{- include "myapp.analysisOf" (dict "root" $ "names" .analysis "use" "gate") | nindent 6 }}
  {{- end }}
  {{- end }}
  {{- if ne $weight 100 }}
  - setWeight: 100
  {{- end }}
  {{- if gt (int $.Values.rollout.bake.seconds) 0 }}
  - analysis:
      {{- include "myapp.analysisOf" (dict "root" $ "names" $.Values.rollout.bake.analysis "use" "bake") | nindent 6 }}
  {{- end }}
  {{- end }}
  {{- if $.Values.verify.enabled }}
  # The last gate writes the verdict.
  - analysis:
      templates:
        - templateName: {{ include "myapp.fullname" $ }}-verified
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "myapp.blueGreenStrategy" -}}
{{- $services := include "myapp.rolloutServices" . | fromJson -}}
{{- with .Values.rollout.blueGreen -}}
activeService: {{ $services.activeService }}
previewService: {{ $services.previewService }}
# A new version becomes stable when the analysis after its promotion has passed, not when it is promoted.
activeMetadata:
  {{- include "myapp.stableMetadata" $ | nindent 2 }}
previewMetadata:
  labels:
    role: canary
autoPromotionEnabled: {{ .autoPromotion }}
{{- if and .autoPromotion (gt (int .autoPromotionSeconds) 0) }}
autoPromotionSeconds: {{ include "myapp.scaled" (dict "root" $ "seconds" .autoPromotionSeconds) }}
{{- end }}
{{- if not (kindIs "invalid" .previewReplicaCount) }}
previewReplicaCount: {{ .previewReplicaCount }}
{{- end }}
scaleDownDelaySeconds: {{ include "myapp.scaled" (dict "root" $ "seconds" .scaleDownDelaySeconds) }}
abortScaleDownDelaySeconds: {{ .abortScaleDownDelaySeconds }}
{{- with .prePromotion }}
prePromotionAnalysis:
  {{- include "myapp.analysisOf" (dict "root" $ "names" . "use" "gate") | nindent 2 }}
{{- end }}
{{- $bakes := gt (int $.Values.rollout.bake.seconds) 0 }}
{{- if or .postPromotion $bakes $.Values.verify.enabled }}
postPromotionAnalysis:
  {{- include "myapp.analysisArgs" $ | nindent 2 }}
  templates:
    {{- range .postPromotion }}
    - templateName: {{ include "myapp.analysisName" (dict "root" $ "name" . "use" "gate") }}
    {{- end }}
    {{- if $bakes }}
    {{- range $.Values.rollout.bake.analysis }}
    - templateName: {{ include "myapp.analysisName" (dict "root" $ "name" . "use" "bake") }}
    {{- end }}
    {{- end }}
    {{- if $.Values.verify.enabled }}
    - templateName: {{ include "myapp.fullname" $ }}-verified
    {{- end }}
{{- end }}
{{- end -}}
{{- end -}}
