//! Whether a controller may act on the test's RR: an RR starts a repair. There is no proof that none will, but there are signs
//! that one does.

use std::collections::BTreeSet;

use kube::Resource;
use kube::api::ListParams;
use serde_json::Value;

use super::objects::rr_api;
use crate::cluster_access::{Cluster, reason};
use crate::rr::{RemediationRequest, SKIPPED};

/// RRs whose phases are looked at.
const LOOKED_AT: u32 = 50;

/// Signs of a controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// Kinds that are served beside RRs: those that a remediation works with.
    kinds: BTreeSet<String>,
    /// An RR that has a phase, which only a controller writes.
    worked_on: Option<String>,
}

/// Looks for them.
pub(super) async fn look(cluster: &Cluster) -> Result<Signs, String> {
    let Some(served) = cluster.resources_beside_rrs().await? else {
        return Err("no RemediationRequests are served; see `onceway doctor`".to_owned());
    };
    let page = rr_api(cluster, &cluster.namespace).list(&ListParams::default().limit(LOOKED_AT)).await;
    let page = page.map_err(|error| format!("cannot list the RemediationRequests: {}", reason(&error)))?;
    let worked_on = page.items.iter().find(|rr| is_worked_on(&rr.data));
    Ok(Signs { kinds: others(served), worked_on: worked_on.and_then(|rr| rr.metadata.name.clone()) })
}

/// The kinds beside RRs, without subresources.
fn others(served: BTreeSet<String>) -> BTreeSet<String> {
    let rrs = RemediationRequest::plural(&());
    served.into_iter().filter(|resource| !resource.contains('/') && *resource != rrs).collect()
}

/// `Skipped` may be a replica's own mark.
fn is_worked_on(rr: &Value) -> bool {
    let phase = rr.pointer("/status/overallPhase").and_then(Value::as_str).unwrap_or_default();
    !phase.is_empty() && phase != SKIPPED
}

impl Signs {
    /// Why a test may have an effect; `None` if there is no sign of it.
    pub(super) fn warning(&self) -> Option<String> {
        if !self.kinds.is_empty() {
            let kinds = self.kinds.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
            return Some(format!("the cluster serves kinds that a remediation works with ({kinds})"));
        }
        self.worked_on.as_ref().map(|name| format!("a controller works on RemediationRequests ({name} has a phase)"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::{Signs, is_worked_on, others};

    #[test]
    fn kinds_beside_rrs_and_a_phase_are_signs_of_a_controller() {
        let served = ["remediationrequests", "remediationrequests/status", "aianalyses", "aianalyses/status"];
        let kinds = others(served.map(str::to_owned).into());
        assert_eq!(kinds, BTreeSet::from(["aianalyses".to_owned()]));
        let warning = Signs { kinds, worked_on: None }.warning().unwrap();
        assert!(warning.contains("aianalyses"), "{warning}");
        let worked_on = Signs { worked_on: Some("rr-1".into()), ..Signs::default() };
        assert!(worked_on.warning().unwrap().contains("rr-1"));
        assert_eq!(Signs::default().warning(), None);
    }

    #[test]
    fn a_phase_is_a_sign_unless_a_replica_may_have_written_it() {
        for (phase, sign) in [("", false), ("Skipped", false), ("Pending", true), ("Completed", true)] {
            assert_eq!(is_worked_on(&json!({"status": {"overallPhase": phase}})), sign, "{phase}");
        }
        assert!(!is_worked_on(&json!({})));
    }
}
