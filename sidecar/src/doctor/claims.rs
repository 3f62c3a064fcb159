//! Claims (Leases) whose RR is gone: GC removes them when they are old enough.

use std::collections::HashSet;

use super::finding::{Finding, counted};
use super::inventory::{Claim, Listed};
use crate::config::Housekeeping;
use crate::index::observed::Observed;

/// What follows; `now_s` is the API server's time in seconds since 1970.
pub(super) fn judge(
    claims: &Result<Listed<Claim>, String>,
    rrs: &Result<Listed<Observed>, String>,
    housekeeping: &Housekeeping,
    now_s: i64,
) -> Finding {
    let claims = match claims {
        Ok(claims) => claims,
        Err(why) => {
            let action = "see the checks api-server and rights (list leases)";
            return Finding::fail(format!("cannot list the Leases: {why}"), action);
        }
    };
    let Some(rrs) = rrs.as_ref().ok().filter(|rrs| rrs.complete) else {
        return Finding::skipped(
            "not all RemediationRequests were read: claims whose RemediationRequest is gone cannot be found",
        );
    };
    let malformed: Vec<&Claim> = claims.items.iter().filter(|claim| claim.fields.is_none()).collect();
    if !malformed.is_empty() {
        let action = "another client has created or changed them: delete each once no RemediationRequest of its fingerprint is active";
        let summary =
            format!("{} with the name of a claim and without its annotations", counted(malformed.len(), "Lease"));
        return Finding::fail(summary, action).about(malformed.iter().map(|claim| claim.name.clone()));
    }
    let there: HashSet<&str> = rrs.items.iter().map(|rr| &*rr.name).collect();
    let fields = claims.items.iter().filter_map(|claim| Some((claim, claim.fields.as_ref()?)));
    let orphans: Vec<(&Claim, i64)> = fields
        .filter(|(_, (intent, _))| !there.contains(intent.as_str()))
        .map(|(claim, (_, floor))| (claim, *floor))
        .collect();
    let grace = longest_life(housekeeping);
    let old: Vec<&Claim> = orphans.iter().filter(|(_, floor)| now_s - floor > grace).map(|(claim, _)| *claim).collect();
    let number = counted(claims.items.len(), "claim");
    if !old.is_empty() {
        let action = "claim GC does not remove them: see that a replica runs longer than housekeeping.sweepInterval, its log for the \
                      events claims_deleted and claims_not_listed, and the right to delete leases";
        let summary = format!("{number}, {} of a RemediationRequest that is gone for more than {grace} s", old.len());
        return Finding::warn(summary, action).about(old.iter().map(|claim| claim.name.clone()));
    }
    let partial = if claims.complete { "" } else { " (there are more, which were not read)" };
    Finding::pass(format!(
        "{number}{partial}, {} of a RemediationRequest that is gone and not yet due for removal",
        orphans.len()
    ))
}

/// How long after its last name a claim may be there at most, in seconds. GC removes one that is older than `sweepAfter` in its
/// next pass; an open one must be unchanged for that long in the eyes of one replica, too.
fn longest_life(housekeeping: &Housekeeping) -> i64 {
    let life = housekeeping.sweep_after * 2 + housekeeping.sweep_interval * 2;
    i64::try_from(life.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::{Finding, Status};
    use super::super::inventory::{Claim, Listed};
    use super::judge;
    use crate::config::Housekeeping;
    use crate::index::observed::Observed;

    const NOW: i64 = 1_772_359_200;

    fn claim(name: &str, intent: &str, age_s: i64) -> Claim {
        Claim { name: name.into(), fields: Some((intent.into(), NOW - age_s)) }
    }

    fn judged(claims: Vec<Claim>, rrs: &[&str]) -> Finding {
        let rr = |name: &&str| -> Observed { serde_json::from_value(json!({"metadata": {"name": name}})).unwrap() };
        let rrs = Listed { items: rrs.iter().map(rr).collect(), complete: true };
        judge(&Ok(Listed { items: claims, complete: true }), &Ok(rrs), &Housekeeping::default(), NOW)
    }

    #[test]
    fn an_old_claim_without_its_rr_is_a_warning_that_names_it() {
        let day = 24 * 3600;
        let finding = judged(vec![claim("onceway-1", "rr-1", day), claim("onceway-2", "rr-2", day)], &["rr-2"]);
        assert_eq!((finding.status, &finding.items[..]), (Status::Warn, &["onceway-1".to_owned()][..]));
        assert_eq!(judged(vec![claim("onceway-1", "rr-1", 600)], &[]).status, Status::Pass, "GC waits");
        assert_eq!(judged(vec![claim("onceway-2", "rr-2", day)], &["rr-2"]).status, Status::Pass);
    }

    #[test]
    fn a_lease_that_another_client_has_changed_is_a_failure() {
        let finding = judged(vec![Claim { name: "onceway-1".into(), fields: None }], &[]);
        assert_eq!((finding.status, &finding.items[..]), (Status::Fail, &["onceway-1".to_owned()][..]));
    }

    #[test]
    fn without_all_rrs_nothing_is_said_of_claims() {
        let claims = || Ok(Listed { items: vec![claim("onceway-1", "rr-1", 999_999)], complete: true });
        let partial = Ok(Listed { items: Vec::new(), complete: false });
        assert_eq!(judge(&claims(), &partial, &Housekeeping::default(), NOW).status, Status::Skipped);
        assert_eq!(judge(&claims(), &Err("x".into()), &Housekeeping::default(), NOW).status, Status::Skipped);
        assert_eq!(judge(&Err("x".into()), &partial, &Housekeeping::default(), NOW).status, Status::Fail);
    }
}
