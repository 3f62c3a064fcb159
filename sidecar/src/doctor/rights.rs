//! The rights of the account that the doctor runs as: those of the startup check, and those that a replica does without.

use std::time::Duration;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::Api;
use kube::api::PostParams;
use onceway_signal::rules::Resolve;

use super::finding::{Finding, counted};
use crate::cluster_access::Cluster;
use crate::config::{AuthMode, Config};
use crate::health::permissions::{REVIEW_RIGHTS, RIGHTS, Right, SCOPE_RIGHTS, missing, target_rights};

/// Rights, and where they are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needed {
    /// In the namespace of the RRs; else in the whole cluster.
    pub(super) in_namespace: bool,
    pub(super) rights: Vec<Right>,
}

/// The rights without which a replica with this configuration is not ready.
pub(super) fn required(config: &Config) -> Vec<Needed> {
    let mut in_cluster = Vec::new();
    if config.auth.mode == AuthMode::Kubernetes {
        in_cluster.extend(REVIEW_RIGHTS);
    }
    if config.scope.label.is_some() {
        in_cluster.extend(SCOPE_RIGHTS);
        if verifies(config) {
            in_cluster.extend(target_rights().filter(|right| !SCOPE_RIGHTS.contains(right)));
        }
    }
    let in_namespace = Needed { in_namespace: true, rights: RIGHTS.into() };
    [in_namespace, Needed { in_namespace: false, rights: in_cluster }].into()
}

/// The rights that a replica with this configuration uses and does without.
pub(super) fn optional(config: &Config) -> Vec<Right> {
    if verifies(config) && config.scope.label.is_none() { target_rights().collect() } else { Vec::new() }
}

fn verifies(config: &Config) -> bool {
    config.targets.resolution().resolve == Resolve::Verify
}

/// Those of them that are missing.
pub(super) async fn find_missing(cluster: &Cluster, needed: &Needed, limit: Duration) -> Result<Needed, String> {
    let namespace = needed.in_namespace.then_some(cluster.namespace.as_str());
    let rights =
        missing(&cluster.client, namespace, &needed.rights, limit).await.map_err(|failure| failure.to_string())?;
    Ok(Needed { in_namespace: needed.in_namespace, rights })
}

/// The name of the user that the API server takes this program for; `None` if it does not say.
pub(super) async fn user(cluster: &Cluster) -> Option<String> {
    let reviews = Api::<SelfSubjectReview>::all(cluster.client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.ok()?;
    review.status?.user_info?.username
}

/// What follows for the required ones; `namespace` is that of the RRs.
pub(super) fn judge_required(missing: Result<Vec<Needed>, String>, checked: usize, namespace: &str) -> Finding {
    let missing = match missing {
        Ok(missing) => missing,
        Err(why) => return undecided(&why),
    };
    let items: Vec<String> = missing
        .iter()
        .flat_map(|Needed { in_namespace, rights }| {
            let place =
                if *in_namespace { format!("in namespace {namespace}") } else { "in the whole cluster".to_owned() };
            rights.iter().map(move |right| format!("{right} {place}"))
        })
        .collect();
    if items.is_empty() {
        return Finding::pass(format!("all {checked} required rights are granted"));
    }
    let action = "install the chart deploy/chart, or bind its Role and ClusterRoles to this account; if this is not the sidecars' \
                  account, use --as system:serviceaccount:NAMESPACE:NAME";
    let summary =
        format!("{} of {checked} required rights missing: replicas of this account are not ready", items.len());
    Finding::fail(summary, action).about(items)
}

/// What follows for the optional ones.
pub(super) fn judge_optional(missing: Result<Vec<Right>, String>, checked: usize) -> Finding {
    match missing {
        _ if checked == 0 => Finding::skipped("this configuration uses no optional rights"),
        Err(why) => undecided(&why),
        Ok(missing) if missing.is_empty() => Finding::pass(format!("all {checked} rights to read targets are granted")),
        Ok(missing) => {
            let number = counted(missing.len(), "right");
            let action = "set workloadReads.enabled in the chart, or targets.resolve: derive in the configuration";
            Finding::warn(format!("{number} to read targets missing: these kinds are told by names alone"), action)
                .about(missing.iter().map(|right| format!("{right} in the whole cluster")))
        }
    }
}

fn undecided(why: &str) -> Finding {
    let action = "see the check api-server; every authenticated user may review its own rights";
    Finding::fail(format!("cannot review the rights: {why}"), action)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::{Needed, judge_optional, judge_required, optional, required};
    use crate::config::Config;
    use crate::health::permissions::{REVIEW_RIGHTS, RIGHTS, target_rights};

    fn numbers(yaml: &str) -> (usize, usize, usize) {
        let config = Config::parse(yaml).unwrap();
        let [in_namespace, in_cluster] = &required(&config)[..] else { panic!("not two places") };
        assert!(in_namespace.in_namespace && !in_cluster.in_namespace);
        (in_namespace.rights.len(), in_cluster.rights.len(), optional(&config).len())
    }

    #[test]
    fn the_configuration_says_which_rights_are_required_and_which_are_optional() {
        let targets = target_rights().count();
        assert_eq!(numbers(""), (RIGHTS.len(), REVIEW_RIGHTS.len(), targets));
        assert_eq!(numbers("auth: {mode: none}\ntargets: {resolve: derive}"), (RIGHTS.len(), 0, 0));
        // `get namespaces` is among both.
        assert_eq!(numbers("scope: {label: managed}"), (RIGHTS.len(), REVIEW_RIGHTS.len() + 3 + targets - 1, 0));
        assert_eq!(numbers("scope: {label: managed}\ntargets: {resolve: named}").1, REVIEW_RIGHTS.len() + 3);
    }

    #[test]
    fn a_missing_right_is_a_failure_that_names_it_and_its_place() {
        let missing = vec![
            Needed { in_namespace: true, rights: vec![RIGHTS[0]] },
            Needed { in_namespace: false, rights: vec![REVIEW_RIGHTS[0]] },
        ];
        let finding = judge_required(Ok(missing), 14, "incidents");
        assert_eq!((finding.status, finding.items.len()), (Status::Fail, 2));
        assert_eq!(finding.items[0], "create remediationrequests.kubernaut.ai in namespace incidents");
        assert_eq!(finding.items[1], "create tokenreviews.authentication.k8s.io in the whole cluster");
        assert_eq!(judge_required(Ok(Vec::new()), 14, "incidents").status, Status::Pass);
    }

    #[test]
    fn a_missing_optional_right_is_a_warning_and_an_outage_is_no_missing_right() {
        let some: Vec<_> = target_rights().take(2).collect();
        assert_eq!(judge_optional(Ok(some.clone()), 17).status, Status::Warn);
        assert_eq!(judge_optional(Ok(Vec::new()), 17).status, Status::Pass);
        assert_eq!(judge_optional(Ok(Vec::new()), 0).status, Status::Skipped);
        let finding = judge_required(Err("timed out".into()), 14, "incidents");
        assert!(
            finding.status == Status::Fail && finding.summary.contains("cannot review") && finding.items.is_empty()
        );
    }
}
