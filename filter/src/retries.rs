//! The webhooks that the filter answered 503, so that their retries do not repeat what was done: each attempt at a webhook that is
//! split has an id, which its sub-requests carry ([`WEBHOOK_HEADER`](onceway_signal::WEBHOOK_HEADER)), and an attempt at the same
//! bytes as one that failed takes that one's id over. A replica that has counted a part of a webhook under this id acknowledges it
//! without counting it again. Once the webhook is acknowledged, nobody has its id: the same bytes, sent later, are counted again.
//!
//! At any time one attempt at most has an id, and of those that have it one at most is acknowledged. So two senders with the same bytes
//! are never both acknowledged for what was counted once: acknowledged <= counted.
//!
//! The ids are kept in the proxy's shared data, because a sender's next connection may be another worker's. Keys there are never
//! removed, so there are [`SLOTS`] of them, and a webhook has two that it may be in:
//!
//! ```text
//! key    onceway.retry.<slot>
//! value  SHA-256 of the body (32 bytes) | id (32) | time of the failure in ms, big-endian (8); empty: free
//! ```
//!
//! Only a hint: a webhook that gave way to others, or that another Envoy answered, is counted as any other.

use std::cell::Cell;

use onceway_signal::Digest;

use crate::{Host, HostError, SharedValue};

/// Webhooks that all workers of a proxy remember together, at most; 2 MB of its memory.
const SLOTS: u16 = 8192;

/// How long a webhook is remembered, in milliseconds: as long as replicas remember what they counted.
const MAX_AGE_MS: u64 = 5 * 60 * 1000;

/// What the attempts of one VM have.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    /// The number of attempts so far.
    attempts: Cell<u64>,
}

/// An attempt at a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    body: Digest,
    /// That of the attempts before it, if they failed.
    pub(crate) id: Digest,
}

/// An attempt that failed, in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failed {
    attempt: Attempt,
    at_ms: u64,
}

impl Retries {
    /// An attempt at the webhook of these bytes. `request_id` makes its id another one than that of a webhook of the same bytes which
    /// another worker gets at the same time.
    pub(crate) fn attempt(&self, host: &impl Host, body: &[u8], request_id: Option<&str>, now_ms: u64) -> Attempt {
        let body = Digest::of([body]);
        let number = self.attempts.get();
        self.attempts.set(number.wrapping_add(1));
        let (number, now, request) = (number.to_be_bytes(), now_ms.to_be_bytes(), request_id.unwrap_or_default());
        let fresh = || Digest::of([body.as_bytes(), &number, &now, request.as_bytes()]);
        Attempt { body, id: take(host, body, now_ms).unwrap_or_else(fresh) }
    }
}

impl Attempt {
    /// The attempt has ended without a 2xx: the next one at the same bytes takes its id. Of the webhook's two slots it gets the one
    /// that is free, or else the older one.
    pub(crate) fn failed(self, host: &impl Host, now_ms: u64) {
        let mut slots = keys(self.body).map(|key| (host.shared(&key), key));
        slots.sort_by_key(|(value, _)| failed_in(value, now_ms).map(|failed| failed.at_ms));
        let [(value, key), _] = slots;
        // Forgotten if the call fails, or another worker writes there at the same time.
        let version = value.ok().flatten().and_then(|value| value.version);
        let _ = host.set_shared(&key, &Failed { attempt: self, at_ms: now_ms }.to_bytes(), version);
    }
}

/// The id of an attempt at this body that failed; another attempt does not get it again.
fn take(host: &impl Host, body: Digest, now_ms: u64) -> Option<Digest> {
    keys(body).into_iter().find_map(|key| {
        let value = host.shared(&key);
        let failed = failed_in(&value, now_ms).filter(|failed| failed.attempt.body == body)?;
        // Without a version, two workers could both take it.
        let version = value.ok().flatten()?.version?;
        matches!(host.set_shared(&key, &[], Some(version)), Ok(true)).then_some(failed.attempt.id)
    })
}

