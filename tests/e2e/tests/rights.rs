//! The rights of `deploy/chart` are the least that work: behaviour without each of them. (Every other end-to-end test
//! runs with these rights and a token of the sidecar's ServiceAccount.)

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::Role;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use onceway::health::permissions::{RIGHTS, Right};
use onceway_kit::payload::Incident;
use onceway_kit::poll::until;
use onceway_kit::rig::{Rig, Rr, RrExt};
use serde_json::json;
use tokio::time::{Instant, sleep};

/// How long the API server may take to apply a changed Role, and the sidecar to notice.
const SOON: Duration = Duration::from_secs(60);
/// Clients read a token file again after a minute at the latest.
const ROTATED: Duration = Duration::from_secs(120);

/// The Role of `deploy/chart` in a rig's namespace.
struct Rights {
    roles: Api<Role>,
    whole: Role,
}

impl Rights {
    async fn of(rig: &Rig) -> Result<Self> {
        let roles = Api::<Role>::namespaced(rig.namespace().client().clone(), rig.namespace().name());
        let whole = roles.get("onceway").await?;
        Ok(Self { roles, whole })
    }

    async fn take_away(&self, right: Right) -> Result<()> {
        let mut role = self.whole.clone();
        let slash = if right.subresource.is_empty() { "" } else { "/" };
        let resource = format!("{}{slash}{}", right.resource, right.subresource);
        for rule in role.rules.iter_mut().flatten() {
            if rule.resources.as_ref().is_some_and(|resources| resources.contains(&resource)) {
                rule.verbs.retain(|verb| verb != right.verb);
            }
        }
        role.rules.iter_mut().for_each(|rules| rules.retain(|rule| !rule.verbs.is_empty()));
        ensure!(role.rules != self.whole.rules, "the Role has no right to {right}");
        self.put(role).await
    }

    async fn give_back(&self) -> Result<()> {
        self.put(self.whole.clone()).await
    }

    async fn put(&self, mut role: Role) -> Result<()> {
        role.metadata.resource_version = None;
        role.metadata.managed_fields = None;
        self.roles.replace("onceway", &PostParams::default(), &role).await?;
        Ok(())
    }
}

fn is_of_lease(right: Right) -> bool {
    right.resource == "leases"
}

/// The rights that signals need; the others are for the index and for garbage collection.
fn is_on_the_path(right: Right) -> bool {
    !matches!(right.verb, "list" | "watch" | "delete") && right.resource != "events"
}

/// Sends alerts of new incidents to one replica and then the other, and once more after the RR is completed, until one
/// gets a 503. All others are counted.
async fn until_503(rig: &Rig, label: &str) -> Result<(Incident, String)> {
    let began = Instant::now();
    for n in 0.. {
        ensure!(began.elapsed() < SOON, "no 503 without {label}");
        let incident = Incident::new("prod", &format!("{label}-{n}"));
        for replica in [0, 1, 0] {
            let response = rig.alert(replica, &incident, 0).await?;
            if response.status == 503 {
                return Ok((incident, response.text()));
            }
            ensure!(response.status.is_success(), "{}: {}", response.status, response.text());
            if replica == 1 {
                let rr = rig.rrs_of(&incident).await?.swap_remove(0);
                rig.set_phase(rr.name(), "Completed").await?;
            }
        }
    }
    unreachable!("the loop ends by its limit")
}

#[tokio::test]
async fn without_a_right_that_signals_need_they_get_503_and_operators_see_which_right() -> Result<()> {
    let rig = Rig::replicas(2).start().await?;
    let rights = Rights::of(&rig).await?;
    for (place, right) in RIGHTS.into_iter().filter(|right| is_on_the_path(*right)).enumerate() {
        rights.take_away(right).await?;
        let (incident, why) = until_503(&rig, &format!("service-{place}")).await?;
        // Not in the response: a sender learns nothing of accounts and namespaces.
        for secret in [right.resource, "cannot", "forbidden", "serviceaccount", rig.namespace().name()] {
            assert!(!why.contains(secret), "{right}: {secret} in {why}");
        }
        // In the readiness of the replica that got the 403, and in its log.
        let name = right.to_string();
        let refused = until_not_ready(&rig, &name).await?;
        let log = std::fs::read_to_string(rig.sidecar(refused).service().process()?.log())?;
        assert!(log.contains("\"event\":\"not_ready\"") && log.contains(&name), "{name} is not in the log");
        // There also with its cause, in the API server's own words.
        assert!(log.contains(&format!("cannot {} resource", right.verb)), "{right}: {log}");
        // In the metrics.
        let scrape = rig.sidecar(refused).scrape().await?;
        let failures = scrape.sum("gateway_api_calls_total", &[("outcome", "forbidden"), ("verb", right.verb)]);
        assert!(failures >= 1.0, "{name}:\n{}", scrape.text());
        let lock_failures = scrape.sum("gateway_lock_acquisition_failures_total", &[("reason", "forbidden")]);
        assert!(!is_of_lease(right) || lock_failures >= 1.0, "{name}:\n{}", scrape.text());
        // The 403 was not read as "not found", and the replicas recover once the right is back.
        assert!(active(&rig, &incident).await?.len() <= 1);
        rights.give_back().await?;
        rig.sidecar(0).until_ready().await?;
        rig.sidecar(1).until_ready().await?;
        let response = rig.alert(0, &incident, 1).await?;
        assert!(response.status.is_success(), "{right}: {} {}", response.status, response.text());
        let rrs = active(&rig, &incident).await?;
        assert_eq!(rrs.len(), 1, "{right}: {}", rig.record().text());
        assert!((1..=3).contains(&rrs[0].count()), "{right}: {}", rrs[0].count());
    }
    Ok(())
}

