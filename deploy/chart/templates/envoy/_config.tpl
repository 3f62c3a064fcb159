{{- /*
Envoy's configuration in the cluster: that of the repository (files/envoy.yaml; each setting's reason is there), changed where a
cluster differs from one machine.
*/ -}}
{{- define "onceway.envoy.config" -}}
{{- $values := .Values.gateway.envoy -}}
{{- $envoy := include "onceway.envoy" . | fromYaml -}}
{{- $listener := index $envoy.static_resources.listeners 0 -}}
{{- $chain := index $listener.filter_chains 0 -}}
{{- $manager := (index $chain.filters 0).typed_config -}}
{{- $cluster := index $envoy.static_resources.clusters 0 -}}

{{- $_ := set $listener.address.socket_address "address" $values.address -}}
{{- $_ := set $listener.address.socket_address "port_value" $values.port -}}
{{- if $values.tls.secretName -}}
{{- $edge := .Files.Get "files/envoy-auth.yaml" | fromYaml -}}
{{- $secured := index (index $edge.static_resources.listeners 0).filter_chains 0 -}}
{{- $_ := set $chain "transport_socket" $secured.transport_socket -}}
{{- $_ := set $chain "transport_socket_connect_timeout" $secured.transport_socket_connect_timeout -}}
{{- /* HSTS, the last header of Envoy's own responses there. */ -}}
{{- $edgeManager := (index $secured.filters 0).typed_config -}}
{{- $strict := last (last $edgeManager.local_reply_config.mappers).headers_to_add -}}
{{- range $mapper := $manager.local_reply_config.mappers -}}
{{- $_ := set $mapper "headers_to_add" (append $mapper.headers_to_add $strict) -}}
{{- end -}}
{{- end -}}

{{- /* Senders open a new connection now and then, so that none is left at a pod that is about to end: see deployment.yaml. */ -}}
{{- $_ := set $manager.common_http_protocol_options "max_connection_duration" (printf "%ds" (int $values.maxConnectionSeconds)) -}}
{{- $_ := set $manager "http1_safe_max_connection_duration" true -}}

{{- $plugin := (index $manager.http_filters 0).typed_config.config -}}
{{- $_ := set $plugin.vm_config.code.local "filename" "/filter/plugin.wasm" -}}
{{- $_ := set $plugin.configuration "value" (include "onceway.filterConfig" .) -}}

{{- include "onceway.envoy.discovery" (list . $cluster) -}}
{{- if .Values.tls.secretName -}}
{{- include "onceway.envoy.upstreamTls" (list . $cluster) -}}
{{- end -}}

{{- /* What the filter may buffer for each worker, and as much again; docs/envoy.md has the sum. */ -}}
{{- $buffered := (include "onceway.filterConfig" . | fromJson).max_buffered_bytes | int64 -}}
{{- $heap := add (mul $values.workers 2 $buffered) 268435456 -}}
{{- range $monitor := $envoy.overload_manager.resource_monitors -}}
{{- if hasKey $monitor.typed_config "max_heap_size_bytes" -}}
{{- $_ := set $monitor.typed_config "max_heap_size_bytes" $heap -}}
{{- end -}}
{{- end -}}

{{- if .Values.tracing.otlp.endpoint -}}
{{- $_ := set $manager "tracing" (include "onceway.envoy.tracing" . | fromYaml) -}}
{{- $collector := include "onceway.envoy.collector" . | fromYaml -}}
{{- $_ := set $envoy.static_resources "clusters" (append $envoy.static_resources.clusters $collector) -}}
{{- end -}}
{{- $stats := (index $envoy.static_resources.listeners 1).address.socket_address -}}
{{- $_ := set $stats "address" $values.address -}}
{{- $_ := set $stats "port_value" $values.statsPort -}}
{{- toYaml $envoy -}}
{{- end -}}

