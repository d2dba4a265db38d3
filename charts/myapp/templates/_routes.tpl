{{/* Where requests from outside lead, and how they are split between the versions. */}}

{{/* Not empty when there are routes: a first release that is held has none until a person promotes it. */}}
{{- define "myapp.hasRoutes" -}}
{{- with .Values.ingress }}{{ if and .enabled (not .held) }}yes{{ end }}{{ end -}}
{{- end -}}

{{/*
What the Service selects: pods of the verified version. Without a router the share of the pods is the weight, and where
stable shrinks there would be no verified pod left: then it is both versions.
*/}}
{{- define "myapp.serviceSelector" -}}
{{- $canary := and (eq .Values.mode "rollout") (eq .Values.rollout.strategy "canary") -}}
{{- if and $canary (or (eq .Values.rollout.router "none") .Values.rollout.canary.dynamicStableScale) -}}
{{ include "myapp.selectorLabels" . }}
{{- else -}}
{{ include "myapp.instanceLabels" . }}
role: stable
{{- end -}}
{{- end -}}

{{/* The Service that a route without weights leads to. */}}
{{- define "myapp.routedService" -}}
{{- $services := include "myapp.rolloutServices" . | fromJson -}}
{{- if or (eq .Values.mode "deployment") .Values.rollout.handover -}}
{{ include "myapp.fullname" . }}
{{- else if $services.activeService -}}
{{ $services.activeService }}
{{- else if eq .Values.rollout.router "none" -}}
{{ include "myapp.fullname" . }}
{{- else -}}
{{ $services.stableService }}
{{- end -}}
{{- end -}}

{{/* The header that leads to the version under test, as JSON; empty when there is none or nothing to lead to. */}}
{{- define "myapp.headerRoute" -}}
{{- if and (eq .Values.mode "rollout") (not .Values.rollout.handover) -}}
{{- with .Values.rollout.canary.headerRoute }}{{ toJson . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The kind of route for the router, as JSON; empty when an Ingress does. */}}
{{- define "myapp.routeKind" -}}
{{- $kinds := dict
  "istio" (dict "apiVersion" "networking.istio.io/v1" "kind" "VirtualService")
  "gatewayAPI" (dict "apiVersion" "gateway.networking.k8s.io/v1" "kind" "HTTPRoute") -}}
{{- if eq .Values.rollout.router "traefik" -}}
{{- /* The IngressRoute has no weights: they are in the TraefikService that it leads to. */}}
{{- if include "myapp.weightRouter" . }}{{ dict "apiVersion" "traefik.io/v1alpha1" "kind" "TraefikService" | toJson }}{{ end -}}
{{- else -}}
{{- with get $kinds .Values.rollout.router }}{{ toJson . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* How the Rollout is told of its router. */}}

{{- define "myapp.traefikRouting" -}}
traefik:
  weightedTraefikServiceName: {{ include "myapp.fullname" . }}
{{- end -}}

{{- define "myapp.nginxRouting" -}}
nginx:
  stableIngress: {{ include "myapp.fullname" . }}
  {{- with include "myapp.headerRoute" . | fromJson }}
  {{- if .name }}
  additionalIngressAnnotations:
    canary-by-header: {{ .name | quote }}
    canary-by-header-value: {{ .value | quote }}
  {{- end }}
  {{- end }}
{{- end -}}

{{- define "myapp.istioRouting" -}}
istio:
  virtualService:
    name: {{ include "myapp.fullname" . }}
    routes:
      - primary
{{- end -}}

{{- define "myapp.gatewayAPIRouting" -}}
plugins:
  argoproj-labs/gatewayAPI:
    httpRoute: {{ include "myapp.fullname" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "myapp.albRouting" -}}
alb:
  ingress: {{ include "myapp.fullname" . }}
  servicePort: {{ .Values.service.port }}
{{- end -}}

{{/* Specs of the routes. Each takes root, and the weights stable and canary where it has weights; null: they are left out. */}}

{{- define "myapp.TraefikServiceSpec" -}}
{{- $services := include "myapp.rolloutServices" .root | fromJson -}}
weighted:
  services:
    {{- range list (list $services.stableService .stable) (list $services.canaryService .canary) }}
    - name: {{ first . }}
      port: {{ $.root.Values.service.port }}
      {{- if not (kindIs "invalid" (last .)) }}
      weight: {{ last . }}
      {{- end }}
    {{- end }}
{{- end -}}

