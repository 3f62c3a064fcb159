//! Target rules as text: the key `targets` of a configuration, alone.

use onceway_signal::rules::Rules;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why target rules cannot be used.
#[derive(Debug, Error)]
#[error("invalid target rules (they are the key `targets` of the configuration):\n{0}")]
pub struct TargetRulesError(#[source] Box<serde_saphyr::Error>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    targets: Rules,
}

#[derive(Serialize)]
struct Shown<'a> {
    targets: &'a Rules,
}

/// The rules in `yaml`, which is a configuration with no other key than `targets`. The built-in rules alone if it is empty.
///
/// # Errors
/// What is wrong with which line or key.
pub fn parse_rules(yaml: &str) -> Result<Rules, TargetRulesError> {
    // Comments alone are YAML's null.
    let given: Option<Given> = serde_saphyr::from_str(yaml).map_err(|error| TargetRulesError(Box::new(error)))?;
    Ok(given.map(|given| given.targets).unwrap_or_default())
}

/// The YAML that [`parse_rules`] reads `rules` from.
///
/// # Errors
/// If they cannot be written as YAML.
pub fn rules_yaml(rules: &Rules) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&Shown { targets: rules })
}

#[cfg(test)]
mod tests {
    use onceway_signal::rules::Rules;

    use super::{parse_rules, rules_yaml};

    const RULES: &str = "targets:\n  rules:\n    - when: { job: mq }\n      kind: Queue\n      name: [queue]\n";

    #[test]
    fn rules_are_read_as_a_configuration_has_them_and_written_so_that_they_are_read_again() {
        let rules = parse_rules(RULES).unwrap();
        assert_ne!(rules.hash(), Rules::built_in().hash());
        assert_eq!(parse_rules(&rules_yaml(&rules).unwrap()).unwrap(), rules);
    }

    #[test]
    fn no_rules_are_the_built_in_ones() {
        for empty in ["", "# a comment\n", "targets: {}\n", "{}"] {
            assert_eq!(&parse_rules(empty).unwrap(), Rules::built_in(), "{empty:?}");
        }
    }

    #[test]
    fn an_error_names_the_line_and_the_key() {
        let unknown = parse_rules(&RULES.replace("name:", "names:")).unwrap_err().to_string();
        assert!(unknown.contains("names") && unknown.contains("line 5"), "{unknown}");
        let invalid = parse_rules(&RULES.replace("mq", "\"a*b\"")).unwrap_err().to_string();
        assert!(invalid.contains("targets.rules[0].when.job"), "{invalid}");
        let other = parse_rules("lease: {}\n").unwrap_err().to_string();
        assert!(other.contains("lease") && other.contains("`targets`"), "{other}");
    }
}
