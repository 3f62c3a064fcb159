use onceway_signal::Source;

use super::Head;
use crate::header_map::serialize;

const ALERTS: &str = Source::Prometheus.path();

fn map(headers: &[(&str, &str)]) -> Vec<u8> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    serialize(&headers)
}

fn source(method: &str, path: &str) -> Option<Source> {
    let origin = Head::parse(&map(&[(":method", method), (":path", path)])).unwrap().origin?;
    Some(origin.unwrap().source)
}

#[test]
fn a_post_to_a_signal_path_is_a_signal_request() {
    assert_eq!(source("POST", "/api/v1/signals/prometheus"), Some(Source::Prometheus));
    assert_eq!(source("POST", "/api/v1/signals/kubernetes-event"), Some(Source::KubernetesEvent));
}

#[test]
fn query_and_fragment_do_not_count_as_path() {
    for rest in ["?", "?a=b", "?a=/x?y", "#x", "?a#b"] {
        assert_eq!(source("POST", &format!("{ALERTS}{rest}")), Some(Source::Prometheus), "{rest}");
    }
}

#[test]
fn the_query_may_name_the_cluster() {
    let origin = |query: &str| {
        let path = format!("{ALERTS}?{query}");
        Head::parse(&map(&[(":method", "POST"), (":path", &path)])).unwrap().origin.unwrap()
    };
    assert_eq!(origin("cluster=east-1#x").unwrap().cluster(), Some("east-1"));
    assert!(origin("cluster=a&cluster=b").is_err());
    let path = [ALERTS.as_bytes(), b"?cluster=\xff"].concat();
    let map = serialize(&[(b":method", b"POST"), (b":path", &path)]);
    assert!(Head::parse(&map).unwrap().origin.unwrap().is_err());
}

#[test]
fn a_path_that_the_sidecars_router_does_not_know_is_not_a_signal_path() {
    for path in [
        "",
        "/",
        "*",
        "/api/v1/signals/prometheus/",
        "//api/v1/signals/prometheus",
        "/api/v1/signals//prometheus",
        "/api/v1/./signals/prometheus",
        "/api/v1/signals/%70rometheus",
        "/API/v1/signals/prometheus",
        "/api/v1/signals/prometheus;x",
        "/health?/api/v1/signals/prometheus",
        "?/api/v1/signals/prometheus",
    ] {
        assert_eq!(source("POST", path), None, "{path}");
    }
}

#[test]
fn other_methods_make_no_signal_request() {
    for method in ["GET", "PUT", "OPTIONS", "post", ""] {
        assert_eq!(source(method, ALERTS), None, "{method}");
    }
}

#[test]
fn a_request_without_method_or_path_is_not_a_signal_request() {
    assert_eq!(Head::parse(&map(&[])), Some(Head::default()));
    assert_eq!(Head::parse(&map(&[(":path", ALERTS)])).unwrap().origin, None);
    assert_eq!(Head::parse(&map(&[(":method", "POST")])).unwrap().origin, None);
}

#[test]
fn a_path_that_is_not_utf8_is_not_a_signal_path() {
    let map = serialize(&[(b":method", b"POST"), (b":path", b"/\xff")]);
    assert_eq!(Head::parse(&map).unwrap().origin, None);
}

#[test]
fn every_reserved_header_is_found_in_any_case() {
    let map = map(&[
        ("x-onceway-fingerprint", "a"),
        ("X-Onceway-Fingerprint", "b"),
        ("x-onceway-", ""),
        ("x-onceway-anything", "c"),
        ("x-onceway", "kept"),
        ("x-oncewayfingerprint", "kept"),
        ("y-x-onceway-fingerprint", "kept"),
    ]);
    let expected: [&[u8]; 4] =
        [b"x-onceway-fingerprint", b"X-Onceway-Fingerprint", b"x-onceway-", b"x-onceway-anything"];
    assert_eq!(Head::parse(&map).unwrap().spoofed, expected);
}

#[test]
fn a_content_length_that_is_not_a_number_is_ignored() {
    let length = |value| Head::parse(&map(&[("content-length", value)])).unwrap().content_length;
    assert_eq!(length("0"), Some(0));
    assert_eq!(length("18446744073709551615"), Some(u64::MAX));
    for value in ["", "-1", "1,1", "18446744073709551616", "0x10"] {
        assert_eq!(length(value), None, "{value}");
    }
}

#[test]
fn a_malformed_header_map_is_rejected() {
    assert_eq!(Head::parse(b""), None);
    assert_eq!(Head::parse(&[0xff; 64]), None);
}
