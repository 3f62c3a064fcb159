//! Envoys of one worker, each with another filter or none, before the same replicas.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use onceway_kit::built;
use onceway_kit::envoy::{Envoy, Upstream, remove_filter};
use onceway_kit::ports::Port;
use onceway_kit::scratch::Scratch;

pub(super) const WITHOUT: &str = "without the filter";
pub(super) const WITH: &str = "with the filter";

/// The variable that names further modules to be measured, as in a `PATH`: of an earlier commit, or built otherwise.
const AGAINST: &str = "ONCEWAY_FILTER_AGAINST";

/// An Envoy.
pub(super) struct Contender {
    pub(super) name: String,
    pub(super) has_filter: bool,
    pub(super) envoy: Envoy,
    // Held, never read: it has the Envoy's files.
    _scratch: Scratch,
}

impl Contender {
    /// All that are measured.
    ///
    /// # Errors
    /// If one cannot be had, built or started.
    pub(super) async fn start_all(upstreams: &[Upstream]) -> Result<Vec<Self>> {
        let mut all = vec![Self::start(WITHOUT.to_owned(), None, upstreams).await?];
        let shipped = built::filter::path()?;
        all.push(Self::start(WITH.to_owned(), Some(shipped), upstreams).await?);
        // A variable that is empty or not set names one path, which is empty.
        let against = env::var_os(AGAINST).unwrap_or_default();
        for module in env::split_paths(&against).filter(|path| !path.as_os_str().is_empty()) {
            let name = module.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            ensure!(module.is_file(), "{} of ${AGAINST} is not there", module.display());
            ensure!(
                all.iter().all(|other| other.name != name),
                "${AGAINST} names two modules {name}: rename one, figures are by name"
            );
            all.push(Self::start(name, Some(module), upstreams).await?);
        }
        Ok(all)
    }

    async fn start(name: String, module: Option<PathBuf>, upstreams: &[Upstream]) -> Result<Self> {
        let scratch = Scratch::new("bench")?;
        let has_filter = module.is_some();
        let edit = |config: &mut _| {
            if !has_filter {
                remove_filter(config)
            }
        };
        let (module, listener) = (module.unwrap_or_default(), Port::reserve()?);
        let envoy = Envoy::start_with_workers(1, scratch.path(), &module, upstreams, listener, edit).await?;
        Ok(Self { name, has_filter, envoy, _scratch: scratch })
    }
}
