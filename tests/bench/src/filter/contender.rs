//! Envoys with one worker, each with a different extension or none, in front of the same replicas.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use onceway_kit::built;
use onceway_kit::envoy::{Envoy, Upstream, configure_filter, load_dynamic_module, remove_filter, unconfigure_filter};
use onceway_kit::ports::Port;
use onceway_kit::scratch::Scratch;
use serde_json::{Value, json};

use super::case::Case;
use super::upstream;

pub(super) const WITHOUT: &str = "without the filter";
pub(super) const WITH: &str = "with the filter";
pub(super) const WITH_RULES: &str = "with the filter and 100 target rules";
pub(super) const MODULE: &str = "the same core as a dynamic module";
pub(super) const IDLE: &str = "a filter that does nothing";

/// As many rules of a user as the cost is measured for.
const USER_RULES: usize = 100;

/// The environment variable that lists more modules to measure, separated as in `PATH`: of an earlier commit or another build.
const AGAINST: &str = "ONCEWAY_FILTER_AGAINST";

/// What an Envoy has in the filter's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    None,
    Filter,
    /// Something that sends no sub-requests.
    Undivided,
}

/// An Envoy.
pub(super) struct Contender {
    pub(super) name: String,
    extension: Extension,
    pub(super) envoy: Envoy,
    // Holds Envoy's files; removed on drop.
    _scratch: Scratch,
}

impl Contender {
    /// Starts all contenders.
    ///
    /// # Errors
    /// If one cannot be fetched, built or started, or a listed module is missing or its name is not unique.
    pub(super) async fn start_all(upstreams: &[Upstream]) -> Result<Vec<Self>> {
        let start = async |name: &str, extension, module: PathBuf, edit: &dyn Fn(&mut Value)| {
            let (scratch, listener) = (Scratch::new("bench")?, Port::reserve()?);
            let envoy = Envoy::start_with_workers(1, scratch.path(), &module, upstreams, listener, edit).await?;
            Ok::<_, anyhow::Error>(Self { name: name.to_owned(), extension, envoy, _scratch: scratch })
        };
        let (shipped, native) = (built::filter::path()?, built::dynamic_module()?);
        let with_rules = |config: &mut Value| configure_filter(config, &json!({ "targets": user_rules() }));
        let with_module = |config: &mut Value| load_dynamic_module(config, &native);
        let mut all = vec![
            start(WITHOUT, Extension::None, PathBuf::new(), &remove_filter).await?,
            start(WITH, Extension::Filter, shipped.clone(), &|_| ()).await?,
            start(WITH_RULES, Extension::Filter, shipped, &with_rules).await?,
            start(MODULE, Extension::Undivided, PathBuf::new(), &with_module).await?,
            start(IDLE, Extension::Undivided, built::filter::idle()?, &|_| ()).await?,
        ];
        // An empty or unset variable splits into one empty path.
        let against = env::var_os(AGAINST).unwrap_or_default();
        for module in env::split_paths(&against).filter(|path| !path.as_os_str().is_empty()) {
            let name = module.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            ensure!(module.is_file(), "${AGAINST}: {} does not exist", module.display());
            ensure!(
                all.iter().all(|other| other.name != name),
                "${AGAINST}: two modules are named {name}; rename one, since figures are listed by name"
            );
            // One of an earlier commit may not know the settings of today.
            all.push(start(&name, Extension::Filter, module, &unconfigure_filter).await?);
        }
        Ok(all)
    }

    /// The status of the responses to a kind of webhook; `None` if the extension cannot process it.
    pub(super) fn status(&self, case: Case) -> Option<u16> {
        match self.extension {
            Extension::None => Some(upstream::STATUS),
            Extension::Filter => Some(case.status()),
            Extension::Undivided => (case.sub_requests() == 1).then_some(upstream::STATUS),
        }
    }
}

/// Rules that all read the labels of the alerts that are sent, and of which none applies: the most that rules can cost.
pub(super) fn user_rules() -> Value {
    let rule = |number: usize| {
        let labels = ["deployment", "pod", "namespace", "severity"];
        json!({
            "when": { "alertname": format!("*Exporter{number}Down"), "severity": ["page", "critical"] },
            "kind": "Database",
            "name": [labels[number % labels.len()], format!("database_{number}")],
        })
    };
    json!({ "rules": (0..USER_RULES).map(rule).collect::<Vec<_>>() })
}
