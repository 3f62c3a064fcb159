//! Wall clock skew: a sidecar names RRs by its wall clock; nothing else depends on it.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::rig::Rig;
use onceway_signal::Source;

#[tokio::test]
async fn a_sidecar_whose_wall_clock_jumps_keeps_working() -> Result<()> {
    let rig = Rig::replicas(1).with_clocks().start().await?;
    for minutes in [50, -50] {
        rig.sidecar(0).clock().set(SignedDuration::from_mins(minutes))?;
        let incident = Incident::new("prod", if minutes > 0 { "ahead" } else { "behind" });
        // It began two hours ago; what has just begun is too far ahead of a clock that is 50 minutes behind.
        let body = webhook(&[incident.alert(0).beginning(Timestamp::now() - SignedDuration::from_hours(2))]);
        assert_eq!(rig.client().signal(&rig.sidecar(0).url(), Source::Prometheus, body).await?.status, 201);
        let just_begun = rig.alert(0, &incident, 1).await?;
        assert_eq!(just_begun.status, if minutes > 0 { 202 } else { 400 }, "{}", just_begun.text());
        let rr = rig.rrs_of(&incident).await?.pop().context("no RR")?;
        let ahead = rr.spec.received_time.0.duration_since(Timestamp::now());
        let error = (ahead - SignedDuration::from_mins(minutes)).abs();
        assert!(error < SignedDuration::from_mins(1), "{ahead:?}");
    }
    Ok(())
}
