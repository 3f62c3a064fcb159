//! The test signal: an alert that nobody can take for a real one, about a Deployment that does not exist.

use jiff::Timestamp;
use onceway_signal::rules::Rules;
use onceway_signal::{Fingerprint, Origin, Source, State, decode};
use serde_json::{Value, json};

/// The alert's name, and the RR's `spec.signalName`.
const SIGNAL_NAME: &str = "OncewayTest";
/// The label with the test's id; the RR has it in `spec.signalLabels`.
const TEST_LABEL: &str = "onceway_test";

/// A test signal; its id is its own, and so is its incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TestSignal {
    pub(super) id: String,
    namespace: String,
}

impl TestSignal {
    /// With this id, about this namespace.
    pub(super) fn new(id: &str, namespace: &str) -> Self {
        Self { id: id.to_owned(), namespace: namespace.to_owned() }
    }

    /// The name of the Deployment that it is about.
    pub(super) fn target(&self) -> String {
        format!("onceway-test-{}", self.id)
    }

    /// The webhook, as Alertmanager would send it at `now`.
    pub(super) fn webhook(&self, now: Timestamp) -> Vec<u8> {
        let labels = json!({
            "alertname": SIGNAL_NAME,
            "namespace": self.namespace,
            "deployment": self.target(),
            "severity": "info",
            TEST_LABEL: self.id,
        });
        let annotations = json!({
            "summary": "A test of the way of signals by `onceway send-test`. There is nothing to repair.",
            "description": "The Deployment does not exist. The RemediationRequest is deleted as soon as it is counted.",
        });
        let alert = json!({ "status": "firing", "labels": labels, "annotations": annotations,
            "startsAt": now.to_string(), "endsAt": "0001-01-01T00:00:00Z" });
        json!({ "version": "4", "status": "firing", "receiver": "onceway-send-test", "alerts": [alert] })
            .to_string()
            .into_bytes()
    }

    /// The fingerprint that a replica with these rules computes for it, sent to a path with this query; `None` if it would be no
    /// incident.
    pub(super) fn fingerprint(&self, rules: &Rules, query: Option<&str>, now: Timestamp) -> Option<Fingerprint> {
        let origin = Origin::new(Source::Prometheus, query).ok()?;
        let body = self.webhook(now);
        let payload = decode(rules, &origin, &body).ok()?;
        let signal = payload.entries().first()?.signal.as_ref().ok()?;
        (signal.state == State::Firing).then(|| signal.fingerprint())
    }

    /// Whether this RR is the test's own.
    pub(super) fn owns(&self, rr: &Value) -> bool {
        let label = rr.pointer("/spec/signalLabels").and_then(|labels| labels.get(TEST_LABEL));
        rr.pointer("/spec/signalName").is_some_and(|name| name == SIGNAL_NAME)
            && label.and_then(Value::as_str) == Some(self.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use onceway_signal::rules::Rules;
    use serde_json::json;

    use super::TestSignal;
    use crate::config::Config;

    fn fingerprint(id: &str, rules: &Rules, query: Option<&str>) -> Option<String> {
        let fingerprint = TestSignal::new(id, "prod").fingerprint(rules, query, Timestamp::UNIX_EPOCH);
        fingerprint.map(|fingerprint| fingerprint.to_string())
    }

    #[test]
    fn each_test_is_an_incident_of_its_own() {
        let rules = Rules::built_in();
        let one = fingerprint("0123456789ab", rules, None).unwrap();
        assert_eq!(fingerprint("0123456789ab", rules, Some("")), Some(one.clone()));
        assert_ne!(fingerprint("1123456789ab", rules, None).unwrap(), one);
        assert_ne!(fingerprint("0123456789ab", rules, Some("cluster=east")).unwrap(), one);
    }

    #[test]
    fn rules_that_ignore_it_make_it_no_incident() {
        let config = Config::parse("targets: {ignore: [{severity: info}]}").unwrap();
        assert_eq!(fingerprint("0123456789ab", &config.targets, None), None);
    }

    #[test]
    fn only_the_rr_of_the_same_test_is_its_own() {
        let signal = TestSignal::new("a1", "prod");
        let rr = |name: &str, id: &str| json!({"spec": {"signalName": name, "signalLabels": {"onceway_test": id}}});
        assert!(signal.owns(&rr("OncewayTest", "a1")));
        assert!(!signal.owns(&rr("OncewayTest", "a2")) && !signal.owns(&rr("Other", "a1")) && !signal.owns(&json!({})));
    }
}
