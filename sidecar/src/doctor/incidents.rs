//! What the RRs of the namespace say: counts, duplicates, budgets. The product's own index sorts them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::{Finding, counted};
use super::inventory::Listed;
use crate::config::{Config, Duplicates, Limits};
use crate::index::Index;
use crate::index::observed::Observed;

/// An RR without a count is removed at the second pass of RR GC that sees it; one more, for a replica that starts.
const PASSES: u32 = 3;
/// From this part of a budget on, in percent, somebody should look.
const NEARLY_USED: usize = 80;

/// What follows from the counts; `now_s` is the API server's time in seconds since 1970.
pub(super) fn judge_counts(rrs: &Result<Listed<Observed>, String>, config: &Config, now_s: i64) -> Finding {
    let listed = match rrs {
        Ok(listed) => listed,
        Err(why) => {
            let action = "see the checks api-server, crd and rights (list remediationrequests)";
            return Finding::fail(format!("cannot list the RemediationRequests: {why}"), action);
        }
    };
    let active = listed.items.iter().filter(|rr| rr.active).count();
    let summary = format!("{}, {active} active", counted(listed.items.len(), "RemediationRequest"));
    let grace = i64::try_from((config.housekeeping.reap_interval * PASSES).as_secs()).unwrap_or(i64::MAX);
    let is_late = |rr: &&Observed| rr.may_be_late_create() && now_s - rr.created_s > grace;
    let late: Vec<&Observed> = listed.items.iter().filter(is_late).collect();
    if !late.is_empty() {
        let action = "their signals were not acknowledged: see that senders retry 503, and that a replica runs (its GC removes \
                      those that no Lease names)";
        let summary = format!("{summary}; {} for more than {grace} s without a count", late.len());
        return Finding::warn(summary, action).about(late.iter().map(|rr| rr.name.to_string()));
    }
    if !listed.complete {
        let action = "raise --timeout; what follows is about those that were read";
        return Finding::warn(format!("{summary}; there are more, which were not read"), action);
    }
    Finding::pass(format!("{summary}, every active one of Onceway's counted"))
}

/// The RRs as a replica's index holds them.
pub(super) fn index(rrs: &Listed<Observed>) -> Arc<Index> {
    let index = Index::default();
    index.begin_list();
    rrs.items.iter().for_each(|rr| index.list(rr));
    index.end_list();
    Arc::new(index)
}

/// What follows from several active RRs of one fingerprint.
pub(super) fn judge_duplicates(index: &Index, config: &Config) -> Finding {
    let duplicates = index.duplicates();
    if duplicates.is_empty() {
        return Finding::pass("no incident has more than one active RemediationRequest");
    }
    let action = match config.duplicates {
        Duplicates::Report => {
            "find what else creates them (their annotation onceway.io/creator is missing); with duplicates: skip replicas mark the \
             younger ones Skipped that no controller has started"
        }
        Duplicates::Skip => {
            "find what else creates them; those that a controller has started are not skipped: end them by hand"
        }
    };
    let summary = format!("{} with more than one active RemediationRequest", counted(duplicates.len(), "incident"));
    let items = duplicates.iter().map(|(fingerprint, rrs)| {
        let names: Vec<&str> = rrs.iter().map(|rr| &*rr.name).collect();
        format!("{fingerprint}: {}", names.join(", "))
    });
    Finding::fail(summary, action).about(items)
}

