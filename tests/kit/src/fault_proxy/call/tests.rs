use bytes::Bytes;
use http::{Method, Uri};

use super::{Call, Verb};

fn parse(method: Method, uri: &'static str, body: &'static str) -> Call {
    Call::parse("r", &method, &Uri::from_static(uri), Bytes::from_static(body.as_bytes()))
}

#[test]
fn calls_are_parsed_into_verb_resource_and_name() {
    const NS: &str = "/apis/kubernaut.ai/v1alpha1/namespaces/prod/remediationrequests";
    let cases = [
        (Method::GET, NS, Verb::List, "remediationrequests", None),
        (
            Method::GET,
            "/apis/kubernaut.ai/v1alpha1/namespaces/prod/remediationrequests?limit=5&watch=true",
            Verb::Watch,
            "remediationrequests",
            None,
        ),
        (
            Method::GET,
            "/apis/kubernaut.ai/v1alpha1/namespaces/prod/remediationrequests/rr-1",
            Verb::Get,
            "remediationrequests",
            Some("rr-1"),
        ),
        (
            Method::PATCH,
            "/apis/kubernaut.ai/v1alpha1/namespaces/prod/remediationrequests/rr-1/status?fieldManager=onceway",
            Verb::Patch,
            "remediationrequests/status",
            Some("rr-1"),
        ),
        (Method::PUT, "/apis/coordination.k8s.io/v1/namespaces/prod/leases/l", Verb::Update, "leases", Some("l")),
        (Method::DELETE, "/apis/coordination.k8s.io/v1/namespaces/prod/leases/l", Verb::Delete, "leases", Some("l")),
        (Method::DELETE, "/apis/coordination.k8s.io/v1/namespaces/prod/leases", Verb::DeleteCollection, "leases", None),
    ];
    for (method, uri, verb, resource, name) in cases {
        let call = parse(method, uri, "");
        assert!(call.is(verb, resource), "{uri}: {call:?}");
        assert_eq!((call.namespace.as_deref(), call.name.as_deref()), (Some("prod"), name), "{uri}");
    }
}

#[test]
fn the_name_of_a_create_comes_from_its_body() {
    let uri = "/apis/coordination.k8s.io/v1/namespaces/prod/leases?fieldValidation=Strict";
    let call = parse(Method::POST, uri, r#"{"spec":{},"metadata":{"name":"onceway-1"}}"#);
    assert!(call.is(Verb::Create, "leases"));
    assert_eq!(call.name.as_deref(), Some("onceway-1"));
}

#[test]
fn calls_outside_a_namespace_are_parsed() {
    let review = parse(Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "{}");
    assert!(review.is(Verb::Create, "selfsubjectaccessreviews"));
    let namespace = parse(Method::GET, "/api/v1/namespaces/prod", "");
    assert!(namespace.is(Verb::Get, "namespaces"));
    assert_eq!((namespace.namespace, namespace.name.as_deref()), (None, Some("prod")));
    assert!(parse(Method::PUT, "/api/v1/namespaces/prod/finalize", "").is(Verb::Update, "namespaces/finalize"));
    assert!(parse(Method::GET, "/version", "").is(Verb::Get, "/version"));
    assert!(parse(Method::GET, "/apis/kubernaut.ai/v1alpha1", "").is(Verb::Get, "/apis/kubernaut.ai/v1alpha1"));
}
