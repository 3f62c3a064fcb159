{{- /* The Gateway's name. */ -}}
{{- define "onceway.eg.gateway" -}}
{{- default (include "onceway.fullname" .) .Values.gateway.envoyGateway.gateway.name -}}
{{- end -}}

{{- /* Its namespace: policies for a whole Gateway have to be there. */ -}}
{{- define "onceway.eg.namespace" -}}
{{- default .Release.Namespace .Values.gateway.envoyGateway.gateway.namespace -}}
{{- end -}}

{{- /* What Envoy Gateway calls the Gateway's listener, and that listener's routes. */ -}}
{{- define "onceway.eg.listener" -}}
{{ include "onceway.eg.namespace" . }}/{{ include "onceway.eg.gateway" . }}/{{ .Values.gateway.envoyGateway.gateway.listener }}
{{- end -}}

{{- /* What it calls our only rule: the cluster's name, and the beginning of its routes'. */ -}}
{{- define "onceway.eg.rule" -}}
httproute/{{ .Release.Namespace }}/{{ include "onceway.fullname" . }}/rule/0
{{- end -}}

{{- /* metadata of a policy for the whole Gateway. */ -}}
{{- define "onceway.eg.metadata" -}}
name: {{ include "onceway.fullname" . }}
namespace: {{ include "onceway.eg.namespace" . }}
labels:
  {{- include "onceway.labels" (list . "gateway") | nindent 2 }}
{{- end -}}

{{- /* What it calls the filter in Envoy: the first of our EnvoyExtensionPolicy, whatever its module. */ -}}
{{- define "onceway.eg.filter" -}}
envoy.filters.http.wasm/envoyextensionpolicy/{{ .Release.Namespace }}/{{ include "onceway.fullname" . }}/wasm/0
{{- end -}}
