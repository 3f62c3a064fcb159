//! What a body is that is not what its path takes, by the keys of its object: an error that only says which field is
//! missing does not tell a sender what is wrong.

use std::fmt::{Formatter, Result as FmtResult};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::from_str;

use crate::json::Text;
use crate::source::Source;

/// Layouts by a key that only they have: what the body is, and what to do. The first one that applies counts.
const LAYOUTS: [(&str, &str, &str); 9] = [
    ("alerts", "an Alertmanager webhook", "send it to /api/v1/signals/prometheus"),
    ("involvedObject", "a Kubernetes Event", EVENT),
    ("regarding", "a Kubernetes Event", EVENT),
    ("object", "a frame of a Kubernetes watch", "send its `object` alone"),
    ("items", "a list of Kubernetes objects", "send each of its `items` alone"),
    ("specversion", "a CloudEvent in structured mode", "send its `data` alone, as in binary mode"),
    ("eventmeta", "a notification of kubewatch", "use an exporter that sends Kubernetes Events as they are"),
    ("streams", "a push to Loki", "have the exporter send Kubernetes Events as they are"),
    ("evalMatches", "a notification of Grafana's legacy alerting", "use Grafana's unified alerting"),
];

const EVENT: &str = "send it to /api/v1/signals/kubernetes-event";

/// What the body is, and what to do; `None` if that is not known, or if it is what `source` takes.
pub(crate) fn seen(body: &str, source: Source) -> Option<(&'static str, &'static str)> {
    let Keys(found) = from_str(body).ok()?;
    let (index, &(_, what, todo)) = LAYOUTS.iter().enumerate().find(|(index, _)| found & (1 << index) != 0)?;
    let expected = match source {
        Source::Prometheus => index == 0,
        Source::KubernetesEvent => index == 1 || index == 2,
    };
    if expected { None } else { Some((what, todo)) }
}

/// Which layouts' keys an object has, as bits.
struct Keys(u16);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut found = 0;
        while let Some((Text(key), IgnoredAny)) = map.next_entry::<Text<'de>, _>()? {
            if let Some(index) = LAYOUTS.iter().position(|(own, ..)| *own == key) {
                found |= 1 << index;
            }
        }
        Ok(Keys(found))
    }
}
