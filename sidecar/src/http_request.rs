//! One HTTP request over a connection of its own, with the time at which each of its steps was done: what operators' commands
//! send to Envoy, to its admin interface and to replicas.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The URL cannot be used.
    #[error("{url} is no URL that can be used: {why}")]
    Url { url: String, why: &'static str },
    /// The certificates cannot be used.
    #[error("cannot use the certificates in {file}: {why}")]
    Ca { file: String, why: String },
    /// No connection.
    #[error("cannot connect to {address}: {source}")]
    Connect { address: String, source: std::io::Error },
    /// No TLS.
    #[error("no TLS with {address}: {source}")]
    Tls { address: String, source: std::io::Error },
    /// The connection ended, or what came is no HTTP.
    #[error("no response from {address}: {source}")]
    Http { address: String, source: hyper::Error },
    /// The body of the response could not be read.
    #[error("cannot read the response of {address}: {why}")]
    Body { address: String, why: String },
}

/// The authorities that are trusted for `https`.
#[derive(Clone, Debug)]
pub(crate) struct Authorities(Arc<ClientConfig>);

/// A whole response.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) times: Times,
}

/// When each step was done, since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// The TCP connection.
    pub(crate) connected: Duration,
    /// TLS, if the URL has it.
    pub(crate) secured: Option<Duration>,
    /// The whole response.
    pub(crate) responded: Duration,
}

impl Authorities {
    /// Those in a file in PEM.
    ///
    /// # Errors
    /// If it cannot be read, or holds no certificate that can be used.
    pub(crate) fn of_file(file: &Path) -> Result<Self, RequestError> {
        let failed = |why: String| RequestError::Ca { file: file.display().to_string(), why };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))? {
            let certificate = certificate.map_err(|error| failed(error.to_string()))?;
            roots.add(certificate).map_err(|error| failed(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(failed("it holds none in PEM".to_owned()));
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12]);
        let config = builder.map_err(|error| failed(error.to_string()))?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }
}

/// Sends `request`, whose URI is a whole URL, and reads at most `max_body` bytes of the response's body. The caller limits
/// the time.
///
/// # Errors
/// [`RequestError`]; after [`RequestError::Http`] and [`RequestError::Body`] the request may have had its effect.
pub(crate) async fn send(
    mut request: Request<Full<Bytes>>,
    authorities: Option<&Authorities>,
    max_body: usize,
) -> Result<Exchange, RequestError> {
    let began = Instant::now();
    let url = request.uri().clone();
    let unusable = |why| RequestError::Url { url: url.to_string(), why };
    let is_tls = match url.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(unusable("it must begin with http:// or https://")),
    };
    let host = url.host().ok_or_else(|| unusable("it has no host"))?.to_owned();
    let bare_host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let address = format!("{host}:{port}");
    let authority =
        url.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default().to_owned());
    let name = HeaderValue::try_from(authority.unwrap_or_default()).map_err(|_| unusable("its host is none"))?;
    request.headers_mut().entry(HOST).or_insert(name);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    *request.uri_mut() = Uri::from(url.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));

    let tls = match (is_tls, authorities) {
        (false, _) => None,
        (true, Some(Authorities(config))) => {
            let name = ServerName::try_from(bare_host.clone());
            Some((Arc::clone(config), name.map_err(|_| unusable("its host is no name of a certificate"))?))
        }
        (true, None) => {
            return Err(unusable("for https:// name the authority of its certificate with --ca-file"));
        }
    };
    let connected = TcpStream::connect((bare_host.as_str(), port)).await;
    let stream = connected.map_err(|source| RequestError::Connect { address: address.clone(), source })?;
    let mut times = Times { connected: began.elapsed(), ..Times::default() };
    let Some((config, server)) = tls else {
        return exchange(request, stream, &address, max_body, began, times).await;
    };
    let secured = TlsConnector::from(config).connect(server, stream).await;
    let stream = secured.map_err(|source| RequestError::Tls { address: address.clone(), source })?;
    times.secured = Some(began.elapsed());
    exchange(request, stream, &address, max_body, began, times).await
}

async fn exchange(
    request: Request<Full<Bytes>>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: &str,
    max_body: usize,
    began: Instant,
    times: Times,
) -> Result<Exchange, RequestError> {
    let failed = |source| RequestError::Http { address: address.to_owned(), source };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Its error is that of the request.
    let _connection = AbortOnDropHandle::new(tokio::spawn(async move { drop(connection.await) }));
    let response = sender.send_request(request).await.map_err(failed)?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, max_body).collect().await;
    let body = body.map_err(|error| RequestError::Body { address: address.to_owned(), why: error.to_string() })?;
    let times = Times { responded: began.elapsed(), ..times };
    Ok(Exchange { status: head.status, body: body.to_bytes(), times })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::Path;
    use std::sync::Arc;

    use bytes::Bytes;
    use http::Request;
    use http_body_util::Full;
    use rcgen::{CertificateParams, KeyPair, SanType};
    use rustls::ServerConfig;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_util::task::AbortOnDropHandle;

    use super::{Authorities, RequestError, send};

    fn get(url: &str) -> Request<Full<Bytes>> {
        Request::get(url).body(Full::default()).unwrap()
    }

    /// A server that sends `response` to one request; returns its address, and the request's text in the end.
    async fn server(response: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(response.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (address, served)
    }

    #[tokio::test]
    async fn a_request_has_the_hosts_name_and_the_path_alone() {
        let (address, served) = server("HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\nno").await;
        let exchange = send(get(&format!("http://{address}/readyz?x=1")), None, 10).await.unwrap();
        assert_eq!((exchange.status.as_u16(), &exchange.body[..]), (503, &b"no"[..]));
        assert!(exchange.times.responded >= exchange.times.connected && exchange.times.secured.is_none());
        let request = served.await.unwrap().to_lowercase();
        assert!(request.starts_with("get /readyz?x=1 http/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("host: {address}\r\n")), "{request}");
    }

    #[tokio::test]
    async fn https_is_spoken_with_a_server_whose_authority_is_trusted_and_with_no_other() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
        let certificate = params.self_signed(&key).unwrap();
        let private = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let _served = AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let length = stream.read(&mut [0; 4096]).await.unwrap();
                assert!(length > 0);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), certificate.pem()).unwrap();
        let authorities = Authorities::of_file(file.path()).unwrap();
        let exchange = send(get(&url), Some(&authorities), 10).await.unwrap();
        assert!(exchange.status == 200 && exchange.times.secured.is_some_and(|at| at >= exchange.times.connected));
        let other = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        std::fs::write(file.path(), other.pem()).unwrap();
        let error = send(get(&url), Some(&Authorities::of_file(file.path()).unwrap()), 10).await.unwrap_err();
        assert!(matches!(error, RequestError::Tls { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_body_beyond_its_limit_is_not_read() {
        let (address, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n01234567890123456789").await;
        let error = send(get(&format!("http://{address}")), None, 10).await.unwrap_err();
        assert!(matches!(error, RequestError::Body { .. }), "{error}");
    }

    #[tokio::test]
    async fn errors_say_what_failed_and_what_to_do() {
        let (address, _) = server("").await;
        for (url, part) in [
            ("https://127.0.0.1:1", "--ca-file"),
            ("ftp://127.0.0.1/", "http://"),
            ("http://127.0.0.1:1", "cannot connect to 127.0.0.1:1"),
            (&format!("http://{address}"), "no response from"),
        ] {
            let error = send(get(url), None, 10).await.unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
        }
        let error = Authorities::of_file(Path::new("/nowhere/ca.crt")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.crt"), "{error}");
    }
}
