//! `docs/values.md`: the reference of the chart's values.

use std::fmt::Write;

use super::schema::Schema;

/// The reference: a table of what is at the top, and one for each section.
pub(super) fn markdown(schema: &Schema) -> String {
    let mut out = String::from(
        "# Values of the chart\n\n\
         For operators. Generated from `deploy/chart/values.schema.json` by `cargo xtask render`; Helm rejects what is not in it. \
         FULLNAME is the release's name, or RELEASE-onceway if that does not contain \"onceway\".\n",
    );
    let is_section = |property: &Schema| !property.properties.0.is_empty();
    let (sections, plain): (Vec<_>, Vec<_>) =
        schema.properties.0.iter().partition(|(_, property)| is_section(property));
    begin_table(&mut out);
    for (key, property) in plain {
        row(&mut out, key, property);
    }
    for (key, section) in sections {
        let _ = write!(out, "\n## {key}\n\n{}\n", section.description);
        begin_table(&mut out);
        rows(&mut out, key, section);
    }
    out
}

fn begin_table(out: &mut String) {
    out.push_str("\n| value | default | what it is |\n|---|---|---|\n");
}

fn rows(out: &mut String, path: &str, section: &Schema) {
    for (key, property) in &section.properties.0 {
        row(out, &format!("{path}.{key}"), property);
    }
}

/// The row of a value, and those of what is in it.
fn row(out: &mut String, path: &str, property: &Schema) {
    let nested = !property.properties.0.is_empty();
    let default = match &property.default {
        Some(default) => format!("`{default}`"),
        None => String::new(),
    };
    let text = property.description.replace('|', "\\|");
    let _ = writeln!(out, "| `{path}` | {default} | {text}{} |", accepted(property));
    if nested {
        rows(out, path, property);
    }
    if let Some(items) = &property.items {
        rows(out, &format!("{path}[]"), items);
    }
}

/// What it may be, where the description leaves that open.
fn accepted(property: &Schema) -> String {
    if !property.one_of.is_empty() {
        return format!(" One of `{}`.", property.one_of.join("`, `"));
    }
    match (property.minimum, property.maximum) {
        (Some(minimum), Some(maximum)) => format!(" {minimum} to {maximum}."),
        _ => String::new(),
    }
}
