//! Kubeconfig files, written as JSON, which is YAML.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// Where a client's token is.
#[derive(Clone, Copy, Debug)]
pub enum Token<'a> {
    /// In the kubeconfig itself.
    Inline(&'a str),
    /// In a file that clients read again now and then: a kubelet replaces it before the token expires.
    File(&'a Path),
}

/// A kubeconfig for the API server at `server` (`http://` or `https://`) with `token`; `certificate_pem` is the
/// authority for TLS.
pub fn kubeconfig(server: &str, certificate_pem: Option<&str>, token: Token<'_>, namespace: &str) -> String {
    let mut cluster = json!({ "server": server });
    if let Some(pem) = certificate_pem {
        cluster["certificate-authority-data"] = STANDARD.encode(pem).into();
    }
    let user = match token {
        Token::Inline(token) => json!({ "token": token }),
        Token::File(path) => json!({ "tokenFile": path }),
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "onceway", "cluster": cluster }],
        "users": [{ "name": "onceway", "user": user }],
        "contexts": [{
            "name": "onceway",
            "context": { "cluster": "onceway", "user": "onceway", "namespace": namespace },
        }],
        "current-context": "onceway",
    });
    format!("{config:#}\n")
}
