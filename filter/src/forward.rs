//! The request headers that sub-requests inherit. Envoy inherits none, so this is an allow list.

use std::str::from_utf8;

use onceway_signal::media_type::{is_plain, may_be_json};
use onceway_signal::{FINGERPRINT_HEADER, Hex, TARGETS_HEADER, TIME_LEFT_HEADER, WEBHOOK_HEADER};

use crate::header_map::visit;

/// Headers copied to each sub-request: routing, content type, authorization, the time of the request, and tracing.
const ALLOWED: [&str; 8] =
    [":path", ":scheme", "content-type", "authorization", "x-timestamp", "x-request-id", "traceparent", "tracestate"];

/// What the filter says of a sub-request itself.
#[derive(Debug)]
pub(crate) struct OwnHeaders<'a> {
    /// The incident.
    pub(crate) fingerprint: Hex,
    /// The hash of the target rules.
    pub(crate) rules: &'a str,
    /// The id of the webhook.
    pub(crate) webhook: Hex,
    /// How long the filter waits for the sub-response.
    pub(crate) time_left_ms: String,
}

/// The headers that a request's sub-requests inherit.
#[derive(Debug)]
pub(crate) struct ForwardedHeaders {
    headers: Vec<(&'static str, String)>,
    may_be_json: bool,
    is_plain: bool,
    is_utf8: bool,
}

impl ForwardedHeaders {
    /// Reads a serialised header map; `None` if it is malformed.
    pub(crate) fn parse(map: &[u8]) -> Option<ForwardedHeaders> {
        let mut forwarded =
            ForwardedHeaders { headers: Vec::new(), may_be_json: may_be_json(None), is_plain: true, is_utf8: true };
        visit(map, |name, value| {
            match name {
                b"content-type" => forwarded.may_be_json = may_be_json(Some(value)),
                b"content-encoding" => forwarded.is_plain = is_plain(value),
                _ => {}
            }
            let Some(name) = ALLOWED.into_iter().find(|allowed| allowed.as_bytes() == name) else { return };
            match from_utf8(value) {
                Ok(value) => forwarded.headers.push((name, value.to_owned())),
                Err(_) => forwarded.is_utf8 = false,
            }
        })?;
        Some(forwarded)
    }

    /// Whether the request can be split.
    ///
    /// A body that is not plain JSON passes through whole, so that the sidecar rejects it once. So does a request with a
    /// header to forward that is not UTF-8: proxy-wasm takes the headers of a sub-request as text.
    pub(crate) fn can_split(&self) -> bool {
        self.may_be_json && self.is_plain && self.is_utf8
    }

    /// The request's id, as Envoy knows it.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.headers.iter().find(|(name, _)| *name == "x-request-id").map(|(_, id)| &**id)
    }

    /// The headers of a sub-request. Envoy hashes it on its `:authority`.
    pub(crate) fn for_sub_request<'a>(&'a self, own: &'a OwnHeaders<'a>) -> Vec<(&'a str, &'a str)> {
        let OwnHeaders { fingerprint, rules, webhook, time_left_ms } = own;
        let own = [
            (":method", "POST"),
            (":authority", &**fingerprint),
            (FINGERPRINT_HEADER, &**fingerprint),
            (TARGETS_HEADER, rules),
            (WEBHOOK_HEADER, &**webhook),
            (TIME_LEFT_HEADER, time_left_ms),
        ];
        own.into_iter().chain(self.headers.iter().map(|(name, value)| (*name, &**value))).collect()
    }
}

#[cfg(test)]
mod tests;
