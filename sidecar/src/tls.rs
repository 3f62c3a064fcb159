//! TLS of the sockets: files in PEM, checked, and read again when they change.
//!
//! A new configuration applies to new connections; open ones keep theirs. Sessions are never resumed, so each connection
//! has its client certificate checked by the configuration in use.

mod build;
mod client_names;
mod error;
mod files;
mod reload;
mod served;

pub use self::error::TlsError;
pub use self::served::{Acceptor, Served};

#[cfg(test)]
mod tests;
