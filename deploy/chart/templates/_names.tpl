{{- define "onceway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* 40 characters leave room for suffixes in the 63 of a Service's name. */ -}}
{{- define "onceway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "onceway.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "onceway.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /*
The name of a cluster-scoped object: (list context suffix). Its namespace is part of it, so that releases of one name in two
namespaces do not clash; not where both are equal, as in `helm install onceway --namespace onceway`, which no other release can have.
*/ -}}
{{- define "onceway.clusterName" -}}
{{- $root := index . 0 -}}
{{- $name := printf "%s-%s" (include "onceway.fullname" $root) (index . 1) -}}
{{- if eq (include "onceway.fullname" $root) $root.Release.Namespace -}}
{{- $name -}}
{{- else -}}
{{- printf "%s.%s" $name $root.Release.Namespace -}}
{{- end -}}
{{- end -}}

{{- /* The labels that select pods: (list context component). Selectors are immutable: no version in them. */ -}}
{{- define "onceway.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "onceway.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- /* The labels of every object: (list context component). */ -}}
{{- define "onceway.labels" -}}
{{- $root := index . 0 -}}
{{ include "onceway.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- /* metadata of a namespaced object: (list context suffix component); an empty suffix is the fullname itself. */ -}}
{{- define "onceway.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "onceway.fullname" $root }}{{ with index . 1 }}-{{ . }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "onceway.labels" (list $root (index . 2)) | nindent 2 }}
{{- end -}}

{{- /* metadata of a cluster-scoped object: (list context suffix component). */ -}}
{{- define "onceway.clusterMetadata" -}}
{{- $root := index . 0 -}}
name: {{ include "onceway.clusterName" (list $root (index . 1)) }}
labels:
  {{- include "onceway.labels" (list $root (index . 2)) | nindent 2 }}
{{- end -}}

{{- /* The Service of plain Envoy, and its port: the values, else those of the profile. */ -}}
{{- define "onceway.envoy.serviceName" -}}
{{- $profile := ternary "gateway-service" (printf "%s-envoy" (include "onceway.fullname" .)) (eq .Values.profile "kubernaut") -}}
{{- default $profile .Values.gateway.envoy.service.name -}}
{{- end -}}

{{- define "onceway.envoy.servicePort" -}}
{{- default (ternary 8080 10000 (eq .Values.profile "kubernaut")) .Values.gateway.envoy.service.port -}}
{{- end -}}

{{- /* The sidecars' Service, as other namespaces resolve it. */ -}}
{{- define "onceway.host" -}}
{{ include "onceway.fullname" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end -}}
