{{/* What objects are called and how they are labelled. */}}

{{- define "myapp.name" -}}
{{- .Values.nameOverride | default .Chart.Name -}}
{{- end -}}

{{/*
The workload's name, and the base of all others. At most 46 characters: the longest suffix of a Job (-migrate) and
what Kubernetes appends to it for a pod must fit 63. A longer name is cut and gets a hash of the whole, so that two
releases with a common beginning never share a name. A release's name may hold dots, a Service's may not.
*/}}
{{- define "myapp.fullname" -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
  {{- $name := include "myapp.name" . -}}
  {{- $full = contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- end -}}
{{- $label := $full | replace "." "-" -}}
{{- if gt (len $label) 46 -}}
{{- printf "%s-%s" (trunc 37 $label | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $label -}}
{{- end -}}
{{- end -}}

{{- define "myapp.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "myapp.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "myapp.verifyAccountName" -}}
{{- .Values.verify.serviceAccountName | default (printf "%s-verify" (include "myapp.fullname" .)) -}}
{{- end -}}

{{/* repository[:tag][@digest]. Takes an image value. */}}
{{- define "myapp.image" -}}
{{- .repository -}}{{- with .tag }}:{{ . }}{{- end -}}{{- with .digest }}@{{ . }}{{- end -}}
{{- end -}}

{{/* Tells the release's objects from others. Part of every selector, so it cannot change for the life of a release. */}}
{{- define "myapp.instanceLabels" -}}
app.kubernetes.io/name: {{ include "myapp.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Selects the service's own pods: those of hooks have another component. */}}
{{- define "myapp.selectorLabels" -}}
{{ include "myapp.instanceLabels" . }}
app.kubernetes.io/component: server
{{- end -}}

{{/* Labels of every object, but not of pods: a pod template must not change with the chart's version. */}}
{{- define "myapp.objectLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- /* A label's value: what is not allowed in it, as in a digest, is replaced. */}}
app.kubernetes.io/version: {{ regexReplaceAll "[^A-Za-z0-9_.-]" (.Values.image.tag | default .Values.image.digest) "_" | trunc 63 | trimAll "-_." | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "myapp.labels" -}}
{{ include "myapp.selectorLabels" . }}
{{ include "myapp.objectLabels" . }}
{{- end -}}
