//! Decides, at each look at the files, what to do; pure.

use super::build::Built;
use super::error::TlsError;
use super::files::Contents;

/// What is to be done after a look at the files.
pub(super) enum Change {
    /// Nothing has changed since the last look.
    None,
    /// Serve this.
    Use(Built),
    /// Keep what is served, and say why; once for each change.
    Keep(TlsError),
}

/// What the last look found.
pub(super) struct Watched(Result<Contents, TlsError>);

impl Watched {
    /// These contents are in use.
    pub(super) fn new(contents: Contents) -> Self {
        Self(Ok(contents))
    }

    /// The change since the last look.
    pub(super) fn look(
        &mut self,
        found: Result<Contents, TlsError>,
        build: impl FnOnce(&Contents) -> Result<Built, TlsError>,
    ) -> Change {
        if found == self.0 {
            return Change::None;
        }
        let built = found.as_ref().map_err(Clone::clone).and_then(build);
        self.0 = found;
        built.map_or_else(Change::Keep, Change::Use)
    }
}
