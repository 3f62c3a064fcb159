//! The limit of open files: each connection takes one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::{debug, warn};

use super::serving::OPS_CONNECTIONS;
use crate::config::Limits;

/// Files besides accepted connections: those to the API server, sockets, logs and files that are read.
const OTHERS: u64 = 128;

/// Raises the soft limit of open files to the hard one, and warns if that is too low for the configured connections.
pub fn raise(limits: &Limits) {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(found) => found,
        Err(error) => return warn!(event = "open_files_unknown", cause = %error, "cannot read the limit of open files"),
    };
    let open = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(error) => {
            warn!(event = "open_files_not_raised", cause = %error, soft, hard, "cannot raise the limit of open files");
            soft
        }
    };
    debug!(open, "limit of open files");
    let needed = needed(limits);
    if open < needed {
        warn!(
            event = "open_files_too_few",
            open,
            needed,
            "the limit of open files is too low for limits.maxConnections: beyond it idle connections are closed; raise it \
             (ulimit -n, LimitNOFILE, or the container runtime's default), or lower limits.maxConnections"
        );
    }
}

/// How many files may be open at once.
fn needed(limits: &Limits) -> u64 {
    let connections = limits.max_connections + 2 * OPS_CONNECTIONS + limits.max_api_calls_in_flight;
    u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS)
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::{Resource, getrlimit};

    use super::{needed, raise};
    use crate::config::Limits;

    #[test]
    fn every_connection_needs_a_file() {
        let limits = |max_connections| Limits { max_connections, ..Limits::default() };
        assert_eq!(needed(&limits(1024)), needed(&limits(24)) + 1000);
        assert!(needed(&limits(1024)) > 1024);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise(&Limits::default());
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
