//! The security headers of every response of every port. What hyper answers itself, without a request that it could read, has
//! none.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use onceway_signal::security_headers::{SECURITY_HEADERS, STRICT_TRANSPORT_SECURITY};

/// By which scheme the client came to the proxy in front: Envoy sets it.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whether the client of a request with these headers uses TLS; `tls` is whether the connection does, which is the proxy's if there
/// is one.
pub(super) fn is_https(headers: &HeaderMap, tls: bool) -> bool {
    headers.get(X_FORWARDED_PROTO).map_or(tls, |proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Adds the headers to those of a response. One that the response has stays: a page needs a content policy of its own.
pub(super) fn secure(headers: &mut HeaderMap, https: bool) {
    let strict = https.then_some(STRICT_TRANSPORT_SECURITY);
    for (name, value) in SECURITY_HEADERS.into_iter().chain(strict) {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue};

    use super::{X_FORWARDED_PROTO, is_https, secure};

    #[test]
    fn a_response_has_hsts_only_if_its_client_uses_tls() {
        let of = |proto: Option<&'static str>, tls: bool| {
            let request = HeaderMap::from_iter(proto.map(|proto| (X_FORWARDED_PROTO, HeaderValue::from_static(proto))));
            let mut response = HeaderMap::new();
            secure(&mut response, is_https(&request, tls));
            assert_eq!(response["x-content-type-options"], "nosniff");
            response.contains_key("strict-transport-security")
        };
        assert_eq!([of(None, true), of(None, false)], [true, false]);
        let mut response = HeaderMap::from_iter([(CONTENT_SECURITY_POLICY, HeaderValue::from_static("own"))]);
        secure(&mut response, false);
        assert_eq!((&response["content-security-policy"], response.len()), (&HeaderValue::from_static("own"), 4));
        assert_eq!([of(Some("https"), false), of(Some("HTTPS"), true), of(Some("http"), true)], [true, true, false]);
    }
}
