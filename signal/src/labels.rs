//! Labels and annotations, left in the body until somebody asks for them: the filter never does, the sidecar only for an
//! RR that it creates.

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

    /// The pairs in the body's order. A name that stands twice comes twice; the last one counts, as in a map that they are
    /// collected into. A value that is no string (Alertmanager writes none) is its JSON text, `null` is left out.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        // An annotation that is not even an object decides nothing, and is no reason to lose an alert.
        from_str::<Pairs<'a>>(self.json).map_or_else(|_| Vec::new(), |pairs| pairs.0).into_iter()
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().filter(|(found, _)| found == name).last().map(|(_, value)| value)
    }
}

/// What [`Labels::iter`] reads.
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
