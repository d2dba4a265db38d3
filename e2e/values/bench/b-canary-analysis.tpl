{{- /* As preset B is described where it comes from: both versions together, over five minutes. */}}
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: {{ include "myapp.fullname" . }}-success-ratio-background
  namespace: {{ .Release.Namespace }}
spec:
  metrics:
    - name: success-rate
      interval: 30s
      count: 10
      successCondition: result[0] >= 0.99
      failureCondition: result[0] < 0.95
      failureLimit: 3
      provider:
        prometheus:
          address: {{ .Values.analysis.prometheus.address }}
          query: |
            sum(rate(http_requests_total{namespace="{{ .Release.Namespace }}",status=~"2.."}[5m]))
            /
            sum(rate(http_requests_total{namespace="{{ .Release.Namespace }}"}[5m]))
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: {{ include "myapp.fullname" . }}-latency-p99-background
  namespace: {{ .Release.Namespace }}
spec:
  metrics:
    - name: latency-p99
      interval: 30s
      count: 10
      successCondition: result[0] < 0.5
      failureCondition: result[0] > 1.0
      failureLimit: 3
      provider:
        prometheus:
          address: {{ .Values.analysis.prometheus.address }}
          query: |
            histogram_quantile(0.99,
              sum(rate(http_request_duration_seconds_bucket{namespace="{{ .Release.Namespace }}"}[5m])) by (le)
            )
