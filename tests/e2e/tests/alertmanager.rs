//! A real Alertmanager in front: its groups, notifications and retries, through Envoy and the filter to RRs.

use anyhow::{Result, ensure};
use futures::future::select_all;
use http::StatusCode;
use onceway_kit::alertmanager::{Alertmanager, Receiver};
use onceway_kit::fault_proxy::{Fault, LEASES, RR_STATUS, Rule, RuleHandle, Verb};
use onceway_kit::payload::{Alert, Incident};
use onceway_kit::rig::{Rig, RrExt};

async fn rig() -> Result<Rig> {
    Rig::replicas(3).with_envoy().start().await
}

/// An Alertmanager that notifies the rig's Envoy; `receiver` says how.
async fn notifying(rig: &Rig, name: &str, receiver: impl FnOnce(Receiver) -> Receiver) -> Result<Alertmanager> {
    Alertmanager::start(name, rig.dir(), receiver(Receiver::at(rig.envoy().url()))).await
}

/// The alerts `0..count` of an incident, which are different alerts for Alertmanager.
fn alerts(incident: &Incident, count: u64) -> Vec<Alert> {
    (0..count).map(|n| incident.alert(n).label("rule", &n.to_string()).just_begun()).collect()
}

/// Asserts that the incident has one RR with a count from `least` (acknowledged) to `most` (sent and not certainly
/// rejected). Both are equal unless a slow request was retried.
async fn assert_counted(rig: &Rig, incident: &Incident, least: u64, most: u64) -> Result<()> {
    let counts: Vec<u64> = rig.rrs_of(incident).await?.iter().map(RrExt::count).collect();
    let within = matches!(counts[..], [count] if (least..=most).contains(&count));
    ensure!(within, "{}: {counts:?}, not {least} to {most}\n{}", incident.deployment(), rig.record().text());
    Ok(())
}

/// How many API calls these rules have failed.
fn injected(rules: &[RuleHandle]) -> u64 {
    rules.iter().map(RuleHandle::injected).sum()
}

