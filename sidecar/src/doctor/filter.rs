//! The filter's configuration against the sidecar's: other target rules give other fingerprints, and no affinity.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use onceway_signal::problem::ProblemTypes;
use onceway_signal::rules::Rules;
use serde::Deserialize;
use serde_json::Value;

use super::finding::Finding;
use crate::config::Config;
use crate::http_request;

/// The largest file or response with Envoy's configuration, in bytes.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Our filter's name in Envoy's configuration, or a part of it: each gateway has its own way to name filters.
const OURS: &str = "onceway";
/// The filter's own default of `max_body_bytes`.
const DEFAULT_MAX_BODY_BYTES: usize = 5 * 1024 * 1024;

/// The keys of the filter's configuration that must fit the sidecar's.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Settings {
    targets: Rules,
    max_body_bytes: usize,
    problem_types: ProblemTypes,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            targets: Rules::default(),
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            problem_types: ProblemTypes::default(),
        }
    }
}

/// A filter in Envoy's configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Plugin {
    name: String,
    /// Its own configuration, as JSON; empty if it has none.
    text: String,
}

/// Envoy's configuration in a file, or on standard input, as YAML or JSON.
pub(super) fn read(file: &Path) -> Result<Value, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", file.display());
    let input: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(|error| failed(&error))?)
    };
    let mut text = String::new();
    let length = input.take(MAX_BYTES as u64 + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if length > MAX_BYTES {
        return Err(failed(&format!("it is larger than {MAX_BYTES} bytes")));
    }
    serde_saphyr::from_str(&text).map_err(|error| failed(&error))
}

/// The configuration of a running Envoy, from its admin interface at this URL.
pub(super) async fn ask(admin: &str) -> Result<Value, String> {
    let url = format!("{}/config_dump", admin.trim_end_matches('/'));
    let request = Request::get(&url).body(Full::<Bytes>::default()).map_err(|error| format!("{url}: {error}"))?;
    let exchange = http_request::send(request, None, MAX_BYTES).await.map_err(|error| error.to_string())?;
    if !exchange.status.is_success() {
        return Err(format!("{url} responds with {}: it is not the admin interface of an Envoy", exchange.status));
    }
    serde_json::from_slice(&exchange.body).map_err(|error| format!("{url}: {error}"))
}

/// The filters in this configuration: those that are named after us, else all. A file with the filter's own configuration alone
/// is one, too.
pub(super) fn plugins(config: &Value) -> Vec<Plugin> {
    let mut all = Vec::new();
    collect(config, &mut all);
    let ours: Vec<Plugin> = all.iter().filter(|plugin| plugin.name.contains(OURS)).cloned().collect();
    let mut found = if ours.is_empty() { all } else { ours };
    // A static listener is in a dump twice: in the bootstrap, and among the listeners.
    found.sort();
    found.dedup();
    let is_own = ["targets", "max_body_bytes", "problem_types"].iter().any(|key| config.get(key).is_some());
    if found.is_empty() && is_own {
        found.push(Plugin { name: "the file".to_owned(), text: config.to_string() });
    }
    found
}

