//! What a run came to.

use crate::coverage::Coverage;
use crate::faults::Decided;
use crate::violation::Violation;

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// The same seed gives the same hash.
    pub hash: u64,
    /// What must never happen and did.
    pub violation: Option<Violation>,
    /// What was reached.
    pub coverage: Coverage,
    /// The faults that were decided on.
    pub decided: Vec<Decided>,
    /// Boundaries between effects that were passed.
    pub boundaries: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Polls of futures.
    pub polls: u64,
    /// How each order ended, by the host's number.
    pub ends: Vec<String>,
    /// Every note, if they were asked for.
    pub lines: Vec<String>,
}

impl Report {
    pub(crate) fn panicked(text: &str) -> Self {
        Self {
            hash: 0,
            violation: Some(Violation::of("panic", text.to_owned())),
            coverage: Coverage::default(),
            decided: Vec::new(),
            boundaries: 0,
            requests: 0,
            polls: 0,
            ends: Vec::new(),
            lines: Vec::new(),
        }
    }
}
