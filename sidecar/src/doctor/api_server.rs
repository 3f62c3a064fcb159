//! The API server: whether it responds, its version and latency.

use std::time::Duration;

use http::StatusCode;
use http::header::DATE;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::Instant;

use super::clock::Sample;
use super::finding::Finding;
use crate::cluster_access::Cluster;

/// How often it is asked.
const ASKED: usize = 5;
/// The oldest minor version of Kubernetes 1 that the chart's admission policies work with.
const MIN_MINOR: u32 = 30;
/// A new incident takes about four calls, and more where another replica interferes: slower than this part of
/// `limits.apiCallTimeout`, calls begin to time out as soon as there is load.
const SLOW_PART: u32 = 4;

/// What it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    /// `gitVersion`, such as `v1.36.3`.
    pub(super) version: String,
    /// `major` and `minor`, as far as they are numbers.
    pub(super) numbers: Option<(u32, u32)>,
    /// The clock of each response.
    pub(super) samples: Vec<Sample>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// It responds, and accepts the credentials of whoever asks not, or not for this: 401 or 403.
    Refused(StatusCode),
    /// Anything else.
    Failed(String),
}

impl From<String> for Unanswered {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl Unanswered {
    /// Why the checks that need an answer are skipped.
    pub(super) fn skipped(&self) -> &'static str {
        match self {
            Self::Refused(_) => "the API server does not accept your credentials",
            Self::Failed(_) => "the API server does not respond",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    #[serde(default)]
    major: String,
    #[serde(default)]
    minor: String,
    #[serde(default)]
    git_version: String,
}

/// Asks for its version, several times.
pub(super) async fn ask(cluster: &Cluster) -> Result<Answered, Unanswered> {
    let mut answered = None;
    let mut samples = Vec::new();
    for _ in 0..ASKED {
        let (sent, began) = (Timestamp::now(), Instant::now());
        let reply = cluster.get("/version").await?;
        let round_trip = began.elapsed();
        match reply.status {
            status if status.is_success() => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(Unanswered::Refused(status)),
            status => return Err(format!("it responds to /version with {status}").into()),
        }
        let version: Version = serde_json::from_slice(&reply.body).map_err(|error| format!("/version: {error}"))?;
        let date = reply.headers.get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
        samples.push(Sample { sent, round_trip, date });
        answered = Some(version);
    }
    let Version { major, minor, git_version } = answered.ok_or_else(|| "it was not asked".to_owned())?;
    let number = |text: &str| text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok();
    Ok(Answered { version: git_version, numbers: number(&major).zip(number(&minor)), samples })
}

/// What follows; `call_timeout` is `limits.apiCallTimeout`.
pub(super) fn judge(answered: &Result<Answered, Unanswered>, call_timeout: Duration) -> Finding {
    let answered = match answered {
        Ok(answered) => answered,
        Err(Unanswered::Refused(status)) => {
            let action = "log in again, or name other credentials (KUBECONFIG, --as); whether the API server serves the sidecars, which \
                          have an account of their own, is not known by this";
            return Finding::fail(format!("the API server does not accept your credentials ({status})"), action);
        }
        Err(Unanswered::Failed(why)) => {
            let action = "check the address and the credentials (KUBECONFIG, or the pod's ServiceAccount), the network policy, and \
                          the API server itself; signals get 503 until it responds";
            return Finding::fail(format!("the API server does not respond: {why}"), action);
        }
    };
    let mut latencies: Vec<Duration> = answered.samples.iter().map(|sample| sample.round_trip).collect();
    latencies.sort_unstable();
    let median = latencies.get(latencies.len() / 2).copied().unwrap_or_default();
    let summary = format!("Kubernetes {}, median latency {} ms", answered.version, median.as_millis());
    if answered.numbers.is_some_and(|(major, minor)| major == 1 && minor < MIN_MINOR) {
        let action = format!("upgrade to 1.{MIN_MINOR}, or set admissionPolicies.enabled: false in the chart");
        return Finding::warn(format!("{summary}: older than 1.{MIN_MINOR}"), action);
    }
    if median > call_timeout / SLOW_PART {
        let action = "look at the API server's load and at etcd's latency; raise limits.apiCallTimeout only with limits.deadline";
        return Finding::warn(
            format!("{summary}: slow for calls that may take {} ms", call_timeout.as_millis()),
            action,
        );
    }
    Finding::pass(summary)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::super::clock::Sample;
    use super::super::finding::Status;
    use http::StatusCode;

    use super::{Answered, Unanswered, judge};

    const CALL_TIMEOUT: Duration = Duration::from_secs(3);

    fn answered(numbers: Option<(u32, u32)>, latencies: [u64; 3]) -> Result<Answered, Unanswered> {
        let sample = |ms| Sample { sent: Timestamp::UNIX_EPOCH, round_trip: Duration::from_millis(ms), date: None };
        Ok(Answered { version: "v1.36.3".into(), numbers, samples: latencies.map(sample).into() })
    }

    #[test]
    fn a_fast_and_recent_one_passes_whatever_one_slow_call_took() {
        let finding = judge(&answered(Some((1, 36)), [5, 900, 7]), CALL_TIMEOUT);
        assert_eq!(
            (finding.status, finding.summary.as_str()),
            (Status::Pass, "Kubernetes v1.36.3, median latency 7 ms")
        );
        assert_eq!(
            judge(&answered(None, [5, 6, 7]), CALL_TIMEOUT).status,
            Status::Pass,
            "an unusual version is none too old"
        );
    }

    #[test]
    fn a_slow_one_and_an_old_one_are_warnings() {
        let slow = judge(&answered(Some((1, 36)), [900, 751, 3]), CALL_TIMEOUT);
        assert!(slow.status == Status::Warn && slow.summary.contains("slow"), "{slow:?}");
        let old = judge(&answered(Some((1, 29)), [5, 6, 7]), CALL_TIMEOUT);
        assert!(old.status == Status::Warn && old.summary.contains("older than 1.30"), "{old:?}");
    }

    #[test]
    fn one_that_does_not_respond_is_a_failure_with_its_cause() {
        let finding = judge(&Err("connection refused".to_owned().into()), CALL_TIMEOUT);
        assert!(finding.status == Status::Fail && finding.summary.contains("connection refused"), "{finding:?}");
    }

    #[test]
    fn credentials_that_are_not_accepted_are_no_outage_and_say_nothing_about_the_sidecars() {
        for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
            let refused = Unanswered::Refused(status);
            let finding = judge(&Err(refused.clone()), CALL_TIMEOUT);
            assert!(finding.status == Status::Fail && finding.summary.contains("your credentials"), "{finding:?}");
            assert!(!format!("{finding:?}").contains("503") && !refused.skipped().contains("respond"), "{finding:?}");
        }
    }
}
