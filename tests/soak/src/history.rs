//! The history of a soak: everything that the checker needs, so the verdict can be repeated from the file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Microseconds since the start of the soak, on the one monotonic clock of the process that sends signals, watches RRs
/// and injects faults.
pub type Micros = u64;

/// A whole history. Each list is in the order in which it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The command that repeats the run's decisions.
    pub command: String,
    /// What senders sent and observed.
    pub attempts: Vec<Attempt>,
    /// What the observer saw.
    pub events: Vec<Event>,
    /// The soak's controller: the writes that ended or deleted RRs.
    pub writes: Vec<ControllerWrite>,
    /// The faults of the nemesis.
    pub faults: Vec<InjectedFault>,
    /// The RRs that a quorum read found after all work had stopped.
    pub final_rrs: Vec<FinalRr>,
}

/// One attempt to send a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The signal's number; its retries have the same one.
    pub signal: u64,
    /// The fingerprint of its incident.
    pub fingerprint: String,
    /// Whether all attempts at the signal carry one id. A replica that remembers having counted one acknowledges the next for it.
    #[serde(default)]
    pub marked: bool,
    /// The replica that it was sent to.
    pub replica: usize,
    /// When it was sent.
    pub start: Micros,
    /// When the response arrived, or the sender stopped waiting.
    pub end: Micros,
    /// What the sender observed.
    pub observation: Observation,
}

/// What a sender observed of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Observation {
    /// 201 or 202: the signal is counted.
    Counted {
        /// Whether it was 201.
        created: bool,
        /// The RR that the response names.
        rr: String,
        /// The count in the response.
        count: u64,
    },
    /// 5xx: the sender retries. The signal may have been counted, or may still be.
    Retry(u16),
    /// No response. The signal may have been counted, or may still be.
    NoResponse,
    /// No connection, so the signal was not sent and will not be counted.
    NotSent,
    /// Any other response, which loses the signal permanently.
    Rejected(String),
}

impl Observation {
    /// Whether the signal may be counted at any time after it was sent, unknown to the sender.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Retry(_) | Self::NoResponse)
    }
}

/// One version of an RR, as delivered by the API server's watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When the observer received it, some time after the write.
    pub at: Micros,
    /// The resourceVersion.
    pub version: u64,
    /// The RR's uid; several RRs may have had the same name.
    pub uid: String,
    /// The RR's name.
    pub name: String,
    /// The RR's fingerprint.
    pub fingerprint: String,
    /// The replica that created the RR.
    pub creator: String,
    /// The occurrence count.
    pub count: u64,
    /// Whether the phase is terminal, or the RR is being deleted.
    pub terminal: bool,
    /// Whether this is the RR's deletion.
    pub deleted: bool,
}

/// A write of the soak's controller to an RR: its end or its deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerWrite {
    /// When it was first sent.
    pub start: Micros,
    /// When the API server had confirmed it.
    pub end: Micros,
    /// The RR's uid.
    pub uid: String,
    /// Whether it deleted the RR; otherwise it set a terminal phase.
    pub deleted: bool,
}

/// One fault of the nemesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectedFault {
    /// When it began.
    pub at: Micros,
    /// The replica.
    pub replica: usize,
    /// The kind of fault, in words.
    pub kind: String,
    /// How long it lasted, in milliseconds; 0 for an instant.
    pub ms: u64,
    /// How many calls it was injected into; 1 for a fault of a process.
    pub injected: u64,
}

/// An RR that exists at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalRr {
    /// The RR's uid.
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
    Write(ControllerWrite),
    Fault(InjectedFault),
    FinalRr(FinalRr),
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

    /// Reads a file written by [`History::write`].
    ///
    /// # Errors
    /// If the file cannot be read or is not a history; the error names the line.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut history = Self::default();
        for (index, line) in BufReader::new(file).lines().enumerate() {
            let line = serde_json::from_str(&line?);
            match line.with_context(|| format!("{}, line {}: not a history line", path.display(), index + 1))? {
                Line::Command(command) => history.command = command,
                Line::Attempt(attempt) => history.attempts.push(attempt),
                Line::Event(event) => history.events.push(event),
                Line::Write(write) => history.writes.push(write),
                Line::Fault(fault) => history.faults.push(fault),
                Line::FinalRr(rr) => history.final_rrs.push(rr),
            }
        }
        if history.command.is_empty() {
            bail!("{} has no command line: it is not a history, or an incomplete one", path.display());
        }
        Ok(history)
    }

    fn lines(&self) -> impl Iterator<Item = Line> {
        let command = [Line::Command(self.command.clone())].into_iter();
        let attempts = self.attempts.iter().cloned().map(Line::Attempt);
        let writes = self.writes.iter().cloned().map(Line::Write);
        let faults = self.faults.iter().cloned().map(Line::Fault);
        let final_rrs = self.final_rrs.iter().cloned().map(Line::FinalRr);
        let events = self.events.iter().cloned().map(Line::Event);
        command.chain(attempts).chain(events).chain(writes).chain(faults).chain(final_rrs)
    }
}
