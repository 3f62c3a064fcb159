{{- /* The sidecar's image; by digest where one is given. */ -}}
{{- define "onceway.image" -}}
{{- $image := .Values.image -}}
{{- if not $image.repository -}}
{{- fail "image.repository is empty. Build the images with `cargo xtask images --registry HOST/PATH`, push them as it says, and pass its values file: -f target/images/values.yaml" -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* The filter's module as Envoy Gateway and Istio fetch it: by digest only. */ -}}
{{- define "onceway.module" -}}
{{- $filter := .Values.filter -}}
{{- if or (not $filter.repository) (not $filter.digest) -}}
{{- fail (printf "gateway.kind %s fetches the filter's module by digest: set filter.repository and filter.digest. Build the images with `cargo xtask images --registry HOST/PATH`, push them as it says, and pass its values file: -f target/images/values.yaml" .Values.gateway.kind) -}}
{{- end -}}
{{- printf "%s@%s" $filter.repository $filter.digest -}}
{{- end -}}

{{- /*
The name of the plugin and of its VM. It changes with the module: an Envoy that gets new code and new configuration under an old
VM's name goes on with the old code until it restarts.
*/ -}}
{{- define "onceway.plugin" -}}
{{- printf "%s-%s" (include "onceway.fullname" .) (.Values.filter.digest | trimPrefix "sha256:" | trunc 8) -}}
{{- end -}}

{{- /* Of a pod: nothing that the restricted Pod Security Standard forbids. */ -}}
{{- define "onceway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* Of each container. */ -}}
{{- define "onceway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* What a user may set of a pod: a value such as `pod`. */ -}}
{{- define "onceway.scheduling" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with index $ $key }}
{{ $key }}:{{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Spreads pods over nodes and zones: (list context component). */ -}}
{{- define "onceway.spread" -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "onceway.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}
