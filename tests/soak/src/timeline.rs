//! Everything that happened to one fingerprint, by time, to debug a history that is not exact.

use std::fmt::Write;

use super::history::{Attempt, Event, History, Micros, Observation};

/// The timeline of the fingerprint with this prefix, with the faults of all replicas during that time.
pub(super) fn text(history: &History, prefix: &str) -> String {
    let mut lines: Vec<(Micros, String)> = Vec::new();
    let of_incident = |fingerprint: &str| fingerprint.starts_with(prefix);
    for attempt in history.attempts.iter().filter(|attempt| of_incident(&attempt.fingerprint)) {
        lines.push((attempt.start, sent(attempt)));
        lines.push((attempt.end, format!("signal {} <- {}", attempt.signal, observed(&attempt.observation))));
    }
    let events: Vec<&Event> = history.events.iter().filter(|event| of_incident(&event.fingerprint)).collect();
    lines.extend(events.iter().map(|event| (event.at, seen(event))));
    for write in history.writes.iter().filter(|write| events.iter().any(|event| event.uid == write.uid)) {
        let what = if write.deleted { "deletes" } else { "ends" };
        let took_ms = write.end.saturating_sub(write.start) as f64 / 1_000.0;
        lines.push((write.start, format!("the controller {what} {} (takes {took_ms:.1} ms)", write.uid)));
    }
    let (first, last) = (lines.iter().map(|(at, _)| *at).min(), lines.iter().map(|(at, _)| *at).max());
    for fault in &history.faults {
        if Some(fault.at + fault.ms * 1_000) >= first && Some(fault.at) <= last {
            lines.push((fault.at, format!("onceway-{}: {} for {} ms", fault.replica, fault.kind, fault.ms)));
        }
    }
    lines.sort();
    lines.into_iter().fold(String::new(), |mut text, (at, line)| {
        let _ = writeln!(text, "{:>12.3} ms  {line}", at as f64 / 1_000.0);
        text
    })
}

fn sent(attempt: &Attempt) -> String {
    format!("signal {} -> onceway-{}", attempt.signal, attempt.replica)
}

fn observed(observation: &Observation) -> String {
    match observation {
        Observation::Counted { created: true, rr, count } => format!("201, {rr}, count {count}"),
        Observation::Counted { created: false, rr, count } => format!("202, {rr}, count {count}"),
        Observation::Retry(status) => status.to_string(),
        Observation::NoResponse => "no response".into(),
        Observation::NotSent => "no connection".into(),
        Observation::Rejected(response) => response.clone(),
    }
}

fn seen(event: &Event) -> String {
    let Event { version, uid, name, creator, count, terminal, deleted, .. } = event;
    let state = match (deleted, terminal) {
        (true, _) => ", deleted",
        (_, true) => ", terminal",
        _ => "",
    };
    format!("    version {version}: {name} ({uid}, by {creator}) count {count}{state}")
}
