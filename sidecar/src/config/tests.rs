use std::path::Path;
use std::time::Duration;

use super::{Config, default_yaml};

fn rejection(yaml: &str) -> String {
    Config::parse(yaml).unwrap_err().to_string()
}

#[test]
fn the_printed_default_configuration_parses_to_the_default() {
    assert_eq!(Config::parse(&default_yaml().unwrap()).unwrap(), Config::default());
}

#[test]
fn every_key_of_the_printed_configuration_has_a_comment() {
    let yaml = default_yaml().unwrap();
    let mut previous = "";
    for line in yaml.lines() {
        let bare = line.trim_start();
        if !bare.is_empty() && !bare.starts_with('#') {
            assert!(previous.trim_start().starts_with("# "), "{line:?} has no comment above it");
        }
        previous = line;
    }
}

#[test]
fn an_empty_file_and_one_of_comments_give_the_default() {
    assert_eq!(Config::parse("").unwrap(), Config::default());
    assert_eq!(Config::parse("# nothing here\n").unwrap(), Config::default());
}

#[test]
fn a_given_key_leaves_its_neighbours_at_their_defaults() {
    let config = Config::parse("limits:\n  deadline: 6s 500ms\nbatching:\n  countInterval: 5ms\n").unwrap();
    assert_eq!(config.limits.deadline, Duration::from_millis(6500));
    assert_eq!(config.batching.count_interval, Duration::from_millis(5));
    assert_eq!(config.limits.max_body_bytes, Config::default().limits.max_body_bytes);
}

#[test]
fn an_unknown_key_is_rejected_with_its_name_and_line() {
    let error = rejection("limits:\n  maxBodyBytes: 2048\n  maxBodyByte: 4096\n");
    assert!(error.contains("maxBodyByte") && error.contains("line 3"), "{error}");
}

#[test]
fn a_value_of_the_wrong_type_is_rejected_with_its_line() {
    let error = rejection("listen:\n  signals: 8080\n");
    assert!(error.contains("line 2"), "{error}");
    let error = rejection("\nlimits:\n  deadline: 8 parsecs\n");
    assert!(error.contains("line 3"), "{error}");
}

#[test]
fn the_error_names_a_file_that_does_not_exist() {
    let error = Config::load(Path::new("/nowhere/onceway.yaml")).unwrap_err().to_string();
    assert!(error.contains("/nowhere/onceway.yaml"), "{error}");
}

#[test]
fn a_file_is_loaded() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "namespace: incidents\n").unwrap();
    assert_eq!(Config::load(file.path()).unwrap().namespace.as_deref(), Some("incidents"));
}

#[test]
fn a_share_is_from_0_to_1_and_is_written_as_it_was_read() {
    for share in ["0", "0.01", "0.125", "1"] {
        let config = Config::parse(&format!("tracing: {{sampling: {share}}}")).unwrap();
        assert_eq!(config.tracing.sampling.as_f64(), share.parse::<f64>().unwrap());
        assert_eq!(Config::parse(&super::yaml(&config).unwrap()).unwrap(), config);
    }
    for share in ["-0.1", "1.1", ".nan"] {
        rejection(&format!("tracing: {{sampling: {share}}}"));
    }
}