/// The active RRs of the incident.
async fn active(rig: &Rig, incident: &Incident) -> Result<Vec<Rr>> {
    let terminal = |rr: &Rr| rr.status.as_ref().is_some_and(|status| status.overall_phase.is_some());
    Ok(rig.rrs_of(incident).await?.into_iter().filter(|rr| !terminal(rr)).collect())
}

/// Waits until a replica is not ready and names this right; returns which.
async fn until_not_ready(rig: &Rig, name: &str) -> Result<usize> {
    let not_ready = async || {
        for (replica, sidecar) in rig.sidecars().iter().enumerate() {
            let readiness = sidecar.readiness().await?;
            if readiness.status == 503 && readiness.text().contains(name) {
                return Ok(Some(replica));
            }
        }
        Ok(None)
    };
    until(SOON, &format!("a replica reports that it lacks {name}"), not_ready).await
}

#[tokio::test]
async fn a_replica_that_loses_a_right_of_its_index_is_not_ready_and_names_it() -> Result<()> {
    // The watch restarts every second.
    let rig = Rig::replicas(1).config(json!({"index": {"watchTimeout": "1s"}})).start().await?;
    let rights = Rights::of(&rig).await?;
    let watch = RIGHTS.into_iter().find(|right| right.verb == "watch").context("RRs are watched")?;
    rights.take_away(watch).await?;
    until_not_ready(&rig, &watch.to_string()).await?;
    rights.give_back().await?;
    rig.sidecar(0).until_ready().await?;
    rig.sidecar(0).until_in_sync().await
}

#[tokio::test]
async fn a_replica_that_starts_without_any_one_right_is_not_ready_and_names_it() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let rights = Rights::of(&rig).await?;
    let sidecar = rig.sidecar(0);
    for right in RIGHTS {
        rights.take_away(right).await?;
        // The API server applies a changed Role with a delay: until then the replica starts with all rights.
        let began = Instant::now();
        loop {
            ensure!(began.elapsed() < SOON, "it never reports that it lacks {right}");
            sidecar.service().kill().await?;
            sidecar.service().restart()?;
            let asked =
                async || sidecar.readiness().await.is_ok_and(|response| !response.text().contains("asking the API"));
            sidecar.service().process()?.until_ready(SOON, asked).await?;
            let readiness = sidecar.readiness().await?;
            if readiness.text().contains("permissions: ") {
                assert!(
                    readiness.status == 503 && readiness.text().contains(&right.to_string()),
                    "{right}: {}",
                    readiness.text()
                );
                break;
            }
        }
        rights.give_back().await?;
        sidecar.until_ready().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_invalidated_token_is_replaced_by_the_rotated_one() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let secrets = Api::<Secret>::namespaced(rig.namespace().client().clone(), rig.namespace().name());
    let mut secret = Secret { string_data: Some(BTreeMap::new()), ..Secret::default() };
    secret.metadata.name = Some("first".into());
    let secret = secrets.create(&PostParams::default(), &secret).await?;
    // Restarts it with a token that the test can invalidate.
    let sidecar = rig.sidecar(0);
    sidecar.rotate_token(&rig.namespace().token_bound_to(&secret).await?)?;
    sidecar.service().kill().await?;
    sidecar.service().restart()?;
    sidecar.until_ready().await?;
    let incident = Incident::new("prod", "payment-api");
    assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);

    sidecar.rotate_token(rig.namespace().token())?;
    secrets.delete("first", &DeleteParams::default()).await?;
    let (began, mut acknowledged, mut refused) = (Instant::now(), 1, 0);
    let mut since = 0;
    while refused == 0 || since < 2 {
        ensure!(began.elapsed() < ROTATED, "{acknowledged} acknowledged, {refused} refused");
        let response = rig.alert(0, &incident, acknowledged).await?;
        match response.status.as_u16() {
            202 => {
                acknowledged += 1;
                since = if refused == 0 { 0 } else { since + 1 };
            }
            503 => {
                refused += 1;
                assert!(!response.text().contains("Unauthorized"), "{}", response.text());
                sleep(Duration::from_millis(500)).await;
            }
            _ => anyhow::bail!("{}: {}", response.status, response.text()),
        }
    }
    sidecar.until_ready().await?;
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, acknowledged));
    Ok(())
}
