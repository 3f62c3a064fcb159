//! An authenticated sender.

use std::sync::Arc;

use k8s_openapi::api::authentication::v1::UserInfo;
use sha2::{Digest, Sha256};

/// A sender, as the API server knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    name: Arc<str>,
    user: UserInfo,
    identity: [u8; 32],
}

impl Sender {
    /// The sender of a reviewed token; `None` if the review names no user.
    pub fn of(user: UserInfo) -> Option<Self> {
        let name = user.username.as_deref().filter(|name| !name.is_empty())?.into();
        // Of everything that access is decided on: two tokens of one user may differ in groups or scopes.
        let identity = Sha256::digest(serde_json::to_vec(&user).ok()?).into();
        Some(Self { name, user, identity })
    }

    /// The user name, such as `system:serviceaccount:monitoring:alertmanager`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What access is decided on.
    pub(super) fn user(&self) -> &UserInfo {
        &self.user
    }

    /// A hash of [`Self::user`].
    pub(super) fn identity(&self) -> [u8; 32] {
        self.identity
    }
}
