//! What becomes of each alert.

use jiff::Timestamp;
use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Rejection, Signal, Source, State, Target, decode};
use serde::Serialize;

use crate::input::Input;

/// What becomes of one alert or event. Absent values are null in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Its index over all inputs.
    pub alert: usize,
    /// The alert's name, or the event's reason.
    pub name: Option<String>,
    /// firing, resolved, ignored or rejected.
    pub state: &'static str,
    /// The rule that named the target.
    pub rule: Option<String>,
    /// The cluster that it names.
    pub cluster: Option<String>,
    /// `<namespace>:<Kind>:<name>`.
    pub target: Option<String>,
    /// All signals of one fingerprint are one incident.
    pub fingerprint: Option<String>,
    /// Why it is in this state.
    pub reason: String,
    /// The target's namespace (empty: none), kind and name.
    #[serde(skip)]
    pub(crate) object: Option<[String; 3]>,
}

/// Explains the alerts in `text`; the first has index `first`. `source` says what the text is; without it, it is recognised
/// by its keys. An alert of a list that ended by `now` is resolved.
///
/// # Errors
/// Why it is no body that a replica would decode, and no output of amtool.
pub fn explain(
    rules: &Rules,
    text: &[u8],
    source: Option<Source>,
    first: usize,
    now: Timestamp,
) -> Result<Vec<Explained>, String> {
    let input = Input::parse(text, source, now)?;
    let origin = Origin::of(input.source);
    let payload = decode(rules, origin, &input.body).map_err(|error| error.to_string())?;
    let explained = payload.entries().iter().enumerate().map(|(index, entry)| {
        let suppressed = input.suppressed.get(index).copied().unwrap_or(false);
        match &entry.signal {
            Ok(signal) => usable(rules, first + index, input.source, signal, suppressed),
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
    let Target { namespace, kind, name } = &signal.target;
    Explained {
        alert,
        name: Some(signal.name.to_string()),
        state,
        rule: Some(signal.rule.to_string()),
        cluster: signal.cluster.as_deref().map(str::to_owned),
        target: Some(signal.target.to_string()),
        fingerprint: Some(signal.fingerprint().to_string()),
        reason,
        object: Some([namespace, kind, name].map(|part| part.clone().into_owned())),
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
        object: None,
    }
}