{{- /*
The replicas, from the DNS of the headless Service, which lists those that are ready. Asked every 2 s and not after the record's
TTL (30 s in most clusters): so a new replica gets its incidents soon. One that leaves is noticed by its health check before; it
stays known until DNS forgets it and the check fails, so that an incomplete response of DNS moves no incident. One address family: a
pod with two addresses would be two replicas.
*/ -}}
{{- define "onceway.envoy.discovery" -}}
{{- $root := index . 0 -}}
{{- $cluster := index . 1 -}}
{{- $dns := dict "@type" "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster" -}}
{{- $_ := set $dns "dns_refresh_rate" "2s" -}}
{{- $_ := set $dns "dns_failure_refresh_rate" (dict "base_interval" "1s" "max_interval" "2s") -}}
{{- $_ := set $dns "dns_lookup_family" $root.Values.gateway.envoy.dnsLookupFamily -}}
{{- $_ := set (unset $cluster "type") "cluster_type" (dict "name" "envoy.cluster.dns" "typed_config" $dns) -}}
{{- /* The final dot: no search domains. */ -}}
{{- $address := dict "socket_address" (dict "address" (printf "%s." (include "onceway.host" $root)) "port_value" $root.Values.ports.signals) -}}
{{- $endpoint := dict "address" $address "health_check_config" (dict "port_value" $root.Values.ports.health) -}}
{{- $_ := set $cluster.load_assignment "endpoints" (list (dict "lb_endpoints" (list (dict "endpoint" $endpoint)))) -}}
{{- end -}}

{{- /* TLS to the sidecars' signal port; the health port stays plain (docs/tls.md). */ -}}
{{- define "onceway.envoy.upstreamTls" -}}
{{- $root := index . 0 -}}
{{- $cluster := index . 1 -}}
{{- $_ := set $cluster "transport_socket_matches" (include "onceway.envoy.upstreamSockets" $root | fromYamlArray) -}}
{{- range $check := $cluster.health_checks -}}
{{- $_ := set $check "transport_socket_match_criteria" (dict "plain" true) -}}
{{- end -}}
{{- end -}}

{{- define "onceway.envoy.upstreamSockets" -}}
- name: plain
  match: { plain: true }
  transport_socket:
    name: envoy.transport_sockets.raw_buffer
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer
- name: tls
  match: {}
  transport_socket:
    name: envoy.transport_sockets.tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      sni: {{ include "onceway.host" . }}
      common_tls_context:
        tls_params: { tls_minimum_protocol_version: TLSv1_2 }
        {{- if .Values.tls.clientCertificates }}
        tls_certificate_sds_secret_configs:
          - name: sidecars
            sds_config:
              resource_api_version: V3
              path_config_source:
                path: /etc/envoy/sidecars.yaml
                watched_directory: { path: /etc/onceway/sidecars }
        {{- end }}
        validation_context:
          trusted_ca: { filename: /etc/onceway/sidecars/ca.crt }
          match_typed_subject_alt_names:
            - { san_type: DNS, matcher: { exact: {{ include "onceway.host" . }} } }
{{- end -}}

{{- /* Spans of Envoy's own, whose ids it sends on: the sidecars' are within them. */ -}}
{{- define "onceway.envoy.tracing" -}}
{{- $collector := include "onceway.collector" . | fromJson -}}
random_sampling: { value: {{ mulf .Values.tracing.sampling 100.0 }} }
provider:
  name: envoy.tracers.opentelemetry
  typed_config:
    "@type": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig
    service_name: {{ include "onceway.fullname" . }}-envoy
    http_service:
      http_uri: { uri: {{ $collector.uri | quote }}, cluster: collector, timeout: {{ .Values.tracing.otlp.timeout }} }
{{- end -}}

{{- define "onceway.envoy.collector" -}}
{{- $collector := include "onceway.collector" . | fromJson -}}
name: collector
type: STRICT_DNS
connect_timeout: 1s
dns_lookup_family: {{ .Values.gateway.envoy.dnsLookupFamily }}
load_assignment:
  cluster_name: collector
  endpoints:
    - lb_endpoints:
        - endpoint: { address: { socket_address: { address: {{ $collector.host | quote }}, port_value: {{ $collector.port }} } } }
{{- end -}}
