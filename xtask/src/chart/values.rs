//! `values.yaml`: every value with its default, documented.

use std::fmt::Write;

use serde_json::Value;

use super::schema::Schema;

/// The width of a line, in bytes.
const WIDTH: usize = 120;

/// The chart's values.
pub(super) fn yaml(schema: &Schema) -> String {
    let mut out = String::from(
        "# Every value with its default. Generated from values.schema.json by `cargo xtask render`; do not edit.\n\
         # FULLNAME is the release's name, or RELEASE-onceway if that does not contain \"onceway\".\n",
    );
    write_properties(&mut out, schema, 0);
    out
}

fn write_properties(out: &mut String, schema: &Schema, depth: usize) {
    let indent = "  ".repeat(depth);
    for (key, property) in &schema.properties.0 {
        let object = !property.properties.0.is_empty();
        if !object && property.default.is_none() {
            continue;
        }
        if depth == 0 {
            out.push('\n');
        }
        for line in wrap(&property.description, WIDTH - indent.len() - 2) {
            let _ = writeln!(out, "{indent}# {line}");
        }
        let _ = write!(out, "{indent}{key}:");
        if object {
            out.push('\n');
            write_properties(out, property, depth + 1);
        } else if let Some(default) = &property.default {
            write_default(out, default, depth + 1);
        }
    }
}

/// Objects as blocks, their keys sorted, and everything else as JSON, which is YAML.
fn write_default(out: &mut String, default: &Value, depth: usize) {
    match default.as_object() {
        Some(fields) if !fields.is_empty() => {
            out.push('\n');
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            for (key, value) in fields {
                let _ = write!(out, "{}{key}:", "  ".repeat(depth));
                write_default(out, value, depth + 1);
            }
        }
        _ => {
            let _ = writeln!(out, " {default}");
        }
    }
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
