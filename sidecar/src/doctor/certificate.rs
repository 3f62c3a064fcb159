//! The files of `tls`, with the code that a replica reads them with.

use jiff::Timestamp;

use super::finding::Finding;
use crate::config::Tls;
use crate::tls::{Served, TlsError};

/// From here on somebody should renew the certificate.
const SOON_DAYS: i64 = 14;
const DAY_S: i64 = 24 * 3600;

/// When the certificate expires, in seconds since 1970.
pub(super) async fn read(tls: &Tls) -> Result<i64, TlsError> {
    Served::start(tls).await.map(|served| served.expires())
}

/// What follows.
pub(super) fn judge(expires: Result<i64, TlsError>, now: Timestamp) -> Finding {
    match expires {
        // The files are in the replica's container, and the doctor perhaps is not.
        Err(error @ TlsError::Read { .. }) => {
            Finding::warn(error.to_string(), "run the doctor in a replica's container, which has the files of tls")
        }
        Err(error) => Finding::fail(error.to_string(), "renew the files of tls: a replica does not start with these"),
        Ok(expires) => {
            let days = (expires - now.as_second()) / DAY_S;
            if days < SOON_DAYS {
                let action = "renew it, or see why its issuer does not: replicas use a new one within seconds";
                return Finding::warn(format!("the certificate expires in {days} days"), action);
            }
            Finding::pass(format!("the certificate is valid for {days} more days"))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::finding::Status;
    use super::{DAY_S, judge};
    use crate::tls::TlsError;

    #[test]
    fn a_certificate_that_expires_soon_is_a_warning_and_a_broken_one_a_failure() {
        let judged = |days| judge(Ok(days * DAY_S), Timestamp::UNIX_EPOCH).status;
        assert_eq!((judged(90), judged(13)), (Status::Pass, Status::Warn));
        let read = TlsError::Read { key: "tls.cert", path: "/tls.crt".into(), why: "no such file".into() };
        assert_eq!(judge(Err(read), Timestamp::UNIX_EPOCH).status, Status::Warn);
        let broken = TlsError::Mismatch("another key".into());
        assert_eq!(judge(Err(broken), Timestamp::UNIX_EPOCH).status, Status::Fail);
    }
}
