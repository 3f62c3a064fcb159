//! The doctor where all is well, and beside a system that is.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use jiff::SignedDuration;
use onceway::doctor::CHECKS;
use onceway_kit::client::Client;
use onceway_kit::clock::Clock;
use onceway_kit::envoy;
use onceway_kit::fault_proxy::FaultProxy;
use onceway_kit::payload::Incident;
use onceway_kit::ports::Port;
use onceway_kit::rig::Rig;

use super::{Program, argument, file};

/// The name of the doctor in the record of calls.
const DOCTOR: &str = "doctor";

#[tokio::test]
async fn a_healthy_system_passes_every_check_and_nothing_in_the_cluster_is_written() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().with_auth().with_long_timeouts().start().await?;
    let (sender, namespace) = (rig.namespace().sender("alertmanager").await?, rig.namespace().another("shop").await?);
    sender.permit(&namespace).await?;
    let token = sender.token().await?;
    let alert = Incident::new(&namespace, "payment-api").webhook(0);
    let response = Client::new().with_token(&token).alert(rig.envoy().url(), alert).await?;
    assert_eq!(response.status, 201, "{}", response.text());

    let proxy = FaultProxy::start(rig.cluster(), DOCTOR, rig.record()).await?;
    let doctor = Program::of(&rig, &proxy.url(), rig.namespace().token()).await?;
    let token = file(&rig, "sender.token", &token)?;
    let (admin, peers) = (rig.envoy().admin_url(), [0, 1].map(|n| rig.sidecar(n).health().to_string()));
    let arguments =
        ["--strict", "--token-file", &token, "--envoy-admin", &admin, "--peers", &peers[0], "--peers", &peers[1]];
    // The API server publishes the schema of a new CRD within seconds.
    doctor.until("crd", "pass").await?;
    let report = doctor.doctor(&arguments).await?;

    let names: Vec<_> =
        report.json["checks"].as_array().context("checks")?.iter().map(|check| &check["check"]).collect();
    assert_eq!(names, CHECKS.iter().collect::<Vec<_>>());
    assert_eq!(report.with("skipped"), ["certificate"]);
    assert_eq!((report.code, report.with("pass").len()), (0, CHECKS.len() - 1));
    let account = format!("system:serviceaccount:{}:onceway", rig.namespace().name());
    assert_eq!(report.json["user"], account.as_str());
    assert!(report.text("token-review").contains(&sender.user()), "{}", report.text("token-review"));
    assert!(report.text("remediation-requests").contains("1 RemediationRequest, 1 active"));
    assert!(report.text("peers").contains("2 replicas ready"), "{}", report.text("peers"));
    assert!(report.text("claims").contains("1 claim,"), "{}", report.text("claims"));

    let calls = rig.record().calls().into_iter().filter(|call| call.replica == DOCTOR);
    let written: BTreeSet<String> = calls.filter(|call| call.verb.writes()).map(|call| call.resource).collect();
    assert_eq!(
        written.iter().map(String::as_str).collect::<Vec<_>>(),
        ["selfsubjectaccessreviews", "selfsubjectreviews", "tokenreviews"],
        "reviews, which are not stored"
    );
    // For people.
    let text = doctor.run(&[&["doctor"], &arguments[1..]].concat()).await?;
    assert!(text.code == 0 && text.out.contains("pass  budgets"), "{}", text.out);
    Ok(())
}

#[tokio::test]
async fn an_administrator_examines_the_sidecars_account_by_its_name() -> Result<()> {
    let rig = Rig::replicas(1).with_auth().start().await?;
    let doctor = Program::of(&rig, &rig.cluster().url(), onceway_kit::cluster::ADMIN_TOKEN).await?;
    let account = format!("system:serviceaccount:{}:onceway", rig.namespace().name());
    let report = doctor.doctor(&["--as", &account]).await?;
    assert_eq!((report.json["user"].as_str(), report.status("rights")), (Some(account.as_str()), "pass"));
    let nobody = format!("system:serviceaccount:{}:nobody", rig.namespace().name());
    let report = doctor.doctor(&["--as", &nobody]).await?;
    assert_eq!((report.code, report.status("rights"), report.status("claims")), (2, "fail", "fail"));
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_an_hour_ahead_is_found_by_the_api_servers() -> Result<()> {
    let rig = Rig::replicas(1).with_auth().start().await?;
    let clock = Clock::start(rig.dir(), "doctor").await?;
    let mut doctor = Program::of(&rig, &rig.cluster().url(), rig.namespace().token()).await?;
    doctor.environment = clock.environment().into();
    for (minutes, status, part) in [(0, "pass", "s"), (60, "fail", "s ahead of"), (-60, "fail", "s behind")] {
        clock.set(SignedDuration::from_mins(minutes))?;
        let report = doctor.doctor(&[]).await?;
        assert_eq!(report.status("clock"), status, "{minutes}: {}", report.text("clock"));
        assert!(report.text("clock").contains(part), "{}", report.text("clock"));
        // Ages are those of the API server's clock.
        assert_eq!(report.with("fail"), if minutes == 0 { vec![] } else { vec!["clock"] });
    }
    Ok(())
}

#[tokio::test]
async fn a_filter_with_other_rules_and_a_replica_that_is_gone_are_failures() -> Result<()> {
    let edit = |config: &mut serde_json::Value| {
        envoy::configure_filter(config, &serde_json::json!({ "targets": { "ignore": [{ "severity": "info" }] } }));
    };
    let rig = Rig::replicas(1).with_envoy_edited(edit).with_auth().start().await?;
    let doctor = Program::of(&rig, &rig.cluster().url(), rig.namespace().token()).await?;
    let (gone, there, admin) = (Port::reserve()?, rig.sidecar(0).health().to_string(), rig.envoy().admin_url());
    let gone = gone.addr().to_string();
    let report = doctor.doctor(&["--envoy-admin", &admin, "--peers", &there, "--peers", &gone]).await?;
    assert_eq!((report.code, report.with("fail")), (2, vec!["filter", "peers"]));
    assert!(report.text("filter").contains("onceway: target rules "), "{}", report.text("filter"));
    let peers = report.text("peers");
    assert!(peers.contains(&format!("{gone}: cannot connect")) && !peers.contains(&there), "{peers}");
    // The same from the file that this Envoy was started with, and the shipped one is well.
    let started_with = argument(&rig.dir().join("envoy.json"))?;
    assert_eq!(doctor.doctor(&["--filter-config", &started_with]).await?.status("filter"), "fail");
    let shipped = argument(&envoy::shipped())?;
    assert_eq!(doctor.doctor(&["--filter-config", &shipped]).await?.status("filter"), "pass");
    Ok(())
}
