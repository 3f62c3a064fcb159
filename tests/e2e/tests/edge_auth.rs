//! TLS, tokens and an allow-list in front: `envoy/onceway-auth.yaml`, with a real Alertmanager.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onceway_kit::alertmanager::{Alertmanager, Receiver};
use onceway_kit::cluster::{AUDIENCE, Cluster};
use onceway_kit::envoy::{EdgeAuth, at};
use onceway_kit::payload::{Alert, Incident};
use onceway_kit::poll::until;
use onceway_kit::ports::Port;
use onceway_kit::rig::{Rig, RrExt};
use onceway_kit::scratch::Scratch;
use onceway_signal::Source;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Where the senders' accounts are: a namespace that each cluster has.
const NAMESPACE: &str = "default";
/// The account that may send.
const SENDER: &str = "alertmanager";
/// `{"alg":"ES256","kid":"new"}`: signed with a key that Envoy does not have.
const UNKNOWN_KEY: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6Im5ldyJ9";
const LIMIT: Duration = Duration::from_secs(60);

/// A rig behind TLS that only [`SENDER`] may use.
struct Edge {
    rig: Rig,
    auth: Arc<EdgeAuth>,
    // Holds Envoy's certificate.
    scratch: Scratch,
}

struct Response {
    status: u16,
    text: String,
}

impl Edge {
    async fn start(edit: impl FnOnce(&mut Value) + Send + 'static) -> Result<Self> {
        let cluster = Cluster::shared().await?;
        cluster.show_issuer_keys().await?;
        let scratch = Scratch::new("edge-auth")?;
        let sender = format!("system:serviceaccount:{NAMESPACE}:{SENDER}");
        let auth = Arc::new(EdgeAuth::create(scratch.path(), &cluster, &sender)?);
        let applied = Arc::clone(&auth);
        let edit = move |config: &mut Value| {
            applied.apply(config).expect("the shipped configuration is complete");
            edit(config);
        };
        let rig = Rig::replicas(2).in_cluster(cluster).with_envoy_edited(edit).start().await?;
        Ok(Self { rig, auth, scratch })
    }

    async fn token(&self, account: &str, audience: &str) -> Result<String> {
        self.rig.cluster().service_account_token(NAMESPACE, account, audience).await
    }

    /// Posts an alert over TLS.
    async fn post(&self, token: Option<&str>, incident: &Incident, n: u64) -> Result<Response> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.auth.certificate())?)?;
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = versions.with_root_certificates(roots).with_no_client_auth();
        let address = self.rig.envoy().addr();
        let connection = TcpStream::connect(address).await?;
        let name = ServerName::from(address.ip());
        let mut connection = TlsConnector::from(Arc::new(config)).connect(name, connection).await?;
        let (path, body) = (Source::Prometheus.path(), incident.webhook(n));
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: onceway\r\ncontent-type: application/json\r\nconnection: close\r\n\
             {authorization}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).await?;
        let mut response = Vec::new();
        // Envoy may close without TLS's own goodbye after `connection: close`; what was read counts.
        let read = timeout(LIMIT, connection.read_to_end(&mut response)).await.context("no end of the response")?;
        ensure!(read.is_ok() || !response.is_empty(), "no response: {read:?}");
        let text = String::from_utf8_lossy(&response).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        Ok(Response { status, text })
    }

    /// Posts until Envoy has the API server's keys, which it fetches after its start.
    async fn until_keys(&self, token: &str, incident: &Incident) -> Result<()> {
        let accepted = async || {
            let response = self.post(Some(token), incident, 0).await?;
            ensure!([201, 503].contains(&response.status), "{}", response.text);
            Ok((response.status == 201).then_some(()))
        };
        until(LIMIT, "Envoy has the keys", accepted).await
    }

    fn write_token(&self, token: &str) -> Result<PathBuf> {
        let path = self.scratch.path().join("token");
        fs::write(&path, token)?;
        Ok(path)
    }
}

/// Whether a response has HSTS and the other security headers, once each.
fn is_strict(response: &Response) -> bool {
    let names = ["strict-transport-security", "x-content-type-options", "x-frame-options", "x-request-id"];
    names.iter().all(|name| response.text.to_lowercase().matches(&format!("\r\n{name}: ")).count() == 1)
}

/// The alerts `0..count` of an incident, which are different alerts for Alertmanager.
fn alerts(incident: &Incident, count: u64) -> impl Iterator<Item = Alert> {
    (0..count).map(|n| incident.alert(n).label("rule", &n.to_string()).just_begun())
}

