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
        // What began an hour ago is not ahead of any of these clocks; what has just begun is ahead of the second.
        assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
        let body = webhook(&[incident.alert(1).just_begun()]);
        let just_begun = rig.client().signal(&rig.sidecar(0).url(), Source::Prometheus, body).await?;
        assert_eq!(just_begun.status, if minutes > 0 { 202 } else { 400 }, "{}", just_begun.text());
        let rr = rig.rrs_of(&incident).await?.pop().context("no RR")?;
        let ahead = rr.spec.received_time.0.duration_since(Timestamp::now());
        let error = (ahead - SignedDuration::from_mins(minutes)).abs();
        assert!(error < SignedDuration::from_mins(1), "{ahead:?}");
    }
    Ok(())
}
