//! Which alerts are one incident.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::explained::Explained;

/// An incident: the firing alerts of one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// The cluster that they name.
    pub cluster: Option<String>,
    /// The target's namespace; empty if it has none.
    pub namespace: String,
    /// The target's kind.
    pub kind: String,
    /// The target's name.
    pub name: String,
    /// The fingerprint that they share, in hexadecimal digits.
    pub fingerprint: String,
    /// Their places in the list that was grouped, ascending; never empty.
    pub alerts: Vec<usize>,
}

/// The incidents of what is explained, in the order of their first alerts.
#[must_use]
pub fn incidents(explained: &[Explained]) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, alert) in explained.iter().enumerate().filter(|(_, alert)| alert.state == "firing") {
        let (Some(fingerprint), Some([namespace, kind, name])) = (&alert.fingerprint, &alert.object) else { continue };
        let place = *places.entry(fingerprint).or_insert(incidents.len());
        if let Some(incident) = incidents.get_mut(place) {
            incident.alerts.push(index);
            continue;
        }
        incidents.push(Incident {
            cluster: alert.cluster.clone(),
            namespace: namespace.clone(),
            kind: kind.clone(),
            name: name.clone(),
            fingerprint: fingerprint.clone(),
            alerts: vec![index],
        });
    }
    incidents
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use onceway_signal::rules::Rules;
    use serde_json::json;

    use super::incidents;
    use crate::explained::explain;

    #[test]
    fn alerts_of_one_fingerprint_are_one_incident_in_the_order_of_the_first_and_others_are_in_none() {
        let alerts = json!({"alerts": [
            {"labels": {"alertname": "A", "namespace": "prod", "pod": "web-7d4b8c9f5d-x2k4z"}},
            {"labels": {"alertname": "NodeDown", "node": "n:1", "cluster": "east"}},
            {"labels": {"alertname": "Watchdog", "severity": "none"}},
            {"labels": {"severity": "critical"}},
            {"labels": {"alertname": "B", "namespace": "prod", "deployment": "web"}},
            {"labels": {"alertname": "C", "namespace": "prod", "deployment": "web"}, "status": "resolved"},
        ]});
        let now = Timestamp::UNIX_EPOCH;
        let explained = explain(Rules::built_in(), alerts.to_string().as_bytes(), None, 7, now).unwrap();
        let incidents = incidents(&explained);
        let shown: Vec<_> = incidents.iter().map(|one| (&*one.namespace, &*one.kind, &*one.alerts)).collect();
        assert_eq!(shown, [("prod", "Deployment", &[0, 4][..]), ("", "ClusterScope", &[1])]);
        assert_eq!((incidents[1].cluster.as_deref(), &*incidents[1].name), (Some("east"), "NodeDown"));
        assert_eq!(Some(&incidents[0].fingerprint), explained[4].fingerprint.as_ref());
        assert_eq!(explained[0].alert, 7);
    }
}
