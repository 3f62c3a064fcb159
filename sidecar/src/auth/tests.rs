//! Decisions by a scripted API server.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::UserInfo;
use tokio::time::{Instant, advance, sleep};

use super::{Access, AccessScope, Auth, Question, Review, Sender, Unauthenticated, Undecided, Verdict};
use crate::config::{self, Authorization};
use crate::metrics::Metrics;

/// An API server that knows some tokens, each of a user of that name, and some rights.
#[derive(Default)]
struct Script {
    tokens: HashSet<String>,
    rights: Mutex<HashSet<(String, Question)>>,
    hangs: AtomicBool,
    token_reviews: AtomicUsize,
    questions: Mutex<Vec<Question>>,
}

impl Script {
    async fn undecided(&self) -> Result<(), Undecided> {
        tokio::task::yield_now().await;
        match self.hangs.load(Ordering::SeqCst) {
            true => Err(Undecided { reason: "no response".into() }),
            false => Ok(()),
        }
    }
}

impl Review for Script {
    fn token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Verdict<Sender>, Undecided>> {
        async move {
            self.token_reviews.fetch_add(1, Ordering::SeqCst);
            if token.starts_with("stuck") {
                std::future::pending::<()>().await;
            }
            self.undecided().await?;
            let user = UserInfo { username: Some(token.to_owned()), ..UserInfo::default() };
            let sender = Sender::of(user).filter(|_| self.tokens.contains(token));
            Ok(sender.map_or(Verdict::Denied, Verdict::Allowed))
        }
        .boxed()
    }

    fn access<'a>(
        &'a self,
        sender: &'a Sender,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Verdict<()>, Undecided>> {
        async move {
            self.questions.lock().unwrap().push(question.clone());
            self.undecided().await?;
            let has = self.rights.lock().unwrap().contains(&(sender.name().to_string(), question.clone()));
            Ok(if has { Verdict::Allowed(()) } else { Verdict::Denied })
        }
        .boxed()
    }
}

struct Rig {
    script: Arc<Script>,
    auth: Auth,
    metrics: Arc<Metrics>,
}

impl Rig {
    fn new(tokens: &[&str], rights: &[(&str, Question)]) -> Self {
        Self::with(config::Auth::default(), tokens, rights)
    }

    fn with(config: config::Auth, tokens: &[&str], rights: &[(&str, Question)]) -> Self {
        let script = Arc::new(Script {
            tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
            rights: Mutex::new(rights.iter().map(|(name, right)| ((*name).to_owned(), right.clone())).collect()),
            ..Script::default()
        });
        let metrics = Arc::new(Metrics::new());
        let auth = Auth::new(Arc::clone(&script) as Arc<dyn Review>, &config, Arc::clone(&metrics));
        Self { script, auth, metrics }
    }

    async fn authenticate(&self, token: &str) -> Result<Arc<Sender>, Unauthenticated> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
        self.auth.authenticate(&headers).await.map(|sender| sender.expect("a sender"))
    }

    async fn authorize(&self, token: &str, scopes: &[AccessScope]) -> Vec<Access> {
        let sender = self.authenticate(token).await.unwrap();
        self.auth.authorize(Some(&sender), scopes, Instant::now() + Duration::from_secs(8)).await
    }

    fn token_reviews(&self) -> usize {
        self.script.token_reviews.load(Ordering::SeqCst)
    }

    fn access_reviews(&self) -> usize {
        self.script.questions.lock().unwrap().len()
    }

    fn hang(&self, hangs: bool) {
        self.script.hangs.store(hangs, Ordering::SeqCst);
    }

    fn metric(&self, line: &str) -> bool {
        self.metrics.render().unwrap().lines().any(|found| found == line)
    }
}

fn namespace(name: &str) -> AccessScope {
    AccessScope::Namespace(name.into())
}

fn signal(name: &str) -> Question {
    Question::Signal(namespace(name))
}

#[tokio::test]
async fn a_storm_of_one_sender_about_one_namespace_costs_two_calls() {
    let rig = Rig::new(&["a"], &[("a", signal("shop"))]);
    let shop = [namespace("shop")];
    let requests = (0..5000).map(|_| rig.authorize("a", &shop));
    let scopes = join_all(requests).await;
    assert!(scopes.into_iter().all(|accesses| accesses == [Access::Allowed]));
    assert_eq!((rig.token_reviews(), rig.access_reviews()), (1, 1));
    assert!(rig.metric("gateway_auth_results_total{check=\"access\",result=\"allowed\"} 5000"));
    assert!(rig.metric("gateway_auth_cache_total{check=\"token\",result=\"miss\"} 1"));
}

#[tokio::test]
async fn two_senders_have_each_their_own_rights() {
    let rig = Rig::new(&["a", "b"], &[("a", signal("shop")), ("b", signal("bank"))]);
    let both = [namespace("shop"), namespace("bank")];
    assert_eq!(rig.authorize("a", &both).await, [Access::Allowed, Access::Denied]);
    assert_eq!(rig.authorize("b", &both).await, [Access::Denied, Access::Allowed]);
    assert_eq!(rig.authorize("a", &[AccessScope::Cluster]).await, [Access::Denied]);
}

#[tokio::test]
async fn garbage_tokens_evict_no_sender() {
    let rig = Rig::new(&["a"], &[]);
    rig.authenticate("a").await.unwrap();
    for n in 0..5000 {
        assert_eq!(rig.authenticate(&format!("garbage-{n}")).await.unwrap_err(), Unauthenticated::Invalid);
    }
    rig.authenticate("a").await.unwrap();
    assert_eq!(rig.token_reviews(), 5001);
}

