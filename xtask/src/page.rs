//! The page of `onceway explain`: one file, with its style, script, examples and module in it. It loads nothing, and its policy
//! allows it to load nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use onceway_tools::progress::Lane;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::cargo::{root, target_dir};
use crate::compile::{MESSAGES, compile};
use crate::shipped::{FILTER_TARGET, Shipped};
use crate::target;

/// Its sources, below the repository's root.
const FOLDER: &str = "page";
/// The page below cargo's target directory.
pub(crate) const FILE: &str = "page/explain.html";
/// Expected seconds of a cold build of the module on 2 cores, beside the filter's.
pub(crate) const SECONDS: u32 = 40;

/// Makes the page of this tree; returns its path.
///
/// # Errors
/// If the module does not compile, or a file cannot be read or written.
pub(crate) fn page(lane: &dyn Lane) -> Result<PathBuf> {
    target::install(FILTER_TARGET, "the page is built for WebAssembly")?;
    let mut build = Shipped::Page.build(root())?;
    build.arg(MESSAGES);
    compile(lane, "compiling the page", SECONDS, build)?;
    assemble(root(), &target_dir()?)
}

/// Makes the page from the sources in `tree` and the module that is built in `target`; returns its path.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn assemble(tree: &Path, target: &Path) -> Result<PathBuf> {
    let folder = tree.join(FOLDER);
    let read =
        |name: &str| fs::read_to_string(folder.join(name)).with_context(|| format!("cannot read {FOLDER}/{name}"));
    let module = target.join(Shipped::Page.file());
    let module = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let parts = Parts {
        style: read("page.css")?,
        script: read("wasi.js")? + &read("page.js")?,
        examples: examples(&folder.join("examples"))?,
        module: BASE64_STANDARD.encode(module),
    };
    let page = parts.fill(&read("index.html")?)?;
    let file = target.join(FILE);
    let written = fs::create_dir_all(target.join("page")).and_then(|()| fs::write(&file, page));
    written.with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// What goes into the page.
struct Parts {
    style: String,
    script: String,
    /// As JSON.
    examples: String,
    /// In base64.
    module: String,
}

impl Parts {
    /// The page of this template.
    fn fill(&self, template: &str) -> Result<String> {
        let whole = |text: &str| !text.contains("</script") && !text.contains("</style") && !text.contains("<!--");
        ensure!([&self.style, &self.script, &self.examples].into_iter().all(|text| whole(text)), "a part ends itself");
        let (policy, version) = (self.policy(), env!("CARGO_PKG_VERSION"));
        let parts = [
            ("{{policy}}", policy.as_str()),
            ("{{version}}", version),
            ("{{style}}", &self.style),
            ("{{script}}", &self.script),
            ("{{examples}}", &self.examples),
            ("{{module}}", &self.module),
        ];
        let mut page = template.to_owned();
        for (place, part) in parts {
            ensure!(template.contains(place), "page/index.html has no {place}");
            page = page.replace(place, part);
        }
        Ok(page)
    }

    /// What the page may do: run this very script and module, use this very style. There is no source that it may load from.
    fn policy(&self) -> String {
        let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
        format!(
            "default-src 'none'; script-src 'sha256-{}' 'wasm-unsafe-eval'; style-src 'sha256-{}'; img-src data:; \
             base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            hash(&self.script),
            hash(&self.style)
        )
    }
}

/// The examples by name, as JSON that ends no element.
fn examples(folder: &Path) -> Result<String> {
    let mut examples = Map::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_stem().filter(|_| path.extension() == Some("json".as_ref())) else { continue };
        let rules = path.with_extension("yaml");
        let rules = if rules.exists() { fs::read_to_string(rules)? } else { String::new() };
        let example = json!({ "signals": fs::read_to_string(&path)?, "rules": rules });
        examples.insert(name.to_string_lossy().into_owned(), example);
    }
    // In the order of names, whatever that of the folder.
    examples.sort_keys();
    Ok(Value::Object(examples).to_string().replace('<', "\\u003c"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{FOLDER, Parts, examples};
    use crate::cargo::root;

    fn parts() -> Parts {
        Parts { style: "a{}".into(), script: "b()".into(), examples: "{}".into(), module: "AGFz".into() }
    }

    fn template() -> String {
        fs::read_to_string(root().join(FOLDER).join("index.html")).unwrap()
    }

    #[test]
    fn a_page_allows_its_own_script_and_style_by_their_hashes_and_nothing_to_be_loaded() {
        let page = parts().fill(&template()).unwrap();
        assert!(!page.contains("{{"), "every place is filled");
        for part in [
            "default-src 'none'; script-src 'sha256-cf242PFc/kb7xD0Qzhsmd9vvRkc+cWFmbi+k+YvtdKc=' 'wasm-unsafe-eval'",
            "<style>a{}</style>",
            "<script type=\"module\">b()</script>",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src="));
    }

    #[test]
    fn a_part_that_would_end_its_element_and_a_template_without_a_place_are_errors() {
        assert!(Parts { script: "'</script>'".into(), ..parts() }.fill(&template()).is_err());
        assert!(parts().fill("{{policy}}").unwrap_err().to_string().contains("{{version}}"));
    }

    #[test]
    fn the_template_offers_every_example_and_no_other() {
        let examples = examples(&root().join(FOLDER).join("examples")).unwrap();
        let examples: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&examples).unwrap();
        let template = template();
        for name in examples.keys() {
            assert!(template.contains(&format!("<option value=\"{name}\">")), "{name}");
        }
        assert_eq!(template.matches("<option").count(), examples.len());
    }
}
