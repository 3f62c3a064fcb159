//! The module of the page: answers one request. The page starts the module anew for each, so no request sees another's
//! memory, and one that ends it spoils nothing.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

use jiff::Timestamp;
use onceway_explain::{Explained, Incident, explain, incidents, parse_rules};
use onceway_signal::rules::{BuiltInRule, Rules, built_in_rules};
use serde::{Deserialize, Serialize};

/// Bytes of alerts that the page explains. Rows for more would keep a browser busy.
pub const MAX_SIGNALS_BYTES: usize = 1024 * 1024;
/// Bytes of target rules that the page reads.
pub const MAX_RULES_BYTES: usize = 256 * 1024;

/// What the page asks.
#[derive(Debug, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    /// What would become of these alerts.
    Explain {
        signals: String,
        rules: String,
        /// The time, in milliseconds since 1970.
        now: i64,
    },
    /// The built-in rules.
    BuiltInRules,
}

/// What would become of the alerts, or what is wrong with which field.
#[derive(Debug, Default, Serialize)]
struct Explanation {
    alerts: Vec<Explained>,
    incidents: Vec<Incident>,
    problems: Problems,
    /// The hash of the rules, as filter and sidecar log it.
    hash: String,
}

/// What is wrong with a field of the page.
#[derive(Debug, Default, Serialize)]
struct Problems {
    signals: Option<String>,
    rules: Option<String>,
}

/// Answers a request in JSON, in JSON.
///
/// # Errors
/// That it is no such request, which would be a bug of the page.
pub fn answer(request: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    match serde_json::from_slice(request)? {
        Request::Explain { signals, rules, now } => serde_json::to_vec(&explanation(&signals, &rules, now)),
        Request::BuiltInRules => serde_json::to_vec(&built_in_rules().collect::<Vec<BuiltInRule>>()),
    }
}

fn explanation(signals: &str, rules: &str, now: i64) -> Explanation {
    let now = Timestamp::from_millisecond(now).unwrap_or_default();
    let parsed = within("the target rules have", rules, MAX_RULES_BYTES)
        .and_then(|()| parse_rules(rules).map_err(|error| error.to_string()));
    let (rules, rules_problem) = match parsed {
        Ok(rules) => (rules, None),
        // The alerts are read all the same, so that what is wrong with them is said at once.
        Err(problem) => (Rules::default(), Some(problem)),
    };
    let (alerts, signals_problem) = match read(&rules, signals, now) {
        Ok(alerts) if rules_problem.is_none() => (alerts, None),
        Ok(_) => (Vec::new(), None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    Explanation {
        incidents: incidents(&alerts),
        alerts,
        problems: Problems { signals: signals_problem, rules: rules_problem },
        hash: rules.hash().to_owned(),
    }
}

fn read(rules: &Rules, signals: &str, now: Timestamp) -> Result<Vec<Explained>, String> {
    if signals.trim().is_empty() {
        return Err("there are no alerts; paste a webhook, an event or the output of amtool, or load an example".into());
    }
    within("the alerts have", signals, MAX_SIGNALS_BYTES)?;
    explain(rules, signals.as_bytes(), None, 0, now)
}

fn within(what: &str, text: &str, limit: usize) -> Result<(), String> {
    let bytes = text.len();
    if bytes <= limit {
        Ok(())
    } else {
        Err(format!("{what} {bytes} bytes; this page takes {limit}, `onceway explain` more"))
    }
}

#[cfg(test)]
mod tests;
