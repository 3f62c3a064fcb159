//! The parent of a request's span, by its headers (W3C Trace Context).

use http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The header with a request's trace.
const TRACEPARENT: &str = "traceparent";
/// Upper case is invalid.
const HEX: &[u8] = b"0123456789abcdef";

/// The span that a valid `traceparent` names: `<version>-<trace id>-<parent id>-<flags>`. Later versions may add fields. The
/// sender's `tracestate` is left out: it would be in each of the request's spans, and nothing here calls on with it.
pub fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let traceparent = headers.get(TRACEPARENT)?.to_str().ok()?;
    let mut fields = traceparent.splitn(5, '-');
    let is_field = |field: &&str, length| field.len() == length && field.bytes().all(|byte| HEX.contains(&byte));
    let version = fields.next().filter(|field| is_field(field, 2) && *field != "ff")?;
    let trace_id = fields.next().filter(|field| is_field(field, 32) && field.bytes().any(|byte| byte != b'0'))?;
    let span_id = fields.next().filter(|field| is_field(field, 16) && field.bytes().any(|byte| byte != b'0'))?;
    let flags = fields.next().filter(|field| is_field(field, 2))?;
    if version == "00" && fields.next().is_some() {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace_id, span_id) = (TraceId::from_hex(trace_id).ok()?, SpanId::from_hex(span_id).ok()?);
    Some(SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use opentelemetry::trace::SpanContext;

    use super::{TRACEPARENT, parent};

    fn parsed(traceparent: &str) -> Option<SpanContext> {
        parent(&HeaderMap::from_iter([(TRACEPARENT.parse().unwrap(), HeaderValue::from_str(traceparent).unwrap())]))
    }

    #[test]
    fn a_senders_tracestate_goes_into_no_span() {
        let state = ("tracestate".parse().unwrap(), HeaderValue::from_static("vendor=anything"));
        let traceparent = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let headers = HeaderMap::from_iter([(TRACEPARENT.parse().unwrap(), traceparent), state]);
        assert_eq!(parent(&headers).unwrap().trace_state().header(), "");
    }

    #[test]
    fn the_parent_is_that_of_a_valid_traceparent_only() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let with = |version: &str, id: &str, rest: &str| parsed(&format!("{version}-{id}-{rest}"));
        let parent = with("00", id, "00f067aa0ba902b7-01").unwrap();
        assert_eq!(
            (parent.trace_id().to_string(), parent.span_id().to_string()),
            (id.into(), "00f067aa0ba902b7".into())
        );
        assert!(parent.is_sampled() && parent.is_remote());
        assert!(!with("00", id, "00f067aa0ba902b7-00").unwrap().is_sampled());
        assert!(with("01", id, "00f067aa0ba902b7-03-later").unwrap().is_sampled());
        for (version, trace, rest) in [
            ("00", id, "00f067aa0ba902b7-01-later"),
            ("ff", id, "00f067aa0ba902b7-01"),
            ("0", id, "00f067aa0ba902b7-01"),
            ("00", &id.to_uppercase(), "00f067aa0ba902b7-01"),
            ("00", &"0".repeat(32), "00f067aa0ba902b7-01"),
            ("00", &id[1..], "00f067aa0ba902b7-01"),
            ("00", id, "0000000000000000-01"),
            ("00", id, "00f067aa0ba902b7"),
            ("00", id, ""),
        ] {
            assert!(with(version, trace, rest).is_none(), "{version} {trace} {rest}");
        }
        assert!(parsed("").is_none());
    }
}
