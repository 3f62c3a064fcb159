//! Which namespaces have the scope's label, kept up to date by a watch of those that have it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::workload::{ObjectRef, ReadMetadata, Unread};

/// Namespaces with the label that are remembered: 64 bytes of name each. Beyond it each namespace is read when it is asked for.
const MAX_NAMESPACES: usize = 50_000;

/// The label's value of each namespace.
pub struct Namespaces {
    label: Arc<str>,
    reader: Arc<dyn ReadMetadata>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    labelled: Labelled,
    /// The list in progress; replaces `labelled` when it is complete.
    listing: Labelled,
    in_sync: bool,
}

/// Namespaces with a valid value of the label.
#[derive(Debug, Default)]
struct Labelled {
    values: HashMap<Arc<str>, bool>,
    /// Whether some did not fit.
    overflows: bool,
}

impl fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespaces").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Namespaces {
    /// The namespaces with `label`; `reader` reads one where the watch does not tell.
    pub fn new(label: Arc<str>, reader: Arc<dyn ReadMetadata>) -> Self {
        Self { label, reader, table: Mutex::default() }
    }

    /// The label.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// The label's value of a namespace; `None` if it has none, or does not exist.
    ///
    /// # Errors
    /// Why that is not known.
    pub async fn managed(&self, namespace: &str) -> Result<Option<bool>, String> {
        if let Some(value) = self.known(namespace) {
            return Ok(value);
        }
        let Some(object) = ObjectRef::new("Namespace", None, None, namespace) else { return Ok(None) };
        match self.reader.read(&object).await {
            Ok(metadata) => Ok(metadata.and_then(|metadata| value(metadata.labels.get(&*self.label)))),
            Err(Unread::NoRight) => Err("the right to get namespaces is missing".to_owned()),
            Err(Unread::Failed(cause)) => Err(cause),
        }
    }

    /// The number of namespaces with the label, and whether the watch works; for metrics.
    pub fn size(&self) -> (usize, bool) {
        let table = self.table();
        (table.labelled.values.len(), table.in_sync)
    }

    fn known(&self, namespace: &str) -> Option<Option<bool>> {
        let table = self.table();
        let value = table.labelled.values.get(namespace).copied();
        let is_complete = table.in_sync && !table.labelled.overflows;
        if table.in_sync && value.is_some() || is_complete { Some(value) } else { None }
    }

    pub(super) fn begin_list(&self) {
        let mut table = self.table();
        table.in_sync = false;
        table.listing = Labelled::default();
    }

    pub(super) fn list(&self, namespace: &str, label: Option<&String>) {
        self.table().listing.set(namespace, value(label));
    }

    pub(super) fn end_list(&self) {
        let mut table = self.table();
        table.labelled = std::mem::take(&mut table.listing);
        table.in_sync = true;
    }

    pub(super) fn apply(&self, namespace: &str, label: Option<&String>) {
        self.table().labelled.set(namespace, value(label));
    }

    pub(super) fn regain_sync(&self) {
        self.table().in_sync = true;
    }

    pub(super) fn lose_sync(&self) {
        self.table().in_sync = false;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Each operation leaves the table consistent.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Labelled {
    fn set(&mut self, namespace: &str, value: Option<bool>) {
        match value {
            None => {
                self.values.remove(namespace);
            }
            Some(_) if self.values.len() >= MAX_NAMESPACES && !self.values.contains_key(namespace) => {
                self.overflows = true;
            }
            Some(value) => {
                self.values.insert(namespace.into(), value);
            }
        }
    }
}

/// Any other value is as none.
fn value(label: Option<&String>) -> Option<bool> {
    label.and_then(|value| value.parse().ok())
}
