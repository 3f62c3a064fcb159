//! The fault proxy between a real client and the real API server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use futures::future::ready;
use http::StatusCode;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::config::{AuthInfo, Config};
use kube::{Client, Error};
use onceway_kit::cluster::{ADMIN_TOKEN, Cluster};
use onceway_kit::fault_proxy::{CallResult, Fault, FaultProxy, Record, Rule, Verb};

const MAPS: &str = "configmaps";

struct Rig {
    cluster: Arc<Cluster>,
    proxy: FaultProxy,
    record: Record,
    name: String,
    /// Through the proxy.
    maps: Api<ConfigMap>,
    /// Bypassing the proxy.
    truth: Api<ConfigMap>,
}

/// The fixture of a test, with the name of the test's own object.
async fn rig(name: &str) -> Result<Rig> {
    let cluster = Cluster::shared().await?;
    let record = Record::new();
    let proxy = FaultProxy::start(&cluster, "r0", &record).await?;
    let mut config = Config::new(proxy.url().parse()?);
    config.default_retry = false;
    config.auth_info = AuthInfo { token: Some(ADMIN_TOKEN.to_owned().into()), ..AuthInfo::default() };
    let maps = Api::namespaced(Client::try_from(config)?, "default");
    let truth = Api::namespaced(cluster.client()?, "default");
    Ok(Rig { cluster, proxy, record, name: name.to_owned(), maps, truth })
}

impl Rig {
    fn object(&self) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(self.name.clone());
        object
    }

    async fn create(&self) -> Result<ConfigMap, Error> {
        self.maps.create(&PostParams::default(), &self.object()).await
    }

    async fn exists(&self) -> Result<bool> {
        Ok(self.truth.get_opt(&self.name).await?.is_some())
    }
}

fn status(result: Result<ConfigMap, Error>) -> u16 {
    match result {
        Err(Error::Api(status)) => status.code,
        other => panic!("not an error status: {other:?}"),
    }
}

#[tokio::test]
async fn calls_pass_untouched_and_are_recorded_in_order() -> Result<()> {
    let rig = rig("passes").await?;
    rig.create().await?;
    let patch = Patch::Merge(serde_json::json!({ "data": { "key": "value" } }));
    let patched = rig.maps.patch(&rig.name, &PatchParams::default(), &patch).await?;
    assert_eq!(patched.data, Some(BTreeMap::from([("key".to_owned(), "value".to_owned())])));
    assert_eq!(status(rig.create().await), 409);

    let calls = rig.record.calls();
    let seen: Vec<_> = calls.iter().map(|call| (call.verb, call.name.as_deref(), call.result.clone())).collect();
    let answered = |code| CallResult::Forwarded(StatusCode::from_u16(code).unwrap());
    assert_eq!(
        seen,
        [
            (Verb::Create, Some("passes"), answered(201)),
            (Verb::Patch, Some("passes"), answered(200)),
            (Verb::Create, Some("passes"), answered(409)),
        ]
    );
    assert!(calls.iter().all(|call| call.resource == MAPS && call.replica == "r0" && !call.abandoned));
    assert_eq!(rig.record.count(Verb::Create, MAPS), 2);
    Ok(())
}

#[tokio::test]
async fn a_lost_response_is_an_error_to_the_client_and_committed_at_the_server() -> Result<()> {
    let rig = rig("lost").await?;
    let rule = rig.proxy.rule(Rule::on(Verb::Create, MAPS).once(), Fault::LoseResponse);
    let error = rig.create().await.unwrap_err();
    assert!(!matches!(error, Error::Api(_)), "{error:?}");
    assert!(rig.exists().await?);
    assert_eq!(rule.injected(), 1);
    assert_eq!(rig.record.calls()[0].result, CallResult::Lost(StatusCode::CREATED));
    assert_eq!(status(rig.create().await), 409);
    Ok(())
}

#[tokio::test]
async fn a_cut_call_never_reaches_the_server_and_the_client_does_not_retry_it() -> Result<()> {
    let rig = rig("cut").await?;
    rig.maps.get_opt(&rig.name).await?;
    rig.proxy.rule(Rule::on(Verb::Create, MAPS).once(), Fault::CutBefore);
    assert!(rig.create().await.is_err());
    assert!(!rig.exists().await?);
    assert_eq!(rig.record.count(Verb::Create, MAPS), 1);
    rig.create().await?;
    Ok(())
}