#[tokio::test]
async fn alertmanager_sends_with_its_service_accounts_token_over_tls_and_its_alerts_are_counted() -> Result<()> {
    let edge = Edge::start(|_| {}).await?;
    let token = edge.token(SENDER, AUDIENCE).await?;
    edge.until_keys(&token, &Incident::new("staging", "warm-up")).await?;
    let credentials = edge.write_token(&token)?;
    let receiver = Receiver::at(format!("https://{}", edge.rig.envoy().addr()))
        .group_by(&["namespace"])
        .credentials_file(&credentials)
        .ca_file(&edge.auth.certificate());
    let alertmanager = Alertmanager::start("alertmanager", edge.rig.dir(), receiver).await?;
    let incidents = Incident::several("prod", 3);
    let group: Vec<Alert> = incidents.iter().flat_map(|incident| alerts(incident, 2)).collect();
    alertmanager.post(&group).await?;
    let sent = alertmanager.until(|sent| sent.acknowledged() > 0 || sent.given_up > 0).await?;
    assert_eq!((sent.acknowledged(), sent.given_up), (1, 0));
    for incident in &incidents {
        let counts: Vec<u64> = edge.rig.rrs_of(incident).await?.iter().map(RrExt::count).collect();
        // Both are equal unless a slow request was retried.
        assert!(matches!(counts[..], [count] if (2..=2 * sent.total).contains(&count)), "{counts:?}, {sent:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_sender_without_a_token_for_onceway_or_not_on_the_list_is_refused() -> Result<()> {
    let edge = Edge::start(|_| {}).await?;
    let (sender, other) = (edge.token(SENDER, AUDIENCE).await?, edge.token("visitor", AUDIENCE).await?);
    let for_api_server = edge.token(SENDER, "https://kubernetes.default.svc").await?;
    let incident = Incident::new("prod", "payment-api");
    edge.until_keys(&sender, &incident).await?;
    // Another payload under the sender's signature: the other account's subject is not on the list, the sender's is.
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let forged = [parts(&other)[0].clone(), parts(&sender)[1].clone(), parts(&other)[2].clone()].join(".");
    let refused = [
        ("no token", None, 401, "Jwt is missing"),
        ("not a token", Some("secret"), 401, "Jwt is not in the form"),
        ("another's signature", Some(forged.as_str()), 401, "Jwt verification fails"),
        ("another audience", Some(for_api_server.as_str()), 403, "Audiences in Jwt are not allowed"),
        ("another account", Some(other.as_str()), 403, "RBAC: access denied"),
    ];
    for (how, token, status, why) in refused {
        let response = edge.post(token, &incident, 1).await?;
        assert!(response.status == status && response.text.contains(why), "{how}: {}", response.text);
        assert!(is_strict(&response), "Envoy's own: {}", response.text);
    }
    let stats = edge.rig.envoy().stats().await?;
    let denied = |name: &str| stats.sum(name, &[("envoy_http_conn_manager_prefix", "onceway")]);
    assert_eq!((denied("envoy_http_rbac_denied"), denied("envoy_http_jwt_authn_denied") >= 4.0), (1.0, true));
    let counted = edge.post(Some(&sender), &incident, 1).await?;
    assert!(counted.status == 202 && is_strict(&counted), "{}", counted.text);
    let rrs = edge.rig.rrs().await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 2), "nothing that was refused is counted");
    Ok(())
}

#[tokio::test]
async fn where_envoy_lacks_the_api_servers_key_the_sender_gets_503_and_not_401() -> Result<()> {
    let nobody = Port::reserve()?;
    let port = nobody.number();
    let api_server = "/static_resources/clusters/1/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
    let cut_off =
        move |config: &mut Value| *at(config, &format!("{api_server}/socket_address/port_value")) = json!(port);
    let edge = Edge::start(cut_off).await?;
    let token = edge.token(SENDER, AUDIENCE).await?;
    let incident = Incident::new("prod", "payment-api");
    let sent_again =
        |response: &Response| response.status == 503 && response.text.to_lowercase().contains("\r\nretry-after: 1\r\n");
    let response = edge.post(Some(&token), &incident, 0).await?;
    assert!(sent_again(&response) && response.text.contains("Jwks remote fetch is failed"), "{}", response.text);
    assert_eq!(edge.post(None, &incident, 0).await?.status, 401, "no key would help");
    drop(edge);

    let edge = Edge::start(|_| {}).await?;
    edge.until_keys(&token, &incident).await?;
    let (_, signed) = token.split_once('.').context("a token has a header")?;
    let response = edge.post(Some(&format!("{UNKNOWN_KEY}.{signed}")), &incident, 1).await?;
    assert!(sent_again(&response) && response.text.contains("Jwks doesn't have key"), "{}", response.text);
    Ok(())
}
