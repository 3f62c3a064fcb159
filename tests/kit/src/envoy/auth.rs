//! What `envoy/onceway-auth.yaml` adds to `envoy/onceway.yaml`: TLS, tokens of service accounts, and a list of who may send.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rcgen::{CertificateParams, KeyPair, SanType};
use serde_json::{Value, json};

use super::config::{self, MANAGER, at};
use crate::cluster::{Cluster, ISSUER};

/// The configuration with TLS and tokens, below the repository's root.
pub const AUTH_CONFIG: &str = "envoy/onceway-auth.yaml";

/// The two filters before ours.
const FILTERS: usize = 2;
/// JSON pointer to the mapper that it adds, below [`MANAGER`].
const MAPPER: &str = "/local_reply_config/mappers/1";
/// JSON pointer to the header that it adds to all of Envoy's own responses, below [`MANAGER`].
const STRICT: &str = "/local_reply_config/mappers/3/headers_to_add/4";
/// JSON pointer to the cluster that it adds.
const API_SERVER: &str = "/static_resources/clusters/1";
const FILTER_CHAIN: &str = "/static_resources/listeners/0/filter_chains/0";
const COMMON_TLS: &str = "/transport_socket/typed_config/common_tls_context";

/// What is filled in for a test.
pub struct EdgeAuth {
    /// The folder with Envoy's `tls.crt` and `tls.key`.
    tls: PathBuf,
    /// The file with the authority of the API server's certificate.
    api_server_ca: PathBuf,
    api_server: SocketAddr,
    sender: String,
}

impl EdgeAuth {
    /// Writes a certificate for 127.0.0.1 and the authority of `cluster` into `dir`; allows the service account `sender`
    /// (`system:serviceaccount:<namespace>:<name>`).
    ///
    /// # Errors
    /// If a file cannot be written, or the cluster is the user's.
    pub fn create(dir: &Path, cluster: &Cluster, sender: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let certificate = params.self_signed(&key)?;
        fs::write(dir.join("tls.crt"), certificate.pem())?;
        fs::write(dir.join("tls.key"), key.serialize_pem())?;
        let api_server_ca = dir.join("api-server.crt");
        fs::write(&api_server_ca, cluster.certificate_pem().context("the API server is the user's")?)?;
        let api_server = cluster.url().trim_start_matches("https://").parse()?;
        Ok(Self { tls: dir.to_owned(), api_server_ca, api_server, sender: sender.to_owned() })
    }

    /// Envoy's certificate, which is its own authority.
    pub fn certificate(&self) -> PathBuf {
        self.tls.join("tls.crt")
    }

    /// Adds to `config` what the shipped file adds, with this test's files, addresses and names.
    ///
    /// # Errors
    /// If the shipped file is not as expected.
    ///
    /// # Panics
    /// If a place is not where it was.
    pub fn apply(&self, config: &mut Value) -> Result<()> {
        add(config, &shipped()?)?;
        let certificate = format!("{FILTER_CHAIN}{COMMON_TLS}/tls_certificates/0");
        let provider = format!("{MANAGER}/http_filters/0/typed_config/providers/kubernetes");
        let sender = "/typed_config/rules/policies/senders/principals/0/sourced_metadata/metadata_matcher/value";
        let address = json!({ "address": self.api_server.ip(), "port_value": self.api_server.port() });
        let edits = [
            (format!("{certificate}/certificate_chain/filename"), json!(self.certificate())),
            (format!("{certificate}/private_key/filename"), json!(self.tls.join("tls.key"))),
            (format!("{certificate}/watched_directory/path"), json!(self.tls)),
            (format!("{provider}/issuer"), json!(ISSUER)),
            (format!("{MANAGER}/http_filters/1{sender}/string_match/exact"), json!(self.sender)),
            (format!("{API_SERVER}{COMMON_TLS}/validation_context"), self.validation()),
            (
                format!("{API_SERVER}/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address"),
                address,
            ),
        ];
        for (place, value) in edits {
            *at(config, &place) = value;
        }
        Ok(())
    }

    /// The API server of a test has a certificate for its address, not for its name.
    fn validation(&self) -> Value {
        json!({
            "trusted_ca": { "filename": self.api_server_ca },
            "match_typed_subject_alt_names": [
                { "san_type": "IP_ADDRESS", "matcher": { "exact": self.api_server.ip() } }
            ],
        })
    }
}

fn shipped() -> Result<Value> {
    config::read(AUTH_CONFIG)
}

/// Copies from `auth` what it has more than the plain configuration.
fn add(config: &mut Value, auth: &Value) -> Result<()> {
    let added = |place: &str| auth.pointer(place).cloned().with_context(|| format!("{AUTH_CONFIG} has no {place}"));
    for field in ["transport_socket", "transport_socket_connect_timeout"] {
        at(config, FILTER_CHAIN)[field] = added(&format!("{FILTER_CHAIN}/{field}"))?;
    }
    for n in 0..FILTERS {
        let filter = added(&format!("{MANAGER}/http_filters/{n}"))?;
        insert(at(config, &format!("{MANAGER}/http_filters")), n, filter)?;
    }
    let (mappers, strict) = (format!("{MANAGER}/local_reply_config/mappers"), added(&format!("{MANAGER}{STRICT}"))?);
    let Some(plain) = at(config, &mappers).as_array_mut() else { bail!("{mappers} is no list") };
    for mapper in plain {
        mapper["headers_to_add"].as_array_mut().context("a mapper without headers")?.push(strict.clone());
    }
    insert(at(config, &mappers), 1, added(&format!("{MANAGER}{MAPPER}"))?)?;
    insert(at(config, "/static_resources/clusters"), 1, added(API_SERVER)?)
}

fn insert(list: &mut Value, place: usize, value: Value) -> Result<()> {
    let Some(list) = list.as_array_mut().filter(|list| list.len() >= place) else { bail!("{list} is too short") };
    list.insert(place, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::{add, shipped};

    #[test]
    fn the_configuration_with_tokens_is_the_plain_one_and_what_it_adds() {
        let (auth, mut plain) = (shipped().unwrap(), config::shipped().unwrap());
        assert_ne!(plain, auth);
        add(&mut plain, &auth).unwrap();
        assert_eq!(plain, auth, "change envoy/onceway.yaml and envoy/onceway-auth.yaml together");
    }
}
