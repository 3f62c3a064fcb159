//! Whether the API server reviews senders' tokens, with the code that a replica does it with.

use std::sync::Arc;
use std::time::Duration;

use super::finding::Finding;
use crate::auth::{KubeReview, Review, Settings, Undecided, Verdict};
use crate::cluster_access::Cluster;
use crate::config::{AuthMode, Config};
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;
use crate::sender_token::SenderToken;

/// No token at all: the API server must say that it is none.
const NO_TOKEN: &str = "onceway-doctor-asks-whether-tokens-are-reviewed";

/// What came of a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reviewed {
    /// The user whose token it is.
    User(String),
    /// It is nobody's, or for other audiences.
    Denied,
    /// The API server did not decide.
    Undecided(String),
}

/// Reviews the token, or what is none.
pub(super) async fn ask(cluster: &Cluster, config: &Config, token: Option<&SenderToken>, limit: Duration) -> Reviewed {
    let settings = Settings {
        audiences: config.auth.audiences.clone(),
        namespace: cluster.namespace.clone(),
        gateway_service: config.auth.gateway_service.clone(),
        call_timeout: limit,
    };
    let metrics = Arc::new(Metrics::new());
    let review = KubeReview::new(cluster.client.clone(), settings, PermissionRecheck::default(), metrics);
    match review.token(token.map_or(NO_TOKEN, SenderToken::as_str)).await {
        Ok(Verdict::Allowed(sender)) => Reviewed::User(sender.name().to_string()),
        Ok(Verdict::Denied) => Reviewed::Denied,
        Err(Undecided { reason }) => Reviewed::Undecided(reason),
    }
}

/// What follows; `given` are the audiences that a sender's token names, if one was given.
pub(super) fn judge(config: &Config, given: Option<&[String]>, reviewed: Reviewed) -> Finding {
    let audiences = match &config.auth.audiences[..] {
        [] => "the API server's own audience".to_owned(),
        [one] => format!("the audience {one}"),
        several => format!("one of the audiences {}", several.join(", ")),
    };
    match (reviewed, given) {
        (Reviewed::Undecided(why), _) => {
            let action = "grant create tokenreviews.authentication.k8s.io (ClusterRole onceway-reviews of the chart) to this account, \
                          or see the check api-server; senders get 503 until then";
            Finding::fail(format!("the API server does not review tokens: {why}"), action)
        }
        (Reviewed::User(user), Some(_)) => Finding::pass(format!("the token is valid for {audiences}: {user}")),
        (Reviewed::Denied, Some(named)) => {
            let named = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
            let action = "make one: kubectl create token NAME --namespace NAMESPACE --audience AUDIENCE; in a pod, a projected \
                          serviceAccountToken with this audience";
            let summary = format!(
                "the token is expired, revoked, or not for {audiences} (its own: {named}): its sender gets 401"
            );
            Finding::fail(summary, action)
        }
        (Reviewed::Denied, None) => {
            Finding::pass(format!("tokens are reviewed for {audiences}; --token-file or --token-env tries one"))
        }
        (Reviewed::User(user), None) => {
            let action = "look at the API server's authenticators: whoever reaches Onceway can start repairs";
            Finding::fail(format!("the API server takes an invented token for {user}'s"), action)
        }
    }
}

/// Why there is nothing to review.
pub(super) fn needless(config: &Config) -> Option<Finding> {
    (config.auth.mode == AuthMode::None).then(|| Finding::skipped("auth.mode is none: nobody's token is reviewed"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::{Reviewed, judge, needless};
    use crate::config::Config;

    #[test]
    fn a_review_that_works_says_which_audience_senders_need() {
        for (yaml, audience) in [
            ("", "the audience onceway"),
            ("auth: {audiences: []}", "the API server's own audience"),
            ("auth: {audiences: [a, b]}", "one of the audiences a, b"),
        ] {
            let finding = judge(&Config::parse(yaml).unwrap(), None, Reviewed::Denied);
            assert!(finding.status == Status::Pass && finding.summary.contains(audience), "{finding:?}");
        }
    }

    #[test]
    fn a_senders_token_is_judged_by_its_user_and_its_audience() {
        let (config, other) = (Config::default(), ["kube".to_owned()]);
        let user = Reviewed::User("system:serviceaccount:monitoring:alertmanager".into());
        let valid = judge(&config, Some(&other), user);
        assert!(valid.status == Status::Pass && valid.summary.ends_with(":alertmanager"), "{valid:?}");
        let denied = judge(&config, Some(&other), Reviewed::Denied);
        assert!(
            denied.status == Status::Fail && denied.summary.contains("not for the audience onceway (its own: kube)")
        );
    }

    #[test]
    fn no_review_and_one_that_accepts_everything_are_failures() {
        let config = Config::default();
        assert_eq!(judge(&config, None, Reviewed::Undecided("403".into())).status, Status::Fail);
        assert_eq!(judge(&config, None, Reviewed::User("anybody".into())).status, Status::Fail);
    }

    #[test]
    fn without_authentication_nothing_is_reviewed() {
        assert_eq!(needless(&Config::parse("auth: {mode: none}").unwrap()).unwrap().status, Status::Skipped);
        assert_eq!(needless(&Config::default()), None);
    }
}
