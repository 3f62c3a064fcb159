//! Errors of a body or of one of its alerts. All are permanent: sending the same again does not help.

use serde_json::Error as JsonError;

use crate::limits::MAX_PROBLEM;
use crate::truncate::{truncate_chars, truncated};

/// The whole body is unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The body is not UTF-8.
    #[error("the body is not UTF-8: byte {offset} is invalid; send JSON in UTF-8")]
    NotUtf8 {
        /// The offset of the first invalid byte.
        offset: usize,
    },
    /// The body is not JSON, or is incomplete.
    #[error("the body is malformed JSON: {problem}; send {expected} as one JSON object")]
    NotJson {
        /// What the path takes.
        expected: &'static str,
        /// The parser's message, with line and column.
        problem: String,
    },
    /// The body is JSON of another shape.
    #[error("the body is not {expected}: {problem}; check that the sender is configured for this path")]
    WrongShape {
        /// What the path takes.
        expected: &'static str,
        /// The parser's message, with line and column.
        problem: String,
    },
    /// The body is another layout that is known.
    #[error("the body is {seen}, and this path takes {expected}; {todo}")]
    OtherLayout {
        /// What the path takes.
        expected: &'static str,
        /// What the body is.
        seen: &'static str,
        /// What to do.
        todo: &'static str,
    },
    /// The query names the cluster in a way that cannot be used.
    #[error("`cluster` in the query {problem}; write it once, as `?cluster=<name>`")]
    Cluster {
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl DecodeError {
    pub(crate) fn json(expected: &'static str, error: &JsonError) -> Self {
        let problem = problem(error);
        if error.is_data() { Self::WrongShape { expected, problem } } else { Self::NotJson { expected, problem } }
    }
}

/// One alert, or the event, is no usable signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A part is not an object, or has a duplicate field or a field of the wrong type.
    #[error("{part} is malformed: {problem} of {part}; send it as Alertmanager or Kubernetes writes it")]
    Malformed {
        /// Which part: the alert, `labels`, `involvedObject` or `metadata`.
        part: &'static str,
        /// The parser's message, with line and column within the part.
        problem: String,
    },
    /// A field that names the signal or its target is missing or empty.
    #[error("`{field}` is missing or empty; set it")]
    Missing {
        /// The field's path within the alert or the event.
        field: &'static str,
    },
    /// A field of the identity is too long. Truncated, it could equal that of another target.
    #[error("`{field}` is {length} characters long; use at most {limit}")]
    TooLong {
        /// The field's path within the alert or the event.
        field: String,
        /// Its length in characters.
        length: usize,
        /// The longest accepted length, in characters.
        limit: usize,
    },
    /// The target's text is also the text of another target.
    #[error("the target `{target}` is ambiguous because of the ':' in its {part}; remove the ':'")]
    Ambiguous {
        /// Which part of the target: cluster, namespace or kind.
        part: &'static str,
        /// The text that would be hashed.
        target: String,
    },
    /// A field that names a Kubernetes object is no name of one.
    #[error("`{field}` is {value}, which is no name of a Kubernetes object; {rule}")]
    Syntax {
        /// The field's path within the event.
        field: &'static str,
        /// Its value, quoted and truncated.
        value: String,
        /// What a name of its kind looks like.
        rule: &'static str,
    },
    /// The signal names a cluster that is not in `targets.clusters`.
    #[error("signals about the cluster {cluster:?} are not accepted here; send the cluster's name as it is configured")]
    Cluster {
        /// The cluster that the signal names.
        cluster: String,
    },
    /// The target is in a namespace of `targets.denyNamespaces`.
    #[error("signals about the namespace {namespace:?} are not accepted here; stop sending them")]
    Namespace {
        /// The target's namespace.
        namespace: String,
    },
}

impl Rejection {
    pub(crate) fn malformed(part: &'static str, error: &JsonError) -> Self {
        Self::Malformed { part, problem: problem(error) }
    }
}

/// The parser's message. What it quotes of the input is truncated; what it expected, and where, stays.
fn problem(error: &JsonError) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let Some(message) = text.strip_suffix(&position) else { return text };
    let Some(start) = truncated(message, MAX_PROBLEM) else { return text };
    // The input may have these words too, so what follows them has a limit as well.
    let expected = message.rfind(", expected ").filter(|at| *at >= start.len());
    let expected = expected.and_then(|at| message.get(at..)).unwrap_or_default();
    format!("{start}…{}{position}", truncate_chars(expected, MAX_PROBLEM))
}
