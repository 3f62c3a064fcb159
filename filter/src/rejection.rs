//! The filter's own 413 and 503 responses, in the sidecar's format.

use onceway_signal::Source;
use onceway_signal::problem::{Problem, ProblemKind};
use onceway_signal::response::SignalResponse;

use crate::Config;
use crate::affinity::Partition;
use crate::splits::Refused;

/// When a body may find a share: others end within seconds, stalled ones within Envoy's `request_timeout`.
const RETRY_AFTER_S: u32 = 1;

/// Rejects a body of more than `limit` bytes.
pub(crate) fn body_too_large(source: Source, limit: u32) -> SignalResponse {
    let detail = format!(
        "the body exceeds the limit of {limit} bytes; send fewer alerts per webhook (in Alertmanager: a finer group_by), or \
         raise max_body_bytes in the filter's configuration and the body limits behind it"
    );
    payload_too_large(source, detail)
}

/// Rejects a body that does not fit into the memory that all bodies share. The sender sends it again.
pub(crate) fn no_share(source: Source, limit: u32) -> SignalResponse {
    let detail = format!(
        "the bodies that are being received and processed take what {limit} bytes allow; send it again. If honest senders \
         meet this, raise max_buffered_bytes in the filter's configuration"
    );
    let problem = Problem::new(ProblemKind::Overloaded, detail).retry_after(RETRY_AFTER_S);
    Problem { instance: Some(source.path()), ..problem }.into()
}

/// Rejects a webhook whose parts would not all be counted in time, before any is sent. The sender sends it again.
pub(crate) fn no_time(source: Source, refused: Refused) -> SignalResponse {
    let detail = "the webhooks that are being processed leave no time for this one, and nothing of it was counted; send it again. If \
                  that lasts, the cluster takes fewer new incidents a second than are reported to it"
        .to_owned();
    let problem = Problem::new(ProblemKind::Overloaded, detail).retry_after(refused.retry_after_s);
    Problem { instance: Some(source.path()), ..problem }.into()
}

/// Rejects a body that exceeds a limit of splitting; `None` if it is within all of them. The body has `body_bytes` bytes and
/// `alerts` alerts.
pub(crate) fn split_too_large(
    source: Source,
    config: &Config,
    body_bytes: usize,
    alerts: usize,
    partitions: &[Partition],
) -> Option<SignalResponse> {
    let exceeds = |number: usize, limit: u32| u32::try_from(number).map_or(true, |number| number > limit);
    let (what, limit, field) = if exceeds(alerts, config.max_alerts) {
        (format!("{alerts} alerts"), config.max_alerts, "max_alerts")
    } else if exceeds(partitions.len(), config.max_fingerprints) {
        (format!("{} incidents", partitions.len()), config.max_fingerprints, "max_fingerprints")
    } else {
        let size = |partition: &Partition| partition.payload.size(body_bytes);
        let bytes = partitions.iter().fold(0, |sum: usize, partition| sum.saturating_add(size(partition)));
        if !exceeds(bytes, config.max_split_bytes) {
            return None;
        }
        (format!("{bytes} bytes of sub-requests"), config.max_split_bytes, "max_split_bytes")
    };
    let detail = format!(
        "the webhook makes {what}, more than {limit}, the limit; send fewer alerts per webhook (in Alertmanager: a finer \
         group_by), or raise {field} in the filter's configuration"
    );
    Some(payload_too_large(source, detail))
}

fn payload_too_large(source: Source, detail: String) -> SignalResponse {
    Problem { instance: Some(source.path()), ..Problem::new(ProblemKind::PayloadTooLarge, detail) }.into()
}