/// What follows from how much of each budget is used.
pub(super) fn judge_budgets(index: &Index, rrs: &Listed<Observed>, limits: &Limits) -> Finding {
    let mut in_namespaces: BTreeMap<&str, usize> = BTreeMap::new();
    for rr in rrs.items.iter().filter(|rr| rr.active) {
        in_namespaces.insert(&rr.namespace, index.active_in(&rr.namespace));
    }
    let fullest = in_namespaces.iter().max_by_key(|(_, number)| **number).map(|(name, number)| (*name, *number));
    let (name, most) = fullest.unwrap_or_default();
    let whole = ("limits.maxActiveIncidents", String::new(), index.size().0, limits.max_active_incidents);
    let of = if name.is_empty() { " (targets without a namespace)".to_owned() } else { format!(" (namespace {name})") };
    let of = if most == 0 { String::new() } else { of };
    let one = ("limits.maxActiveIncidentsPerNamespace", of, most, limits.max_active_incidents_per_namespace);
    let budgets = [whole, one];
    let used = budgets.iter().map(|(key, of, used, limit)| match limit {
        0 => format!("{key}: {used} used{of}, no limit"),
        limit => format!("{key}: {used} of {limit} used{of}"),
    });
    let used: Vec<String> = used.collect();
    let summary = |what: &str| format!("{what}: {}", used.join("; "));
    let is_beyond =
        |percent: usize| budgets.iter().any(|(.., used, limit)| *limit > 0 && used * 100 >= limit * percent);
    let action = "see which alerts open incidents (kubectl get rr -o wide), and whether their repairs end; raise the limit if they \
                  are real";
    if is_beyond(100) {
        return Finding::fail(summary("a budget is used up, and new incidents get 503"), action);
    }
    if is_beyond(NEARLY_USED) {
        return Finding::warn(summary("a budget is nearly used up"), action);
    }
    Finding::pass(summary("within the budgets"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::finding::{Finding, Status};
    use super::super::inventory::Listed;
    use super::{index, judge_budgets, judge_counts, judge_duplicates};
    use crate::config::Config;
    use crate::index::observed::Observed;

    const CREATED: &str = "2026-03-01T10:00:00Z";
    const CREATED_S: i64 = 1_772_359_200;

    fn rr(name: &str, incident: u8, count: i64, more: Value) -> Observed {
        let mut object = json!({
            "metadata": {"name": name, "creationTimestamp": CREATED, "annotations": {"onceway.io/creator": "pod_1"}},
            "spec": {"signalFingerprint": format!("{incident:064x}"), "targetResource": {"kind": "Deployment", "name": "a", "namespace": "prod"}},
            "status": {"deduplication": {"occurrenceCount": count}},
        });
        for (place, value) in more.as_object().into_iter().flatten() {
            *object.pointer_mut(place).unwrap() = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    fn listed(items: Vec<Observed>) -> Listed<Observed> {
        Listed { items, complete: true }
    }

    fn counts(rrs: Listed<Observed>, age_s: i64) -> Finding {
        judge_counts(&Ok(rrs), &Config::default(), CREATED_S + age_s)
    }

    #[test]
    fn an_old_rr_of_ours_without_a_count_is_a_warning_that_names_it() {
        let uncounted = || listed(vec![rr("rr-1", 1, 1, json!({})), rr("rr-2", 2, 0, json!({}))]);
        let finding = counts(uncounted(), 3600);
        assert_eq!((finding.status, &finding.items[..]), (Status::Warn, &["rr-2".to_owned()][..]));
        assert_eq!(counts(uncounted(), 60).status, Status::Pass, "its count may be on its way");
        let others = listed(vec![rr("rr-2", 2, 0, json!({"/metadata/annotations": {}}))]);
        assert_eq!(counts(others, 3600).status, Status::Pass, "others need not count");
    }

    #[test]
    fn a_list_that_is_not_complete_or_not_there_is_said() {
        let some = Listed { items: vec![rr("rr-1", 1, 1, json!({}))], complete: false };
        assert_eq!(counts(some, 0).status, Status::Warn);
        assert_eq!(judge_counts(&Err("403".into()), &Config::default(), 0).status, Status::Fail);
        let all = counts(listed(vec![rr("rr-1", 1, 1, json!({}))]), 0);
        assert_eq!((all.status, all.summary.starts_with("1 RemediationRequest, 1 active")), (Status::Pass, true));
    }

    #[test]
    fn two_active_rrs_of_an_incident_are_a_failure_that_names_both() {
        let two = listed(vec![rr("rr-1", 1, 1, json!({})), rr("rr-2", 1, 1, json!({})), rr("rr-3", 2, 1, json!({}))]);
        let finding = judge_duplicates(&index(&two), &Config::default());
        let expected = format!("{:064x}: rr-1, rr-2", 1);
        assert_eq!((finding.status, &finding.items[..]), (Status::Fail, &[expected][..]));
        let ended = json!({"/status": {"overallPhase": "Completed"}});
        let one = listed(vec![rr("rr-1", 1, 1, json!({})), rr("rr-2", 1, 1, ended)]);
        assert_eq!(judge_duplicates(&index(&one), &Config::default()).status, Status::Pass);
    }

    fn budgets(number: u8, yaml: &str) -> Finding {
        let rrs = listed((0..number).map(|n| rr(&format!("rr-{n}"), n, 1, json!({}))).collect());
        judge_budgets(&index(&rrs), &rrs, &Config::parse(yaml).unwrap().limits)
    }

    #[test]
    fn budgets_are_shown_with_their_limits_and_judged_by_what_is_left() {
        let limits = "limits: {maxActiveIncidents: 10, maxActiveIncidentsPerNamespace: 100}";
        let finding = budgets(7, limits);
        assert_eq!(finding.status, Status::Pass);
        assert!(finding.summary.contains("limits.maxActiveIncidents: 7 of 10 used"), "{finding:?}");
        assert!(finding.summary.contains("7 of 100 used (namespace prod)"), "{finding:?}");
        assert_eq!((budgets(8, limits).status, budgets(10, limits).status), (Status::Warn, Status::Fail));
        let namespace = "limits: {maxActiveIncidents: 0, maxActiveIncidentsPerNamespace: 5}";
        assert_eq!((budgets(3, namespace).status, budgets(5, namespace).status), (Status::Pass, Status::Fail));
        let unlimited = "limits: {maxActiveIncidents: 0, maxActiveIncidentsPerNamespace: 0}";
        assert_eq!(budgets(200, unlimited).status, Status::Pass);
        assert_eq!(budgets(0, limits).status, Status::Pass);
    }
}
