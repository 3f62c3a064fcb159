//! `onceway explain --serve`: serves the page to browsers on this machine. The page is one file, made by `cargo xtask page`;
//! it explains by itself, so that nothing that is pasted there comes back here.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use clap::Args;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use http::{HeaderMap, StatusCode};
use onceway_explain::rules_yaml;
use onceway_signal::rules::Rules;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http::server::{Socket, SocketLimits, serve};
use crate::metrics::{Metrics, Port};

/// The page in the image.
const IN_IMAGE: &str = "/explain.html";
/// Where it is served by default.
const ADDRESS: &str = "127.0.0.1:8095";
/// The largest page, in bytes.
const MAX_PAGE_BYTES: u64 = 16 * 1024 * 1024;
/// What stands in the page for the rules of a configuration: a JSON value. The version is that of the sources, so that the
/// page is never of other ones than this program.
const GIVEN_RULES: &str = concat!(r#"id="given-rules" data-version=""#, env!("CARGO_PKG_VERSION"), r#"">null<"#);
/// What the page's own policy, which is in it, cannot say.
const POLICY: &str = "frame-ancestors 'none'";
/// The names of this machine's loopback interface. A website whose name leads here has another one.
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
/// A few browsers of one person.
const LIMITS: SocketLimits = SocketLimits {
    connections: 64,
    per_peer: 64,
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(60),
    write_timeout: Duration::from_secs(30),
    once: false,
};

/// How the page is served.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Serve a page for a browser on this machine, at ADDR, which must be a loopback address; shows the target rules of --config
    #[arg(
        id = "serve",
        long = "serve",
        value_name = "ADDR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ADDRESS,
        value_parser = loopback,
        conflicts_with_all = ["source", "json", "files"]
    )]
    pub address: Option<SocketAddr>,
    /// The page, a file that `cargo xtask page` makes
    #[arg(long, value_name = "FILE", default_value = IN_IMAGE, requires = "serve")]
    page: PathBuf,
}

/// Why the page is not served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The page cannot be read.
    #[error(
        "cannot read the page {}: {error}; it is in the container image, elsewhere make it with `cargo xtask page` and name it with --page",
        .file.display()
    )]
    Read {
        /// The page.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is another file, or the page of another version.
    #[error(
        "{} is not the page of onceway {}; make it from the same sources with `cargo xtask page`",
        .file.display(),
        env!("CARGO_PKG_VERSION")
    )]
    NoPage {
        /// The file.
        file: PathBuf,
    },
    /// The configuration's rules cannot be shown.
    #[error("cannot show the target rules of the configuration: {0}")]
    Rules(String),
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {error}; choose another port with --serve=127.0.0.1:PORT")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| format!("no address; write {ADDRESS}, or another port"))?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(format!(
        "{} is no loopback address: the page is for this machine alone, without TLS or senders; write 127.0.0.1:{}",
        address.ip(),
        address.port()
    ))
}

impl ServeArgs {
    /// Serves the page at `address` until `shutdown`; it shows `rules` where a user may change them.
    ///
    /// # Errors
    /// [`ServeError`] if there is no page, or the address cannot be bound.
    pub async fn run(
        &self,
        address: SocketAddr,
        rules: Option<&Rules>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let page = with_rules(read(&self.page)?, rules, &self.page)?;
        let failed = |error| ServeError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        println!("http://{address}/ shows the page; Ctrl-C ends it");
        let stop = CancellationToken::new();
        // The metrics of this socket are served nowhere.
        let socket = Socket { listener, port: Port::Health, limits: LIMITS, tls: None };
        let serving = serve(socket, router(page, address), Arc::new(Metrics::new()), stop.clone());
        tokio::join!(serving, async {
            shutdown.await;
            stop.cancel();
        });
        Ok(())
    }
}

fn read(file: &Path) -> Result<String, ServeError> {
    let failed = |error| ServeError::Read { file: file.to_owned(), error };
    let mut page = String::new();
    File::open(file).map_err(failed)?.take(MAX_PAGE_BYTES).read_to_string(&mut page).map_err(failed)?;
    Ok(page)
}

/// The page with the rules in it.
fn with_rules(page: String, rules: Option<&Rules>, file: &Path) -> Result<String, ServeError> {
    if page.matches(GIVEN_RULES).count() != 1 {
        return Err(ServeError::NoPage { file: file.to_owned() });
    }
    let Some(rules) = rules else { return Ok(page) };
    let yaml = rules_yaml(rules).map_err(|error| ServeError::Rules(error.to_string()))?;
    let json = serde_json::to_string(&yaml).map_err(|error| ServeError::Rules(error.to_string()))?;
    // No text of the rules ends the element that it is in.
    let json = json.replace('<', "\\u003c");
    let given = GIVEN_RULES.replace("null", &json);
    Ok(page.replacen(GIVEN_RULES, &given, 1))
}

/// The page, and the name of the address at which it is served.
#[derive(Clone)]
struct Page(Bytes, Arc<str>);

fn router(page: String, address: SocketAddr) -> Router {
    let name = match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Router::new().route("/", get(show)).with_state(Page(page.into(), name.into()))
}

async fn show(State(Page(page, address)): State<Page>, headers: HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    if !HOSTS.contains(&name) && *name != *address {
        let problem = format!("{host:?} is no name of this machine; use http://localhost and the port\n");
        return (StatusCode::MISDIRECTED_REQUEST, problem).into_response();
    }
    let headers =
        [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-store")];
    (headers, page).into_response()
}

#[cfg(test)]
mod tests;
