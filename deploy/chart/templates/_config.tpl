{{- /*
The sidecar's configuration: `config` as it is, and what has a place of its own in the values because something else depends on
it, too: `auth` (bindings), `tls` (mounts, Envoy), `targets` (the filter, rights), `scope` (rights), `ports` (the Service), `budgets`, `tracing` (Envoy, the NetworkPolicies).
*/ -}}
{{- define "onceway.config" -}}
{{- $values := .Values -}}
{{- range $key, $place := dict "auth" "auth" "tls" "tls" "targets" "targets" "scope" "scope" "tracing" "tracing" "listen" "ports" "profile" "profile" "namespace" "the release's namespace" -}}
{{- if hasKey $values.config $key -}}
{{- fail (printf "config.%s: set %s instead, which has more to it than the sidecar's configuration" $key (ternary $place (printf "the value `%s`" $place) (eq $key "namespace"))) -}}
{{- end -}}
{{- end -}}
{{- range $key := keys $values.budgets -}}
{{- if hasKey (default dict $values.config.limits) $key -}}
{{- fail (printf "config.limits.%s: set budgets.%s instead" $key $key) -}}
{{- end -}}
{{- end -}}
{{- $config := deepCopy $values.config -}}
{{- if ne $values.profile "none" -}}
{{- $_ := set $config "profile" $values.profile -}}
{{- end -}}
{{- $auth := omit $values.auth "senders" -}}
{{- $_ := set $auth "authorization" (include "onceway.authorization" .) -}}
{{- $_ := set $auth "audiences" (include "onceway.audiences" . | fromJsonArray) -}}
{{- $_ := set $config "auth" $auth -}}
{{- $_ := set $config "limits" (merge (deepCopy (default dict $config.limits)) (deepCopy $values.budgets)) -}}
{{- $listen := dict -}}
{{- range $port, $number := $values.ports -}}
{{- $_ := set $listen $port (printf "[::]:%d" (int $number)) -}}
{{- end -}}
{{- $_ := set $config "listen" $listen -}}
{{- with $values.targets -}}
{{- $_ := set $config "targets" . -}}
{{- end -}}
{{- if $values.scope.label -}}
{{- $_ := set $config "scope" (dict "label" (default nil (include "onceway.scopeLabel" .))) -}}
{{- end -}}
{{- if $values.tracing.otlp.endpoint -}}
{{- $_ := set $config "tracing" $values.tracing -}}
{{- end -}}
{{- if $values.tls.secretName -}}
{{- $tls := dict "cert" "/etc/onceway-tls/tls.crt" "key" "/etc/onceway-tls/tls.key" "metrics" $values.tls.metrics -}}
{{- if $values.tls.clientCertificates -}}
{{- $_ := set $tls "clientCa" "/etc/onceway-tls/ca.crt" -}}
{{- $_ := set $tls "clientSans" $values.tls.clientSans -}}
{{- end -}}
{{- $_ := set $config "tls" $tls -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- /* The collector of traces as JSON: its host, its port, and the URL for spans. */ -}}
{{- define "onceway.collector" -}}
{{- $url := urlParse .Values.tracing.otlp.endpoint -}}
{{- $parts := splitList ":" $url.host -}}
{{- $port := ternary (last $parts) "80" (gt (len $parts) 1) -}}
{{- $path := default "/v1/traces" (trimSuffix "/" $url.path) -}}
{{- dict "host" (first $parts) "port" (int $port) "uri" (printf "http://%s%s" $url.host $path) | toJson -}}
{{- end -}}

{{- /* Which right a sender needs: the value, else that of the profile. */ -}}
{{- define "onceway.authorization" -}}
{{- default (ternary "gateway" "signals" (eq .Values.profile "kubernaut")) .Values.auth.authorization -}}
{{- end -}}

{{- /* The audiences of senders' tokens as JSON: the value, else those of the profile. */ -}}
{{- define "onceway.audiences" -}}
{{- if kindIs "slice" .Values.auth.audiences -}}
{{- toJson .Values.auth.audiences -}}
{{- else -}}
{{- ternary (list) (list "onceway") (eq .Values.profile "kubernaut") | toJson -}}
{{- end -}}
{{- end -}}

{{- /* The label of scope.label: the value, else that of the profile; empty if everything is in scope. */ -}}
{{- define "onceway.scopeLabel" -}}
{{- $label := default (ternary "kubernaut.ai/managed" "none" (eq .Values.profile "kubernaut")) .Values.scope.label -}}
{{- if ne $label "none" }}{{ $label }}{{ end -}}
{{- end -}}

{{- /* Whose types problems have: the value, else those of the profile. */ -}}
{{- define "onceway.problemTypes" -}}
{{- default (ternary "kubernaut" "onceway" (eq .Values.profile "kubernaut")) .Values.config.problemTypes -}}
{{- end -}}

{{- /* Envoy's configuration as the repository has it: where all kinds of gateway take their settings from. */ -}}
{{- define "onceway.envoy" -}}
{{- .Files.Get "files/envoy.yaml" -}}
{{- end -}}

{{- /* Its HTTP connection manager. */ -}}
{{- define "onceway.manager" -}}
{{- $envoy := include "onceway.envoy" . | fromYaml -}}
{{- $listener := index $envoy.static_resources.listeners 0 -}}
{{- (index (index $listener.filter_chains 0).filters 0).typed_config | toYaml -}}
{{- end -}}

{{- /*
The filter's configuration as JSON: that of the file, the sidecar's body limit, target rules and types of problems, which have to be
the same in both, and what `filter.config` says.
*/ -}}
{{- define "onceway.filterConfig" -}}
{{- $manager := include "onceway.manager" . | fromYaml -}}
{{- $config := (index $manager.http_filters 0).typed_config.config.configuration.value | fromJson -}}
{{- with (default dict .Values.config.limits).maxBodyBytes -}}
{{- $_ := set $config "max_body_bytes" . -}}
{{- end -}}
{{- with .Values.targets -}}
{{- $_ := set $config "targets" . -}}
{{- end -}}
{{- if ne (include "onceway.problemTypes" .) "onceway" -}}
{{- $_ := set $config "problem_types" (include "onceway.problemTypes" .) -}}
{{- end -}}
{{- mergeOverwrite $config (deepCopy .Values.filter.config) | toJson -}}
{{- end -}}

{{- /* A duration of Envoy's ("0.025s") as Kubernetes APIs want it ("25ms"). */ -}}
{{- define "onceway.milliseconds" -}}
{{- printf "%dms" (mulf (trimSuffix "s" .) 1000 | int64) -}}
{{- end -}}

{{- /*
The mappers of Envoy's own responses for a gateway that has other routes, too: for our paths alone. The rest of a shared
listener keeps its 408 and 5xx.
*/ -}}
{{- define "onceway.mappers" -}}
{{- $manager := include "onceway.manager" . | fromYaml -}}
{{- $path := dict "header_filter" (dict "header" (dict "name" ":path" "string_match" (dict "prefix" (include "onceway.path" .)))) -}}
{{- $mappers := list -}}
{{- range $mapper := $manager.local_reply_config.mappers -}}
{{- $filter := dict "and_filter" (dict "filters" (list $mapper.filter $path)) -}}
{{- $mappers = append $mappers (set (deepCopy $mapper) "filter" $filter) -}}
{{- end -}}
{{- toYaml $mappers -}}
{{- end -}}

{{- /* The only route: (match prefix). */ -}}
{{- define "onceway.path" -}}
/api/v1/signals/
{{- end -}}