#[tokio::test]
async fn a_held_call_reaches_the_server_when_released_though_its_client_gave_up() -> Result<()> {
    let rig = rig("held").await?;
    let hold = rig.proxy.rule(Rule::on(Verb::Create, MAPS).name("held"), Fault::Hold);
    tokio::select! {
        created = rig.create() => panic!("not held: {created:?}"),
        // The client gives up only when its call is held.
        () = hold.reached() => {}
    }
    rig.record.wait_for(|calls| calls.iter().any(|call| call.abandoned)).await?;
    assert!(!rig.exists().await?);

    hold.release();
    rig.record.wait_for(|calls| calls.iter().any(|call| call.result.is_status(201))).await?;
    assert!(rig.exists().await?);
    Ok(())
}

#[tokio::test]
async fn a_response_is_held_after_the_commit_until_it_is_released() -> Result<()> {
    let rig = rig("response-held").await?;
    let hold = rig.proxy.rule(Rule::writes().once(), Fault::HoldResponse);
    let create = rig.create();
    let watcher = async {
        hold.reached().await;
        assert!(rig.exists().await.unwrap());
        hold.release();
    };
    let (created, ()) = tokio::join!(create, watcher);
    created?;
    Ok(())
}

#[tokio::test]
async fn only_the_nth_call_gets_an_error_status() -> Result<()> {
    let rig = rig("refused").await?;
    rig.proxy.rule(Rule::on(Verb::Get, MAPS).nth(2), Fault::RespondRetryAfter(StatusCode::TOO_MANY_REQUESTS, 1));
    rig.proxy.rule(Rule::on(Verb::Create, MAPS).times(2), Fault::Respond(StatusCode::FORBIDDEN));
    assert_eq!(rig.maps.get_opt(&rig.name).await?, None);
    assert_eq!(status(rig.maps.get(&rig.name).await), 429);
    assert_eq!(status(rig.maps.get(&rig.name).await), 404);
    assert_eq!(status(rig.create().await), 403);
    assert_eq!(status(rig.create().await), 403);
    rig.create().await?;
    Ok(())
}

#[tokio::test]
async fn a_watch_streams_through_the_proxy() -> Result<()> {
    let rig = rig("watched").await?;
    let fields = WatchParams::default().fields("metadata.name=watched");
    let events = rig.maps.watch(&fields, "0").await?;
    let mut added = events.filter(|event| ready(matches!(event, Ok(WatchEvent::Added(_))))).boxed();
    rig.truth.create(&PostParams::default(), &rig.object()).await?;
    assert!(tokio::time::timeout(Duration::from_secs(60), added.next()).await?.is_some());
    assert_eq!(rig.record.count(Verb::Watch, MAPS), 1);
    Ok(())
}

#[tokio::test]
async fn the_server_sees_the_clients_own_credentials() -> Result<()> {
    let rig = rig("anonymous").await?;
    let mut config = Config::new(rig.proxy.url().parse()?);
    config.default_retry = false;
    let anonymous: Api<ConfigMap> = Api::namespaced(Client::try_from(config)?, "default");
    assert_eq!(status(anonymous.get("any").await), 403);
    // The shared cluster must outlive the proxy.
    drop(rig.cluster);
    Ok(())
}

#[tokio::test]
async fn a_cut_closes_every_open_connection_and_calls_already_sent_complete() -> Result<()> {
    let rig = rig("cut-open").await?;
    let hold = rig.proxy.rule(Rule::writes().once(), Fault::Hold);
    let cut = async {
        hold.reached().await;
        rig.proxy.cut();
    };
    let (created, ()) = tokio::join!(rig.create(), cut);
    assert!(matches!(created, Err(Error::HyperError(_) | Error::Service(_))), "{created:?}");
    assert!(!rig.exists().await?);
    hold.release();
    rig.record.wait_for(|calls| calls.iter().all(|call| call.ended.is_some())).await?;
    assert!(rig.exists().await?);
    Ok(())
}

#[tokio::test]
async fn a_fault_for_every_second_call_affects_every_second_call() -> Result<()> {
    let rig = rig("each-second").await?;
    rig.proxy.rule(Rule::on(Verb::Get, MAPS).every(2), Fault::Respond(StatusCode::FORBIDDEN));
    for _ in 0..3 {
        assert_eq!(rig.maps.get_opt(&rig.name).await?, None);
        assert_eq!(status(rig.maps.get(&rig.name).await), 403);
    }
    Ok(())
}
