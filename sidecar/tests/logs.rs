//! `docs/operations/logs.md` lists every line of the log: its event, level and fields are compared with the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../docs/operations/logs.md");
/// The macros of lines that have a schema.
const LEVELS: [(&str, &str); 3] = [("error!(", "ERROR"), ("warn!(", "WARN"), ("info!(", "INFO")];

/// A line of the log: its level, and its fields without `event`.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    level: String,
    fields: BTreeSet<String>,
}

/// The sources without their tests.
fn sources(dir: &Path, out: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, out);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "interleavings.rs" {
            let text = fs::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
            out.push((path.display().to_string(), product));
        }
    }
}

/// The arguments of a macro that begins here, split at its top-level commas.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut arguments = vec![String::new()];
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' if !quoted && depth == 0 => break,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().unwrap().push(c);
    }
    arguments.into_iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

/// The name of a field; `None` for a message, a parent or a target.
fn field(argument: &str) -> Option<String> {
    if argument.starts_with('"') || argument.starts_with("parent:") || argument.starts_with("target:") {
        return None;
    }
    let name = argument.split('=').next().unwrap().trim().trim_start_matches(['%', '?']);
    Some(name.to_owned())
}

/// Every line that the sources write, by its event.
fn written() -> BTreeMap<String, Line> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 100);
    let mut lines = BTreeMap::new();
    for (path, text) in &files {
        for (name, level) in LEVELS {
            for (at, _) in text.match_indices(name) {
                let arguments = arguments(&text[at + name.len()..]);
                let event = arguments.iter().find_map(|argument| argument.strip_prefix("event = \""));
                let event = event.unwrap_or_else(|| panic!("{path}: a line without an event: {arguments:?}"));
                let fields = arguments.iter().filter_map(|argument| field(argument)).filter(|name| name != "event");
                let line = Line { level: level.to_owned(), fields: fields.collect() };
                let before = lines.insert(event.trim_end_matches('"').to_owned(), line);
                assert!(before.is_none(), "{path}: {event} is written in two places");
            }
        }
    }
    lines
}

/// Every line of the page, by its event.
fn documented() -> BTreeMap<String, Line> {
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let rows = PAGE.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0].trim_matches('`').to_owned(), cells)
    });
    let rows = rows.filter(|(_, cells)| cells.len() == 4);
    rows.map(|(event, cells)| (event, Line { level: cells[1].to_owned(), fields: quoted(cells[2]) })).collect()
}

#[test]
fn the_page_has_every_line_that_is_written_with_its_level_and_its_fields_and_no_other() {
    let (written, documented) = (written(), documented());
    assert!(written.len() > 30, "{written:?}");
    for (event, line) in &written {
        assert_eq!(documented.get(event), Some(line), "{event} in docs/operations/logs.md");
    }
    for event in documented.keys() {
        assert!(written.contains_key(event), "{event} is not written");
    }
}

#[test]
fn a_macro_is_read_with_its_fields_as_they_are_written() {
    let text =
        r#"parent: request, event = "a_b", %fingerprint, rr = %rr.name, f(1, "x,)"), signals, "text, (x)"); more("#;
    let read = arguments(text);
    assert_eq!(read.len(), 7, "{read:?}");
    let fields: Vec<String> = read.iter().filter_map(|argument| field(argument)).collect();
    assert_eq!(fields, ["event", "fingerprint", "rr", "f(1, \"x,)\")", "signals"]);
}
