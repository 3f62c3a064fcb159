//! What the filter refuses itself, in the sidecar's vocabulary: bodies that are too large, by one measure or another.

use onceway_signal::Source;
use onceway_signal::problem::{Problem, ProblemKind};
use onceway_signal::response::SignalResponse;

use crate::Config;
use crate::affinity::Share;

/// The refusal of a body with more bytes than the limit.
pub(crate) fn too_many_bytes(source: Source, limit: u32) -> SignalResponse {
    let detail = format!(
        "the body is larger than {limit} bytes, the limit here; send fewer alerts in one webhook (in Alertmanager by a \
         finer group_by), or raise max_body_bytes in the filter's configuration and the limits behind it"
    );
    refusal(source, detail)
}

/// The refusal of a body that is too much to be split, if it is: `whole` bytes of `alerts` alerts, in `shares`.
pub(crate) fn too_much_to_split(
    source: Source,
    config: &Config,
    whole: usize,
    alerts: usize,
    shares: &[Share],
) -> Option<SignalResponse> {
    let exceeds = |number: usize, limit: u32| u32::try_from(number).map_or(true, |number| number > limit);
    let (what, limit, field) = if exceeds(alerts, config.max_alerts) {
        (format!("there are {alerts} alerts"), config.max_alerts, "max_alerts")
    } else if exceeds(shares.len(), config.max_fingerprints) {
        (format!("there are {} incidents", shares.len()), config.max_fingerprints, "max_fingerprints")
    } else {
        let bytes = shares.iter().fold(0, |sum: usize, share| sum.saturating_add(share.part.size(whole)));
        if !exceeds(bytes, config.max_split_bytes) {
            return None;
        }
        (format!("the parts of each incident have {bytes} bytes together"), config.max_split_bytes, "max_split_bytes")
    };
    let detail = format!(
        "{what} in one webhook, more than {limit}, the limit here; send fewer alerts in one webhook (in Alertmanager by a \
         finer group_by), or raise {field} in the filter's configuration"
    );
    Some(refusal(source, detail))
}

fn refusal(source: Source, detail: String) -> SignalResponse {
    Problem { instance: Some(source.path()), ..Problem::new(ProblemKind::PayloadTooLarge, detail) }.into()
}
