//! The webhooks that the filter answered 503, so that their retries do not repeat what was done: each attempt at a webhook that is
//! split has an id, which its sub-requests carry ([`WEBHOOK_HEADER`](onceway_signal::WEBHOOK_HEADER)), and an attempt at the same
//! bytes as one that failed takes that one's id over. A replica that has counted a part of a webhook under this id acknowledges it
//! without counting it again. Once the webhook is acknowledged, nobody has its id: the same bytes, sent later, are counted again.
//!
//! At any time one attempt at most has an id, and of those that have it one at most is acknowledged. So two senders with the same bytes
//! are never both acknowledged for what was counted once: acknowledged <= counted.
//!
//! Only a hint: a webhook that is forgotten, or that another worker answered, is counted as any other.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use onceway_signal::Digest;

/// Webhooks that are remembered; the oldest gives way.
const MAX_WEBHOOKS: usize = 1024;

/// How long a webhook is remembered, in milliseconds: as long as replicas remember what they counted.
const MAX_AGE_MS: u64 = 5 * 60 * 1000;

/// The webhooks that one VM answered 503.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    failed: RefCell<VecDeque<Failed>>,
    attempts: Cell<u64>,
}

#[derive(Debug)]
struct Failed {
    body: Digest,
    id: Digest,
    at_ms: u64,
}

/// An attempt at a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    body: Digest,
    /// That of the attempts before it, if they failed.
    pub(crate) id: Digest,
}

impl Retries {
    /// An attempt at the webhook of these bytes. `request_id` makes its id another one than that of a webhook of the same bytes which
    /// another worker gets at the same time.
    pub(crate) fn attempt(&self, body: &[u8], request_id: Option<&str>, now_ms: u64) -> Attempt {
        let body = Digest::of([body]);
        let number = self.attempts.get();
        self.attempts.set(number.wrapping_add(1));
        let (number, now, request) = (number.to_be_bytes(), now_ms.to_be_bytes(), request_id.unwrap_or_default());
        let fresh = || Digest::of([body.as_bytes(), &number, &now, request.as_bytes()]);
        Attempt { body, id: self.take(body, now_ms).unwrap_or_else(fresh) }
    }

    /// The id of an attempt at this body that failed; another attempt does not get it again.
    fn take(&self, body: Digest, now_ms: u64) -> Option<Digest> {
        let mut failed = self.failed.borrow_mut();
        failed.retain(|failed| now_ms.saturating_sub(failed.at_ms) <= MAX_AGE_MS);
        let index = failed.iter().position(|failed| failed.body == body)?;
        failed.remove(index).map(|failed| failed.id)
    }

    /// The attempt has ended without a 2xx.
    pub(crate) fn failed(&self, attempt: Attempt, now_ms: u64) {
        let mut failed = self.failed.borrow_mut();
        if failed.len() >= MAX_WEBHOOKS {
            failed.pop_front();
        }
        failed.push_back(Failed { body: attempt.body, id: attempt.id, at_ms: now_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_AGE_MS, MAX_WEBHOOKS, Retries};

    #[test]
    fn a_retry_has_the_id_of_the_attempt_that_failed_until_one_is_acknowledged() {
        let retries = Retries::default();
        let first = retries.attempt(b"webhook", Some("a"), 1);
        retries.failed(first, 2);
        let second = retries.attempt(b"webhook", Some("b"), 3);
        assert_eq!(second.id, first.id);
        retries.failed(second, 4);
        assert_eq!(retries.attempt(b"webhook", None, 5).id, first.id);
        // Acknowledged.
        let other = retries.attempt(b"webhook", Some("a"), 1);
        assert_ne!(other.id, first.id, "its bytes are the same, and it is another webhook");
    }

    #[test]
    fn of_two_attempts_at_the_same_bytes_one_takes_the_id_of_the_one_that_failed() {
        let retries = Retries::default();
        let failed = retries.attempt(b"webhook", Some("a"), 1);
        retries.failed(failed, 1);
        let [one, other] = ["b", "c"].map(|request| retries.attempt(b"webhook", Some(request), 2));
        assert_eq!(one.id, failed.id);
        assert_ne!(other.id, failed.id);
        retries.failed(other, 3);
        retries.failed(one, 3);
        let again = ["d", "e", "f"].map(|request| retries.attempt(b"webhook", Some(request), 4).id);
        assert_eq!(again[..2], [other.id, one.id]);
        assert!(again[2] != one.id && again[2] != other.id);
    }

    #[test]
    fn attempts_that_did_not_fail_and_other_bytes_have_ids_of_their_own() {
        let retries = Retries::default();
        let one = retries.attempt(b"webhook", Some("a"), 1);
        retries.failed(one, 1);
        let other = retries.attempt(b"another", Some("a"), 1);
        assert_ne!(one.id, other.id);
        let twins = ["b", "c"].map(|request| Retries::default().attempt(b"webhook", Some(request), 1));
        assert!(twins[0].id != twins[1].id && twins[0].body == twins[1].body);
    }

    #[test]
    fn webhooks_are_forgotten_by_age_and_the_oldest_by_number() {
        let retries = Retries::default();
        let old = retries.attempt(b"old", None, 0);
        retries.failed(old, 0);
        assert_eq!(retries.attempt(b"old", None, MAX_AGE_MS).id, old.id);
        retries.failed(old, 0);
        assert_ne!(retries.attempt(b"old", None, MAX_AGE_MS + 1).id, old.id);
        retries.failed(old, 1);
        for n in 0..MAX_WEBHOOKS {
            let attempt = retries.attempt(&n.to_be_bytes(), None, 1);
            retries.failed(attempt, 1);
        }
        assert_eq!(retries.failed.borrow().len(), MAX_WEBHOOKS);
        assert_ne!(retries.attempt(b"old", None, 1).id, old.id);
    }
}
