//! Runs checks one after the other, each within its time.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::finding::Finding;
use super::report::{Check, Report};

/// The report so far, and the time limit of each check.
pub(super) struct Run {
    pub(super) report: Report,
    pub(super) limit: Duration,
}

impl Run {
    pub(super) async fn check(&mut self, check: &'static str, finding: impl Future<Output = Finding>) {
        let began = Instant::now();
        let finding = timeout(self.limit, finding).await.unwrap_or_else(|_| {
            let action = "see the check api-server, or raise --timeout";
            Finding::fail(format!("no result within {} s", self.limit.as_secs()), action)
        });
        self.add(check, began, finding);
    }

    pub(super) fn add(&mut self, check: &'static str, began: Instant, finding: Finding) {
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.report.add(Check { check, finding, elapsed_ms });
    }

    pub(super) async fn limited<T, E: From<String>>(&self, what: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        timeout(self.limit, what)
            .await
            .unwrap_or_else(|_| Err(format!("no response within {} s", self.limit.as_secs()).into()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::pending;
    use jiff::Timestamp;

    use super::super::finding::Status;
    use super::{Report, Run};

    #[tokio::test(start_paused = true)]
    async fn a_check_that_does_not_end_is_a_failure_after_its_time() {
        let mut run = Run { report: Report::new(Timestamp::UNIX_EPOCH), limit: Duration::from_secs(10) };
        run.check("crd", pending()).await;
        let [check] = &run.report.checks[..] else { panic!("not one") };
        assert_eq!((check.finding.status, check.finding.summary.as_str()), (Status::Fail, "no result within 10 s"));
        assert_eq!(run.limited::<(), String>(pending()).await, Err("no response within 10 s".to_owned()));
    }
}
