//! The memory that the bodies of one VM's requests share.
//!
//! Envoy buffers a body while the filter pauses its request. Its own limits are per request: 1,000 senders that stop short
//! of 5 MiB would hold 5 GB until `request_timeout`. So each body takes a share of a budget, which it keeps until its request
//! ends:
//!
//! | body | grows while all shares take at most |
//! |---|---|
//! | of more than [`SMALL_BODY_BYTES`] | `max_buffered_bytes` |
//! | smaller | twice as much: small bodies pass while large ones are rejected |

use std::cell::Cell;
use std::rc::Rc;

/// The largest small body: about 100 alerts.
pub const SMALL_BODY_BYTES: u64 = 64 * 1024;

/// What small bodies may take in all, in units of what large ones may.
const SMALL_BODIES_FACTOR: u64 = 2;

/// The bytes of bodies that the requests of one VM hold.
#[derive(Debug, Default)]
pub(crate) struct BufferBudget {
    held: Cell<u64>,
}

/// What one request holds of it. Given back when dropped, with the request.
#[derive(Debug)]
pub(crate) struct BufferShare {
    budget: Rc<BufferBudget>,
    held: u64,
}

impl BufferShare {
    /// The share of a request without a body.
    pub(crate) fn new(budget: Rc<BufferBudget>) -> BufferShare {
        BufferShare { budget, held: 0 }
    }

    /// The body has grown to `bytes`; `false` if all shares would take more than it may fill. The only body always fits, so
    /// that none is rejected permanently.
    pub(crate) fn grow_to(&mut self, bytes: usize, max_buffered_bytes: u32) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let large = u64::from(max_buffered_bytes);
        let limit = if bytes > SMALL_BODY_BYTES { large } else { large.saturating_mul(SMALL_BODIES_FACTOR) };
        let others = self.budget.held.get().saturating_sub(self.held);
        let all = others.saturating_add(bytes);
        if others > 0 && all > limit {
            return false;
        }
        self.budget.held.set(all);
        self.held = bytes;
        true
    }
}

impl Drop for BufferShare {
    fn drop(&mut self) {
        self.budget.held.set(self.budget.held.get().saturating_sub(self.held));
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{BufferBudget, BufferShare, SMALL_BODY_BYTES};

    const SMALL: usize = SMALL_BODY_BYTES as usize;
    const LIMIT: u32 = 5 * SMALL_BODY_BYTES as u32;

    fn shares<const COUNT: usize>() -> (Rc<BufferBudget>, [BufferShare; COUNT]) {
        let budget = Rc::new(BufferBudget::default());
        let shares = [(); COUNT].map(|()| BufferShare::new(Rc::clone(&budget)));
        (budget, shares)
    }

    #[test]
    fn large_bodies_share_the_limit_and_give_back_what_they_hold() {
        let (budget, [mut one, mut other]) = shares();
        assert!(one.grow_to(2 * SMALL, LIMIT) && other.grow_to(2 * SMALL, LIMIT));
        // Growth counts the body once, not each time that it is announced.
        assert!(one.grow_to(2 * SMALL, LIMIT) && one.grow_to(3 * SMALL, LIMIT));
        assert!(!one.grow_to(3 * SMALL + 1, LIMIT) && !other.grow_to(2 * SMALL + 1, LIMIT));
        assert_eq!(budget.held.get(), 5 * SMALL_BODY_BYTES);
        drop(other);
        assert!(one.grow_to(5 * SMALL, LIMIT));
        drop(one);
        assert_eq!(budget.held.get(), 0);
    }

    #[test]
    fn small_bodies_fit_beside_the_large_ones_up_to_twice_the_limit() {
        let (budget, [mut large, mut a, mut b, mut c, mut d, mut e, mut late]) = shares();
        assert!(large.grow_to(5 * SMALL, LIMIT));
        assert!([&mut a, &mut b, &mut c, &mut d, &mut e].into_iter().all(|share| share.grow_to(SMALL, LIMIT)));
        assert!(!a.grow_to(SMALL + 1, LIMIT) && !late.grow_to(1, LIMIT));
        assert_eq!(budget.held.get(), 10 * SMALL_BODY_BYTES);
    }

    #[test]
    fn the_only_body_always_fits() {
        let (_, [mut only]) = shares();
        assert!(only.grow_to(1, 0) && only.grow_to(100 * SMALL, 1) && only.grow_to(usize::MAX, 1));
    }
}
