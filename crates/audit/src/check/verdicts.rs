//! What was judged so far, and what was found.

use issuance_domain::OrderId;

use super::invariant::{Input, Invariant};
use super::violation::{Evidence, Violation};

/// Violations kept; more are only counted.
const KEPT: usize = 100;

/// Counts and findings.
#[derive(Debug, Clone)]
pub(super) struct Verdicts {
    seed: Option<u64>,
    judged: [u64; Invariant::COUNT],
    wrong: [u64; Invariant::COUNT],
    seen: u16,
    pub(super) violations: Vec<Violation>,
}

impl Verdicts {
    pub(super) fn new(seed: Option<u64>) -> Self {
        Self {
            seed,
            judged: [0; Invariant::COUNT],
            wrong: [0; Invariant::COUNT],
            seen: 0,
            violations: Vec::new(),
        }
    }

    pub(super) fn see(&mut self, input: Input) {
        self.seen |= 1 << input as u16;
    }

    pub(super) fn has_seen(&self, input: Input) -> bool {
        self.seen & (1 << input as u16) != 0
    }

    pub(super) fn judged(&self, invariant: Invariant) -> u64 {
        self.judged[invariant.index()]
    }

    pub(super) fn wrong(&self, invariant: Invariant) -> u64 {
        self.wrong[invariant.index()]
    }

    pub(super) fn all_wrong(&self) -> u64 {
        self.wrong.iter().sum()
    }

    /// One fact is held against an invariant; `complaint` is asked only when it does not hold.
    pub(super) fn hold(
        &mut self,
        invariant: Invariant,
        order: Option<OrderId>,
        holds: bool,
        complaint: impl FnOnce() -> (String, Vec<Evidence>),
    ) -> bool {
        self.judged[invariant.index()] += 1;
        if !holds {
            let (what, facts) = complaint();
            self.note(invariant, order, what, facts);
        }
        holds
    }

    fn note(
        &mut self,
        invariant: Invariant,
        order: Option<OrderId>,
        what: String,
        facts: Vec<Evidence>,
    ) {
        self.wrong[invariant.index()] += 1;
        if self.violations.len() < KEPT {
            self.violations.push(Violation {
                invariant,
                order,
                what,
                facts,
                seed: self.seed,
            });
        }
    }
}
