//! What the sockets use, and its renewal.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::build::{Built, build, shown};
use super::error::TlsError;
use super::files::Contents;
use super::reload::{Change, Watched};
use crate::config::Tls;
use crate::metrics::Metrics;

/// How often the files are looked at. Their contents are compared, not their times: a kubelet replaces a symlink.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// A certificate that expires within a week is reported: whoever renews it has failed for a while.
const NEAR_S: i64 = 7 * 24 * 3600;

/// The TLS configuration in use, and what renews it.
pub struct Served {
    tls: Tls,
    watched: Watched,
    built: watch::Sender<Built>,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// Accepts TLS connections with the configuration in use at the time.
#[derive(Clone, Debug)]
pub struct Acceptor {
    built: watch::Receiver<Built>,
    of: fn(&Built) -> &Arc<ServerConfig>,
}

impl Acceptor {
    /// That of the configuration in use.
    pub fn current(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone((self.of)(&self.built.borrow())))
    }
}

impl Served {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`TlsError`] if they cannot be used.
    pub async fn start(tls: &Tls) -> Result<Self, TlsError> {
        let contents = Contents::read(tls).await?;
        let built = watch::Sender::new(build(tls, &contents, Timestamp::now())?);
        Ok(Self { tls: tls.clone(), watched: Watched::new(contents), built })
    }

    /// When the certificate in use expires, in seconds since 1970.
    pub fn expires(&self) -> i64 {
        self.built.borrow().expires
    }

    /// For the signal port.
    pub fn signals(&self) -> Acceptor {
        Acceptor { built: self.built.subscribe(), of: |built| &built.signals }
    }

    /// For the metrics port, if it is to have TLS.
    pub fn metrics(&self) -> Option<Acceptor> {
        self.tls.metrics.then(|| Acceptor { built: self.built.subscribe(), of: |built| &built.metrics })
    }

    /// Renews the configuration when the files change; never returns.
    pub async fn renew(mut self, metrics: Arc<Metrics>) {
        let mut expires = self.built.borrow().expires;
        metrics.tls.in_use(expires);
        let mut reported = End::Far;
        loop {
            sleep(LOOK_INTERVAL).await;
            let found = Contents::read(&self.tls).await;
            let now = Timestamp::now();
            match self.watched.look(found, |contents| build(&self.tls, contents, now)) {
                Change::None => {}
                Change::Use(built) => {
                    (expires, reported) = (built.expires, End::Far);
                    self.built.send_replace(built);
                    metrics.tls.in_use(expires);
                    info!(
                        event = "certificate_renewed",
                        expires = shown(expires),
                        "the files of tls have changed: new connections use them"
                    );
                }
                Change::Keep(error) => {
                    metrics.tls.reload_failed();
                    let expires = shown(expires);
                    warn!(
                        event = "certificate_not_renewed",
                        cause = %error,
                        expires,
                        "the files of tls have changed and cannot be used; the previous ones stay in use"
                    );
                }
            }
            reported = report_end(expires, now.as_second(), reported);
        }
    }
}

/// How near the end of the certificate in use is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Far,
    Near,
    Over,
}

impl End {
    /// Both in seconds since 1970.
    fn at(expires: i64, now: i64) -> Self {
        match expires.saturating_sub(now) {
            left if left < 0 => Self::Over,
            left if left < NEAR_S => Self::Near,
            _ => Self::Far,
        }
    }
}

/// Logs that the end is near, or over, once each; returns what was reported.
fn report_end(expires: i64, now: i64, reported: End) -> End {
    let end = End::at(expires, now);
    if end <= reported {
        return reported;
    }
    let expires = shown(expires);
    if end == End::Over {
        warn!(
            event = "certificate_expired",
            expires, "the certificate in use has expired: clients reject it; renew the files of tls"
        );
    } else {
        warn!(
            event = "certificate_expires_soon",
            expires, "the certificate in use expires soon; renew the files of tls"
        );
    }
    end
}

#[cfg(test)]
mod end_tests {
    use super::{End, NEAR_S, report_end};

    #[test]
    fn the_end_of_a_certificate_is_reported_when_it_is_near_and_when_it_is_over_once_each() {
        let expires = 1_800_000_000;
        assert_eq!(report_end(expires, expires - NEAR_S, End::Far), End::Far);
        assert_eq!(report_end(expires, expires - NEAR_S + 1, End::Far), End::Near);
        assert_eq!(report_end(expires, expires, End::Near), End::Near);
        assert_eq!(report_end(expires, expires + 1, End::Near), End::Over);
        assert_eq!(report_end(expires, expires + 1, End::Far), End::Over);
    }
}
