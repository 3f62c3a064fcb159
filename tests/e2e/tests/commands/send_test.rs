//! The test signal: it takes the way of every signal, and leaves nothing behind.

use anyhow::{Context, Result, bail};
use http::StatusCode;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::ListParams;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use onceway_kit::cluster::ADMIN_TOKEN;
use onceway_kit::fault_proxy::{Fault, FaultProxy, RR_STATUS, RRS, Record, Rule, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{LIMIT, PATIENCE, Program, Ran, file};

/// A sender of a rig, and the arguments of a test that it sends through Envoy.
struct Sender {
    /// Where the RRs are.
    incidents: String,
    namespace: String,
    token: String,
    url: String,
}

impl Sender {
    async fn of(rig: &Rig) -> Result<Self> {
        let (sender, namespace) = (rig.namespace().sender("tester").await?, rig.namespace().another("shop").await?);
        sender.permit(&namespace).await?;
        let token = file(rig, "sender.token", &sender.token().await?)?;
        let incidents = rig.namespace().name().to_owned();
        Ok(Self { incidents, namespace, token, url: rig.envoy().url() })
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let named = if more.contains(&"--namespace") { &[][..] } else { &["--namespace", self.incidents.as_str()] };
        [&self.unnamed(more)[..], named].concat()
    }

    /// Without the namespace of the RRs.
    fn unnamed<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let own = ["send-test", "--url", &self.url, "--target-namespace", &self.namespace, "--token-file", &self.token];
        let limit = if more.contains(&"--timeout") { &[][..] } else { &["--timeout", PATIENCE] };
        [&own[..], limit, more].concat()
    }
}

fn way_of(ran: &Ran) -> Result<Value> {
    serde_json::from_str(&ran.out).with_context(|| format!("{}{}", ran.out, ran.error))
}

/// The names of all RRs and claims in the rig's namespace.
async fn objects(rig: &Rig) -> Result<Vec<String>> {
    let leases = Api::<Lease>::namespaced(rig.namespace().client().clone(), rig.namespace().name());
    let leases = leases.list(&ListParams::default()).await?.items.into_iter().filter_map(|lease| lease.metadata.name);
    let rrs = rig.rrs().await?.into_iter().filter_map(|rr| rr.metadata.name);
    Ok(rrs.chain(leases).collect())
}