#[test]
fn a_value_out_of_range_is_rejected_with_its_key() {
    let cases = [
        ("namespace: Not_A_Name", "namespace"),
        ("namespace: ''", "namespace"),
        ("limits: {maxBodyBytes: 1}", "limits.maxBodyBytes"),
        ("limits: {maxBodyBytesInFlight: 4096}", "limits.maxBodyBytesInFlight"),
        ("limits: {maxStoredPayloadBytes: 1048576}", "limits.maxStoredPayloadBytes"),
        ("limits: {maxConnections: 0}", "limits.maxConnections"),
        ("limits: {maxConnectionsPerPeer: 0}", "limits.maxConnectionsPerPeer"),
        ("tls: {cert: c, key: k, clientSans: [envoy]}", "tls.clientSans"),
        ("tls: {cert: c, key: k, clientCa: a, clientSans: ['']}", "tls.clientSans"),
        ("tls: {cert: c, key: k, clientCa: a, clientSans: ['*.example.org']}", "tls.clientSans"),
        ("limits: {maxRequestsInFlight: 0}", "limits.maxRequestsInFlight"),
        ("limits: {maxSignalsInFlight: 0}", "limits.maxSignalsInFlight"),
        ("limits: {maxIncidents: 0}", "limits.maxIncidents"),
        ("limits: {maxIncidentsPerRequestInFlight: 0}", "limits.maxIncidentsPerRequestInFlight"),
        ("limits: {maxQueuePerIncident: 0}", "limits.maxQueuePerIncident"),
        ("limits: {maxApiCallsInFlight: 0}", "limits.maxApiCallsInFlight"),
        ("limits: {deadline: 0s}", "limits.deadline"),
        ("limits: {headerTimeout: 2h}", "limits.headerTimeout"),
        ("limits: {bodyTimeout: 0s}", "limits.bodyTimeout"),
        ("limits: {idleTimeout: 0s}", "limits.idleTimeout"),
        ("limits: {incidentIdle: 0s}", "limits.incidentIdle"),
        ("limits: {writeTimeout: 0s}", "limits.writeTimeout"),
        ("limits: {apiCallTimeout: 4001ms}", "limits.apiCallTimeout"),
        ("limits: {targetTimeout: 4001ms}", "limits.targetTimeout"),
        ("limits: {targetTimeout: 0s}", "limits.targetTimeout"),
        ("batching: {countInterval: 4001ms}", "batching.countInterval"),
        ("batching: {countInterval: 0s}", "batching.countInterval"),
        ("tracing: {otlp: {endpoint: 'https://collector:4318'}}", "tracing.otlp.endpoint"),
        ("tracing: {otlp: {endpoint: 'collector:4318'}}", "tracing.otlp.endpoint"),
        ("tracing: {otlp: {endpoint: ''}}", "tracing.otlp.endpoint"),
        ("tracing: {otlp: {timeout: 0s}}", "tracing.otlp.timeout"),
        ("lease: {duration: 1s}", "lease.duration"),
        ("lease: {duration: 30s 1ms}", "lease.duration"),
        ("lease: {takeoverAfter: 8s}", "lease.takeoverAfter"),
        ("shutdown: {lameDuck: 61m}", "shutdown.lameDuck"),
        ("shutdown: {drainTimeout: 18s}", "shutdown.drainTimeout"),
        ("limits: {bodyTimeout: 10s}", "shutdown.drainTimeout"),
        ("listen: {health: '0.0.0.0:8080'}", "listen.health"),
        ("listen: {metrics: '0.0.0.0:8081'}", "listen.metrics"),
        ("listen: {metrics: '[::1]:8080'}", "listen.metrics"),
        ("events: {maxAge: 8761h}", "events.maxAge"),
        ("freshness: {maxRequestAge: 0s}", "freshness.maxRequestAge"),
        ("freshness: {maxAhead: 25h}", "freshness.maxAhead"),
        ("log: {level: 'a=b=c'}", "log.level"),
    ];
    for (yaml, key) in cases {
        let error = rejection(yaml);
        assert!(error.contains(&format!("invalid configuration: {key} is ")), "{yaml}: {error}");
    }
}

#[test]
fn the_scope_of_targets_is_read_and_an_error_in_it_has_its_place() {
    let config = Config::parse("targets: {clusters: [east-1], denyNamespaces: [kube-system, 'openshift-*']}").unwrap();
    assert_ne!(config.targets, Config::default().targets);
    assert_eq!(config.targets.hash(), Config::default().targets.hash());
    let error = rejection("targets: {denyNamespaces: ['a*b']}");
    assert!(error.contains("targets.denyNamespaces[0] has a `*` inside"), "{error}");
}

#[test]
fn the_kernel_may_choose_every_port() {
    let any = "127.0.0.1:0";
    Config::parse(&format!("listen: {{signals: '{any}', health: '{any}', metrics: '{any}'}}")).unwrap();
}

#[test]
fn tls_needs_a_certificate_and_a_key_and_nothing_else() {
    assert_eq!(Config::default().tls, None);
    let tls = Config::parse("tls: {cert: /tls/tls.crt, key: /tls/tls.key}").unwrap().tls.unwrap();
    assert_eq!((tls.client_ca, tls.client_sans.len(), tls.metrics), (None, 0, false));
    assert!(rejection("tls: {cert: /tls/tls.crt}").contains("key"));
}
