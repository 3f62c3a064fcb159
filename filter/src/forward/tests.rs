use onceway_signal::Fingerprint;

use super::{ForwardedHeaders, OwnHeaders};
use crate::header_map::serialize;

fn parse(headers: &[(&str, &str)]) -> ForwardedHeaders {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    ForwardedHeaders::parse(&serialize(&headers)).unwrap()
}

#[test]
fn allowed_headers_are_forwarded_and_no_others() {
    let fingerprint: Fingerprint = "54010c454af195aadec824d25dba6fa52adfcc717f0b3f0430e4111acddfe728".parse().unwrap();
    let hex = fingerprint.hex();
    let allowed = [
        (":path", "/api/v1/signals/prometheus?a=b"),
        (":scheme", "https"),
        ("content-type", "application/json"),
        ("authorization", "Bearer x"),
        ("x-timestamp", "1795608000"),
        ("x-request-id", "1"),
        ("traceparent", "00-1-2-01"),
        ("tracestate", "a=b"),
        ("tracestate", "c=d"),
    ];
    let dropped = [
        (":authority", "onceway"),
        (":method", "POST"),
        ("content-length", "7"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("expect", "100-continue"),
        ("cookie", "c"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
    ];
    let forwarded = parse(&[&dropped[..], &allowed[..]].concat());
    let own = [
        (":method", "POST"),
        (":authority", &*hex),
        ("x-onceway-fingerprint", &*hex),
        ("x-onceway-targets", "0a1b2c3d"),
        ("x-onceway-webhook", &*hex),
        ("x-onceway-time-left-ms", "8999"),
    ];
    let says = OwnHeaders { fingerprint: hex, rules: "0a1b2c3d", webhook: hex, time_left_ms: "8999".to_owned() };
    assert_eq!(forwarded.for_sub_request(&says), [&own[..], &allowed[..]].concat());
}

#[test]
fn only_what_may_be_plain_json_is_split() {
    let json = ("content-type", "application/json; charset=utf-8");
    assert!(parse(&[json]).can_split());
    assert!(parse(&[json, ("content-encoding", "identity")]).can_split());
    assert!(!parse(&[json, ("content-encoding", "gzip")]).can_split());
    assert!(!parse(&[("content-type", "text/plain")]).can_split());
    assert!(parse(&[]).can_split(), "many senders name no type");
}

#[test]
fn a_request_is_not_split_if_a_header_to_forward_is_not_utf8() {
    let can_split = |name: &[u8]| {
        let map = serialize(&[(b"content-type", b"application/json"), (name, b"\xff")]);
        ForwardedHeaders::parse(&map).unwrap().can_split()
    };
    assert!(!can_split(b"authorization"));
    assert!(can_split(b"cookie"), "which is not forwarded");
}

#[test]
fn a_malformed_map_is_rejected() {
    assert!(ForwardedHeaders::parse(&[0xff; 16]).is_none());
}
