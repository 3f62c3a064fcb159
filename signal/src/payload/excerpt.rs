//! Excerpts of a webhook that an RR stores. (A split sends a [`PartialPayload`](super::PartialPayload).)

use super::Payload;
use crate::source::Source;

/// The start of the member that holds the alerts.
pub(super) const OPEN: &str = "\"alerts\":[";

/// The end of the alerts and of the webhook.
pub(super) const CLOSE: &str = "]}";

impl Payload<'_> {
    /// The webhook with only the alerts at `indices`, in that order; an event unchanged.
    ///
    /// The webhook's own fields come first, then the alerts, all byte for byte. It has at most `limit` bytes: an alert
    /// that no longer fits is left out as a whole (a smaller one after it may still fit), the own fields are left out
    /// if they alone do not fit, and an event that does not fit becomes `{}`. So it is always valid JSON, except for
    /// limits below the two bytes of `{}`, where it is empty. An index without an entry is skipped.
    #[must_use]
    pub fn excerpt(&self, indices: &[usize], limit: Option<usize>) -> String {
        let limit = limit.unwrap_or(usize::MAX);
        let json = match self.source() {
            Source::Prometheus => self.webhook(indices, limit),
            Source::KubernetesEvent => self.entries.iter().map(|event| event.raw).collect(),
        };
        match limit {
            limit if json.len() <= limit => json,
            0 | 1 => String::new(),
            _ => "{}".to_owned(),
        }
    }

    fn webhook(&self, indices: &[usize], limit: usize) -> String {
        let alerts = indices.iter().filter_map(|&index| self.entries.get(index));
        let own = [self.own.before, self.own.after].into_iter().filter(|members| !members.is_empty());
        let own_len = own.clone().map(|members| members.len() + ",".len()).sum::<usize>();
        let room = alerts.clone().map(|alert| alert.raw.len() + ",".len()).sum::<usize>();
        let frame = "{".len() + own_len + OPEN.len() + CLOSE.len();
        let mut json = String::with_capacity((frame + room).min(limit));
        json.push('{');
        if frame <= limit {
            for members in own {
                json.push_str(members);
                json.push(',');
            }
        }
        json.push_str(OPEN);
        let mut separator = "";
        for alert in alerts {
            if json.len() + separator.len() + alert.raw.len() + CLOSE.len() <= limit {
                json.push_str(separator);
                json.push_str(alert.raw);
                separator = ",";
            }
        }
        json.push_str(CLOSE);
        json
    }
}
