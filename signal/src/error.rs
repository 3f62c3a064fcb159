//! What can be wrong with a body or with one alert of it: permanent all of them, so that sending the same again is no help.

use serde_json::Error as JsonError;

use crate::limits::MAX_PROBLEM;

/// Nothing of a body can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The body holds a byte that UTF-8 does not allow.
    #[error("the body is not UTF-8: byte {offset} is wrong; send JSON, which is UTF-8")]
    NotUtf8 {
        /// Where, in bytes from the start of the body.
        offset: usize,
    },
    /// The body is not JSON, or not whole.
    #[error("the body is not JSON: {problem}; send {expected} as one JSON object")]
    NotJson {
        /// What the path takes.
        expected: &'static str,
        /// What is wrong, with line and column.
        problem: String,
    },
    /// The body is JSON of another shape.
    #[error("the body is not {expected}: {problem}; check that the sender is configured for this path")]
    WrongShape {
        /// What the path takes.
        expected: &'static str,
        /// What is wrong, with line and column.
        problem: String,
    },
}

impl DecodeError {
    pub(crate) fn json(expected: &'static str, error: &JsonError) -> Self {
        let problem = problem(error);
        if error.is_data() { Self::WrongShape { expected, problem } } else { Self::NotJson { expected, problem } }
    }
}

/// One alert, or the event, cannot be made a signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A part is not an object, or a field of it stands twice or is of the wrong type.
    #[error("{part} cannot be read: {problem} of its own text; send it as Alertmanager or Kubernetes writes it")]
    Malformed {
        /// Which part: the alert, `labels`, `involvedObject` or `metadata`.
        part: &'static str,
        /// What is wrong, with line and column within the part's own text.
        problem: String,
    },
    /// A field that names the signal or its target is missing or empty.
    #[error("`{field}` is missing or empty; a signal needs it")]
    Missing {
        /// The field's path within the alert or the event.
        field: &'static str,
    },
    /// A field that is part of the identity is too long, and cut it could be taken for another's.
    #[error("`{field}` is {length} characters long; use at most {limit}")]
    TooLong {
        /// The field's path within the alert or the event.
        field: String,
        /// Its length in characters.
        length: usize,
        /// The longest that is taken, in characters.
        limit: usize,
    },
    /// The target's text could be read as that of another target.
    #[error("a ':' in the target's {part} makes `{target}` the name of another target too; leave the ':' out")]
    Ambiguous {
        /// Which part of the target: cluster, namespace, kind or name.
        part: &'static str,
        /// The target as it would be hashed.
        target: String,
    },
}

impl Rejection {
    pub(crate) fn malformed(part: &'static str, error: &JsonError) -> Self {
        Self::Malformed { part, problem: problem(error) }
    }
}

/// What a JSON error says, its quotations cut to a length that an answer or a log line can bear.
fn problem(error: &JsonError) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let Some(message) = text.strip_suffix(&place) else { return text };
    match message.char_indices().nth(MAX_PROBLEM) {
        Some((end, _)) => format!("{}…{place}", message.get(..end).unwrap_or_default()),
        None => format!("{message}{place}"),
    }
}
