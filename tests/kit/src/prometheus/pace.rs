//! Durations of rules, divided by a number, so that a test need not wait for minutes.

use anyhow::{Result, ensure};
use serde_json::Value;

/// How much faster than in reality a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(u64);

impl Pace {
    /// As in reality.
    pub const REAL: Self = Self(1);
    /// A minute takes a second.
    pub const MINUTE_IN_A_SECOND: Self = Self(60);

    /// A duration of so many milliseconds, at this pace, as Prometheus writes it; at least a millisecond.
    pub fn text(self, milliseconds: u64) -> String {
        format!("{}ms", (milliseconds / self.0).max(1))
    }

    /// The rule file `text` with every duration divided: in brackets behind a selector, and of `for`. Numbers in expressions, such
    /// as the 7 days of a certificate, stay.
    ///
    /// # Errors
    /// If it is no rule file, or a duration is not one.
    pub fn rules(self, text: &str) -> Result<String> {
        if self == Self::REAL || text.is_empty() {
            return Ok(text.to_owned());
        }
        let mut file: Value = serde_saphyr::from_str(text)?;
        for group in file["groups"].as_array_mut().into_iter().flatten() {
            for rule in group["rules"].as_array_mut().into_iter().flatten() {
                if let Some(duration) = rule["for"].as_str().map(str::to_owned) {
                    rule["for"] = self.divided(&duration)?.into();
                }
                let expression = self.expression(rule["expr"].as_str().unwrap_or_default())?;
                rule["expr"] = expression.into();
            }
        }
        Ok(format!("{file:#}\n"))
    }

    /// A query with the durations in its brackets divided, of a subquery both.
    ///
    /// # Errors
    /// If what is in brackets is no duration.
    pub fn expression(self, query: &str) -> Result<String> {
        let mut divided = String::new();
        let mut rest = query;
        while let Some((before, after)) = rest.split_once('[') {
            let Some((duration, after)) = after.split_once(']') else { break };
            let durations = duration.split(':').map(|duration| self.divided(duration)).collect::<Result<Vec<_>>>()?;
            divided += &format!("{before}[{}]", durations.join(":"));
            rest = after;
        }
        Ok(divided + rest)
    }

    fn divided(self, duration: &str) -> Result<String> {
        let digits = duration.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &duration[digits.len()..] {
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0,
        };
        let count: u64 = digits.parse().unwrap_or_default();
        ensure!(unit > 0 && count > 0, "no duration of one unit: {duration}");
        Ok(self.text(count * unit))
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn durations_are_divided_and_nothing_else_changes() {
        let rules = "groups: [{name: g, rules: [{alert: A, for: 5m, expr: 'rate(x{a=\"5m\"}[1h]) > 7 * 86400', labels: {a: 2m}}]}]";
        let paced = Pace::MINUTE_IN_A_SECOND.rules(rules).unwrap();
        let (read, was): (serde_json::Value, serde_json::Value) =
            (serde_saphyr::from_str(&paced).unwrap(), serde_saphyr::from_str(rules).unwrap());
        let rule = &read["groups"][0]["rules"][0];
        assert_eq!(
            (rule["for"].as_str(), rule["expr"].as_str()),
            (Some("5000ms"), Some("rate(x{a=\"5m\"}[60000ms]) > 7 * 86400"))
        );
        assert_eq!(rule["labels"], was["groups"][0]["rules"][0]["labels"]);
        assert_eq!(Pace::REAL.rules(rules).unwrap(), rules);
    }

    #[test]
    fn a_subquery_has_its_range_and_its_step_divided() {
        let paced = Pace::MINUTE_IN_A_SECOND.expression("count_over_time((rate(x[2m]) > 0)[15m:1m])").unwrap();
        assert_eq!(paced, "count_over_time((rate(x[2000ms]) > 0)[15000ms:1000ms])");
    }

    #[test]
    fn what_is_no_duration_is_an_error() {
        assert!(Pace::MINUTE_IN_A_SECOND.expression("x[5m:]").is_err());
        assert!(Pace::MINUTE_IN_A_SECOND.expression("x[0m]").is_err());
    }
}
