//! All that is wrong with a configuration at once, and what it changes. A replica stops at the first error; whoever edits a
//! file wants to see them all.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error::ConfigError;
use super::sections::Config;

/// The most errors that are looked for; each one costs another read of the configuration.
const MAX_PROBLEMS: usize = 64;

/// Something that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigProblem {
    /// The key, as a path; `None` if it is about the file as a whole.
    pub key: Option<String>,
    /// What is wrong, and what is right.
    pub message: String,
}

/// A key whose value is not the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key, as a path.
    pub key: String,
    /// The default.
    pub default: Value,
    /// The value in use, which may be the profile's.
    pub value: Value,
}

impl Config {
    /// Reads and checks the configuration in `yaml`.
    ///
    /// # Errors
    /// Everything that is wrong with it, as far as one error does not hide another: at least one [`ConfigProblem`].
    pub fn inspect(yaml: &str) -> Result<Self, Vec<ConfigProblem>> {
        let first = match Self::parse(yaml) {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let whole = |error: ConfigError| vec![ConfigProblem { key: None, message: error.to_string() }];
        let document = serde_saphyr::from_str::<Value>(yaml);
        let Ok(Value::Object(mut document)) = document else { return Err(whole(first)) };
        let mut problems = unreadable(&mut document);
        problems.extend(out_of_range(document, &problems));
        if problems.is_empty() { Err(whole(first)) } else { Err(problems) }
    }

    /// The keys whose values are not the defaults, in alphabetical order.
    pub fn differences(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        // Serializing text, numbers and paths that were read from YAML cannot fail.
        let json = |config: &Self| serde_json::to_value(config).unwrap_or_default();
        compare(String::new(), &json(&Self::default()), &json(self), &mut found);
        found
    }
}

fn compare(path: String, default: &Value, value: &Value, found: &mut Vec<Difference>) {
    match (default, value) {
        (Value::Object(defaults), Value::Object(values)) => {
            for (key, value) in values {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(path, defaults.get(key).unwrap_or(&Value::Null), value, found);
            }
        }
        _ if default == value => {}
        _ => found.push(Difference { key: path, default: default.clone(), value: value.clone() }),
    }
}

/// The keys that cannot be read at all: unknown ones, and values of a wrong type. They are removed from `document`.
fn unreadable(document: &mut Map<String, Value>) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    for (key, section) in document.clone() {
        let Err(error) = readable(&key, &section) else { continue };
        if is_unknown(&key) {
            problems.push(ConfigProblem { key: Some(key.clone()), message: error });
            document.remove(&key);
            continue;
        }
        let before = problems.len();
        for (inner, value) in section.as_object().into_iter().flatten() {
            let Err(error) = readable(&key, &json!({ inner: value })) else { continue };
            // A key may be missed for the sake of its neighbours alone: then it is not to blame.
            if !error.starts_with("missing field") || readable(&key, &without(&section, inner)).is_ok() {
                problems.push(ConfigProblem { key: Some(format!("{key}.{inner}")), message: error });
                document.get_mut(&key).and_then(Value::as_object_mut).map(|section| section.remove(inner));
            }
        }
        if problems.len() == before {
            problems.push(ConfigProblem { key: Some(key.clone()), message: error });
            document.remove(&key);
        }
    }
    problems.truncate(MAX_PROBLEMS);
    problems
}

/// Whether there is no such section, whatever it holds.
fn is_unknown(key: &str) -> bool {
    readable(key, &json!({})).is_err_and(|error| error.starts_with(&format!("unknown field `{key}`")))
}

fn without(section: &Value, key: &str) -> Value {
    let mut section = section.clone();
    section.as_object_mut().map(|fields| fields.remove(key));
    section
}

/// Whether a configuration with this section alone can be read.
fn readable(key: &str, section: &Value) -> Result<(), String> {
    serde_json::from_value::<Config>(json!({ key: section })).map(drop).map_err(|error| error.to_string())
}

/// The values out of their ranges. A value that is reported is put back to its default for the next look, and so are those
/// that could not be read, `before`: what only contradicts such a default is no error of its own.
fn out_of_range(mut document: Map<String, Value>, before: &[ConfigProblem]) -> Vec<ConfigProblem> {
    let mut reset: Vec<String> = before.iter().filter_map(|problem| problem.key.clone()).collect();
    let mut problems = Vec::new();
    while problems.len() < MAX_PROBLEMS {
        let explicit = Value::Object(document.clone());
        let Ok(mut config) = serde_json::from_value::<Config>(explicit.clone()) else { break };
        config.apply_profile(&explicit);
        let Err(error) = config.check() else { break };
        let ConfigError::Range { key, found, rule } = error else { break };
        if !reset.iter().any(|reset| rule.contains(reset.as_str())) {
            let message = format!("is {found}; it {rule}");
            problems.push(ConfigProblem { key: Some(key.to_owned()), message });
        }
        if !remove(&mut document, key) {
            break;
        }
        reset.push(key.to_owned());
    }
    problems
}

