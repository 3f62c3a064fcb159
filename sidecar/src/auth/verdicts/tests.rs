use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Notify;
use tokio::time::{Instant, advance, sleep};

use super::{Answer, DENIED_TTL, Verdicts, lock};
use crate::auth::{Undecided, Verdict};

const TTL: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A cache of a few keys, and the number of reviews.
struct Rig {
    verdicts: Arc<Verdicts<u32, &'static str>>,
    reviews: Arc<AtomicUsize>,
}

impl Rig {
    fn new() -> Self {
        let few = NonZeroUsize::new(4).unwrap();
        Self { verdicts: Arc::new(Verdicts::new(few, few)), reviews: Arc::default() }
    }

    async fn get(&self, key: u32, answer: Answer<&'static str>) -> Answer<&'static str> {
        let reviews = Arc::clone(&self.reviews);
        let review = async move {
            reviews.fetch_add(1, Ordering::SeqCst);
            answer
        };
        self.verdicts.get(key, |_| (TTL, review)).await.answer
    }

    fn reviews(&self) -> usize {
        self.reviews.load(Ordering::SeqCst)
    }

    fn flights(&self) -> usize {
        lock(&self.verdicts.0).flights.len()
    }
}

fn allowed() -> Answer<&'static str> {
    Ok(Verdict::Allowed("sender"))
}

fn denied() -> Answer<&'static str> {
    Ok(Verdict::Denied)
}

fn undecided() -> Answer<&'static str> {
    Err(Undecided { reason: "no response".into() })
}

#[tokio::test(start_paused = true)]
async fn an_allowed_key_is_asked_again_when_its_time_is_over() {
    let rig = Rig::new();
    assert_eq!(rig.get(1, allowed()).await, allowed());
    advance(TTL - MILLISECOND).await;
    assert_eq!((rig.get(1, denied()).await, rig.reviews()), (allowed(), 1));
    advance(MILLISECOND).await;
    assert_eq!((rig.get(1, denied()).await, rig.reviews()), (denied(), 2));
}

#[tokio::test(start_paused = true)]
async fn a_denied_key_is_asked_again_sooner() {
    let rig = Rig::new();
    assert_eq!(rig.get(1, denied()).await, denied());
    advance(DENIED_TTL - MILLISECOND).await;
    assert_eq!((rig.get(1, allowed()).await, rig.reviews()), (denied(), 1));
    advance(MILLISECOND).await;
    assert_eq!((rig.get(1, allowed()).await, rig.reviews()), (allowed(), 2));
}

#[tokio::test]
async fn what_is_not_decided_is_not_kept() {
    let rig = Rig::new();
    assert_eq!(rig.get(1, undecided()).await, undecided());
    assert_eq!((rig.get(1, allowed()).await, rig.reviews(), rig.flights()), (allowed(), 2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_time_counts_from_the_question_not_from_a_slow_answer() {
    let rig = Rig::new();
    let slow = async {
        sleep(Duration::from_secs(3)).await;
        allowed()
    };
    let began = Instant::now();
    assert_eq!(rig.verdicts.get(1, |_| (TTL, slow)).await.answer, allowed());
    advance(TTL - Duration::from_secs(3)).await;
    assert_eq!((began.elapsed(), rig.get(1, denied()).await), (TTL, denied()));
}

#[tokio::test]
async fn keys_beyond_the_limit_evict_the_oldest_ones() {
    let rig = Rig::new();
    for key in 0..100 {
        rig.get(key, allowed()).await.unwrap();
    }
    assert_eq!(lock(&rig.verdicts.0).allowed.len(), 4);
    rig.get(99, denied()).await.unwrap();
    assert_eq!(rig.reviews(), 100, "the last one is still there");
}

#[tokio::test]
async fn denied_keys_evict_no_allowed_one() {
    let rig = Rig::new();
    rig.get(0, allowed()).await.unwrap();
    for key in 1..1000 {
        rig.get(key, denied()).await.unwrap();
    }
    assert_eq!((rig.get(0, denied()).await, rig.reviews()), (allowed(), 1000));
    assert_eq!(lock(&rig.verdicts.0).denied.len(), 4);
}

#[tokio::test]
async fn a_storm_of_questions_about_one_key_is_one_review() {
    let rig = Rig::new();
    let questions = (0..1000).map(|_| async {
        let reviews = Arc::clone(&rig.reviews);
        let review = async move {
            reviews.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            allowed()
        };
        rig.verdicts.get(1, |_| (TTL, review)).await
    });
    let found = join_all(questions).await;
    assert!(found.iter().all(|found| found.answer == allowed()));
    assert_eq!((rig.reviews(), found.iter().filter(|found| !found.hit).count(), rig.flights()), (1, 1, 0));
}

#[tokio::test]
async fn a_review_goes_on_when_the_request_that_began_it_leaves() {
    let rig = Rig::new();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let question = || {
        let (verdicts, begun, go) = (Arc::clone(&rig.verdicts), Arc::clone(&begun), Arc::clone(&go));
        let reviews = Arc::clone(&rig.reviews);
        tokio::spawn(async move {
            let review = async move {
                reviews.fetch_add(1, Ordering::SeqCst);
                begun.notify_one();
                go.notified().await;
                allowed()
            };
            verdicts.get(1, |_| (TTL, review)).await.answer
        })
    };
    let first = question();
    begun.notified().await;
    let second = question();
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    go.notify_one();
    assert_eq!((second.await.unwrap(), rig.reviews()), (allowed(), 1));
}

#[tokio::test]
async fn a_review_that_nobody_waits_for_ends_and_leaves_nothing_behind() {
    let rig = Rig::new();
    let verdicts = Arc::clone(&rig.verdicts);
    let hanging = tokio::spawn(async move { verdicts.get(1, |_| (TTL, std::future::pending())).await.hit });
    tokio::task::yield_now().await;
    assert_eq!(rig.flights(), 1);
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    assert_eq!((rig.flights(), rig.get(1, allowed()).await), (0, allowed()));
}
