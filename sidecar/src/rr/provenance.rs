//! Who asked for an RR: annotations that are written when it is created, and never again.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use onceway_signal::truncate::truncate_chars;

/// The annotation with the user name of the sender whose signal opened the incident.
pub const SENDER: &str = "onceway.io/sender";
/// The annotation with the `X-Request-ID` of the request with that signal.
pub const REQUEST_ID: &str = "onceway.io/request-id";

/// Characters of a sender's name; a longer one is truncated.
const MAX_SENDER: usize = 253;
/// Characters of a request id; a longer one is truncated.
const MAX_REQUEST_ID: usize = 128;

/// The header with the request id, which Envoy sets and the filter forwards.
const REQUEST_ID_HEADER: &str = "x-request-id";

/// The sender and the request of a signal. Not part of the incident's identity: it has signals of many senders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    sender: Option<Arc<str>>,
    request_id: Option<Arc<str>>,
}

impl Provenance {
    /// Of a request of `sender`, if it is authenticated, with these headers.
    pub fn new(sender: Option<&Arc<str>>, headers: &HeaderMap) -> Self {
        Self {
            sender: sender.cloned(),
            request_id: headers.get(REQUEST_ID_HEADER).and_then(|id| request_id(id.as_bytes())),
        }
    }

    /// The annotations of a new RR.
    pub fn annotations(&self) -> BTreeMap<&'static str, &str> {
        let sender = self.sender.as_deref().map(|name| (SENDER, truncate_chars(name, MAX_SENDER)));
        let request_id = self.request_id.as_deref().map(|id| (REQUEST_ID, id));
        sender.into_iter().chain(request_id).collect()
    }
}

/// The id without the characters that no tracer uses: it ends up in other people's logs and tables.
fn request_id(header: &[u8]) -> Option<Arc<str>> {
    let usual = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    let id: String = header.iter().copied().filter(usual).take(MAX_REQUEST_ID).map(char::from).collect();
    (!id.is_empty()).then(|| id.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderMap, HeaderValue};

    use super::{MAX_REQUEST_ID, MAX_SENDER, Provenance, REQUEST_ID, SENDER};

    fn headers(request_id: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([("x-request-id".parse().unwrap(), HeaderValue::from_bytes(request_id).unwrap())])
    }

    #[test]
    fn sender_and_request_id_are_annotations() {
        let sender: Arc<str> = "system:serviceaccount:shop:alertmanager".into();
        let provenance = Provenance::new(Some(&sender), &headers(b"7f3c-1"));
        let annotations: Vec<_> = provenance.annotations().into_iter().collect();
        assert_eq!(annotations, [(REQUEST_ID, "7f3c-1"), (SENDER, &*sender)]);
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        assert!(Provenance::new(None, &HeaderMap::new()).annotations().is_empty());
        assert!(Provenance::new(None, &headers(b"\"<>\xff ")).annotations().is_empty());
    }

    #[test]
    fn a_request_id_is_reduced_to_usual_characters_and_both_are_truncated() {
        let sender: Arc<str> = "\u{e9}".repeat(1000).into();
        let id = format!("<script>{}", "a".repeat(1000));
        let provenance = Provenance::new(Some(&sender), &headers(id.as_bytes()));
        let annotations = provenance.annotations();
        assert_eq!(annotations[SENDER].chars().count(), MAX_SENDER);
        assert!(annotations[REQUEST_ID].starts_with("scriptaaa") && annotations[REQUEST_ID].len() == MAX_REQUEST_ID);
    }
}
