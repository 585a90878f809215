//! The board of planted bugs, printed.

use std::time::Duration;

use issuance_domain::planted::{self, Bug};
use issuance_simulation::hunt;

/// Switches on the bug of this number, if there is one.
pub(crate) fn plant(id: Option<&str>) {
    planted::plant(Bug::ALL.iter().copied().find(|bug| Some(bug.id()) == id));
}

/// A line for each bug; whether all were found.
pub(crate) fn play(
    (only, except): (&[String], &[String]),
    seeds: u64,
    jobs: usize,
    time: Duration,
) -> bool {
    let names = |list: &[String], bug: &Bug| list.iter().any(|id| id == bug.id());
    let bugs: Vec<_> = Bug::ALL
        .iter()
        .filter(|bug| (only.is_empty() || names(only, bug)) && !names(except, bug))
        .collect();
    let mut missed = bugs.is_empty();
    for bug in bugs {
        let found = hunt(*bug, seeds, jobs, time);
        let told = match (found.seeds, &found.violation) {
            (Some(seeds), Some(violation)) => format!("{seeds:>8} seeds, {violation}"),
            _ => "not found".to_owned(),
        };
        missed |= found.seeds.is_none();
        let (id, took) = (bug.id(), found.took.as_secs_f64());
        println!("{id:<4}{:<85} {told} ({took:.1} s)", bug.meaning().trim());
    }
    !missed
}
