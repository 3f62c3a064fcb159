//! All that happened to one fingerprint, in the order of time, for whoever wants to know why a history is not exact.

use std::fmt::Write;

use super::history::{Answer, Attempt, Event, History, Micros};

/// The lines of the fingerprint that begins with `prefix`, with the faults that its replicas met meanwhile.
pub(super) fn text(history: &History, prefix: &str) -> String {
    let mut lines: Vec<(Micros, String)> = Vec::new();
    let of_incident = |fingerprint: &str| fingerprint.starts_with(prefix);
    for attempt in history.attempts.iter().filter(|attempt| of_incident(&attempt.fingerprint)) {
        lines.push((attempt.start, sent(attempt)));
        lines.push((attempt.end, format!("signal {} <- {}", attempt.signal, told(&attempt.answer))));
    }
    let events: Vec<&Event> = history.events.iter().filter(|event| of_incident(&event.fingerprint)).collect();
    lines.extend(events.iter().map(|event| (event.at, seen(event))));
    for change in history.changes.iter().filter(|change| events.iter().any(|event| event.uid == change.uid)) {
        let what = if change.deleted { "deletes" } else { "ends" };
        let took_ms = change.end.saturating_sub(change.start) as f64 / 1_000.0;
        lines.push((change.start, format!("the controller {what} {} (takes {took_ms:.1} ms)", change.uid)));
    }
    let (first, last) = (lines.iter().map(|(at, _)| *at).min(), lines.iter().map(|(at, _)| *at).max());
    for fault in &history.faults {
        if Some(fault.at + fault.ms * 1_000) >= first && Some(fault.at) <= last {
            lines.push((fault.at, format!("onceway-{} is {} for {} ms", fault.replica, fault.kind, fault.ms)));
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

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Counted { created: true, rr, count } => format!("201, {rr}, count {count}"),
        Answer::Counted { created: false, rr, count } => format!("202, {rr}, count {count}"),
        Answer::Again(status) => status.to_string(),
        Answer::Nothing => "nothing".into(),
        Answer::Unsent => "no connection".into(),
        Answer::Refused(answer) => answer.clone(),
    }
}

fn seen(event: &Event) -> String {
    let Event { version, uid, name, creator, count, ended, deleted, .. } = event;
    let state = match (deleted, ended) {
        (true, _) => ", deleted",
        (_, true) => ", ended",
        _ => "",
    };
    format!("    version {version}: {name} ({uid}, by {creator}) count {count}{state}")
}