/// The keys of a webhook's two slots.
fn keys(body: Digest) -> [String; 2] {
    let [a, b, c, d, ..] = *body.as_bytes();
    [[a, b], [c, d]].map(|bytes| format!("onceway.retry.{}", u16::from_be_bytes(bytes) % SLOTS))
}

/// What failed, if a slot has something that is not too old.
fn failed_in(slot: &Result<Option<SharedValue>, HostError>, now_ms: u64) -> Option<Failed> {
    let value = slot.as_ref().ok()?.as_ref()?;
    let failed = Failed::from_bytes(&value.bytes)?;
    (now_ms.saturating_sub(failed.at_ms) <= MAX_AGE_MS).then_some(failed)
}

impl Failed {
    fn to_bytes(self) -> Vec<u8> {
        [&self.attempt.body.as_bytes()[..], self.attempt.id.as_bytes(), &self.at_ms.to_be_bytes()].concat()
    }

    /// `None` if it is not in the format: another filter with the same `vm_id` may write there, too.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, rest) = bytes.split_first_chunk()?;
        let (id, at_ms) = rest.split_first_chunk()?;
        let attempt = Attempt { body: Digest::from_bytes(*body), id: Digest::from_bytes(*id) };
        Some(Self { attempt, at_ms: u64::from_be_bytes(at_ms.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use onceway_signal::Digest;

    use super::{Attempt, Failed, MAX_AGE_MS, Retries, SLOTS, keys};
    use crate::Host;
    use crate::fake_host::{Call, FakeHost};

    fn proxy() -> FakeHost {
        FakeHost::post("/")
    }

    #[test]
    fn a_retry_has_the_id_of_the_attempt_that_failed_until_one_is_acknowledged() {
        let (proxy, retries) = (proxy(), Retries::default());
        let first = retries.attempt(&proxy, b"webhook", Some("a"), 1);
        first.failed(&proxy, 2);
        let second = retries.attempt(&proxy, b"webhook", Some("b"), 3);
        assert_eq!(second.id, first.id);
        second.failed(&proxy, 4);
        assert_eq!(retries.attempt(&proxy, b"webhook", None, 5).id, first.id);
        // Acknowledged.
        let other = retries.attempt(&proxy, b"webhook", Some("a"), 1);
        assert_ne!(other.id, first.id, "its bytes are the same, and it is another webhook");
    }

    #[test]
    fn a_retry_has_the_id_whichever_worker_gets_it() {
        let (proxy, workers) = (proxy(), [(); 2].map(|()| Retries::default()));
        let first = workers[0].attempt(&proxy, b"webhook", Some("a"), 1);
        first.failed(&proxy, 2);
        assert_eq!(workers[1].attempt(&proxy, b"webhook", Some("b"), 3).id, first.id);
        assert_ne!(workers[0].attempt(&proxy, b"webhook", Some("c"), 3).id, first.id);
    }

    #[test]
    fn of_two_attempts_at_the_same_bytes_one_takes_the_id_of_the_one_that_failed() {
        let (proxy, retries) = (proxy(), Retries::default());
        let failed = retries.attempt(&proxy, b"webhook", Some("a"), 1);
        failed.failed(&proxy, 1);
        let [one, other] = ["b", "c"].map(|request| retries.attempt(&proxy, b"webhook", Some(request), 2));
        assert_eq!(one.id, failed.id);
        assert_ne!(other.id, failed.id);
        other.failed(&proxy, 3);
        one.failed(&proxy, 3);
        let again = ["d", "e", "f"].map(|request| retries.attempt(&proxy, b"webhook", Some(request), 4).id);
        assert!(again[..2].contains(&one.id) && again[..2].contains(&other.id), "each of the two slots has one");
        assert!(again[2] != one.id && again[2] != other.id);
    }

    #[test]
    fn of_two_workers_that_take_an_id_at_the_same_time_one_has_it() {
        let (proxy, [one, other]) = (proxy(), [(); 2].map(|()| Retries::default()));
        let failed = one.attempt(&proxy, b"webhook", Some("a"), 1);
        failed.failed(&proxy, 1);
        // Between its read and its write.
        let proxy = proxy.before_shared_write(move |proxy| {
            assert_eq!(other.attempt(proxy, b"webhook", Some("b"), 2).id, failed.id);
        });
        assert_ne!(one.attempt(&proxy, b"webhook", Some("c"), 2).id, failed.id);
    }

    #[test]
    fn attempts_that_did_not_fail_and_other_bytes_have_ids_of_their_own() {
        let (proxy, retries) = (proxy(), Retries::default());
        let one = retries.attempt(&proxy, b"webhook", Some("a"), 1);
        one.failed(&proxy, 1);
        let other = retries.attempt(&proxy, b"another", Some("a"), 1);
        assert_ne!(one.id, other.id);
        let twins =
            ["b", "c"].map(|request| Retries::default().attempt(&FakeHost::post("/"), b"webhook", Some(request), 1));
        assert!(twins[0].id != twins[1].id && twins[0].body == twins[1].body);
    }

    #[test]
    fn webhooks_are_forgotten_by_age_and_the_older_of_two_that_share_the_slots_of_another() {
        let (proxy, retries) = (proxy(), Retries::default());
        let old = retries.attempt(&proxy, b"old", None, 0);
        old.failed(&proxy, 0);
        assert_eq!(retries.attempt(&proxy, b"old", None, MAX_AGE_MS).id, old.id);
        old.failed(&proxy, 0);
        assert_ne!(retries.attempt(&proxy, b"old", None, MAX_AGE_MS + 1).id, old.id);
        let of_same_slots = |number: u8| {
            let mut body = *old.body.as_bytes();
            body[31] = number;
            Attempt { body: Digest::from_bytes(body), id: Digest::of([&[number]]) }
        };
        let [first, second, third] = [1, 2, 3].map(of_same_slots);
        first.failed(&proxy, 1);
        second.failed(&proxy, 2);
        third.failed(&proxy, 3);
        let is_kept = |attempt: Attempt| super::take(&proxy, attempt.body, 4) == Some(attempt.id);
        assert_eq!([first, second, third].map(is_kept), [false, true, true]);
    }

    #[test]
    fn what_another_filter_wrote_there_and_calls_that_fail_cost_the_id_alone() {
        let retries = Retries::default();
        let proxy = proxy();
        let attempt = retries.attempt(&proxy, b"webhook", None, 1);
        for key in keys(attempt.body) {
            proxy.set_shared(&key, &[7; 71], None).unwrap();
        }
        assert_ne!(retries.attempt(&proxy, b"webhook", None, 1).id, attempt.id);
        attempt.failed(&proxy, 1);
        assert_eq!(retries.attempt(&proxy, b"webhook", None, 1).id, attempt.id);
        for call in [Call::Shared, Call::SetShared] {
            let proxy = FakeHost::post("/").failing(call);
            attempt.failed(&proxy, 1);
            assert_ne!(retries.attempt(&proxy, b"webhook", None, 1).id, attempt.id);
        }
    }

    #[test]
    fn a_slot_is_read_as_it_was_written_and_slots_are_bounded() {
        let attempt = Attempt { body: Digest::of([b"body"]), id: Digest::of([b"id"]) };
        let failed = Failed { attempt, at_ms: 77 };
        assert_eq!(Failed::from_bytes(&failed.to_bytes()), Some(failed));
        assert_eq!((Failed::from_bytes(&[]), Failed::from_bytes(&[0; 73])), (None, None));
        let [one, other] = keys(Digest::from_bytes([0xff; 32]));
        assert!(one == other && one == format!("onceway.retry.{}", SLOTS - 1));
    }
}
