//! What becomes of each alert, for programs and for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Rejection, Signal, Source, State, decode};
use serde::Serialize;

use super::input::Input;
use crate::printable::printable;

/// What becomes of one alert or event. Absent values are null.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Explained {
    /// Its index over all inputs.
    pub(super) alert: usize,
    /// The alert's name, or the event's reason.
    pub(super) name: Option<String>,
    /// firing, resolved, ignored or rejected.
    pub(super) state: &'static str,
    /// The rule that named the target.
    pub(super) rule: Option<String>,
    pub(super) cluster: Option<String>,
    /// `<namespace>:<Kind>:<name>`.
    pub(super) target: Option<String>,
    /// All signals of one fingerprint are one incident.
    pub(super) fingerprint: Option<String>,
    /// Why it is in this state.
    pub(super) reason: String,
}

/// Explains the alerts of an input; the first has index `first`.
pub(super) fn explain(
    rules: &Rules,
    origin: &Origin,
    input: &Input<'_>,
    first: usize,
) -> Result<Vec<Explained>, String> {
    let payload = decode(rules, origin, &input.body).map_err(|error| error.to_string())?;
    let explained = payload.entries().iter().enumerate().map(|(index, entry)| {
        let suppressed = input.suppressed.get(index).copied().unwrap_or(false);
        match &entry.signal {
            Ok(signal) => usable(rules, first + index, origin.source, signal, suppressed),
            Err(rejection) => rejected(first + index, rejection),
        }
    });
    Ok(explained.collect())
}

/// Why a firing signal is rejected by the rules' scope.
fn out_of_scope(rules: &Rules, signal: &Signal<'_>) -> Option<String> {
    if signal.state != State::Firing {
        return None;
    }
    let checked = rules.scope().check(signal.cluster.as_deref(), &signal.resource, &signal.target);
    checked.err().map(|rejection| rejection.to_string())
}

fn usable(rules: &Rules, alert: usize, source: Source, signal: &Signal<'_>, suppressed: bool) -> Explained {
    let (state, reason) = match (signal.state, source) {
        (State::Firing, _) if suppressed => ("ignored", "Alertmanager suppresses it and does not send it".to_owned()),
        (State::Firing, Source::Prometheus) => {
            ("firing", format!("its labels name the target by rule {}", signal.rule))
        }
        (State::Firing, Source::KubernetesEvent) => ("firing", "it names its object".to_owned()),
        (State::Resolved, Source::Prometheus) => ("resolved", "the alert is resolved".to_owned()),
        (State::Resolved, Source::KubernetesEvent) => ("resolved", "the event reports nothing to repair".to_owned()),
        (State::Ignored, _) => ("ignored", "the target rules ignore it".to_owned()),
    };
    let (state, reason) = match out_of_scope(rules, signal) {
        Some(reason) if !suppressed => ("rejected", reason),
        _ => (state, reason),
    };
    Explained {
        alert,
        name: Some(signal.name.to_string()),
        state,
        rule: Some(signal.rule.to_string()),
        cluster: signal.cluster.as_deref().map(str::to_owned),
        target: Some(signal.target.to_string()),
        fingerprint: Some(signal.fingerprint().to_string()),
        reason,
    }
}

fn rejected(alert: usize, rejection: &Rejection) -> Explained {
    Explained {
        alert,
        name: None,
        state: "rejected",
        rule: None,
        cluster: None,
        target: None,
        fingerprint: None,
        reason: rejection.to_string(),
    }
}

/// One JSON object per line.
pub(super) fn write_json(explained: &[Explained], out: &mut impl Write) -> io::Result<()> {
    for alert in explained {
        serde_json::to_writer(&mut *out, alert)?;
        writeln!(out)?;
    }
    Ok(())
}

/// The incidents with their alerts, in the order of their first alerts; then what is no incident.
pub(super) fn write_table(explained: &[Explained], out: &mut impl Write) -> io::Result<()> {
    let mut incidents: Vec<Vec<&Explained>> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for alert in explained.iter().filter(|alert| alert.state == "firing") {
        let Some(fingerprint) = &alert.fingerprint else { continue };
        let place = *places.entry(fingerprint).or_insert(incidents.len());
        if place == incidents.len() {
            incidents.push(Vec::new());
        }
        incidents[place].push(alert);
    }
    for incident in &incidents {
        let [first, ..] = &incident[..] else { continue };
        let cluster = first.cluster.as_ref().map(|cluster| format!("{cluster}:")).unwrap_or_default();
        let target = first.target.as_deref().unwrap_or_default();
        let fingerprint: String = first.fingerprint.iter().flat_map(|hex| hex.chars().take(12)).collect();
        writeln!(out, "{}  fingerprint {fingerprint}", printable(&format!("{cluster}{target}")))?;
        for alert in incident {
            write_line(out, alert, &format!("rule {}", alert.rule.as_deref().unwrap_or_default()))?;
        }
    }
    let others: Vec<_> = explained.iter().filter(|alert| alert.state != "firing").collect();
    if !others.is_empty() {
        writeln!(out, "no incident")?;
    }
    for alert in &others {
        write_line(out, alert, &format!("{}: {}", alert.state, printable(&alert.reason)))?;
    }
    let counted = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    writeln!(out, "{} -> {}", counted(explained.len(), "alert"), counted(incidents.len(), "incident"))
}

fn write_line(out: &mut impl Write, alert: &Explained, rest: &str) -> io::Result<()> {
    let name = alert.name.as_deref().map(printable).unwrap_or_default();
    writeln!(out, "  {:>4}  {name:<44}  {rest}", alert.alert)
}
