//! Makes a run that breaks something as small as it gets: fewer faults, orders, nodes, people and choices, sooner over,
//! and still breaking the same invariant.

use crate::batch::run_caught;
use crate::faults::{Decided, Family};
use crate::options::Options;
use crate::violation::Violation;
use issuance_domain::Policy;

/// What was left.
#[derive(Debug)]
pub struct Shrunk {
    /// The smaller run.
    pub options: Options,
    /// What it breaks.
    pub violation: Violation,
    /// How many runs it took.
    pub runs: u64,
}

/// Shrinks within `most` runs; none when nothing is broken.
#[must_use]
pub fn shrink(found: &Options, most: u64) -> Option<Shrunk> {
    let report = run_caught(found, false);
    let mut search = Search {
        best: found.clone(),
        violation: report.violation?,
        runs: 1,
        most,
    };
    if found.script.is_none() {
        // What cannot be told as a list is shrunk by its choices alone.
        let _ = search.tries(found.scripted(report.decided));
    }
    loop {
        let before = search.best.clone();
        search.faults();
        search.crashes();
        search.people();
        search.world();
        if search.best == before || search.is_over() {
            break;
        }
    }
    Some(Shrunk {
        options: search.best,
        violation: search.violation,
        runs: search.runs,
    })
}

struct Search {
    best: Options,
    violation: Violation,
    runs: u64,
    most: u64,
}

impl Search {
    fn is_over(&self) -> bool {
        self.runs >= self.most
    }

    /// Takes a smaller run if it breaks the same.
    fn tries(&mut self, options: Options) -> bool {
        if options == self.best || self.is_over() {
            return false;
        }
        self.runs += 1;
        let report = run_caught(&options, false);
        let Some(violation) = report.violation else {
            return false;
        };
        if violation.invariant != self.violation.invariant {
            return false;
        }
        self.best = options;
        self.violation = violation;
        true
    }

    fn changed(&mut self, change: impl FnOnce(&mut Options)) -> bool {
        let mut options = self.best.clone();
        change(&mut options);
        self.tries(options)
    }

    /// Whole families first, then delta debugging over what is left.
    fn faults(&mut self) {
        for family in Family::ALL {
            self.changed(|options| {
                options.set(*family, 0.0);
                if let Some(script) = &mut options.script {
                    script.retain(|fault| fault.family != *family);
                }
            });
        }
        let script = |options: &Options| options.script.clone().unwrap_or_default();
        let put = |options: &mut Options, list: Vec<Decided>| options.script = Some(list);
        if self.best.script.is_some() {
            self.list(script, put);
        }
    }

    fn crashes(&mut self) {
        self.list(
            |options| options.crash_at.clone(),
            |options, list| options.crash_at = list,
        );
        self.changed(|options| options.no_webhooks = false);
        self.changed(|options| options.lose_answer = None);
    }

    fn people(&mut self) {
        self.list(
            |options| options.deeds.clone(),
            |options, list| options.deeds = list,
        );
        while self.best.orders > 1 && self.changed(|options| options.orders -= 1) {}
        for order in 0..self.best.orders {
            if !self.best.skipped.contains(&order) {
                self.changed(|options| options.skipped.push(order));
            }
        }
    }

    fn world(&mut self) {
        while self.best.nodes > 1 && self.changed(|options| options.nodes -= 1) {}
        let standard = Options::calm(self.best.seed);
        self.changed(|options| options.skew = 0);
        self.changed(|options| options.processing = standard.processing);
        self.changed(|options| options.link_life = standard.link_life);
        self.changed(|options| options.calls_per_minute = standard.calls_per_minute);
        self.changed(|options| options.strangers = 0);
        self.changed(|options| options.search_pages = standard.search_pages);
        self.changed(|options| options.policy = standard.policy);
        self.policy();
        self.changed(|options| options.asked_within = 0);
        while self.best.heal_after > 60_000 && self.changed(|options| options.heal_after /= 2) {}
    }

    /// The choices a seed makes, one by one.
    fn policy(&mut self) {
        let changes: [fn(&mut Policy, Policy); 6] = [
            |policy, standard| policy.key_safe_age = standard.key_safe_age,
            |policy, standard| policy.activation = standard.activation,
            |policy, standard| policy.late_success = standard.late_success,
            |policy, standard| policy.absence = standard.absence,
            |policy, standard| policy.idv_expired = standard.idv_expired,
            |policy, standard| policy.idv_renewals = standard.idv_renewals,
        ];
        for change in changes {
            self.changed(|options| change(&mut options.policy, Policy::standard()));
        }
    }

    /// Delta debugging: leaves out halves, then quarters, down to one.
    fn list<T: Clone>(
        &mut self,
        get: impl Fn(&Options) -> Vec<T>,
        put: impl Fn(&mut Options, Vec<T>),
    ) {
        let mut size = get(&self.best).len();
        while size > 0 && !self.is_over() {
            let mut from = 0;
            loop {
                let mut list = get(&self.best);
                if from >= list.len() {
                    break;
                }
                list.drain(from..(from + size).min(list.len()));
                if !self.changed(|options| put(options, list)) {
                    from += size;
                }
            }
            size /= 2;
        }
    }
}
