//! Reading JSON without copying: text that borrows unless it is escaped, and objects that are objects.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::Error;
use serde_json::{Error as JsonError, from_str};

/// A string of the body: a slice of it, or its own where the body escapes it.
#[derive(Deserialize, Default)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// The text if there is one: the empty string is as if absent.
pub(crate) fn present(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|Text(text)| text).filter(|text| !text.is_empty())
}

/// Reads a struct from a JSON object, and from nothing else (serde's derived structs take arrays too).
pub(crate) fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, JsonError> {
    let value = from_str(json)?;
    if json.trim_ascii_start().starts_with('{') { Ok(value) } else { Err(JsonError::custom("expected an object")) }
}
