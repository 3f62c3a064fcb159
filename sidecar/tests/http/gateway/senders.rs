//! What a sender learns of the inside: a request id that the log has too, and nothing about the cluster.

use axum::body::Body;
use http::Request;
use onceway::incident::SubmitError;
use onceway_signal::Source;
use tower::ServiceExt;

use super::{Rig, Script, fingerprint, firing, post, webhook};

/// A text as the API server writes it, which no sender may see.
const SECRET: &str = "creating the RemediationRequest: the API server refused (403): remediationrequests.kubernaut.ai is \
                      forbidden: User \"system:serviceaccount:secret-ns:onceway\" cannot create resource";

/// The header `x-request-id` of the response to a request with this one.
async fn request_id(rig: &Rig, request: Request<Body>) -> String {
    let response = rig.router.clone().oneshot(request).await.unwrap();
    response.headers()["x-request-id"].to_str().unwrap().to_owned()
}

fn alert(id: Option<&str>) -> Request<Body> {
    let request = post(Source::Prometheus);
    let request = id.into_iter().fold(request, |request, id| request.header("x-request-id", id));
    request.body(webhook(&[firing("a")]).into()).unwrap()
}

#[tokio::test]
async fn every_response_has_the_requests_id_or_a_new_one() {
    let rig = Rig::new();
    assert_eq!(request_id(&rig, alert(Some("b8e64bd8-9a1f"))).await, "b8e64bd8-9a1f");
    assert_eq!(request_id(&rig, alert(Some("a b<script>"))).await.len(), 36, "which is no id");
    let (first, second) = (request_id(&rig, alert(None)).await, request_id(&rig, alert(None)).await);
    assert!(first.len() == 36 && first != second, "{first} {second}");
    for request in [Request::get("/nowhere"), Request::get(Source::Prometheus.path()), Request::post("/nowhere")] {
        let request = request.header("x-request-id", "7").body(Body::empty()).unwrap();
        assert_eq!(request_id(&rig, request).await, "7");
    }
}

#[tokio::test]
async fn no_error_of_the_cluster_reaches_a_sender() {
    let cause = || SECRET.to_owned();
    for error in [
        SubmitError::Refused { cause: cause() },
        SubmitError::Unresolved { cause: cause() },
        SubmitError::Deadline { deadline_ms: 8000, cause: cause() },
    ] {
        assert!(error.to_string().contains(SECRET), "the log has it: {error}");
        let rig = Rig::new();
        rig.ledger.script(fingerprint("a"), Script::Fail(error.clone()));
        for alerts in [&[firing("a")][..], &[firing("a"), firing("b")]] {
            let got = rig.post(alerts).await;
            assert_eq!(got.status, 503);
            let body = got.body.to_string();
            for word in ["forbidden", "serviceaccount", "secret-ns", "403", "creating"] {
                assert!(!body.contains(word), "{word} in {body}");
            }
        }
    }
}
