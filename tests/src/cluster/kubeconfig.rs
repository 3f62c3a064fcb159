//! Kubeconfig files, written as JSON, which is YAML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// A kubeconfig that sends `token` to the API server at `server` (`http://` or `https://`), verified by the authority
/// `certificate_pem` where it speaks TLS.
pub fn kubeconfig(server: &str, certificate_pem: Option<&str>, token: &str, namespace: &str) -> String {
    let mut cluster = json!({ "server": server });
    if let Some(pem) = certificate_pem {
        cluster["certificate-authority-data"] = STANDARD.encode(pem).into();
    }
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "onceway", "cluster": cluster }],
        "users": [{ "name": "onceway", "user": { "token": token } }],
        "contexts": [{
            "name": "onceway",
            "context": { "cluster": "onceway", "user": "onceway", "namespace": namespace },
        }],
        "current-context": "onceway",
    });
    format!("{config:#}\n")
}
