//! The text formats of metrics: OpenMetrics, which the library writes, and Prometheus' own, into which it is converted here,
//! for whoever does not ask for OpenMetrics.
//!
//! Samples are equal in both: names, labels, values. What differs is what is said about a family of them.

use std::fmt::Write;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus text, version 0.0.4.
    Text,
    /// OpenMetrics text, version 1.0.0.
    OpenMetrics,
}

/// The media ranges of an `Accept` header that are read; the rest is ignored.
const MAX_RANGES: usize = 32;

/// A weight in thousandths.
type Weight = u16;

impl Format {
    /// The format that these `Accept` headers prefer: OpenMetrics only if it is named, and not less wanted than plain text.
    pub(super) fn accepted<'h>(headers: impl Iterator<Item = &'h str>) -> Self {
        let (mut open_metrics, mut text) = (0, 0);
        for range in headers.flat_map(|header| header.split(',')).take(MAX_RANGES) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut weight = 1000;
            let mut asked = None;
            for parameter in parts {
                match parameter.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                    Some(("q" | "Q", value)) => weight = thousandths(value),
                    Some(("version", version)) => asked = Some(version),
                    _ => {}
                }
            }
            let is_version = |ours| asked.is_none_or(|asked| asked == ours);
            match &*name {
                "application/openmetrics-text" if is_version("1.0.0") => open_metrics = weight.max(open_metrics),
                "text/plain" if is_version("0.0.4") => text = weight.max(text),
                _ => {}
            }
        }
        if open_metrics > 0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// The `Content-Type`.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Metrics in this format, of those in OpenMetrics.
    pub(super) fn write(self, open_metrics: String) -> String {
        match self {
            Self::Text => to_text(&open_metrics),
            Self::OpenMetrics => open_metrics,
        }
    }
}

/// A weight of at most three decimals (RFC 9110); one that is no number counts as none.
fn thousandths(text: &str) -> Weight {
    let weight: f32 = text.parse().unwrap_or(0.0);
    // Saturates, and NaN becomes 0.
    (weight.clamp(0.0, 1.0) * 1000.0) as Weight
}

/// Prometheus text of OpenMetrics text.
///
/// - The name of a counter's family has the suffix of its samples, `_total`; that of an info's `_info`.
/// - The types that the format does not have become `gauge` (info, stateset), `histogram` (gaugehistogram) or `untyped` (unknown).
/// - Units, exemplars, the end marker and the times of creation (`_created`) have no place in the format.
fn to_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let (mut help, mut created) = (None, String::new());
    for line in open_metrics.lines() {
        if let Some(comment) = line.strip_prefix("# HELP ") {
            help = comment.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|comment| comment.split_once(' ')) {
            let (suffix, kind) = family(kind);
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                // A quotation mark is escaped in OpenMetrics alone.
                let _ = writeln!(text, "# HELP {name}{suffix} {}", words.replace("\\\"", "\""));
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
            created = format!("{name}_created");
        } else if !line.starts_with('#') && !is_sample_of(line, &created) {
            let _ = writeln!(text, "{}", without_exemplar(line));
        }
    }
    text
}

/// The suffix of a family's name in Prometheus text, and its type there.
fn family(kind: &str) -> (&'static str, &str) {
    match kind {
        "counter" => ("_total", kind),
        "info" => ("_info", "gauge"),
        "stateset" => ("", "gauge"),
        "gaugehistogram" => ("", "histogram"),
        "unknown" => ("", "untyped"),
        _ => ("", kind),
    }
}

fn is_sample_of(line: &str, name: &str) -> bool {
    line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
}

/// The sample without its exemplar, which follows it after ` # `; a label's value may hold the same characters.
fn without_exemplar(line: &str) -> &str {
    let (mut in_quotes, mut escaped) = (false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_quotes => escaped = true,
            b'"' => in_quotes = !in_quotes,
            b'#' if !in_quotes => return line.get(..at).unwrap_or(line).trim_end(),
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests;
