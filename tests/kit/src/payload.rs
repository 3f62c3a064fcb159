//! Payloads as Alertmanager and Kubernetes send them.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use onceway_signal::rules::Rules;
use onceway_signal::{Fingerprint, Origin, Source, decode};
use serde_json::{Value, json};

/// One alert of an Alertmanager webhook.
#[derive(Clone, Debug)]
pub struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: Timestamp,
    resolved: bool,
}

impl Alert {
    /// A firing alert that began an hour ago, with no label but its name: longer ago than any test's clock is wrong, because a
    /// replica rejects what is dated ahead of its own.
    pub fn firing(name: &str) -> Self {
        let labels = BTreeMap::from([("alertname".to_owned(), name.to_owned())]);
        let starts_at = Timestamp::now() - 1.hour();
        Self { labels, annotations: BTreeMap::new(), starts_at, resolved: false }
    }

    /// With this label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With this annotation.
    #[must_use]
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    /// That began just now. Alertmanager delays a new group (`group_wait`) only if its first alert did.
    #[must_use]
    pub fn just_begun(self) -> Self {
        Self { starts_at: Timestamp::now(), ..self }
    }

    /// That began at this time.
    #[must_use]
    pub fn beginning(self, starts_at: Timestamp) -> Self {
        Self { starts_at, ..self }
    }

    /// That is resolved.
    #[must_use]
    pub fn resolved(self) -> Self {
        Self { resolved: true, ..self }
    }

    /// The alert as Prometheus posts it to Alertmanager's API.
    pub fn as_posted(&self) -> Value {
        let mut alert = json!({
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": self.starts_at,
            "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        });
        // Without an end it fires until Alertmanager's resolve_timeout, five minutes.
        if self.resolved {
            alert["endsAt"] = json!(Timestamp::now());
        }
        alert
    }

    fn json(&self) -> Value {
        let ends_at = if self.resolved { Timestamp::now().to_string() } else { "0001-01-01T00:00:00Z".to_owned() };
        json!({
            "status": if self.resolved { "resolved" } else { "firing" },
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": self.starts_at,
            "endsAt": ends_at,
            "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
            // Alertmanager's own fingerprint, of the labels; unrelated to the incident's.
            "fingerprint": format!("{:016x}", label_hash(&self.labels)),
        })
    }
}

/// An Alertmanager webhook (version 4) of one group with these alerts.
pub fn webhook(alerts: &[Alert]) -> String {
    let common = |of: fn(&Alert) -> &BTreeMap<String, String>| -> BTreeMap<&String, &String> {
        let first = alerts.first().map(of).into_iter().flatten();
        first.filter(|(name, value)| alerts.iter().all(|alert| of(alert).get(*name) == Some(*value))).collect()
    };
    let group = alerts.first().and_then(|alert| alert.labels.get("namespace")).map_or("", String::as_str);
    let all_resolved = !alerts.is_empty() && alerts.iter().all(|alert| alert.resolved);
    json!({
        "receiver": "onceway",
        "status": if all_resolved { "resolved" } else { "firing" },
        "alerts": alerts.iter().map(Alert::json).collect::<Vec<_>>(),
        "groupLabels": { "namespace": group },
        "commonLabels": common(|alert| &alert.labels),
        "commonAnnotations": common(|alert| &alert.annotations),
        "externalURL": "http://alertmanager.example:9093",
        "version": "4",
        "groupKey": format!("{{}}:{{namespace=\"{group}\"}}"),
        "truncatedAlerts": 0,
    })
    .to_string()
}

/// A core/v1 Event of type Warning about an object.
pub fn event(kind: &str, namespace: &str, name: &str, reason: &str) -> String {
    let now = Timestamp::now();
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": format!("{name}.17f3a1b2c3d4e5f6"), "namespace": namespace },
        "involvedObject": { "apiVersion": "v1", "kind": kind, "namespace": namespace, "name": name },
        "type": "Warning",
        "reason": reason,
        "message": format!("{reason}: {kind} {namespace}/{name}"),
        "source": { "component": "kubelet", "host": "worker-1" },
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    })
    .to_string()
}

/// A failing Deployment that many alerts are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    namespace: String,
    deployment: String,
}

