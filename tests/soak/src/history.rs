//! What happened in a soak: all that its verdict rests on, and no more, so that a verdict can be had again from the file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Microseconds since the soak began, on the one monotonic clock of the process that sends, watches and makes the faults.
pub type Micros = u64;

/// A whole history. Each list is in the order in which things were written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The command that makes a run with the same decisions.
    pub command: String,
    /// What senders did, and were told.
    pub attempts: Vec<Attempt>,
    /// What the observer saw.
    pub events: Vec<Event>,
    /// What the controller did that ends RRs and deletes them.
    pub changes: Vec<Change>,
    /// What went wrong on purpose.
    pub faults: Vec<Fault>,
    /// The RRs that a quorum read found at the end, when nobody was at work any more.
    pub left: Vec<Left>,
}

/// One signal sent once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The signal's number, the same for each time that it is sent.
    pub signal: u64,
    /// The fingerprint of its incident.
    pub fingerprint: String,
    /// The replica that it was sent to.
    pub replica: usize,
    /// When it was sent.
    pub start: Micros,
    /// When its answer was there, or was given up.
    pub end: Micros,
    /// What it was answered.
    pub answer: Answer,
}

/// What a sender was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// 201 or 202: it is counted.
    Counted {
        /// Whether it was 201.
        created: bool,
        /// The name of the RR.
        rr: String,
        /// The count that it was told.
        count: u64,
    },
    /// 5xx: send it again. It may have been counted, and may yet be.
    Again(u16),
    /// Nothing. It may have been counted, and may yet be.
    Nothing,
    /// There was no connection to send it on: it was not, and will not be, counted.
    Unsent,
    /// Anything else: a signal that is lost for good.
    Refused(String),
}

impl Answer {
    /// Whether the signal may be counted, at any time since it was sent, without the sender's knowing.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Again(_) | Self::Nothing)
    }
}

/// One version of an RR, as the API server's watch showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was seen, which is some time after it became true.
    pub at: Micros,
    /// The resourceVersion.
    pub version: u64,
    /// The RR, told apart from others that had or will have its name.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Its incident.
    pub fingerprint: String,
    /// The replica that created it.
    pub creator: String,
    /// How many signals it counts.
    pub count: u64,
    /// Whether its phase is terminal, or it is being deleted.
    pub ended: bool,
    /// Whether it is gone.
    pub deleted: bool,
}

/// What the controller did to an RR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When it was sent for the first time.
    pub start: Micros,
    /// When the API server had confirmed it.
    pub end: Micros,
    /// The RR.
    pub uid: String,
    /// Whether it was deleted; else it was ended.
    pub deleted: bool,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When it began.
    pub at: Micros,
    /// The replica.
    pub replica: usize,
    /// What kind of fault it was.
    pub kind: String,
    /// How long it lasted, in milliseconds; 0 for what has no length.
    pub ms: u64,
    /// How often it hit: calls, or once for what hits a process.
    pub hits: u64,
}

/// An RR that is there at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The RR.
    pub uid: String,
    /// The resourceVersion.
    pub version: u64,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Command(String),
    Attempt(Attempt),
    Event(Event),
    Change(Change),
    Fault(Fault),
    Left(Left),
}

impl History {
    /// Writes it as JSON lines, the command first.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = BufWriter::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?);
        for line in self.lines() {
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
        }
        Ok(file.flush()?)
    }

    /// Reads what [`History::write`] has written.
    ///
    /// # Errors
    /// If the file cannot be read or is no history; the error names the line.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut history = Self::default();
        for (place, line) in BufReader::new(file).lines().enumerate() {
            let line = serde_json::from_str(&line?);
            match line.with_context(|| format!("{}, line {}: no line of a history", path.display(), place + 1))? {
                Line::Command(command) => history.command = command,
                Line::Attempt(attempt) => history.attempts.push(attempt),
                Line::Event(event) => history.events.push(event),
                Line::Change(change) => history.changes.push(change),
                Line::Fault(fault) => history.faults.push(fault),
                Line::Left(left) => history.left.push(left),
            }
        }
        if history.command.is_empty() {
            bail!("{} does not say what made it: it is no history, or a part of one", path.display());
        }
        Ok(history)
    }

    fn lines(&self) -> impl Iterator<Item = Line> {
        let command = [Line::Command(self.command.clone())].into_iter();
        let attempts = self.attempts.iter().cloned().map(Line::Attempt);
        let changes = self.changes.iter().cloned().map(Line::Change);
        let faults = self.faults.iter().cloned().map(Line::Fault);
        let left = self.left.iter().cloned().map(Line::Left);
        let events = self.events.iter().cloned().map(Line::Event);
        command.chain(attempts).chain(events).chain(changes).chain(faults).chain(left)
    }
}
