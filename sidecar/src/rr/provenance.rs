//! Who asked for an RR: annotations that are written when it is created, and never again.

use std::collections::BTreeMap;
use std::sync::Arc;

use onceway_signal::truncate::truncate_chars;

/// The annotation with the user name of the sender whose signal opened the incident.
pub const SENDER: &str = "onceway.io/sender";
/// The annotation with the id of the request with that signal, as in the log.
pub const REQUEST_ID: &str = "onceway.io/request-id";

/// Characters of a sender's name; a longer one is truncated.
const MAX_SENDER: usize = 253;

/// The sender and the request of a signal. Not part of the incident's identity: it has signals of many senders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The sender's user name, if senders are authenticated.
    pub sender: Option<Arc<str>>,
    /// The request's id.
    pub request_id: Option<Arc<str>>,
}

impl Provenance {
    /// The annotations of a new RR.
    pub fn annotations(&self) -> BTreeMap<&'static str, &str> {
        let sender = self.sender.as_deref().map(|name| (SENDER, truncate_chars(name, MAX_SENDER)));
        let request_id = self.request_id.as_deref().map(|id| (REQUEST_ID, id));
        sender.into_iter().chain(request_id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SENDER, Provenance, REQUEST_ID, SENDER};

    #[test]
    fn sender_and_request_id_are_annotations() {
        let sender = "system:serviceaccount:shop:alertmanager";
        let provenance = Provenance { sender: Some(sender.into()), request_id: Some("7f3c-1".into()) };
        let annotations: Vec<_> = provenance.annotations().into_iter().collect();
        assert_eq!(annotations, [(REQUEST_ID, "7f3c-1"), (SENDER, sender)]);
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        assert!(Provenance::default().annotations().is_empty());
    }

    #[test]
    fn a_long_sender_is_truncated() {
        let provenance = Provenance { sender: Some("\u{e9}".repeat(1000).into()), request_id: None };
        assert_eq!(provenance.annotations()[SENDER].chars().count(), MAX_SENDER);
    }
}
