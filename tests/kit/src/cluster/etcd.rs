//! What etcd stores: the keys and values themselves, without a client of etcd.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::Cluster;
use super::servers::ETCD_CLIENTS;

/// A stored key and the length of its value, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The key, such as `/registry/leases/default/a`.
    pub key: String,
    /// The length of its value in bytes.
    pub bytes: usize,
}

impl Cluster {
    /// What etcd stores below `prefix`, in the order of the keys.
    ///
    /// # Errors
    /// If etcd does not respond, or not as expected.
    ///
    /// # Panics
    /// If the API server is the user's.
    pub async fn stored(&self, prefix: &str) -> Result<Vec<Stored>> {
        let mut end = prefix.as_bytes().to_vec();
        // etcd's ranges are half open; no prefix of ours ends with the byte 255.
        *end.last_mut().context("an empty prefix")? += 1;
        let body = json!({ "key": STANDARD.encode(prefix), "range_end": STANDARD.encode(end) }).to_string();
        let range: Range = serde_json::from_str(&self.post_to_etcd("/v3/kv/range", &body).await?)?;
        range.kvs.into_iter().map(Stored::try_from).collect()
    }

    /// One POST to etcd's JSON gateway, on the socket that it serves its clients on; returns the response's body.
    async fn post_to_etcd(&self, path: &str, body: &str) -> Result<String> {
        let socket = self.dir().join(ETCD_CLIENTS.trim_start_matches("unix://"));
        let mut stream = UnixStream::connect(&socket).await.context("etcd does not listen")?;
        let length = body.len();
        // HTTP/1.0: the response ends with the connection, and is in one piece.
        let request = format!("POST {path} HTTP/1.0\r\nhost: etcd\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await.context("etcd's response")?;
        let (head, body) = response.split_once("\r\n\r\n").context("no end of the response's head")?;
        ensure!(head.lines().next().is_some_and(|line| line.contains(" 200 ")), "etcd: {head}\n{body}");
        Ok(body.to_owned())
    }
}

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    kvs: Vec<KeyValue>,
}

/// Both in base64.
#[derive(Deserialize)]
struct KeyValue {
    key: String,
    #[serde(default)]
    value: String,
}

impl TryFrom<KeyValue> for Stored {
    type Error = anyhow::Error;

    fn try_from(pair: KeyValue) -> Result<Self> {
        Ok(Self { key: String::from_utf8(STANDARD.decode(pair.key)?)?, bytes: STANDARD.decode(pair.value)?.len() })
    }
}
