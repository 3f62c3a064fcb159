//! The largest sizes of what an image contains. They guard against growth that nobody meant: a change that needs more
//! raises them, and says why.

use anyhow::{Result, ensure};

/// The largest program of the sidecar, in bytes.
pub const MAX_SIDECAR_BYTES: usize = 20 * 1024 * 1024;
/// The largest compressed layer of the sidecar's program, in bytes: what a node downloads.
pub const MAX_SIDECAR_LAYER_BYTES: usize = 8 * 1024 * 1024;
/// The largest module, in bytes. Each Envoy worker compiles it once.
pub const MAX_MODULE_BYTES: usize = 640 * 1024;
/// The largest compressed layer of the module, in bytes.
pub const MAX_MODULE_LAYER_BYTES: usize = 240 * 1024;
/// The largest page, in bytes. Nearly all of it is the module, a third larger in base64.
pub const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;
/// The largest compressed layer of the page, in bytes.
pub const MAX_PAGE_LAYER_BYTES: usize = 768 * 1024;

/// Checks the size of `what`.
///
/// # Errors
/// If it is larger than `limit`; the error names the limit's constant `name`.
pub fn check(what: &str, bytes: usize, limit: usize, name: &str) -> Result<()> {
    ensure!(
        bytes <= limit,
        "{what} has {bytes} bytes, {} more than {name} ({limit}); find what grew, or raise the limit in \
         deploy/images/src/limits.rs",
        bytes - limit
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_size_at_its_limit_passes_and_one_byte_more_is_an_error_that_names_limit_and_excess() {
        assert!(check("the module", 10, 10, "MAX").is_ok());
        let error = check("the module", 11, 10, "MAX").unwrap_err().to_string();
        assert!(error.starts_with("the module has 11 bytes, 1 more than MAX (10)"), "{error}");
    }
}
