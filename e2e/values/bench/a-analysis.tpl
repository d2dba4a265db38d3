{{- /* As preset A is described where it comes from: the share of 5xx among the answers of both versions together. */}}
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: {{ include "myapp.fullname" . }}-error-ratio
  namespace: {{ .Release.Namespace }}
spec:
  metrics:
    - name: http-5xx-rate
      interval: 30s
      count: 6
      successCondition: result[0] < 0.01
      provider:
        prometheus:
          address: {{ .Values.analysis.prometheus.address }}
          query: |
            sum(rate(http_requests_total{namespace="{{ .Release.Namespace }}",status=~"5.."}[1m]))
            /
            sum(rate(http_requests_total{namespace="{{ .Release.Namespace }}"}[1m]))