#[tokio::test]
async fn a_test_signal_through_envoy_is_counted_and_leaves_nothing_behind() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().with_auth().with_long_timeouts().start().await?;
    let sender = Sender::of(&rig).await?;
    let program = Program::of(&rig, &rig.cluster().url(), ADMIN_TOKEN).await?;
    for arguments in [sender.arguments(&["--json"]), sender.arguments(&[])] {
        let ran = program.run(&arguments).await?;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
        if arguments.contains(&"--json") {
            let way = way_of(&ran)?;
            assert_eq!((&way["outcome"], &way["left"]), (&json!("counted"), &json!([])));
            assert_eq!(way["removed"].as_array().map(Vec::len), Some(2), "{way}");
            let steps: Vec<_> = way["steps"].as_array().context("steps")?.iter().map(|step| &step["step"]).collect();
            assert_eq!(steps, ["connected", "answered", "created", "counted", "cleaned"]);
            assert!(way["steps"][2]["detail"].as_str().is_some_and(|detail| detail.contains("by onceway-")), "{way}");
            assert_eq!(way["steps"][3]["detail"], "1");
        }
        assert_eq!(objects(&rig).await?, [""; 0]);
    }
    // Each was an incident of its own, created once and marked.
    let created = rig.record().calls().into_iter().filter(|call| call.is(Verb::Create, RRS));
    let bodies: Vec<Value> = created.map(|call| serde_json::from_slice(&call.body)).collect::<Result<_, _>>()?;
    assert_eq!(bodies.len(), 2);
    for body in &bodies {
        assert_eq!((&body["spec"]["signalName"], &body["spec"]["severity"]), (&json!("OncewayTest"), &json!("info")));
        assert_eq!(body["spec"]["targetResource"]["namespace"], sender.namespace.as_str());
    }
    assert_ne!(bodies[0]["spec"]["signalFingerprint"], bodies[1]["spec"]["signalFingerprint"]);
    // The replicas go on as before.
    for sidecar in rig.sidecars() {
        sidecar.until_ready().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_test_that_is_refused_says_why_and_leaves_nothing_behind() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().with_auth().with_long_timeouts().start().await?;
    let sender = Sender::of(&rig).await?;
    let program = Program::of(&rig, &rig.cluster().url(), ADMIN_TOKEN).await?;
    let url = rig.envoy().url();
    let cases = [
        (vec!["send-test", "--url", &url, "--target-namespace", "prod"], "401"),
        (vec!["send-test", "--url", &url, "--target-namespace", "prod", "--token-file", &sender.token], "403"),
        (vec!["send-test", "--url", "http://127.0.0.1:1", "--target-namespace", "prod"], "cannot connect"),
    ];
    for (arguments, why) in cases {
        let ran = program.run(&[&arguments[..], &["--namespace", sender.incidents.as_str()]].concat()).await?;
        assert!(ran.code == 1 && ran.out.contains(why), "{why}: {}{}", ran.out, ran.error);
    }
    assert_eq!(objects(&rig).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn where_a_controller_works_nothing_is_sent_without_a_yes() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().with_auth().with_long_timeouts().start().await?;
    let sender = Sender::of(&rig).await?;
    let program = Program::of(&rig, &rig.cluster().url(), ADMIN_TOKEN).await?;
    rig.create_foreign(&Incident::new("prod", "payment-api"), "rr-worked-on").await?;
    rig.set_phase("rr-worked-on", "Executing").await?;
    let ran = program.run(&sender.arguments(&[])).await?;
    assert!(ran.code == 2 && ran.out.is_empty(), "{}", ran.out);
    assert!(ran.error.contains("nothing was sent") && ran.error.contains("rr-worked-on"), "{}", ran.error);
    assert_eq!(rig.record().count(Verb::Create, RRS), 0);
    assert_eq!(program.run(&sender.arguments(&["--yes"])).await?.code, 0);
    assert_eq!((rig.record().count(Verb::Create, RRS), objects(&rig).await?), (1, vec!["rr-worked-on".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn the_namespace_of_a_kubeconfig_alone_is_none_to_send_a_test_for() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().with_auth().with_long_timeouts().start().await?;
    let sender = Sender::of(&rig).await?;
    // Of one's own machine: no configuration, and a kubeconfig with a namespace.
    let program = Program { config: None, ..Program::of(&rig, &rig.cluster().url(), ADMIN_TOKEN).await? };
    let ran = program.run(&sender.unnamed(&[])).await?;
    assert!(ran.code == 2 && ran.out.is_empty(), "{}", ran.out);
    assert!(ran.error.contains("nothing was sent") && ran.error.contains("--namespace"), "{}", ran.error);
    assert_eq!(rig.record().count(Verb::Create, RRS), 0);
    Ok(())
}

#[tokio::test]
async fn what_a_response_names_is_removed_where_it_is_whatever_namespace_the_user_named() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().with_auth().with_long_timeouts().start().await?;
    let sender = Sender::of(&rig).await?;
    let other = rig.namespace().another("elsewhere").await?;
    let record = Record::default();
    let proxy = FaultProxy::start(rig.cluster(), "operator", &record).await?;
    // The RR that the response names cannot be read, so that it has to be looked for.
    proxy.rule(Rule::on(Verb::Get, RRS), Fault::Respond(StatusCode::INTERNAL_SERVER_ERROR));
    let program = Program { config: None, ..Program::of(&rig, &proxy.url(), ADMIN_TOKEN).await? };
    let ran = program.run(&sender.arguments(&["--json", "--namespace", &other, "--timeout", "10"])).await?;
    let way = way_of(&ran)?;
    assert_eq!((ran.code, &way["outcome"], &way["left"]), (1, &json!("failed"), &json!([])), "{way}");
    assert_eq!(way["removed"].as_array().map(Vec::len), Some(2), "{way}");
    assert_eq!((rig.record().count(Verb::Create, RRS), objects(&rig).await?), (1, Vec::new()));
    Ok(())
}

#[tokio::test]
async fn an_account_that_may_not_delete_sends_nothing_and_one_that_a_policy_confines_names_what_is_left() -> Result<()>
{
    let rig = Rig::replicas(1).with_envoy().with_auth().with_long_timeouts().start().await?;
    let sender = Sender::of(&rig).await?;
    let nobody = rig.namespace().sender("nobody").await?.token_for("https://kubernetes.default.svc").await?;
    let ran = Program::of(&rig, &rig.cluster().url(), &nobody).await?.run(&sender.arguments(&[])).await?;
    assert!(ran.code == 2 && ran.error.contains("delete remediationrequests.kubernaut.ai"), "{}{}", ran.out, ran.error);
    assert_eq!(objects(&rig).await?, [""; 0]);
    // The sidecar's own: its Role allows it, and the admission policy does not.
    let confined = Program::of(&rig, &rig.cluster().url(), rig.namespace().token()).await?;
    let ran = confined.run(&sender.arguments(&["--json"])).await?;
    let way = way_of(&ran)?;
    assert_eq!((ran.code, &way["outcome"]), (3, &json!("counted")), "{way}");
    let left = &way["left"][0];
    let name = rig.rrs().await?.first().context("no RR")?.name().to_owned();
    let command = format!("kubectl delete remediationrequest {name} --namespace {}", rig.namespace().name());
    assert_eq!(left["command"], command.as_str());
    let why = left["why"].as_str().unwrap_or_default();
    assert!(why.contains("ValidatingAdmissionPolicy") && why.ends_with("that has no count"), "{why}");
    Ok(())
}

#[tokio::test]
async fn ctrl_c_cleans_up_what_was_on_its_way() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().with_auth().with_long_timeouts().start().await?;
    let sender = Sender::of(&rig).await?;
    let program = Program::of(&rig, &rig.cluster().url(), ADMIN_TOKEN).await?;
    let hold = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
    let child = program.command(&sender.arguments(&["--json"])).spawn()?;
    let pid = Pid::from_raw(child.id().context("it has ended")?.try_into()?);
    hold.reached().await;
    kill(pid, Signal::SIGINT)?;
    // It cannot call the signal back: it waits for the response, and then removes what that names.
    hold.release();
    let Ok(output) = timeout(LIMIT, child.wait_with_output()).await else { bail!("it does not end") };
    let output = output?;
    let way: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((output.status.code(), &way["outcome"]), (Some(130), &json!("interrupted")), "{way}");
    assert_eq!(objects(&rig).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_signal_whose_response_is_lost_is_looked_for_and_removed() -> Result<()> {
    let config =
        json!({ "limits": { "deadline": "2s", "apiCallTimeout": "1s" }, "shutdown": { "drainTimeout": "30s" } });
    let rig = Rig::replicas(1).config(config).with_envoy().with_auth().start().await?;
    let sender = Sender::of(&rig).await?;
    let program = Program::of(&rig, &rig.cluster().url(), ADMIN_TOKEN).await?;
    // The RR is created and never counted: the sender gets 503.
    let mute = rig.proxy(0).rule(Rule::on(Verb::Patch, RR_STATUS), Fault::CutBefore);
    let ran = program.run(&sender.arguments(&["--json"])).await?;
    mute.reached().await;
    let way = way_of(&ran)?;
    assert_eq!((ran.code, &way["outcome"], &way["left"]), (1, &json!("failed"), &json!([])), "{way}");
    assert!(way["removed"].as_array().is_some_and(|removed| removed.len() == 2), "{way}");
    assert_eq!(objects(&rig).await?, [""; 0]);
    Ok(())
}
