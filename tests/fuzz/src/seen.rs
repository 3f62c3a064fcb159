//! What can be seen of a request's way through the filter, be it the module's or the native core's.

use onceway_wasm_host::{Answer, End, HttpCall};

use super::case::Case;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// How it ended.
    pub(super) end: End,
    /// Its headers as they went upstream, or would have.
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its parts, with the numbers that a proxy gives them.
    pub(super) calls: Vec<HttpCall>,
    /// What was counted.
    pub(super) outcomes: Vec<String>,
}

impl Seen {
    /// Of the module.
    pub(super) fn of_module(answer: &Answer) -> Seen {
        let renumber = |(number, call): (usize, &HttpCall)| HttpCall { token: token(number), ..call.clone() };
        Seen {
            end: answer.end.clone(),
            headers: answer.headers.clone(),
            calls: answer.http_calls.iter().enumerate().map(renumber).collect(),
            outcomes: answer.outcomes().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether it is at its end: nobody waits for ever.
    pub(super) fn ended(&self, case: &Case) -> bool {
        match self.end {
            End::Passed(_) | End::Answered(_) => true,
            End::Abandoned => case.client_goes_away(),
            End::Hung | End::Trapped(_) => false,
        }
    }

    /// How many parts it was sent in.
    pub(super) fn parts(&self) -> u64 {
        self.calls.len() as u64
    }

    /// The bytes that went out: parts and answer.
    pub(super) fn bytes(&self) -> u64 {
        let parts: usize = self.calls.iter().map(|call| call.body.len()).sum();
        let answer = match &self.end {
            End::Answered(response) => response.body.len(),
            _ => 0,
        };
        (parts + answer) as u64
    }
}

/// The number of a request's part, as both sides are compared by it.
pub(super) fn token(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
