//! The module of the page, a WASI program: one request from standard input, one answer to standard output. So it needs no
//! interface of its own, no unsafe code, and runs natively, too.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{self, Read, Write};

/// The largest request, in bytes. The texts in it have limits of their own; escapes in JSON make them longer.
const MAX_REQUEST_BYTES: u64 = 64 * 1024 * 1024;

fn main() -> io::Result<()> {
    let mut request = Vec::new();
    io::stdin().lock().take(MAX_REQUEST_BYTES).read_to_end(&mut request)?;
    io::stdout().lock().write_all(&onceway_page::answer(&request)?)
}
