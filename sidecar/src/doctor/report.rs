//! All findings, for people and for programs.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::finding::{Finding, Status};
use crate::printable::printable;

/// The version of the JSON's shape. It grows when a field changes or goes; a new field or check does not change it.
const SHAPE: u32 = 1;

/// A check and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, one of [`CHECKS`](super::CHECKS).
    pub check: &'static str,
    /// What it found.
    #[serde(flatten)]
    pub finding: Finding,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// All checks. This is the shape of `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The version of this shape.
    pub version: u32,
    /// The version of the program.
    pub onceway: &'static str,
    /// When it began.
    #[serde(serialize_with = "in_seconds")]
    pub time: Timestamp,
    /// The namespace of the RRs; `None` if the configuration is not valid.
    pub namespace: Option<String>,
    /// The user whose rights were checked; `None` if the API server does not say.
    pub user: Option<String>,
    /// The worst of all checks; checks that were skipped count as passed.
    pub status: Status,
    /// The checks, in their order.
    pub checks: Vec<Check>,
}

fn in_seconds<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

impl Report {
    pub(super) fn new(time: Timestamp) -> Self {
        Self {
            version: SHAPE,
            onceway: env!("CARGO_PKG_VERSION"),
            time,
            namespace: None,
            user: None,
            status: Status::Pass,
            checks: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, check: Check) {
        if check.finding.status != Status::Skipped {
            self.status = self.status.max(check.finding.status);
        }
        self.checks.push(check);
    }

    /// The exit code: 0, 1 if `strict` and something is a warning, 2 if something has failed.
    pub fn exit_code(&self, strict: bool) -> u8 {
        match self.status {
            Status::Fail => 2,
            Status::Warn if strict => 1,
            Status::Warn | Status::Pass | Status::Skipped => 0,
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
        let namespace = self.namespace.as_deref().map(|name| format!(", namespace {name}")).unwrap_or_default();
        let user = self.user.as_deref().map(|name| format!(", as {name}")).unwrap_or_default();
        writeln!(out, "onceway {}{}", self.onceway, printable(&format!("{namespace}{user}")))?;
        for Check { check, finding, .. } in &self.checks {
            let word = match finding.status {
                Status::Pass => "pass",
                Status::Skipped => "skip",
                Status::Warn => "WARN",
                Status::Fail => "FAIL",
            };
            writeln!(out, "{word}  {check:<20}  {}", printable(&finding.summary))?;
            for item in &finding.items {
                writeln!(out, "        {}", printable(item))?;
            }
            if let Some(action) = &finding.action {
                writeln!(out, "      > {}", printable(action))?;
            }
        }
        let number = |status| self.checks.iter().filter(|check| check.finding.status == status).count();
        let (passed, skipped) = (number(Status::Pass), number(Status::Skipped));
        let (warnings, failed) = (number(Status::Warn), number(Status::Fail));
        writeln!(out, "passed {passed}, warnings {warnings}, failed {failed}, skipped {skipped}")
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::super::finding::{Finding, Status};
    use super::{Check, Report};

    fn report(findings: Vec<Finding>) -> Report {
        let mut report = Report::new(Timestamp::UNIX_EPOCH);
        for finding in findings {
            report.add(Check { check: "rights", finding, elapsed_ms: 3 });
        }
        report
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst_check() {
        let (pass, skipped) = (Finding::pass("a"), Finding::skipped("b"));
        let (warn, fail) = (Finding::warn("c", "d"), Finding::fail("e", "f"));
        for (findings, strict, code) in [
            (vec![pass.clone(), skipped.clone()], true, 0),
            (vec![warn.clone(), pass.clone()], false, 0),
            (vec![warn.clone(), skipped], true, 1),
            (vec![warn.clone(), fail.clone(), pass.clone()], false, 2),
            (vec![fail, warn], true, 2),
        ] {
            assert_eq!(report(findings.clone()).exit_code(strict), code, "{findings:?}");
        }
    }

    #[test]
    fn the_json_has_the_documented_shape() {
        let report = report(vec![Finding::warn("one", "do it").about(["x".to_owned()])]);
        let mut out = Vec::new();
        report.write_json(&mut out).unwrap();
        let expected = json!({
            "version": 1, "onceway": env!("CARGO_PKG_VERSION"), "time": "1970-01-01T00:00:00Z",
            "namespace": null, "user": null, "status": "warn",
            "checks": [{"check": "rights", "status": "warn", "summary": "one", "action": "do it", "items": ["x"], "elapsed_ms": 3}],
        });
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
        assert_eq!(report.status, Status::Warn);
    }

    #[test]
    fn the_text_names_each_check_with_what_to_do_and_obeys_no_control_characters() {
        let report = report(vec![Finding::pass("fine"), Finding::fail("bad\u{1b}[2J", "mend it").about(["x".into()])]);
        let mut out = Vec::new();
        report.write_text(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for line in [
            "pass  rights                fine\n",
            "FAIL  rights                bad\u{fffd}[2J\n        x\n      > mend it\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(text.ends_with("passed 1, warnings 0, failed 1, skipped 0\n"), "{text}");
    }
}
