//! TLS on real sockets.

use std::io;
use std::path::Path;

use http::response::Parts;
use http_body_util::BodyExt;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_util::task::AbortOnDropHandle;

use super::{LIMIT, LIMITS, Rig, SOON, closed, request};
use crate::config::Tls;
use crate::doubles::certificates::{Authority, Issued, SERVER, TlsClient, tls_in};
use crate::http::server::SocketLimits;
use crate::tls::Served;

const LATE: i32 = 2900;

/// A rig with TLS, its authority and its files.
struct TlsRig {
    rig: Rig,
    authority: Authority,
    dir: TempDir,
    served: Option<Served>,
}

impl TlsRig {
    async fn new() -> Self {
        Self::with(LIMITS, |_, _| {}).await
    }

    async fn with(limits: SocketLimits, change: impl FnOnce(&mut Tls, &Path)) -> Self {
        let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
        authority.issue(SERVER, LATE).write(dir.path());
        std::fs::write(dir.path().join("ca.crt"), &authority.pem).unwrap();
        let mut tls = tls_in(dir.path());
        change(&mut tls, dir.path());
        let served = Served::start(&tls).await.unwrap();
        let rig = Rig::with_tls(limits, Some(served.signals())).await;
        Self { rig, authority, dir, served: Some(served) }
    }

    /// A rig that demands a client certificate with one of these names.
    async fn mutual(sans: &[&str]) -> Self {
        Self::with(LIMITS, |tls, dir| {
            tls.client_ca = Some(dir.join("ca.crt"));
            tls.client_sans = sans.iter().map(|san| (*san).to_owned()).collect();
        })
        .await
    }

    async fn connect(&self, client: &TlsClient<'_>) -> io::Result<TlsStream<TcpStream>> {
        client.connect(self.rig.connect().await).await
    }

    /// The status of a request over a connection of its own.
    async fn get(&self, client: &TlsClient<'_>) -> Result<u16, String> {
        self.head(client).await.map(|head| head.status.as_u16())
    }

    /// The head of the response to a request over a connection of its own.
    async fn head(&self, client: &TlsClient<'_>) -> Result<Parts, String> {
        let stream = self.connect(client).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        let response = sender.send_request(request("/fast")).await.map_err(|error| format!("{error:?}"))?;
        Ok(response.into_parts().0)
    }

    /// Whether a client of this identity gets a response.
    async fn admits(&self, identity: Option<&Issued>) -> bool {
        let mut statuses = Vec::new();
        for tls12 in [false, true] {
            let mut client = TlsClient::new(&self.authority);
            client.identity = identity;
            let client = if tls12 { client.tls12() } else { client };
            statuses.push(self.get(&client).await.is_ok());
        }
        assert_eq!(statuses[0], statuses[1], "TLS 1.2 and 1.3 differ");
        statuses[0]
    }
}

#[tokio::test]
async fn a_response_over_tls_has_hsts_and_one_without_has_none() {
    let rig = TlsRig::new().await;
    let head = rig.head(&TlsClient::new(&rig.authority)).await.unwrap();
    assert_eq!(head.headers["strict-transport-security"], "max-age=31536000; includeSubDomains");
    assert_eq!(head.headers["x-frame-options"], "DENY");
    let plain = Rig::with(LIMITS).await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(plain.connect().await)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request("/fast")).await.unwrap();
    assert!(!response.headers().contains_key("strict-transport-security"));
    assert_eq!(response.headers()["x-frame-options"], "DENY");
}

#[tokio::test]
async fn it_speaks_tls_1_2_and_1_3() {
    let rig = TlsRig::new().await;
    assert_eq!(rig.get(&TlsClient::new(&rig.authority)).await, Ok(200));
    assert_eq!(rig.get(&TlsClient::new(&rig.authority).tls12()).await, Ok(200));
}

/// Sends a ClientHello of this version and returns the first record of the response. Clients of this workspace cannot
/// speak TLS 1.1 any more, so it is written by hand.
async fn hello(rig: &TlsRig, version: [u8; 2]) -> Vec<u8> {
    // A random number, no session, ECDHE-ECDSA with AES-128, no compression; then the curve, its format, the signature.
    const EXTENSIONS: [u8; 22] = [0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
    let body = [&version, [7; 32].as_slice(), &[0, 0, 4, 0xc0, 0x2b, 0xc0, 0x09, 1, 0], &[0, 22], &EXTENSIONS].concat();
    let length = u8::try_from(body.len()).unwrap();
    let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], body.as_slice()].concat();
    let mut stream = rig.rig.connect().await;
    stream.write_all(&record).await.unwrap();
    let mut response = vec![0; 7];
    timeout(SOON, stream.read_exact(&mut response)).await.unwrap().unwrap();
    response
}

