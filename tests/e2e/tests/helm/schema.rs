//! Wrong values are refused, with what to do.

use anyhow::{Result, ensure};

use super::{Helm, IMAGES};

#[tokio::test]
async fn values_that_the_schema_does_not_know_are_refused_with_their_place() -> Result<()> {
    let helm = Helm::offline()?;
    for (value, place) in [
        ("replica=3", "replica"),
        ("replicas=0", "/replicas"),
        ("gateway.kind=nginx", "/gateway/kind"),
        ("profile=other", "/profile"),
        ("gateway.envoy.replica=1", "replica"),
        ("image.digest=sha256:abc", "/image/digest"),
        ("auth.mode=off", "/auth/mode"),
        ("auth.sender=x", "sender"),
        ("auth.senders[0].namespaces[0]=shop", "serviceAccount"),
        ("budgets.maxActiveIncidents=-1", "/budgets/maxActiveIncidents"),
        ("tls.secret=x", "secret"),
        ("ports.signals=0", "/ports/signals"),
        ("scope.label=a b", "/scope/label"),
        ("workloadReads.enable=false", "enable"),
        ("priorityAndFairness.matchingPrecedence=9000", "/priorityAndFairness/matchingPrecedence"),
        ("monitoring.podMonitor.enabled=yes", "/monitoring/podMonitor/enabled"),
    ] {
        let why = helm.refused(&[&["--set", value], &IMAGES[..]].concat()).await?;
        ensure!(why.contains("don't meet the specifications of the schema"), "{value}: {why}");
        ensure!(why.contains(place), "{value}: {place} is not in {why}");
    }
    Ok(())
}

#[tokio::test]
async fn values_that_contradict_each_other_are_refused_with_what_to_do() -> Result<()> {
    const REPOSITORY: &str = "image.repository=registry.example.com/onceway";
    let helm = Helm::offline()?;
    for (values, advice) in [
        (&[][..], "image.repository is empty. Build the images with `cargo xtask images"),
        (&[REPOSITORY, "gateway.kind=istio"], "set filter.repository and filter.digest"),
        (&[REPOSITORY, "gateway.kind=envoyGateway"], "-f target/images/values.yaml"),
        (&[REPOSITORY, "config.auth.mode=none"], "config.auth: set the value `auth` instead"),
        (&[REPOSITORY, "config.profile=kubernaut"], "config.profile: set the value `profile` instead"),
        (&[REPOSITORY, "config.namespace=other"], "config.namespace: set the release's namespace instead"),
        (&[REPOSITORY, "config.scope.label=a"], "config.scope: set the value `scope` instead"),
        (&[REPOSITORY, "scope.label=a", "workloadReads.enabled=false"], "or targets.resolve: derive"),
        (&[REPOSITORY, "config.limits.maxActiveIncidents=1"], "set budgets.maxActiveIncidents instead"),
        (&[REPOSITORY, "tls.secretName=x", "gateway.kind=envoy"], "gateway.envoy.upstreamTls.secretName"),
        (&[REPOSITORY, "gateway.envoy.drainSeconds=10", "gateway.kind=envoy"], "must exceed"),
        (
            &[REPOSITORY, "auth.senders[0].serviceAccount.name=a", "auth.senders[0].serviceAccount.namespace=b"],
            "b/a may signal about nothing",
        ),
        (
            &[
                REPOSITORY,
                "profile=kubernaut",
                "auth.senders[0].serviceAccount.name=a",
                "auth.senders[0].serviceAccount.namespace=b",
                "auth.senders[0].namespaces={shop}",
            ],
            "b/a may signal about everything: give it clusterWide: true, and no namespaces",
        ),
    ] {
        let arguments: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
        let why = helm.refused(&arguments).await?;
        ensure!(why.contains(advice), "{values:?}: {why}");
    }
    Ok(())
}
