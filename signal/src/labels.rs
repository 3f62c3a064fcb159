//! Labels and annotations, decoded on demand: never by the filter, by the sidecar only for an RR that it creates.

use std::borrow::Cow;
use std::fmt::{Formatter, Result as FmtResult};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::from_str;
use serde_json::value::RawValue;

use crate::json::Text;

/// One name and its value.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A JSON object of strings, in the body's order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels<'a> {
    json: &'a str,
}

impl<'a> Labels<'a> {
    pub(crate) fn new(json: Option<&'a str>) -> Self {
        Self { json: json.unwrap_or_default() }
    }

    /// The pairs in the body's order. A duplicate name is returned twice; collected into a map, the last one wins. A
    /// value that is no string (Alertmanager writes none) is returned as JSON text; `null` is left out.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        // Annotations do not affect the fingerprint, so malformed ones do not reject the alert.
        from_str::<Pairs<'a>>(self.json).map_or_else(|_| Vec::new(), |pairs| pairs.0).into_iter()
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().filter(|(found, _)| found == name).last().map(|(_, value)| value)
    }
}

/// The pairs of [`Labels::iter`].
struct Pairs<'a>(Vec<Pair<'a>>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some((Text(name), value)) = map.next_entry::<_, &RawValue>()? {
            match from_str::<Option<Text<'_>>>(value.get()) {
                Ok(Some(Text(text))) => pairs.push((name, text)),
                Ok(None) => {}
                Err(_) => pairs.push((name, Cow::Borrowed(value.get()))),
            }
        }
        Ok(Pairs(pairs))
    }
}
