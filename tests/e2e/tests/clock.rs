//! Wall clock skew: a sidecar names RRs by its wall clock; nothing else depends on it.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;

#[tokio::test]
async fn a_sidecar_whose_wall_clock_jumps_keeps_working() -> Result<()> {
    let rig = Rig::replicas(1).with_clocks().start().await?;
    for minutes in [50, -50] {
        rig.sidecar(0).clock().set(SignedDuration::from_mins(minutes))?;
        let incident = Incident::new("prod", if minutes > 0 { "ahead" } else { "behind" });
        assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
        let rr = rig.rrs_of(&incident).await?.pop().context("no RR")?;
        let ahead = rr.spec.received_time.0.duration_since(Timestamp::now());
        let error = (ahead - SignedDuration::from_mins(minutes)).abs();
        assert!(error < SignedDuration::from_mins(1), "{ahead:?}");
    }
    Ok(())
}