#[tokio::test]
async fn it_does_not_speak_tls_1_1() {
    let rig = TlsRig::new().await;
    // An alert (21), fatal (2): protocol_version (70).
    assert_eq!(hello(&rig, [3, 2]).await, [21, 3, 3, 0, 2, 2, 70]);
    // The same of TLS 1.2 goes on with a handshake record (22) that holds a ServerHello (2).
    let accepted = hello(&rig, [3, 3]).await;
    assert_eq!((accepted[0], accepted[5]), (22, 2));
}

#[tokio::test]
async fn a_plain_request_to_a_port_with_tls_gets_no_response() {
    let rig = TlsRig::new().await;
    let mut stream = rig.rig.connect().await;
    stream.write_all(b"GET /fast HTTP/1.1\r\nHost: onceway\r\n\r\n").await.unwrap();
    let mut got = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut got)).await.unwrap();
    assert!(!got.starts_with(b"HTTP"), "{got:?}");
}

#[tokio::test]
async fn http_2_is_negotiated_and_preferred() {
    let rig = TlsRig::new().await;
    let client = TlsClient::new(&rig.authority).with_alpn(&[b"http/1.1", b"h2"]);
    let stream = rig.connect(&client).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(sender.send_request(request("/fast")).await.unwrap().status().as_u16(), 200);
    let client = TlsClient::new(&rig.authority).with_alpn(&[b"http/1.1"]);
    assert_eq!(rig.connect(&client).await.unwrap().get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert!(rig.connect(&TlsClient::new(&rig.authority).with_alpn(&[b"smtp"])).await.is_err());
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_in_time_is_closed() {
    let rig = TlsRig::with(SocketLimits { header_timeout: LIMIT, ..LIMITS }, |_, _| {}).await;
    for beginning in [b"".as_slice(), &[22, 3, 1, 0, 200, 1]] {
        let mut stream = rig.rig.connect().await;
        stream.write_all(beginning).await.unwrap();
        closed(&mut stream).await;
    }
}

#[tokio::test]
async fn silent_sockets_do_not_keep_others_from_a_handshake() {
    let rig = TlsRig::new().await;
    let mut silent = Vec::new();
    for _ in 0..LIMITS.connections * 4 {
        silent.push(rig.rig.connect().await);
    }
    assert_eq!(rig.get(&TlsClient::new(&rig.authority)).await, Ok(200));
}

#[tokio::test]
async fn without_a_client_certificate_mutual_tls_refuses() {
    let rig = TlsRig::mutual(&[]).await;
    assert!(!rig.admits(None).await);
    assert!(rig.admits(Some(&rig.authority.issue("anybody", LATE))).await);
    assert!(!rig.admits(Some(&Authority::new().issue("anybody", LATE))).await, "signed by somebody else");
    assert!(!rig.admits(Some(&rig.authority.issue("anybody", 2020))).await, "expired");
}

#[tokio::test]
async fn a_client_certificate_needs_an_allowed_name() {
    let rig = TlsRig::mutual(&["envoy.example.org", "spiffe://example.org/envoy"]).await;
    assert!(rig.admits(Some(&rig.authority.issue("envoy.example.org", LATE))).await);
    assert!(rig.admits(Some(&rig.authority.issue("spiffe://example.org/envoy", LATE))).await);
    assert!(!rig.admits(Some(&rig.authority.issue("other.example.org", LATE))).await);
    assert!(!rig.admits(Some(&rig.authority.issue("spiffe://example.org/other", LATE))).await);
    assert!(!rig.admits(Some(&Authority::new().issue("envoy.example.org", LATE))).await);
}

#[tokio::test]
async fn new_files_are_served_to_new_connections_and_open_ones_stay() {
    let mut rig = TlsRig::new().await;
    let leaf = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let client = TlsClient::new(&rig.authority).with_alpn(&[b"h2"]);
    let stream = rig.connect(&client).await.unwrap();
    let old = leaf(&stream);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request("/fast")).await.unwrap();

    rig.authority.issue(SERVER, LATE + 1).write(rig.dir.path());
    let metrics = rig.rig.metrics.clone();
    let _renewal = AbortOnDropHandle::new(tokio::spawn(rig.served.take().unwrap().renew(metrics)));
    let renewed = async {
        loop {
            let stream = rig.connect(&TlsClient::new(&rig.authority)).await.unwrap();
            if leaf(&stream) != old {
                break;
            }
            tokio::time::sleep(LIMIT).await;
        }
    };
    timeout(SOON * 2, renewed).await.expect("the new certificate is served");

    let response = sender.send_request(request("/fast")).await.expect("the old connection is open");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "fast");
}
