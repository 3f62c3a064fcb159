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
pub(super) struct Watched {
    found: Result<Contents, TlsError>,
    /// Whether it is a certificate that cannot be used at this time: one that is not valid yet will be.
    is_untimely: bool,
}

impl Watched {
    /// These contents are in use.
    pub(super) fn new(contents: Contents) -> Self {
        Self { found: Ok(contents), is_untimely: false }
    }

    /// The change since the last look.
    pub(super) fn look(
        &mut self,
        found: Result<Contents, TlsError>,
        build: impl FnOnce(&Contents) -> Result<Built, TlsError>,
    ) -> Change {
        let is_new = found != self.found;
        if !is_new && !self.is_untimely {
            return Change::None;
        }
        let built = found.as_ref().map_err(Clone::clone).and_then(build);
        self.found = found;
        self.is_untimely = matches!(built, Err(TlsError::Validity { .. }));
        match built {
            Ok(built) => Change::Use(built),
            Err(error) if is_new => Change::Keep(error),
            Err(_) => Change::None,
        }
    }
}
