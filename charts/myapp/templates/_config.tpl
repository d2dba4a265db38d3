{{/* The config version: environment that never changes once it exists, under a name made of its content. */}}

{{/* A value as the environment shows it: text as it is, a number or boolean as JSON writes it (1e6 is 1000000). */}}
{{- define "myapp.envString" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* A map of values as a JSON map of strings, its keys sorted. A null leaves its key out. */}}
{{- define "myapp.envData" -}}
{{- $data := dict -}}
{{- range $key, $value := . -}}
  {{- if not (kindIs "invalid" $value) -}}
    {{- $_ := set $data $key (include "myapp.envString" $value) -}}
  {{- end -}}
{{- end -}}
{{- toJson $data -}}
{{- end -}}

{{- define "myapp.configData" -}}
{{- include "myapp.envData" (merge (dict) .Values.flags .Values.config) -}}
{{- end -}}

{{- define "myapp.secretData" -}}
{{- include "myapp.envData" .Values.secrets -}}
{{- end -}}

{{/* The `data` of a Secret: base64, not stringData, because only that is what the cluster gives back. */}}
{{- define "myapp.secretObjectData" -}}
{{- $data := dict -}}
{{- range $key, $value := include "myapp.secretData" . | fromJson -}}
  {{- $_ := set $data $key (b64enc $value) -}}
{{- end -}}
{{- toYaml $data -}}
{{- end -}}

{{/* One hash over both, so that the pair is made, kept and collected together. */}}
{{- define "myapp.configVersion" -}}
{{- dict "config" (include "myapp.configData" . | fromJson) "secrets" (include "myapp.secretData" . | fromJson) | toJson | sha256sum | trunc 10 -}}
{{- end -}}

{{- define "myapp.configMapName" -}}
{{- printf "%s-config-%s" (include "myapp.fullname" .) (include "myapp.configVersion" .) -}}
{{- end -}}

{{- define "myapp.secretName" -}}
{{- printf "%s-secret-%s" (include "myapp.fullname" .) (include "myapp.configVersion" .) -}}
{{- end -}}

{{/*
Metadata of either object. No chart version or image in it: it depends on nothing but the config.
Old versions stay until `ctl verify` finds that no ReplicaSet and no verified release refers to them.
*/}}
{{- define "myapp.configMetadata" -}}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "myapp.selectorLabels" . | nindent 2 }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  safe-deploy.dev/release: {{ .Release.Name | quote }}
  safe-deploy.dev/config: {{ include "myapp.configVersion" . | quote }}
  {{- with .Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  helm.sh/resource-policy: keep
  argocd.argoproj.io/sync-options: Prune=false
  argocd.argoproj.io/compare-options: IgnoreExtraneous
{{- end -}}
