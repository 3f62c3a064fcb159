//! Parts of a webhook as valid webhooks of their own: what an RR keeps of it. ([`PartialPayload`](super::PartialPayload) slices what a split sends on.)

use super::Payload;
use crate::source::Source;

/// The member that holds the alerts, up to them.
pub(super) const OPEN: &str = "\"alerts\":[";

/// What closes the alerts and the webhook.
pub(super) const CLOSE: &str = "]}";

impl Payload<'_> {
    /// The webhook with only the alerts at `indices`, in that order; an event as it is.
    ///
    /// First come the webhook's own other fields, then the alerts, all of it byte for byte. At most `limit` bytes: an alert
    /// that no longer fits is left out whole (a smaller one after it may still fit); the other fields are left out if they
    /// alone do not fit; `{}` is what is left of an event that does not. So it is always valid JSON, except for limits below
    /// the two bytes of `{}`, where it is empty. An index without an entry is passed over.
    #[must_use]
    pub fn excerpt(&self, indices: &[usize], limit: Option<usize>) -> String {
        let limit = limit.unwrap_or(usize::MAX);
        let json = match self.source {
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
