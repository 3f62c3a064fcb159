//! The way of the test signal, for people and for programs.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::objects::{Cleaned, Left};
use crate::printable::printable;

/// The version of the JSON's shape. It grows when a field changes or goes; a new field does not change it.
const SHAPE: u32 = 1;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Counted in an RR of its own.
    Counted,
    /// Not counted, or not known to be.
    Failed,
    /// By Ctrl-C or SIGTERM.
    Interrupted,
}

/// A step of the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    step: &'static str,
    /// When it was done, in milliseconds since the start.
    at_ms: u64,
    detail: String,
}

/// The whole way. This is the shape of `--json`; absent values are null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    version: u32,
    /// The test's id.
    id: String,
    /// The Deployment that the signal names.
    target: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it is not counted.
    reason: Option<String>,
    /// The RR that counts it.
    remediation_request: Option<String>,
    steps: Vec<Step>,
    /// The objects that were removed.
    removed: Vec<String>,
    /// The objects of the test that are still there.
    left: Vec<Left>,
    /// Whether they are to stay (`--keep`).
    kept: bool,
}

impl Way {
    pub(super) fn new(id: &str, target: String) -> Self {
        Self {
            version: SHAPE,
            id: id.to_owned(),
            target,
            outcome: Outcome::Failed,
            reason: None,
            remediation_request: None,
            steps: Vec::new(),
            removed: Vec::new(),
            left: Vec::new(),
            kept: false,
        }
    }

    pub(super) fn step(&mut self, step: &'static str, at: Duration, detail: impl Into<String>) {
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        self.steps.push(Step { step, at_ms, detail: detail.into() });
    }

    pub(super) fn counted_in(&mut self, rr: String) {
        (self.outcome, self.remediation_request) = (Outcome::Counted, Some(rr));
    }

    pub(super) fn failed(&mut self, reason: impl Into<String>) {
        (self.outcome, self.reason) = (Outcome::Failed, Some(reason.into()));
    }

    pub(super) fn interrupted(&mut self) {
        (self.outcome, self.reason) = (Outcome::Interrupted, Some("interrupted".to_owned()));
    }

    pub(super) fn cleaned(&mut self, cleaned: Cleaned) {
        self.removed.extend(cleaned.removed);
        self.left.extend(cleaned.left);
    }

    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    /// The exit code: 0 counted, and nothing left but by --keep; 1 not counted; 3 something is left behind; 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self.outcome {
            _ if !self.left.is_empty() => 3,
            Outcome::Counted => 0,
            Outcome::Failed => 1,
            Outcome::Interrupted => 130,
        }
    }

    /// Writes it as one JSON object in one line.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// Writes it for people.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "test {} about the Deployment {}", self.id, printable(&self.target))?;
        for Step { step, at_ms, detail } in &self.steps {
            let line = format!("{at_ms:>7} ms  {step:<10} {}", printable(detail));
            writeln!(out, "{}", line.trim_end())?;
        }
        for object in &self.removed {
            writeln!(out, "removed     {}", printable(object))?;
        }
        for Left { object, why, command } in &self.left {
            writeln!(out, "LEFT BEHIND {}: {}", printable(object), printable(why))?;
            writeln!(out, "          > {}", printable(command))?;
        }
        if self.kept {
            writeln!(out, "kept        by --keep: its RemediationRequest and its Lease stay")?;
        }
        match (self.outcome, &self.reason) {
            (Outcome::Counted, _) => writeln!(out, "the signal arrived and is counted"),
            (_, reason) => writeln!(out, "NOT COUNTED: {}", printable(reason.as_deref().unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::super::objects::{Cleaned, Left};
    use super::Way;

    fn left() -> Cleaned {
        let left = Left { object: "lease a/b".into(), why: "403".into(), command: "kubectl delete lease b".into() };
        Cleaned { removed: Vec::new(), left: vec![left] }
    }

    #[test]
    fn the_exit_code_says_whether_it_was_counted_and_whether_something_is_left() {
        let mut way = Way::new("a1", "onceway-test-a1".into());
        assert_eq!(way.exit_code(), 1);
        way.interrupted();
        assert_eq!(way.exit_code(), 130);
        way.counted_in("incidents/rr-1".into());
        assert_eq!(way.exit_code(), 0);
        way.cleaned(left());
        assert_eq!(way.exit_code(), 3);
    }

    #[test]
    fn the_way_is_shown_with_times_and_what_is_left_with_its_command() {
        let mut way = Way::new("a1", "onceway-test-a1".into());
        way.step("answered", Duration::from_millis(12), "201\u{1b}");
        way.cleaned(left());
        way.failed("no RR");
        let mut out = Vec::new();
        way.write_text(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for line in [
            "     12 ms  answered   201\u{fffd}\n",
            "LEFT BEHIND lease a/b: 403\n",
            "> kubectl delete lease b\n",
            "NOT COUNTED: no RR\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn the_json_has_the_documented_keys() {
        let mut out = Vec::new();
        Way::new("a1", "onceway-test-a1".into()).write_json(&mut out).unwrap();
        let value: Value = serde_json::from_slice(&out).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        let expected =
            ["id", "kept", "left", "outcome", "reason", "remediation_request", "removed", "steps", "target", "version"];
        assert_eq!(keys, expected);
    }
}
