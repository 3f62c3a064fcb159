//! The observable behavior of the filter for one request, the same for module and native core.

use onceway_signal::WEBHOOK_HEADER;
use onceway_wasm_host::{End, RequestResult, SubRequest};

use super::case::Case;

/// What the filter did with a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Behavior {
    /// How the request ended.
    pub(super) end: End,
    /// The request headers after the filter.
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The sub-requests, numbered from 0.
    pub(super) calls: Vec<SubRequest>,
    /// The decisions that were counted.
    pub(super) decisions: Vec<String>,
}

impl Behavior {
    /// The behavior of the module.
    pub(super) fn of_module(result: &RequestResult) -> Behavior {
        let renumber = |(number, call): (usize, &SubRequest)| SubRequest { token: token(number), ..call.clone() };
        let calls = result.sub_requests.iter().enumerate().map(renumber);
        Behavior {
            end: result.end.clone(),
            headers: result.headers.clone(),
            calls: with_one_id(calls.collect()),
            decisions: result.decisions().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether the request has ended, so that no client waits forever.
    pub(super) fn has_ended(&self, case: &Case) -> bool {
        match self.end {
            End::Passed(_) | End::Responded(_) => true,
            End::Abandoned => case.client_disconnects(),
            End::Hung | End::Trapped(_) => false,
        }
    }

    /// The number of sub-requests.
    pub(super) fn sub_requests(&self) -> u64 {
        self.calls.len() as u64
    }

    /// The bytes that the filter sent: sub-requests and response.
    pub(super) fn bytes(&self) -> u64 {
        let sub_requests: usize = self.calls.iter().map(|call| call.body.len()).sum();
        let response = match &self.end {
            End::Responded(response) => response.body.len(),
            _ => 0,
        };
        (sub_requests + response) as u64
    }
}

/// The sub-requests, with a name in place of each id of a webhook: it tells of the requests before this one, and of the clock.
pub(super) fn with_one_id(mut calls: Vec<SubRequest>) -> Vec<SubRequest> {
    let mut ids = Vec::new();
    for (name, value) in calls.iter_mut().flat_map(|call| &mut call.headers) {
        if name == WEBHOOK_HEADER {
            let number = ids.iter().position(|id| id == value).unwrap_or(ids.len());
            ids.push(std::mem::replace(value, format!("id {number} of {} digits", value.len())));
        }
    }
    calls
}

/// The number of a sub-request, by which both sides are compared.
pub(super) fn token(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
