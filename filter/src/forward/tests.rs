use onceway_signal::Fingerprint;

use super::Forward;
use crate::header_map::{serialize, visit};

fn parse(headers: &[(&str, &str)]) -> Forward {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    Forward::parse(&serialize(&headers)).unwrap()
}

#[test]
fn what_is_allowed_goes_along_and_nothing_else_does() {
    let fingerprint: Fingerprint = "54010c454af195aadec824d25dba6fa52adfcc717f0b3f0430e4111acddfe728".parse().unwrap();
    let hex = fingerprint.to_string();
    let allowed = [
        (":path", "/api/v1/signals/prometheus?a=b"),
        (":scheme", "https"),
        ("content-type", "application/json"),
        ("authorization", "Bearer x"),
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
    let map = parse(&[&dropped[..], &allowed[..]].concat()).headers_for(fingerprint);
    let mut sent = Vec::new();
    visit(&map, |name, value| sent.push((str::from_utf8(name).unwrap(), str::from_utf8(value).unwrap()))).unwrap();
    let own = [(":method", "POST"), (":authority", &*hex), ("x-onceway-fingerprint", &*hex)];
    assert_eq!(sent, [&own[..], &allowed[..]].concat());
}

#[test]
fn only_plain_json_is_to_be_split() {
    let json = ("content-type", "application/json; charset=utf-8");
    assert!(parse(&[json]).is_plain_json());
    assert!(parse(&[json, ("content-encoding", "identity")]).is_plain_json());
    assert!(!parse(&[json, ("content-encoding", "gzip")]).is_plain_json());
    assert!(!parse(&[("content-type", "text/plain")]).is_plain_json());
    assert!(!parse(&[]).is_plain_json());
}

#[test]
fn a_map_that_is_none_is_noticed() {
    assert!(Forward::parse(&[0xff; 16]).is_none());
}
