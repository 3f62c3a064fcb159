//! The chart's schema, in the order in which it is written: that is the order of the values and of their reference.

use std::fmt;
use std::fs;
use std::marker::PhantomData;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value that a user may set: of JSON Schema what the chart uses.
#[derive(Deserialize)]
pub(super) struct Schema {
    #[serde(default)]
    pub(super) description: String,
    /// Absent for objects whose properties have defaults, and for what users add.
    pub(super) default: Option<Value>,
    #[serde(default, rename = "enum")]
    pub(super) one_of: Vec<String>,
    pub(super) minimum: Option<i64>,
    pub(super) maximum: Option<i64>,
    #[serde(default)]
    pub(super) properties: Properties<Schema>,
    /// Of an array's items.
    pub(super) items: Option<Box<Schema>>,
}

/// The properties of an object, as they are written. A map of `serde_json` sorts them, or not, depending on other crates.
pub(super) struct Properties<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Properties<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Properties<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

struct InOrder<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
    type Value = Properties<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut properties = Vec::new();
        while let Some(property) = map.next_entry()? {
            properties.push(property);
        }
        Ok(Properties(properties))
    }
}

impl Schema {
    /// Reads the schema in the file `path`.
    ///
    /// # Errors
    /// If it cannot be read, or uses what the chart does not.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no schema that we read", path.display()))
    }
}
