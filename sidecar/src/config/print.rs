//! Prints a configuration as YAML with each field's doc comment above it: the struct is the one source of keys, defaults
//! and descriptions.

use schemars::schema_for;
use serde_json::Value;

use super::sections::Config;

/// The maximum width of a comment line, in bytes.
const WIDTH: usize = 100;

/// The default configuration as YAML, every key documented.
///
/// # Errors
/// If a default cannot be serialised as YAML.
pub fn default_yaml() -> Result<String, serde_saphyr::ser::Error> {
    let head = "# Onceway configuration: every key with its default. A missing key has its default.\n";
    documented(&Config::default()).map(|keys| format!("{head}{keys}"))
}

/// A configuration as YAML, every key documented.
///
/// # Errors
/// If a value cannot be serialised as YAML.
pub fn yaml(config: &Config) -> Result<String, serde_saphyr::ser::Error> {
    let head = "# Onceway configuration: every key with its value in use.\n";
    documented(config).map(|keys| format!("{head}{keys}"))
}

fn documented(config: &Config) -> Result<String, serde_saphyr::ser::Error> {
    let plain = serde_saphyr::to_string(config)?;
    let schema = schema_for!(Config).to_value();
    let mut path: Vec<&str> = Vec::new();
    let mut out = String::new();
    for line in plain.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        path.truncate(indent.len() / 2);
        // Lines of lists, and of what a user's own rules consist of, are not documented.
        if let Some((key, _)) = line.trim_start().split_once(':')
            && !description(&schema, &path, key).is_empty()
        {
            if indent.is_empty() {
                out.push('\n');
            }
            for comment in wrap(description(&schema, &path, key), WIDTH - indent.len()) {
                out.push_str(&format!("{indent}# {comment}\n"));
            }
            path.push(key);
        }
        out.push_str(&format!("{line}\n"));
    }
    Ok(out)
}

/// The description of the key at `path`; empty if it has none, which a test rejects.
fn description<'s>(schema: &'s Value, path: &[&str], key: &str) -> &'s str {
    let mut node = schema;
    for key in path.iter().chain([&key]) {
        let target =
            node.get("$ref").and_then(Value::as_str).and_then(|link| schema.pointer(link.trim_start_matches('#')));
        node = &target.unwrap_or(node)["properties"][key];
    }
    node["description"].as_str().unwrap_or_default()
}

/// Breaks `text` into lines of at most `width` bytes, where its words allow.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
