//! `onceway explain`: what would become of these alerts and events, without a cluster. The same code as in the filter and
//! in a replica decides.

mod report;
pub mod serve;

use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use onceway_explain::{Explained, explain};
use onceway_signal::Source;
use onceway_signal::rules::Rules;
use thiserror::Error;

use self::report::{write_json, write_table};
use self::serve::ServeArgs;

/// The largest input, in bytes: as the largest configurable body.
const MAX_INPUT_BYTES: u64 = 64 * 1024 * 1024;

/// Show which alerts would become which incident, and by which rule.
///
/// Reads Alertmanager webhooks, Kubernetes events, or the output of `amtool alert query -o json`; from FILES, or from
/// standard input. Exits with 2 if an input cannot be read. Needs no cluster. With --serve a browser shows it, for alerts and
/// rules that are pasted there.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The page for a browser
    #[command(flatten)]
    pub serve: ServeArgs,
    /// What the input is; without it, it is recognised by its keys
    #[arg(long, value_enum)]
    source: Option<SourceArg>,
    /// Print one JSON object per alert: alert, name, state, rule, cluster, target, fingerprint, reason
    #[arg(long)]
    json: bool,
    /// Files, each with one body; `-` is standard input
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SourceArg {
    Prometheus,
    KubernetesEvent,
}

impl From<SourceArg> for Source {
    fn from(source: SourceArg) -> Self {
        match source {
            SourceArg::Prometheus => Self::Prometheus,
            SourceArg::KubernetesEvent => Self::KubernetesEvent,
        }
    }
}

/// Why an input cannot be explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// It cannot be read.
    #[error("cannot read {name}: {source}")]
    Read {
        /// The input.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It is too large.
    #[error("{name} is larger than {MAX_INPUT_BYTES} bytes; split it")]
    TooLarge {
        /// The input.
        name: String,
    },
    /// It is no body that a replica would decode, and no output of amtool.
    #[error("{name}: {problem}")]
    Body {
        /// The input.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The explanation cannot be written.
    #[error("cannot write the explanation: {0}")]
    Write(#[from] io::Error),
}

impl ExplainArgs {
    /// Explains every input by `rules`, and writes the result to `out`.
    ///
    /// # Errors
    /// [`ExplainError`] for the first input that cannot be read; nothing is written then.
    pub fn run(&self, rules: &Rules, out: &mut impl Write) -> Result<(), ExplainError> {
        let stdin = [PathBuf::from("-")];
        let files = if self.files.is_empty() { &stdin[..] } else { &self.files };
        let mut explained: Vec<Explained> = Vec::new();
        for file in files {
            let name = if file.as_os_str() == "-" { "standard input".to_owned() } else { file.display().to_string() };
            let text = read(file, &name)?;
            let body = |problem: String| ExplainError::Body { name: name.clone(), problem };
            let source = self.source.map(Source::from);
            let alerts = explain(rules, &text, source, explained.len(), Timestamp::now()).map_err(body)?;
            explained.extend(alerts);
        }
        if self.json {
            write_json(&explained, out)?
        } else {
            write_table(&explained, out)?
        }
        Ok(())
    }
}

fn read(file: &std::path::Path, name: &str) -> Result<Vec<u8>, ExplainError> {
    let failed = |source| ExplainError::Read { name: name.to_owned(), source };
    let input: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).map_err(failed)?)
    };
    let mut text = Vec::new();
    let length = input.take(MAX_INPUT_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    if length as u64 > MAX_INPUT_BYTES { Err(ExplainError::TooLarge { name: name.to_owned() }) } else { Ok(text) }
}

#[cfg(test)]
mod tests;
