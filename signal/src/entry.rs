//! One entry of a body.

use crate::error::Rejection;
use crate::signal::Signal;

/// One alert of a webhook, or the event.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its JSON text, a slice of the body.
    pub raw: &'a str,
    /// Its signal, or why it cannot be used.
    pub signal: Result<Signal<'a>, Rejection>,
}