#[tokio::test]
async fn a_group_of_alerts_about_one_deployment_is_one_notification_and_one_rr_that_counts_them_all() -> Result<()> {
    let rig = rig().await?;
    let alertmanager = notifying(&rig, "alertmanager", |receiver| receiver.group_by(&["namespace"])).await?;
    let incident = Incident::new("prod", "payment-api");
    alertmanager.post(&alerts(&incident, 7)).await?;
    let sent = alertmanager.until(|sent| sent.acknowledged() > 0).await?;
    assert_eq!(sent.acknowledged(), 1);
    assert_counted(&rig, &incident, 7, 7 * sent.total).await?;
    let spec = rig.rrs().await?.swap_remove(0).spec;
    assert_eq!(spec.signal_source.as_deref(), Some("prometheus"));
    assert!(spec.original_payload.is_some_and(|payload| payload.contains(r#""receiver":"onceway""#)));
    Ok(())
}

#[tokio::test]
async fn a_group_of_several_targets_is_one_notification_and_one_rr_for_each() -> Result<()> {
    let rig = rig().await?;
    let alertmanager = notifying(&rig, "alertmanager", |receiver| receiver.group_by(&["namespace"])).await?;
    let incidents = Incident::several("prod", 12);
    let group: Vec<Alert> = incidents.iter().flat_map(|incident| alerts(incident, 2)).collect();
    alertmanager.post(&group).await?;
    let sent = alertmanager.until(|sent| sent.acknowledged() > 0).await?;
    assert_eq!(sent.acknowledged(), 1);
    for incident in &incidents {
        assert_counted(&rig, incident, 2, 2 * sent.total).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_signal_that_gets_503_is_retried_and_counted_once() -> Result<()> {
    let rig = rig().await?;
    let refusals: Vec<_> = (0..3)
        .map(|n| rig.proxy(n).rule(Rule::on(Verb::Create, LEASES), Fault::Respond(StatusCode::FORBIDDEN)))
        .collect();
    let alertmanager = notifying(&rig, "alertmanager", |receiver| receiver).await?;
    let incident = Incident::new("prod", "payment-api");
    alertmanager.post(&alerts(&incident, 3)).await?;
    // A 403 from the API server is a 503 to the sender, without retries. All three alerts got one, and one of them a
    // second.
    let refused = alertmanager.until(|sent| sent.failed > 3).await?;
    assert_eq!(refused.given_up, 0, "Alertmanager retries a 503 within the notification");
    assert!(rig.rrs().await?.is_empty(), "a 403 does not mean that there is no claim");
    refusals.iter().for_each(RuleHandle::release);
    let sent = alertmanager.until(|sent| sent.acknowledged() >= 3).await?;
    // What had failed until then was not counted: there was no RR.
    assert_counted(&rig, &incident, 3, sent.total - refused.failed).await
}

#[tokio::test]
async fn a_group_that_failed_in_part_is_retried_as_a_whole_and_nothing_is_lost() -> Result<()> {
    let rig = rig().await?;
    let incidents = Incident::several("prod", 5);
    let claim = format!("onceway-{}", incidents[2].fingerprint());
    let refusals: Vec<_> = (0..3)
        .map(|n| rig.proxy(n).rule(Rule::on(Verb::Create, LEASES).name(&claim), Fault::Respond(StatusCode::FORBIDDEN)))
        .collect();
    let alertmanager = notifying(&rig, "alertmanager", |receiver| receiver.group_by(&["namespace"])).await?;
    let group: Vec<Alert> = incidents.iter().flat_map(|incident| alerts(incident, 1)).collect();
    alertmanager.post(&group).await?;
    alertmanager.until(|sent| sent.failed > 0).await?;
    refusals.iter().for_each(RuleHandle::release);
    let sent = alertmanager.until(|sent| sent.acknowledged() > 0).await?;
    assert_eq!(sent.acknowledged(), 1);
    for incident in &incidents {
        // Those that did not fail are counted by the first attempt, and by a later one only if a worker of Envoy gets it that
        // does not know of the first.
        let most = if *incident == incidents[2] { sent.total - injected(&refusals) } else { sent.total };
        assert_counted(&rig, incident, 1, most).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_count_whose_response_is_lost_is_retried_and_counted_at_most_as_often_as_sent() -> Result<()> {
    let rig = rig().await?;
    let losses: Vec<_> =
        (0..3).map(|n| rig.proxy(n).rule(Rule::on(Verb::Patch, RR_STATUS).once(), Fault::LoseResponse)).collect();
    let alertmanager = notifying(&rig, "alertmanager", |receiver| receiver).await?;
    let incident = Incident::new("prod", "payment-api");
    alertmanager.post(&alerts(&incident, 1)).await?;
    // Any replica: on a loaded machine Envoy may choose another for the second attempt, whose response may be lost too.
    select_all(losses.iter().map(|loss| Box::pin(loss.reached()))).await;
    losses.iter().for_each(RuleHandle::release);
    let sent = alertmanager.until(|sent| sent.acknowledged() == 1).await?;
    let lost = injected(&losses);
    assert!(lost >= 1 && sent.failed >= lost, "{lost} lost, {sent:?}");
    // Each count whose response was lost was written.
    assert_counted(&rig, &incident, lost + 1, sent.total).await?;
    Ok(())
}

#[tokio::test]
async fn resolved_alerts_are_acknowledged_and_create_nothing() -> Result<()> {
    let rig = rig().await?;
    let alertmanager = notifying(&rig, "alertmanager", Receiver::send_resolved).await?;
    let incident = Incident::new("prod", "payment-api");
    let firing = alerts(&incident, 1);
    alertmanager.post(&firing).await?;
    let sent = alertmanager.until(|sent| sent.acknowledged() == 1).await?;
    // The RR is terminal, so that a further signal would open another.
    let name = rig.rrs_of(&incident).await?[0].name().to_owned();
    rig.set_phase(&name, "Completed").await?;
    let resolved: Vec<Alert> = firing.into_iter().map(Alert::resolved).collect();
    alertmanager.post(&resolved).await?;
    // The resolved alert is notified and acknowledged.
    alertmanager.until(|now| now.acknowledged() == sent.acknowledged() + 1).await?;
    assert_counted(&rig, &incident, 1, sent.total).await
}

#[tokio::test]
async fn two_alertmanagers_that_both_notify_create_one_rr_that_counts_every_notification() -> Result<()> {
    let rig = rig().await?;
    let incident = Incident::new("prod", "payment-api");
    let pair = [
        notifying(&rig, "alertmanager-0", |receiver| receiver).await?,
        notifying(&rig, "alertmanager-1", |receiver| receiver).await?,
    ];
    let alerts = alerts(&incident, 20);
    tokio::try_join!(pair[0].post(&alerts), pair[1].post(&alerts))?;
    let mut total = 0;
    for alertmanager in &pair {
        total += alertmanager.until(|sent| sent.acknowledged() == 20).await?.total;
    }
    assert_counted(&rig, &incident, 40, total).await
}

#[tokio::test]
async fn an_alert_that_is_repeated_is_counted_each_time() -> Result<()> {
    let rig = rig().await?;
    let incident = Incident::new("prod", "payment-api");
    let alertmanager = notifying(&rig, "alertmanager", |receiver| receiver.repeat(200)).await?;
    alertmanager.post(&alerts(&incident, 1)).await?;
    let before = alertmanager.until(|sent| sent.acknowledged() >= 5).await?;
    let counts: Vec<u64> = rig.rrs_of(&incident).await?.iter().map(RrExt::count).collect();
    let after = alertmanager.requests().await?;
    assert_eq!(counts.len(), 1);
    // It continues to send, and one notification may be in flight.
    let range = before.acknowledged()..=after.total + 1;
    assert!(range.contains(&counts[0]), "{counts:?}, {before:?}, {after:?}");
    Ok(())
}
