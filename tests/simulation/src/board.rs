//! The board of planted bugs: whether this simulation would have found them, and after how many seeds.

use std::time::Duration;

use issuance_domain::planted::{self, Bug};

use crate::batch::{Batch, Limits, batch};
use crate::options::Options;
use crate::violation::Violation;

/// What came of the search for one bug.
#[derive(Debug)]
pub struct Found {
    /// Which.
    pub bug: Bug,
    /// How many seeds it took, counted from 0; none when it was not found.
    pub seeds: Option<u64>,
    /// What told.
    pub violation: Option<Violation>,
    /// How long it took.
    pub took: Duration,
}

/// Switches a bug on and plays seeds until one of them tells.
#[must_use]
pub fn hunt(bug: Bug, seeds: u64, jobs: usize, time: Duration) -> Found {
    planted::plant(Some(bug));
    let limits = Limits {
        jobs,
        time,
        violations: 1,
    };
    let Batch {
        violations, took, ..
    } = batch(0..seeds, |number| number, Options::of_seed, limits);
    planted::plant(None);
    // Seeds are taken in their order, so the first that tells is always among those that were played.
    let first = violations.into_iter().next();
    Found {
        bug,
        seeds: first.as_ref().map(|(seed, _)| seed + 1),
        violation: first.map(|(_, violation)| violation),
        took,
    }
}
