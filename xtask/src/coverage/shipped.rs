//! Tells what ships from what is compiled for tests only: tests run all of themselves, and would flatter the share.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::lines::Lines;

/// What comes before an item that is for tests only.
const FOR_TESTS: &str = "#[cfg(test)]";

/// The files without what is for tests only; `root` is what their paths are below, and `folders` hold all sources.
pub(crate) fn only<'a>(
    files: Vec<(PathBuf, Lines)>,
    root: &Path,
    folders: impl Iterator<Item = &'a str>,
) -> Result<Vec<(PathBuf, Lines)>> {
    let mut sources = Vec::new();
    for folder in folders {
        collect(&root.join(folder).join("src"), &mut sources)?;
    }
    let mut lines_for_tests = HashMap::new();
    let mut modules_for_tests = Vec::new();
    for path in sources {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let path = path.strip_prefix(root)?.to_owned();
        let Items { lines, modules } = items_for_tests(&text);
        modules_for_tests.extend(modules.iter().map(|module| folder_of(&path).join(module)));
        lines_for_tests.insert(path, lines);
    }
    // `a/tests` is the module of `a/tests.rs` and of all files below `a/tests/`.
    let ships = |path: &Path| !modules_for_tests.iter().any(|module| path.with_extension("").starts_with(module));
    let shipped = files.into_iter().filter(|(path, _)| ships(path)).map(|(path, lines)| {
        let left_out = lines_for_tests.get(&path).map(Vec::as_slice).unwrap_or_default();
        let lines = lines.only(|line| !left_out.iter().any(|range| range.contains(&line)));
        (path, lines)
    });
    Ok(shipped.collect())
}

/// Adds all Rust sources below `folder`. All of them, since a file without a line that runs is in no report, and may yet
/// say of others that they are for tests only.
fn collect(folder: &Path, sources: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
    Ok(())
}

/// Where the modules lie that a file declares.
fn folder_of(path: &Path) -> PathBuf {
    if path.ends_with("lib.rs") || path.ends_with("main.rs") {
        return path.parent().unwrap_or(Path::new("")).to_owned();
    }
    path.with_extension("")
}

/// The items of a file that are for tests only.
#[derive(Debug, Default, PartialEq, Eq)]
struct Items {
    /// Lines, counted from 1.
    lines: Vec<Range<usize>>,
    /// Modules with files of their own.
    modules: Vec<String>,
}

/// An item ends where a brace closes it that is indented as the item is; rustfmt sees to that.
fn items_for_tests(text: &str) -> Items {
    let mut items = Items::default();
    let mut lines = text.lines().zip(1..);
    while let Some((attribute, first)) = lines.next() {
        if attribute.trim_start() != FOR_TESTS {
            continue;
        }
        let closing = format!("{}}}", &attribute[..attribute.len() - FOR_TESTS.len()]);
        let Some((item, _)) = lines.find(|(line, _)| !line.trim_start().starts_with('#')) else { break };
        if item.ends_with(';') {
            let module = item.trim_end_matches(';').split_whitespace().skip_while(|word| *word != "mod").nth(1);
            items.modules.extend(module.map(str::to_owned));
        } else {
            let last = lines.find(|(line, _)| *line == closing).map_or(usize::MAX, |(_, last)| last);
            items.lines.push(first..last.saturating_add(1));
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Items, folder_of, items_for_tests};

    #[test]
    fn items_for_tests_are_found_with_their_ends() {
        let text = "mod a;\n#[cfg(test)]\nmod doubles;\nfn x() {\n}\n#[cfg(test)]\n#[expect(dead_code)]\nmod tests {\n    \
                    fn y() {\n    }\n}\nfn z() {\n}\n";
        let Items { lines, modules } = items_for_tests(text);
        assert_eq!((lines.len(), lines.first()), (1, Some(&(6..12))));
        assert_eq!(modules, ["doubles"]);
        assert_eq!(items_for_tests("fn x() {\n}\n"), Items::default());
    }

    #[test]
    fn a_function_of_an_impl_may_be_for_tests_only() {
        let text =
            "impl X {\n    #[cfg(test)]\n    pub(super) fn new() -> Self {\n        Self\n    }\n    fn y() {}\n}\n";
        assert_eq!(items_for_tests(text).lines.first(), Some(&(2..6)));
    }

    #[test]
    fn modules_lie_beside_a_root_and_below_any_other_file() {
        assert_eq!(folder_of(Path::new("a/src/lib.rs")), PathBuf::from("a/src"));
        assert_eq!(folder_of(Path::new("a/src/x.rs")), PathBuf::from("a/src/x"));
    }
}
