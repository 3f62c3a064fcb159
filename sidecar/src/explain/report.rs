//! What becomes of each alert, for programs and for people.

use std::io::{self, Write};

use onceway_explain::{Explained, incidents};

use crate::printable::printable;

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
    let incidents = incidents(explained);
    for incident in &incidents {
        let alerts = || incident.alerts.iter().filter_map(|index| explained.get(*index));
        let Some(first) = alerts().next() else { continue };
        let cluster = first.cluster.as_ref().map(|cluster| format!("{cluster}:")).unwrap_or_default();
        let target = first.target.as_deref().unwrap_or_default();
        let fingerprint: String = incident.fingerprint.chars().take(12).collect();
        writeln!(out, "{}  fingerprint {fingerprint}", printable(&format!("{cluster}{target}")))?;
        for alert in alerts() {
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
