//! Many seeds over the machine's cores.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::coverage::Coverage;
use crate::options::Options;
use crate::report::Report;
use crate::rng::mix;
use crate::violation::Violation;
use crate::world::run;

/// Every so many seeds one runs twice: it must come to the same.
const TWICE: u64 = 50;

/// What a batch came to.
#[derive(Debug, Default)]
pub struct Batch {
    /// Seeds that ran.
    pub seeds: u64,
    /// Seeds that ran twice.
    pub twice: u64,
    /// What was found, by seed.
    pub violations: BTreeMap<u64, Violation>,
    /// What was reached.
    pub coverage: Coverage,
    /// The hashes of all runs as one number: a change that only makes runs cheaper leaves it.
    pub trace: u64,
    /// How long it took.
    pub took: Duration,
    /// How long processors worked for it.
    pub worked: Duration,
}

/// How a batch runs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Threads.
    pub jobs: usize,
    /// No seed is begun later than this.
    pub time: Duration,
    /// It ends after so many violations.
    pub violations: usize,
}

/// Runs one seed's world; a panic is a violation, too.
#[must_use]
pub fn run_caught(options: &Options, with_lines: bool) -> Report {
    match catch_unwind(AssertUnwindSafe(|| run(options, with_lines))) {
        Ok(report) => report,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no words");
            Report::panicked(text)
        }
    }
}

/// Runs seeds, as they come from `seed`, with `options` of each.
#[must_use]
pub fn batch(
    numbers: Range<u64>,
    seed: impl Fn(u64) -> u64 + Sync,
    options: impl Fn(u64) -> Options + Sync,
    limits: Limits,
) -> Batch {
    let (begun, worked) = (now(), worked());
    let next = AtomicU64::new(numbers.start);
    let enough = AtomicBool::new(false);
    let whole = Mutex::new(Batch::default());
    std::thread::scope(|scope| {
        for _ in 0..limits.jobs.max(1) {
            scope.spawn(|| {
                let mut own = Batch::default();
                while !enough.load(Ordering::Relaxed) && begun.elapsed() < limits.time {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        break;
                    }
                    let seed = seed(number);
                    own.one(seed, &options(seed), number.is_multiple_of(TWICE));
                    if own.violations.len() >= limits.violations {
                        enough.store(true, Ordering::Relaxed);
                    }
                }
                let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner);
                whole.seeds += own.seeds;
                whole.twice += own.twice;
                whole.violations.append(&mut own.violations);
                whole.coverage.add(&own.coverage);
                whole.trace ^= own.trace;
            });
        }
    });
    let mut whole = whole.into_inner().unwrap_or_else(PoisonError::into_inner);
    whole.took = begun.elapsed();
    whole.worked = self::worked().saturating_sub(worked);
    whole
}

/// Does something to each over several threads; what came of it, in their order.
pub(crate) fn every<T: Sync, R: Send>(
    all: &[T],
    jobs: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let work = || {
            let mut own = Vec::new();
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                let Some(one) = all.get(nth) else {
                    return own;
                };
                own.push((nth, work(one)));
            }
        };
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(own) => own,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    done.sort_by_key(|(nth, _)| *nth);
    done.into_iter().map(|(_, result)| result).collect()
}

impl Batch {
    fn one(&mut self, seed: u64, options: &Options, twice: bool) {
        let report = run_caught(options, false);
        self.seeds += 1;
        self.coverage.add(&report.coverage);
        self.trace ^= mix(seed ^ report.hash ^ mix(report.polls ^ mix(report.requests)));
        if twice {
            self.twice += 1;
            let again = run_caught(options, false);
            if again.hash != report.hash {
                let what = "two runs of one seed differ".to_owned();
                self.violations
                    .insert(seed, Violation::of("determinism", what));
            }
        }
        if let Some(violation) = report.violation {
            self.violations.insert(seed, violation);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a batch takes is no part of any run"
)]
fn now() -> Instant {
    Instant::now()
}

/// What this process has had of all processors, as Linux counts it; nothing elsewhere.
fn worked() -> Duration {
    // Behind the program's name: eleven fields, then the hundredths of a second of its own and of the kernel's for it.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks = ticks.filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}