impl Incident {
    /// The incident of a Deployment.
    pub fn new(namespace: &str, deployment: &str) -> Self {
        Self { namespace: namespace.to_owned(), deployment: deployment.to_owned() }
    }

    /// `count` incidents of as many Deployments in one namespace.
    pub fn several(namespace: &str, count: usize) -> Vec<Self> {
        const SERVICES: [&str; 8] = ["payment", "checkout", "cart", "search", "login", "catalog", "shipping", "mail"];
        let name = |n: usize| match n / SERVICES.len() {
            0 => format!("{}-api", SERVICES[n]),
            round => format!("{}-api-v{}", SERVICES[n % SERVICES.len()], round + 1),
        };
        (0..count).map(|n| Self::new(namespace, &name(n))).collect()
    }

    /// The Deployment's name.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// The `n`-th alert about it; alerts differ in everything that does not identify the incident.
    pub fn alert(&self, n: u64) -> Alert {
        let (name, severity) = match n % 3 {
            0 => ("KubeDeploymentReplicasMismatch", "warning"),
            1 => ("KubePodCrashLooping", "critical"),
            _ => ("KubePodNotReady", "warning"),
        };
        let alert = Alert::firing(name)
            .label("namespace", &self.namespace)
            .label("severity", severity)
            .label("job", "kube-state-metrics")
            .label("instance", "10.0.3.7:8080")
            .annotation("summary", &format!("{} has trouble", self.deployment))
            .annotation("runbook_url", "https://runbooks.example/deployment");
        match n % 3 {
            0 => alert.label("deployment", &self.deployment),
            _ => alert.label("pod", &self.pod(n)).label("container", "app"),
        }
    }

    /// A webhook with the `n`-th alert alone.
    pub fn webhook(&self, n: u64) -> String {
        webhook(&[self.alert(n)])
    }

    /// The incident's fingerprint, as the library computes it.
    ///
    /// # Panics
    /// If the library does not decode our own payload: every test is void then.
    pub fn fingerprint(&self) -> Fingerprint {
        let body = self.webhook(0);
        let payload = decode(Rules::built_in(), Origin::of(Source::Prometheus), body.as_bytes())
            .expect("our own webhook is valid");
        let signal = payload.entries()[0].signal.as_ref().expect("our own alert names a target");
        signal.fingerprint()
    }

    /// A name as a ReplicaSet gives its pods.
    fn pod(&self, n: u64) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let letters = (0..5).map(|place| {
            let digit = n.rotate_left(place * 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            char::from(ALPHABET[digit as usize % ALPHABET.len()])
        });
        format!("{}-7d4b9c6f8-{}", self.deployment, letters.collect::<String>())
    }
}

/// FNV-1a over names and values, as in Alertmanager.
fn label_hash(labels: &BTreeMap<String, String>) -> u64 {
    let bytes = labels.iter().flat_map(|(name, value)| [name.bytes(), value.bytes()]).flatten();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use onceway_signal::rules::Rules;
    use onceway_signal::{Origin, Source, decode};

    use super::{Incident, event};

    #[test]
    fn all_alerts_of_an_incident_differ_and_have_one_fingerprint() {
        let incidents = Incident::several("prod", 20);
        let fingerprints: BTreeSet<_> = incidents.iter().map(Incident::fingerprint).collect();
        assert_eq!(fingerprints.len(), 20);
        let bodies: BTreeSet<String> = (0..60).map(|n| incidents[0].webhook(n)).collect();
        assert!(bodies.len() > 30);
        for body in bodies {
            let payload = decode(Rules::built_in(), Origin::of(Source::Prometheus), body.as_bytes()).unwrap();
            let signal = payload.entries()[0].signal.as_ref().unwrap();
            assert_eq!(signal.fingerprint(), incidents[0].fingerprint(), "{body}");
        }
    }

    #[test]
    fn an_event_about_the_same_deployment_is_the_same_incident() {
        let body = event("Deployment", "prod", "payment-api", "FailedCreate");
        let payload = decode(Rules::built_in(), Origin::of(Source::KubernetesEvent), body.as_bytes()).unwrap();
        let fingerprint = payload.entries()[0].signal.as_ref().unwrap().fingerprint();
        assert_eq!(fingerprint, Incident::new("prod", "payment-api").fingerprint());
    }
}
