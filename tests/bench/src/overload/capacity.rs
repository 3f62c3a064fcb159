//! The capacity: webhooks per second in a closed loop.

use std::cell::RefCell;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::attempt::{Answer, Sender};
use super::open_loop::PAUSE;
use super::webhooks::{Size, Webhooks};

/// Sends `at_once` webhooks at a time, for this time and until all are acknowledged or as long again has passed; returns how many were acknowledged in a second.
pub(super) async fn measure(
    sender: &Sender,
    webhooks: &mut Webhooks,
    size: Size,
    at_once: usize,
    time: Duration,
) -> f64 {
    let (webhooks, began) = (RefCell::new(webhooks), Instant::now());
    let one_after_the_other = || async {
        let mut acknowledged = 0_u32;
        while began.elapsed() < time {
            let webhook = webhooks.borrow_mut().next(size);
            while sender.attempt(&webhook).await.0 != Answer::Acknowledged {
                if began.elapsed() >= 2 * time {
                    return acknowledged;
                }
                sleep(PAUSE).await;
            }
            acknowledged += 1;
        }
        acknowledged
    };
    let acknowledged: u32 = join_all((0..at_once).map(|_| one_after_the_other())).await.into_iter().sum();
    f64::from(acknowledged) / began.elapsed().as_secs_f64()
}
