//! The defaults of `profile: kubernaut`.

use std::time::Duration;

use onceway_signal::problem::ProblemTypes;
use serde_json::Value;

use super::auth::Authorization;
use super::events::NormalEvents;
use super::profile::Profile;
use super::sections::Config;

/// The window of kubernaut's gateway for X-Timestamp and for events.
const KUBERNAUT_MAX_AGE: Duration = Duration::from_secs(5 * 60);
/// The difference of clocks that it accepts.
const KUBERNAUT_MAX_AHEAD: Duration = Duration::from_secs(2 * 60);
/// The label of the targets that it remediates.
const KUBERNAUT_LABEL: &str = "kubernaut.ai/managed";
/// The Service that its senders have the right to create.
const KUBERNAUT_SERVICE: &str = "gateway-service";

impl Config {
    /// Sets the defaults of the profile. A key that `explicit`, the configuration as it was written, has keeps its value.
    pub(super) fn apply_profile(&mut self, explicit: &Value) {
        if self.profile == Profile::None {
            return;
        }
        let unset = |key: &str| explicit.pointer(key).is_none();
        set_if(unset("/auth/authorization"), &mut self.auth.authorization, Authorization::Gateway);
        set_if(unset("/auth/gatewayService"), &mut self.auth.gateway_service, KUBERNAUT_SERVICE.to_owned());
        set_if(unset("/auth/audiences"), &mut self.auth.audiences, Vec::new());
        set_if(unset("/events/maxAge"), &mut self.events.max_age, KUBERNAUT_MAX_AGE);
        set_if(unset("/events/normal"), &mut self.events.normal, NormalEvents::Reject);
        set_if(unset("/freshness/maxRequestAge"), &mut self.freshness.max_request_age, KUBERNAUT_MAX_AGE);
        set_if(unset("/freshness/maxAhead"), &mut self.freshness.max_ahead, KUBERNAUT_MAX_AHEAD);
        set_if(unset("/scope/label"), &mut self.scope.label, Some(KUBERNAUT_LABEL.to_owned()));
        set_if(unset("/problemTypes"), &mut self.problem_types, ProblemTypes::Kubernaut);
    }
}

fn set_if<T>(unset: bool, key: &mut T, default: T) {
    if unset {
        *key = default;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use onceway_signal::problem::ProblemTypes;

    use crate::config::{Authorization, Config, Events, Freshness, NormalEvents, Profile, yaml};

    #[test]
    fn the_profile_of_kubernaut_sets_what_its_gateway_does() {
        let config = Config::parse("profile: kubernaut").unwrap();
        let (five, two) = (Duration::from_secs(300), Duration::from_secs(120));
        assert_eq!(config.events, Events { max_age: five, normal: NormalEvents::Reject });
        assert_eq!(config.freshness, Freshness { max_request_age: five, max_ahead: two });
        assert_eq!(config.problem_types, ProblemTypes::Kubernaut);
        assert_eq!(config.scope.label.as_deref(), Some("kubernaut.ai/managed"));
        let auth = &config.auth;
        assert_eq!((auth.authorization, &*auth.gateway_service), (Authorization::Gateway, "gateway-service"));
        assert!(auth.audiences.is_empty(), "that of the API server");
        assert_eq!(Config::parse("profile: none").unwrap(), Config::default());
    }

    #[test]
    fn what_is_written_wins_over_the_profile_even_if_it_is_the_usual_default() {
        for written in [
            "auth: {authorization: signals}",
            "auth: {gatewayService: other}",
            "auth: {audiences: [onceway]}",
            "events: {maxAge: 1h}",
            "events: {normal: ignore}",
            "freshness: {maxRequestAge: 6m}",
            "freshness: {maxAhead: 5m}",
            "scope: {label: null}",
            "problemTypes: onceway",
        ] {
            let (with, without) = (format!("profile: kubernaut\n{written}\n"), Config::parse(written).unwrap());
            let config = Config::parse(&with).unwrap();
            let key = written.split([':', '{', ' ']).filter(|part| !part.is_empty()).nth(1).unwrap();
            let line = |config: &Config| {
                let text = yaml(config).unwrap();
                let key = if written.contains('{') { key } else { "problemTypes" };
                text.lines().find(|line| line.trim_start().starts_with(&format!("{key}:"))).unwrap().to_owned()
            };
            assert_eq!(line(&config), line(&without), "{written}");
            assert_ne!(line(&config), line(&Config::parse("profile: kubernaut").unwrap()), "{written}");
            assert_eq!(config.profile, Profile::Kubernaut);
        }
    }

    #[test]
    fn the_printed_configuration_is_the_effective_one_and_means_the_same_again() {
        let config =
            Config::parse("profile: kubernaut\ntargets: {denyNamespaces: [kube-system, 'openshift-*']}").unwrap();
        let text = yaml(&config).unwrap();
        assert!(text.contains("authorization: gateway") && text.contains("maxAhead: 2m"), "{text}");
        assert_eq!(Config::parse(&text).unwrap(), config, "{text}");
    }
}
