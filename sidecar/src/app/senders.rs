//! Builds what decides about senders.

use std::sync::Arc;

use kube::Client;

use crate::auth::{Auth, KubeReview, Settings};
use crate::config::{AuthMode, Config};
use crate::env::Env;
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;

/// Decides by `auth`. A missing permission to ask requests a recheck.
pub(super) fn authentication(
    config: &Config,
    env: &Env,
    client: Client,
    recheck: PermissionRecheck,
    metrics: Arc<Metrics>,
) -> Auth {
    if config.auth.mode == AuthMode::None {
        return Auth::disabled(&metrics);
    }
    let settings = Settings {
        audiences: config.auth.audiences.clone(),
        namespace: env.pod_namespace.clone(),
        gateway_service: config.auth.gateway_service.clone(),
        call_timeout: config.limits.api_call_timeout,
    };
    let review = KubeReview::new(client, settings, recheck, Arc::clone(&metrics));
    Auth::new(Arc::new(review), &config.auth, metrics)
}
