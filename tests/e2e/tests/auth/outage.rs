//! An API server that does not decide: never a denial, and known senders go on.

use anyhow::Result;
use http::StatusCode;
use onceway_kit::fault_proxy::{ACCESS_REVIEWS, Fault, Rule, TOKEN_REVIEWS, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use serde_json::json;

use super::{send, tenant};
use crate::split::results;

#[tokio::test]
async fn an_api_server_that_hangs_on_reviews_is_a_503_and_a_known_sender_goes_on() -> Result<()> {
    let config = json!({"limits": {"apiCallTimeout": "1s"}});
    let rig = Rig::replicas(1).with_auth().config(config).start().await?;
    let (known, _, incident) = tenant(&rig, "shop").await?;
    let (new, _, of_new) = tenant(&rig, "bank").await?;
    let (base, token) = (rig.sidecar(0).url(), known.token().await?);
    assert_eq!(send(&base, &token, &[&incident]).await?.status, 201);
    let hold = rig.proxy(0).rule(Rule::on(Verb::Create, TOKEN_REVIEWS), Fault::Hold);
    for token in [new.token().await?, "garbage".to_owned()] {
        let response = send(&base, &token, &[&of_new]).await?;
        assert_eq!(response.status, 503, "{}", response.text());
        assert_eq!(response.json()["type"], "https://onceway.io/problems/auth-unavailable");
        assert!(response.header("retry-after").is_some() && response.header("www-authenticate").is_none());
    }
    assert_eq!(send(&base, &token, &[&incident]).await?.status, 202);
    assert!(rig.sidecar(0).is_ready().await, "an outage does not empty the load balancer");
    hold.release();
    assert_eq!(send(&base, &new.token().await?, &[&of_new]).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn a_right_that_cannot_be_checked_is_a_503_for_its_incident_through_the_split_too() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().with_auth().start().await?;
    let (sender, _, incident) = tenant(&rig, "shop").await?;
    let second = rig.namespace().another("second").await?;
    sender.permit(&second).await?;
    let (of_second, token) = (Incident::new(&second, "payment-api"), sender.token().await?);
    // Both replicas know the right for the first namespace.
    for replica in [0, 1] {
        assert!(send(&rig.sidecar(replica).url(), &token, &[&incident]).await?.status.is_success());
    }
    let failing: Vec<_> = [0, 1]
        .map(|n| rig.proxy(n).rule(Rule::on(Verb::Create, ACCESS_REVIEWS), Fault::Respond(StatusCode::BAD_GATEWAY)))
        .into();
    let forbidden = Incident::new("kube-system", "coredns");
    for base in [rig.sidecar(0).url(), rig.envoy().url()] {
        let response = send(&base, &token, &[&of_second, &incident, &forbidden]).await?;
        assert_eq!(response.status, 503, "{}", response.text());
        let outcomes = results(&response);
        assert_eq!(outcomes[0]["failure"]["problem"], "auth-unavailable", "{}", response.text());
        assert_eq!((&outcomes[1]["status"], &outcomes[2]["status"]), (&json!("duplicate"), &json!("failed")));
    }
    failing.iter().for_each(|rule| rule.release());
    let response = send(&rig.envoy().url(), &token, &[&of_second, &incident, &forbidden]).await?;
    assert_eq!(response.status, 207, "{}", response.text());
    assert_eq!(results(&response)[2]["status"], "rejected");
    assert_eq!(rig.rrs_of(&of_second).await?.len(), 1);
    Ok(())
}
