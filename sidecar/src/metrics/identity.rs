//! What runs, and with which configuration.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::registration::Registration;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit that it was built from. A variable of the build's environment, which the build of the images sets: a build script
/// that asks git would make every build another one.
pub const REVISION: &str = match option_env!("ONCEWAY_REVISION") {
    Some(revision) if !revision.is_empty() => revision,
    _ => "unknown",
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    revision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConfigLabels {
    config: String,
    targets: String,
}

/// See the module documentation.
#[derive(Debug)]
pub struct IdentityMetrics(Family<ConfigLabels, Gauge>);

impl IdentityMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        let build: Family<BuildLabels, Gauge> = registry
            .add("build_info", "1; its labels are the version of the program and the commit that it was built from.");
        build.get_or_create(&BuildLabels { version: VERSION, revision: REVISION }).set(1);
        Self(registry.add(
            "config_info",
            "1; its labels are short hashes of the configuration in use and of the target rules: replicas and filters with the \
             same hash have the same.",
        ))
    }

    /// The hashes of the configuration and of the target rules; once per process.
    pub fn configured(&self, config: &str, targets: &str) {
        self.0.get_or_create(&ConfigLabels { config: config.to_owned(), targets: targets.to_owned() }).set(1);
    }
}
