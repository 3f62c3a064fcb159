//! The certificate of the signal port.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use onceway_kit::prometheus::Job;
use onceway_kit::rig::Rig;
use onceway_kit::scratch::Scratch;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;
use tokio::time::Instant;

use super::watch::Watch;

const HOUR: Duration = Duration::from_secs(3600);

/// Writes a certificate that is valid for so long, and its key.
fn issue(dir: &Path, valid: Duration) -> Result<()> {
    let mut params = CertificateParams::new(vec![String::from("onceway.test")])?;
    let until = SystemTime::now().duration_since(UNIX_EPOCH)? + valid;
    params.not_after = date_time_ymd(1970, 1, 1) + until;
    let key = KeyPair::generate()?;
    fs::write(dir.join("tls.key"), key.serialize_pem())?;
    Ok(fs::write(dir.join("tls.crt"), params.self_signed(&key)?.pem())?)
}

#[tokio::test]
async fn a_certificate_that_ends_or_is_not_taken_over_reaches_alertmanager_and_a_new_one_resolves_it() -> Result<()> {
    let scratch = Scratch::new("alerts-tls")?;
    let dir = scratch.path();
    issue(dir, 72 * HOUR)?;
    let tls = json!({ "tls": { "cert": dir.join("tls.crt"), "key": dir.join("tls.key") } });
    let caused = Instant::now();
    let rig = Rig::replicas(1).config(tls).start().await?;
    let watch = Watch::start(&rig, vec![Job::sidecars(&rig)]).await?;
    watch.until_active("the certificate ends in 3 days", caused, &["OncewayCertificateExpires"]).await?;
    let caused = Instant::now();
    issue(dir, 10 * HOUR)?;
    watch.until_active("the certificate ends in 10 hours", caused, &["OncewayCertificateExpiresToday"]).await?;
    let caused = Instant::now();
    fs::write(dir.join("tls.crt"), "no certificate")?;
    watch.until_active("a new certificate is broken", caused, &["OncewayCertificateNotRenewed"]).await?;
    issue(dir, 90 * 24 * HOUR)?;
    let alerts = ["OncewayCertificateExpires", "OncewayCertificateExpiresToday", "OncewayCertificateNotRenewed"];
    watch.until_resolved(&alerts).await?;
    println!("{}", watch.table());
    Ok(())
}
