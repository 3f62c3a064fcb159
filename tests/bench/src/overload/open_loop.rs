//! Sends attempts at a fixed rate, whatever comes back.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::attempt::{Answer, Sender};
use super::ledger::Ledger;
use super::webhooks::{Size, Webhook, Webhooks};

/// The least time between two attempts at a webhook: Alertmanager's first pause.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// How often attempts are sent, a few together.
const TICK: Duration = Duration::from_millis(5);
/// Attempts in flight; one that is due beyond them is left out.
const MAX_IN_FLIGHT: usize = 1024;
/// How long webhooks that are left may take after the overload.
const MAX_DRAIN: Duration = Duration::from_secs(90);

/// A load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) size: Size,
    /// Attempts per second, and those after the overload.
    pub(super) rate: f64,
    pub(super) rate_after: f64,
    /// Signals in webhooks that are not acknowledged; beyond them no new one begins.
    pub(super) most: usize,
    pub(super) time: Duration,
}

/// What the sender has seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) ledger: Ledger,
    /// Attempts during the overload.
    pub(super) attempts: u64,
    pub(super) not_acknowledged: u64,
    pub(super) silent: u64,
    /// Signals in webhooks that were acknowledged during the overload, after its first third.
    pub(super) signals: usize,
    /// Milliseconds to the answers of the attempts that began during the overload.
    pub(super) refusals_ms: Vec<f64>,
    pub(super) acknowledgements_ms: Vec<f64>,
    /// From the overload's end until the last webhook was acknowledged; `None` if some never were.
    pub(super) drained: Option<Duration>,
}

/// A running load.
pub(super) struct OpenLoop<'a> {
    sender: &'a Sender,
    webhooks: &'a mut Webhooks,
    load: Load,
    began: Instant,
    /// Those that were refused, and when; the one that has waited longest first.
    waiting: VecDeque<(Instant, Webhook)>,
    in_flight: JoinSet<Ended>,
    /// Signals in webhooks that are not acknowledged.
    left: usize,
    seen: Seen,
}

/// An attempt that has ended.
struct Ended {
    webhook: Webhook,
    began: Instant,
    answer: Answer,
    took: Duration,
}

impl<'a> OpenLoop<'a> {
    pub(super) fn new(sender: &'a Sender, webhooks: &'a mut Webhooks, load: Load) -> Self {
        let seen = Seen {
            ledger: Ledger::of(webhooks.incidents()),
            attempts: 0,
            not_acknowledged: 0,
            silent: 0,
            signals: 0,
            refusals_ms: Vec::new(),
            acknowledgements_ms: Vec::new(),
            drained: None,
        };
        Self {
            sender,
            webhooks,
            load,
            began: Instant::now(),
            waiting: VecDeque::new(),
            in_flight: JoinSet::new(),
            left: 0,
            seen,
        }
    }

    /// Sends during the overload.
    pub(super) async fn overload(&mut self) {
        let (rate, end) = (self.load.rate, self.load.time);
        self.send_at(rate, |this| this.began.elapsed() >= end).await;
    }

    /// Sends the webhooks that are left, until none is.
    pub(super) async fn drain(mut self) -> Seen {
        let (ended, rate) = (self.began + self.load.time, self.load.rate_after);
        self.send_at(rate, |this| this.left == 0 || ended.elapsed() >= MAX_DRAIN).await;
        self.seen.drained = (self.left == 0).then(|| ended.elapsed());
        self.seen
    }

    async fn send_at(&mut self, rate: f64, is_over: impl Fn(&Self) -> bool) {
        let (began, mut due) = (Instant::now(), 0.0);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !is_over(self) {
            tokio::select! {
                Some(Ok(ended)) = self.in_flight.join_next() => self.ended(ended),
                _ = ticks.tick() => while due <= began.elapsed().as_secs_f64() * rate {
                    due += 1.0;
                    self.offer();
                }
            }
        }
    }

    /// Sends the webhook that has waited longest, or else a new one, or none if there are too many.
    fn offer(&mut self) {
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            return;
        }
        let has_waited = self.waiting.front().is_some_and(|(since, _)| since.elapsed() >= PAUSE);
        let waited = if has_waited { self.waiting.pop_front().map(|(_, webhook)| webhook) } else { None };
        let may_begin = self.is_overload() && self.left < self.load.most;
        let next = waited.or_else(|| may_begin.then(|| self.begin()));
        if let Some(webhook) = next {
            self.send(webhook);
        }
    }

    fn begin(&mut self) -> Webhook {
        let webhook = self.webhooks.next(self.load.size);
        self.left += webhook.size;
        webhook
    }

    fn send(&mut self, mut webhook: Webhook) {
        self.seen.ledger.attempted(&webhook);
        self.seen.attempts += u64::from(self.is_overload());
        let (sender, began) = (self.sender.clone(), Instant::now());
        self.in_flight.spawn(async move {
            let (answer, took) = sender.attempt(&webhook).await;
            webhook.attempts += 1;
            Ended { webhook, began, answer, took }
        });
    }

    fn ended(&mut self, ended: Ended) {
        let Ended { webhook, began, answer, took } = ended;
        let of_overload = began - self.began < self.load.time;
        let acknowledged = answer == Answer::Acknowledged;
        if of_overload {
            self.seen.not_acknowledged += u64::from(!acknowledged);
            self.seen.silent += u64::from(answer == Answer::Silent);
            match answer {
                Answer::Acknowledged => self.seen.acknowledgements_ms.push(took.as_secs_f64() * 1e3),
                Answer::Refused => self.seen.refusals_ms.push(took.as_secs_f64() * 1e3),
                Answer::Silent => {}
            }
        }
        if !acknowledged {
            self.waiting.push_back((Instant::now(), webhook));
            return;
        }
        self.left = self.left.saturating_sub(webhook.size);
        self.seen.ledger.acknowledged(&webhook);
        if self.is_overload() && self.began.elapsed() >= self.load.time / 3 {
            self.seen.signals += webhook.size;
        }
    }

    fn is_overload(&self) -> bool {
        self.began.elapsed() < self.load.time
    }
}