/// The depth is limited by the parser of the file.
fn collect(config: &Value, found: &mut Vec<Plugin>) {
    let vm = ["vm_config", "vmConfig"].iter().find_map(|key| config.get(key));
    if let Some(vm) = vm {
        let part = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let (name, vm_id) = (part(config.get("name")), part(vm.get("vm_id").or_else(|| vm.get("vmId"))));
        let name = if name.contains(OURS) || vm_id.is_empty() { name } else { format!("{name} ({vm_id})") };
        found.push(Plugin { name, text: text(config.get("configuration")) });
        return;
    }
    match config {
        Value::Object(fields) => fields.values().for_each(|value| collect(value, found)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// The plugin's configuration in its `Any`: a StringValue with JSON, or a Struct.
fn text(configuration: Option<&Value>) -> String {
    match configuration.map(|any| any.get("value").unwrap_or(any)) {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// What follows.
pub(super) fn judge(plugins: Result<Vec<Plugin>, String>, config: &Config) -> Finding {
    let plugins = match plugins {
        Ok(plugins) => plugins,
        Err(why) => return Finding::fail(why, "correct --filter-config or --envoy-admin"),
    };
    if plugins.is_empty() {
        let action =
            "load the filter (docs/gateways.md): without it there is no affinity, and each signal costs more calls";
        return Finding::fail("no filter in Envoy's configuration", action);
    }
    let sidecars = config.targets.hash();
    let (mut wrong, mut uneven) = (Vec::new(), Vec::new());
    for Plugin { name, text } in &plugins {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let settings = match serde_json::from_str::<Settings>(text) {
            Ok(settings) => settings,
            Err(error) => {
                wrong.push(format!("{name}: its configuration cannot be read: {error}"));
                continue;
            }
        };
        if settings.targets.hash() != sidecars {
            wrong.push(format!("{name}: target rules {}, the sidecars' are {sidecars}", settings.targets.hash()));
        }
        if settings.max_body_bytes != config.limits.max_body_bytes {
            let (filters, ours) = (settings.max_body_bytes, config.limits.max_body_bytes);
            uneven.push(format!("{name}: max_body_bytes {filters}, limits.maxBodyBytes {ours}"));
        }
        if settings.problem_types != config.problem_types {
            uneven.push(format!("{name}: problem_types differs from problemTypes"));
        }
    }
    if !wrong.is_empty() {
        let action = "give both the same `targets` document (the chart does), roll Envoy and the sidecars; until then their signals \
                      are counted and have no affinity";
        return Finding::fail("the filter's target rules are not the sidecars'", action).about(wrong);
    }
    if !uneven.is_empty() {
        return Finding::warn("the filter's limits are not the sidecars'", "give both the same values").about(uneven);
    }
    Finding::pass(format!("the filter has the sidecars' target rules, {sidecars}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::super::finding::{Finding, Status};
    use super::{judge, plugins, read};
    use crate::config::Config;

    const ENVOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy/onceway.yaml");

    fn judged(envoy: &Value, yaml: &str) -> Finding {
        judge(Ok(plugins(envoy)), &Config::parse(yaml).unwrap())
    }

    fn with_filter(name: &str, configuration: Value) -> Value {
        let plugin = json!({"name": name, "vm_config": {"vm_id": "x"}, "configuration": configuration});
        json!({"configs": [{"listeners": [{"typed_config": {"config": plugin}}]}]})
    }

    fn string(text: &str) -> Value {
        json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text})
    }

    #[test]
    fn the_shipped_envoy_configuration_fits_the_default_one_and_no_other_rules() {
        let envoy = read(Path::new(ENVOY)).unwrap();
        assert_eq!(plugins(&envoy).len(), 1);
        let finding = judged(&envoy, "");
        assert_eq!(finding.status, Status::Pass, "{finding:?}");
        let finding = judged(&envoy, "targets: {ignore: [{severity: info}]}");
        assert!(finding.status == Status::Fail && finding.items[0].contains("onceway: target rules "), "{finding:?}");
        assert_eq!(judged(&envoy, "limits: {maxBodyBytes: 1048576}").status, Status::Warn);
        assert_eq!(judged(&envoy, "problemTypes: kubernaut").status, Status::Warn);
    }

    #[test]
    fn the_rules_are_found_as_text_as_a_struct_and_in_a_file_of_their_own() {
        let (yaml, rules) =
            ("targets: {ignore: [{severity: info}]}", json!({"targets": {"ignore": [{"severity": "info"}]}}));
        let as_struct = json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": rules.clone()});
        for envoy in [with_filter("onceway", string(&rules.to_string())), with_filter("wasm/0", as_struct), rules] {
            assert_eq!(judged(&envoy, yaml).status, Status::Pass, "{envoy}");
            assert_eq!(judged(&envoy, "").status, Status::Fail, "{envoy}");
        }
    }

    #[test]
    fn filters_of_others_are_not_read_where_ours_has_a_name() {
        let both = json!([
            with_filter("envoyextensionpolicy/onceway/0", string("{}")),
            with_filter("waf", string("rules: x"))
        ]);
        assert_eq!(judged(&both, "").status, Status::Pass);
    }

    #[test]
    fn no_filter_and_a_broken_one_are_failures() {
        assert!(judged(&json!({"static_resources": {}}), "").summary.contains("no filter"));
        let broken = judged(&with_filter("onceway", string("{targets")), "");
        assert!(broken.status == Status::Fail && broken.items[0].contains("cannot be read"), "{broken:?}");
        assert_eq!(judge(Err("x".into()), &Config::default()).status, Status::Fail);
    }
}