#[tokio::test]
async fn without_a_token_nobody_is_asked() {
    let rig = Rig::new(&["a"], &[]);
    assert_eq!(rig.auth.authenticate(&HeaderMap::new()).await.unwrap_err(), Unauthenticated::Missing);
    assert_eq!(rig.token_reviews(), 0);
    assert!(rig.metric("gateway_auth_results_total{check=\"token\",result=\"denied\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_decide_is_no_denial_and_known_senders_go_on() {
    let rig = Rig::new(&["a", "b"], &[("a", signal("shop"))]);
    assert_eq!(rig.authorize("a", &[namespace("shop")]).await, [Access::Allowed]);
    rig.hang(true);
    assert_eq!(rig.authenticate("b").await.unwrap_err(), Unauthenticated::Unavailable);
    assert_eq!(rig.authorize("a", &[namespace("shop")]).await, [Access::Allowed]);
    assert_eq!(rig.authorize("a", &[namespace("bank")]).await, [Access::Unavailable]);
    advance(Duration::from_secs(60)).await;
    assert_eq!(rig.authenticate("a").await.unwrap_err(), Unauthenticated::Unavailable, "a cached right is no promise");
    rig.hang(false);
    assert_eq!(rig.authorize("b", &[namespace("shop")]).await, [Access::Denied]);
    assert!(rig.metric("gateway_auth_results_total{check=\"token\",result=\"error\"} 2"));
}

#[tokio::test(start_paused = true)]
async fn a_revoked_right_ends_within_a_minute() {
    let rig = Rig::new(&["a"], &[("a", signal("shop"))]);
    assert_eq!(rig.authorize("a", &[namespace("shop")]).await, [Access::Allowed]);
    rig.script.rights.lock().unwrap().clear();
    assert_eq!(rig.authorize("a", &[namespace("shop")]).await, [Access::Allowed]);
    advance(Duration::from_secs(60)).await;
    assert_eq!(rig.authorize("a", &[namespace("shop")]).await, [Access::Denied]);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_asked_for_again_when_it_expires() {
    let exp = Timestamp::now().as_second() + 20;
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#)));
    let rig = Rig::new(&[&token], &[]);
    rig.authenticate(&token).await.unwrap();
    advance(Duration::from_secs(18)).await;
    rig.authenticate(&token).await.unwrap();
    assert_eq!(rig.token_reviews(), 1);
    advance(Duration::from_secs(3)).await;
    rig.authenticate(&token).await.unwrap();
    assert_eq!(rig.token_reviews(), 2);
}

#[tokio::test]
async fn who_may_signal_about_everything_is_asked_once_for_many_namespaces() {
    let rig = Rig::new(&["a", "b"], &[("a", Question::Signal(AccessScope::Cluster)), ("b", signal("ns-7"))]);
    let many: Vec<AccessScope> = (0..100).map(|n| namespace(&format!("ns-{n}"))).collect();
    assert_eq!(rig.authorize("a", &many).await, [Access::Allowed; 100]);
    assert_eq!(rig.access_reviews(), 1);
    let of_tenant = rig.authorize("b", &many).await;
    let allowed: Vec<usize> = (0..100).filter(|&n| of_tenant[n] == Access::Allowed).collect();
    assert_eq!(allowed, [7]);
}

#[tokio::test]
async fn with_the_gateways_check_one_right_permits_everything() {
    let config = config::Auth { authorization: Authorization::Gateway, ..config::Auth::default() };
    let rig = Rig::with(config, &["a", "b"], &[("a", Question::Gateway), ("b", signal("shop"))]);
    let both = [namespace("shop"), AccessScope::Cluster];
    assert_eq!(rig.authorize("a", &both).await, [Access::Allowed; 2]);
    assert_eq!(rig.authorize("b", &both).await, [Access::Denied; 2]);
    assert_eq!(rig.access_reviews(), 2);
}

#[tokio::test]
async fn without_authentication_everybody_may_signal_about_everything_and_a_metric_says_so() {
    let metrics = Metrics::new();
    let auth = Auth::disabled(&metrics);
    assert_eq!(auth.authenticate(&HeaderMap::new()).await, Ok(None));
    assert_eq!(auth.authorize(None, &[AccessScope::Cluster], Instant::now()).await, [Access::Allowed]);
    assert!(metrics.render().unwrap().contains("gateway_auth_disabled 1\n"));
}

#[tokio::test(start_paused = true)]
async fn strangers_cannot_use_up_the_reviews_of_a_sender_that_is_known() {
    let rig = Rig::new(&["am"], &[]);
    let auth = Arc::new(rig.auth);
    let ask = |token: &str| {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
        let auth = Arc::clone(&auth);
        async move { auth.authenticate(&headers).await.map(|sender| sender.is_some()) }
    };
    assert_eq!(ask("am").await, Ok(true));
    let strangers: Vec<_> = (0..200).map(|number| tokio::spawn(ask(&format!("stuck-{number}")))).collect();
    // Those beyond the queue have their 503 at once, the others within its wait; three are with the API server.
    sleep(Duration::from_secs(2)).await;
    let ended = strangers.iter().filter(|stranger| stranger.is_finished()).count();
    assert_eq!((ended, rig.script.token_reviews.load(Ordering::SeqCst)), (197, 4));
    // What is known of the sender is outdated by now.
    sleep(Duration::from_secs(61)).await;
    assert_eq!(ask("am").await, Ok(true));
}
