//! Envoys with one worker, each with a different filter module or none, in front of the same replicas.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use onceway_kit::built;
use onceway_kit::envoy::{Envoy, Upstream, configure_filter, remove_filter, unconfigure_filter};
use onceway_kit::ports::Port;
use onceway_kit::scratch::Scratch;
use serde_json::{Value, json};

pub(super) const WITHOUT: &str = "without the filter";
pub(super) const WITH: &str = "with the filter";
pub(super) const WITH_RULES: &str = "with the filter and 100 target rules";

/// As many rules of a user as the cost is measured for.
const USER_RULES: usize = 100;

/// The environment variable that lists more modules to measure, separated as in `PATH`: of an earlier commit or another build.
const AGAINST: &str = "ONCEWAY_FILTER_AGAINST";

/// An Envoy.
pub(super) struct Contender {
    pub(super) name: String,
    pub(super) has_filter: bool,
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
        let mut all = vec![Self::start(WITHOUT.to_owned(), None, upstreams).await?];
        let shipped = built::filter::path()?;
        all.push(Self::start(WITH.to_owned(), Some(shipped.clone()), upstreams).await?);
        let configure = |config: &mut Value| configure_filter(config, &json!({ "targets": user_rules() }));
        all.push(Self::start_edited(WITH_RULES.to_owned(), Some(shipped), upstreams, configure).await?);
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
            all.push(Self::start_edited(name, Some(module), upstreams, unconfigure_filter).await?);
        }
        Ok(all)
    }

    async fn start(name: String, module: Option<PathBuf>, upstreams: &[Upstream]) -> Result<Self> {
        let has_filter = module.is_some();
        let edit = |config: &mut _| {
            if !has_filter {
                remove_filter(config)
            }
        };
        Self::start_edited(name, module, upstreams, edit).await
    }

    async fn start_edited(
        name: String,
        module: Option<PathBuf>,
        upstreams: &[Upstream],
        edit: impl FnOnce(&mut Value),
    ) -> Result<Self> {
        let scratch = Scratch::new("bench")?;
        let has_filter = module.is_some();
        let (module, listener) = (module.unwrap_or_default(), Port::reserve()?);
        let envoy = Envoy::start_with_workers(1, scratch.path(), &module, upstreams, listener, edit).await?;
        Ok(Self { name, has_filter, envoy, _scratch: scratch })
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