{{- define "myapp.VirtualServiceSpec" -}}
{{- $services := include "myapp.rolloutServices" .root | fromJson -}}
{{- $values := .root.Values -}}
{{- $weighted := include "myapp.weightRouter" .root -}}
hosts:
  {{- range $values.ingress.hosts }}
  - {{ .host | quote }}
  {{- end }}
{{- with $values.rollout.istio.gateways }}
gateways:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $paths := list -}}
{{- range $values.ingress.hosts }}{{ $paths = concat $paths (.paths | default list) }}{{ end }}
http:
  {{- with include "myapp.headerRoute" .root | fromJson }}
  {{- if .name }}
  - name: header
    match:
      - headers:
          {{ lower .name }}:
            exact: {{ .value | quote }}
    route:
      - destination:
          host: {{ $services.canaryService }}
          port:
            number: {{ $values.service.port }}
  {{- end }}
  {{- end }}
  - name: primary
    {{- with $paths }}
    match:
      {{- range . }}
      - uri:
          {{ eq (.pathType | default "Prefix") "Exact" | ternary "exact" "prefix" }}: {{ .path }}
      {{- end }}
    {{- end }}
    route:
      {{- if $weighted }}
      {{- range list (list $services.stableService .stable) (list $services.canaryService .canary) }}
      - destination:
          host: {{ first . }}
          port:
            number: {{ $values.service.port }}
        {{- if not (kindIs "invalid" (last .)) }}
        weight: {{ last . }}
        {{- end }}
      {{- end }}
      {{- else }}
      - destination:
          host: {{ include "myapp.routedService" .root }}
          port:
            number: {{ $values.service.port }}
      {{- end }}
{{- end -}}

{{- define "myapp.HTTPRouteSpec" -}}
{{- $services := include "myapp.rolloutServices" .root | fromJson -}}
{{- $values := .root.Values -}}
{{- $weighted := include "myapp.weightRouter" .root -}}
{{- $header := include "myapp.headerRoute" .root | fromJson -}}
parentRefs:
  {{- toYaml $values.rollout.gatewayAPI.parentRefs | nindent 2 }}
hostnames:
  {{- range $values.ingress.hosts }}
  - {{ .host | quote }}
  {{- end }}
{{- $paths := list -}}
{{- range $values.ingress.hosts }}{{ $paths = concat $paths (.paths | default list) }}{{ end }}
rules:
  {{- if $header.name }}
  - matches:
      - headers:
          - name: {{ $header.name | quote }}
            value: {{ $header.value | quote }}
    backendRefs:
      - name: {{ $services.canaryService }}
        port: {{ $values.service.port }}
  {{- end }}
  -
    {{- with $paths }}
    matches:
      {{- range . }}
      - path:
          type: {{ eq (.pathType | default "Prefix") "Exact" | ternary "Exact" "PathPrefix" }}
          value: {{ .path }}
      {{- end }}
    {{- end }}
    backendRefs:
      {{- if $weighted }}
      {{- range list (list $services.stableService .stable) (list $services.canaryService .canary) }}
      - name: {{ first . }}
        port: {{ $values.service.port }}
        {{- if not (kindIs "invalid" (last .)) }}
        weight: {{ last . }}
        {{- end }}
      {{- end }}
      {{- else }}
      - name: {{ include "myapp.routedService" .root }}
        port: {{ $values.service.port }}
      {{- end }}
{{- end -}}

{{/* The weights that a route in the cluster has, as JSON {stable, canary}; those of a canary not begun when it has none. */}}
{{- define "myapp.liveWeights" -}}
{{- $services := include "myapp.rolloutServices" .root | fromJson -}}
{{- $weights := dict "stable" 100 "canary" 0 -}}
{{- $backends := dig "spec" "weighted" "services" list .live -}}
{{- range dig "spec" "http" list .live -}}{{ $backends = concat $backends (.route | default list) }}{{- end -}}
{{- range dig "spec" "rules" list .live -}}{{ $backends = concat $backends (.backendRefs | default list) }}{{- end -}}
{{- $found := dict -}}
{{- range $backends -}}
  {{- $name := .name | default (dig "destination" "host" "" .) -}}
  {{- if and (hasKey . "weight") (has $name (list $services.stableService $services.canaryService)) -}}
    {{- $_ := set $found (eq $name $services.stableService | ternary "stable" "canary") (int .weight) -}}
  {{- end -}}
{{- end -}}
{{- eq (len $found) 2 | ternary $found $weights | toJson -}}
{{- end -}}
