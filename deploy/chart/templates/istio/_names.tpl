{{- /* The Gateway's name. */ -}}
{{- define "onceway.istio.gateway" -}}
{{- default (include "onceway.fullname" .) .Values.gateway.istio.gateway.name -}}
{{- end -}}

{{- /* The namespace of its pods. An EnvoyFilter selects pods of its own namespace. */ -}}
{{- define "onceway.istio.namespace" -}}
{{- default .Release.Namespace .Values.gateway.istio.gateway.namespace -}}
{{- end -}}

{{- define "onceway.istio.host" -}}
{{- default (include "onceway.host" .) .Values.gateway.istio.host -}}
{{- end -}}

{{- define "onceway.istio.port" -}}
{{- default .Values.ports.signals .Values.gateway.istio.port -}}
{{- end -}}

{{- /* What istiod calls our route in Envoy. */ -}}
{{- define "onceway.istio.route" -}}
{{- if eq .Values.gateway.istio.api "gatewayAPI" -}}
{{ .Release.Namespace }}.{{ include "onceway.fullname" . }}.0
{{- else -}}
{{ .Release.Namespace }}-{{ include "onceway.fullname" . }}
{{- end -}}
{{- end -}}

{{- /* The labels of the gateway's pods. */ -}}
{{- define "onceway.istio.selector" -}}
{{- if eq .Values.gateway.istio.api "gatewayAPI" -}}
gateway.networking.k8s.io/gateway-name: {{ include "onceway.istio.gateway" . }}
{{- else -}}
{{- toYaml .Values.gateway.istio.gateway.selector -}}
{{- end -}}
{{- end -}}
