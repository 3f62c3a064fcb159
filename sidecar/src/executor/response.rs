//! Interprets responses of the API server. Only 2xx, 404 and 409 are definite; every other status is unknown.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use onceway_claim::{ApiCall, ApiResult, Rr};
use onceway_signal::Fingerprint;
use onceway_signal::truncate::truncate_chars;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::claim::LeaseView;
use super::outcome::{CallFailure, CallOutcome};
use crate::rr::{Malformed, RrView};

/// The longest `Retry-After` that is honoured; the deadline ends a pause sooner.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// The longest part of a server's message that is kept, in characters.
const MAX_REASON_CHARS: usize = 300;

/// A page of the RRs of a fingerprint, each with its creation time in Unix seconds.
pub(super) struct Page {
    pub(super) rrs: Vec<(i64, Rr)>,
    /// The token of the next page.
    pub(super) next: Option<String>,
}

/// Reads the response to `call`.
pub(super) fn read(
    call: &ApiCall,
    fingerprint: Fingerprint,
    status: StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
) -> CallOutcome {
    match status {
        _ if status.is_success() => read_success(call, fingerprint, body)
            .map_or_else(CallOutcome::unknown, |result| reject_unchanged_claim(call, result)),
        // A create has no object that could be missing: it is the namespace or the CRD.
        StatusCode::NOT_FOUND if matches!(call, ApiCall::CreateClaim(_) | ApiCall::CreateRr { .. }) => {
            let reason = format!("{}; is the CRD applied, and does the namespace exist?", reason(body));
            CallOutcome::unknown(CallFailure::Refused { status: 404, reason })
        }
        StatusCode::NOT_FOUND if has_reason(body, &["NotFound"]) => CallOutcome::definite(ApiResult::Missing),
        StatusCode::CONFLICT if has_reason(body, &["AlreadyExists", "Conflict"]) => {
            CallOutcome::definite(ApiResult::Conflict)
        }
        StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY
            if matches!(call, ApiCall::CreateRr { .. }) && is_policy_denial(&message(body)) =>
        {
            CallOutcome::unknown(CallFailure::Denied { reason: reason(body) })
        }
        _ => failed(status, retry_after, body),
    }
}

/// Whether this is the message of an admission policy or of a webhook that denied a request. Their statuses and reasons are
/// also those of a missing right, an exceeded quota or an invalid object; only the message, whose frame the API server writes,
/// tells them apart.
fn is_policy_denial(message: &str) -> bool {
    // After the object's name, which the sidecar chose: a sender's text can only come later.
    let policy = message.split_once("\" is forbidden: ").map_or("", |(_, policy)| policy);
    let by_policy = policy.starts_with("ValidatingAdmissionPolicy '") && policy.contains("' denied request: ");
    let by_webhook = message.starts_with("admission webhook \"") && message.contains("\" denied the request");
    by_policy || by_webhook
}

/// Reads the body of a 2xx.
fn read_success(call: &ApiCall, fingerprint: Fingerprint, body: &[u8]) -> Result<ApiResult, CallFailure> {
    match call {
        ApiCall::GetClaim | ApiCall::CreateClaim(_) | ApiCall::UpdateClaim { .. } => {
            parse::<LeaseView<'_>>(body).and_then(LeaseView::claim).map(ApiResult::Claim)
        }
        ApiCall::GetRr { .. } | ApiCall::CreateRr { .. } | ApiCall::Count { .. } => {
            Ok(ApiResult::Rr(parse::<RrView<'_>>(body)?.rr(fingerprint)?))
        }
        ApiCall::DeleteRr { .. } | ApiCall::DeleteClaim { .. } => Ok(ApiResult::Deleted),
        ApiCall::FindRr { .. } => Err(CallFailure::Nonsense { reason: "a list is read page by page".into() }),
    }
}

/// An update of a claim that left its version unchanged has fenced nothing, whatever its status.
fn reject_unchanged_claim(call: &ApiCall, result: ApiResult) -> CallOutcome {
    match (call, &result) {
        (ApiCall::UpdateClaim { version, .. }, ApiResult::Claim(claim)) if claim.version == *version => {
            CallOutcome::unknown(CallFailure::Nonsense { reason: "the write changed nothing".into() })
        }
        _ => CallOutcome::definite(result),
    }
}

/// Reads a page of a list of RRs.
pub(super) fn read_page(fingerprint: Fingerprint, body: &[u8]) -> Result<Page, CallFailure> {
    #[derive(Deserialize)]
    struct List<'a> {
        metadata: ListMetadata,
        #[serde(borrow)]
        items: Vec<RrView<'a>>,
    }
    #[derive(Deserialize)]
    struct ListMetadata {
        #[serde(rename = "continue")]
        next: Option<String>,
    }
    let List { metadata, items } = parse(body)?;
    let rrs =
        items.iter().map(|view| Ok((view.created_s(), view.rr(fingerprint)?))).collect::<Result<_, Malformed>>()?;
    Ok(Page { rrs, next: metadata.next.filter(|next| !next.is_empty()) })
}

/// Reads the response to a read that is not part of the protocol; `None` if the object does not exist.
pub(super) fn read_object<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<Option<T>, CallFailure> {
    match status {
        _ if status.is_success() => parse(body).map(Some),
        StatusCode::NOT_FOUND if has_reason(body, &["NotFound"]) => Ok(None),
        _ => Err(CallFailure::of(status, reason(body))),
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CallFailure> {
    serde_json::from_slice(body).map_err(|error| CallFailure::Nonsense { reason: error.to_string() })
}

impl From<Malformed> for CallFailure {
    fn from(malformed: Malformed) -> Self {
        Self::Nonsense { reason: malformed.to_string() }
    }
}

/// Whether the body is a Kubernetes `Status` with one of these reasons. A 404 or 409 without it is not about the object: a
/// proxy, or an API server that does not serve the resource yet, sends 404 too, which would be read as "free".
fn has_reason(body: &[u8], reasons: &[&str]) -> bool {
    #[derive(Deserialize)]
    struct Status {
        kind: String,
        reason: String,
    }
    serde_json::from_slice::<Status>(body)
        .is_ok_and(|status| status.kind == "Status" && reasons.contains(&status.reason.as_str()))
}

/// Whether the body of a 404 or 409 is about the object, see [`has_reason`].
pub(super) fn is_definite(body: &[u8]) -> bool {
    has_reason(body, &["NotFound", "AlreadyExists", "Conflict"])
}

/// The outcome of a status that is not definite.
pub(super) fn failed(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> CallOutcome {
    CallOutcome { retry_after, ..CallOutcome::unknown(CallFailure::of(status, reason(body))) }
}

/// The metrics' label of a response that is not part of the protocol.
pub(super) fn status_label(status: StatusCode) -> &'static str {
    match status {
        _ if status.is_success() => "ok",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::CONFLICT => "conflict",
        _ => CallFailure::of(status, String::new()).label(),
    }
}

/// `Retry-After` in seconds, capped. The HTTP-date form, which no API server sends, is ignored.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// The server's message, truncated.
fn reason(body: &[u8]) -> String {
    truncate_chars(&message(body), MAX_REASON_CHARS).to_owned()
}

/// The server's message: that of a Kubernetes `Status`, else the body as text.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    serde_json::from_slice::<Status>(body)
        .map_or_else(|_| String::from_utf8_lossy(body).trim().to_owned(), |status| status.message)
}

#[cfg(test)]
mod tests;