/// Removes the key at this path; whether it was there.
fn remove(document: &mut Map<String, Value>, path: &str) -> bool {
    match path.split_once('.') {
        Some((section, rest)) => {
            document.get_mut(section).and_then(Value::as_object_mut).is_some_and(|section| remove(section, rest))
        }
        None => document.remove(path).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ConfigProblem, Difference};
    use crate::config::Config;

    fn keys(yaml: &str) -> Vec<String> {
        let problems = Config::inspect(yaml).unwrap_err();
        problems.into_iter().map(|ConfigProblem { key, .. }| key.unwrap_or_default()).collect()
    }

    #[test]
    fn every_error_is_found_with_its_key() {
        for (yaml, expected) in [
            ("limits: {maxBodyByte: 1}", &["limits.maxBodyByte"][..]),
            ("limit: {maxBodyBytes: 1}", &["limit"]),
            ("limits: {deadline: 8 parsecs, idleTimeout: 7}", &["limits.deadline", "limits.idleTimeout"]),
            ("limits: {maxBodyBytes: 1, maxConnections: 0}", &["limits.maxBodyBytes", "limits.maxConnections"]),
            ("auth: {mode: off}\nlisten: {signals: 8080}", &["auth.mode", "listen.signals"]),
            ("auth: {mode: off}\nlease: {duration: 1s}", &["auth.mode", "lease.duration"]),
            ("limits: {bodyTimeout: 10s}", &["shutdown.drainTimeout"]),
            ("tls: {cert: /tls/tls.crt}", &["tls"]),
            ("tls: {cert: c, key: k, clientCa: a, clientSans: ['']}", &["tls.clientSans"]),
            ("targets: {denyNamespaces: ['a*b']}\nprofile: other", &["profile", "targets.denyNamespaces"]),
            ("targets: {rules: [{kind: Queue}]}", &["targets.rules"]),
            ("limits: 5", &["limits"]),
            ("limits: [1", &[""]),
            ("- a", &[""]),
        ] {
            let mut found = keys(yaml);
            found.sort();
            assert_eq!(found, expected, "{yaml}: {:?}", Config::inspect(yaml));
        }
    }

    #[test]
    fn what_only_contradicts_the_default_of_a_broken_value_is_no_error() {
        let relative = "limits: {deadline: 8 parsecs, apiCallTimeout: 15s}";
        assert_eq!(keys(relative), ["limits.deadline"]);
        assert_eq!(keys("limits: {deadline: 2h, apiCallTimeout: 15s}"), ["limits.deadline"]);
        assert_eq!(keys("limits: {deadline: 9s, apiCallTimeout: 15s}"), ["limits.apiCallTimeout"]);
    }

    #[test]
    fn a_message_has_the_value_and_the_rule() {
        let [problem] = &Config::inspect("lease: {duration: 1s}").unwrap_err()[..] else { panic!("not one") };
        assert_eq!(problem.message, "is 1s; it must be whole seconds from 5s to 3600s");
    }

    #[test]
    fn what_is_valid_is_what_a_replica_would_read() {
        for yaml in ["", "# nothing\n", "profile: kubernaut\n", "limits: {deadline: 6s}"] {
            assert_eq!(Config::inspect(yaml).unwrap(), Config::parse(yaml).unwrap());
        }
    }

    #[test]
    fn the_differences_are_the_keys_that_have_another_value() {
        assert_eq!(Config::default().differences(), []);
        let config = Config::parse("limits: {deadline: 6s, maxConnections: 1024}\ntls: {cert: c, key: k}").unwrap();
        let [deadline, tls] = &config.differences()[..] else { panic!("{:?}", config.differences()) };
        assert_eq!((tls.key.as_str(), &tls.default, &tls.value["cert"]), ("tls", &json!(null), &json!("c")));
        let expected = Difference { key: "limits.deadline".into(), default: json!("8s"), value: json!("6s") };
        assert_eq!(deadline, &expected);
    }

    #[test]
    fn a_profiles_defaults_are_differences_too() {
        let config = Config::parse("profile: kubernaut").unwrap();
        let keys: Vec<_> = config.differences().into_iter().map(|difference| difference.key).collect();
        assert!(keys.contains(&"scope.label".to_owned()) && keys.contains(&"profile".to_owned()), "{keys:?}");
    }
}
