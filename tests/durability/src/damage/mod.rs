//! F-082 to F-084, F-088: bytes rot, files are cut, mixed up, lost. A log is read exactly as it was or refused with the
//! place; never misread, never a panic.

mod judge;
mod log;
mod mutate;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::random::Random;
use crate::verdict::Verdict;
use judge::{Met, judge};
use log::{Files, Log};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Bytes of the small log, of which every bit is flipped and every truncation tried.
    #[arg(long, default_value_t = 8 << 10)]
    small_bytes: u64,
    /// Mebibytes of the large log.
    #[arg(long, default_value_t = 10)]
    large_mib: u64,
    /// Random mutations of the large log.
    #[arg(long, default_value_t = 100_000)]
    mutations: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; 0 is one for each core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

/// Sums of one row.
#[derive(Debug, Default)]
struct Sums {
    cases: u64,
    whole: [u64; 2],
    cut: [u64; 2],
    refused: [u64; 2],
    violations: Vec<String>,
}

impl Sums {
    fn take(&mut self, log: &Log, files: &Files, what: &str) {
        self.cases += 1;
        match judge(log, files) {
            Err(why) => self.violations.push(format!("{what}: {why}")),
            Ok(met) => {
                for (index, met) in met.into_iter().enumerate() {
                    let count = match met {
                        Met::Whole => &mut self.whole,
                        Met::Cut => &mut self.cut,
                        Met::Refused => &mut self.refused,
                    };
                    count[index] += 1;
                }
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        for index in 0..2 {
            self.whole[index] += other.whole[index];
            self.cut[index] += other.cut[index];
            self.refused[index] += other.refused[index];
        }
        self.violations.extend(other.violations);
    }

    fn row(self, log: &Log, what: &str, verdict: &mut Verdict) {
        let bytes: usize = log.files.values().map(|bytes| bytes.len()).sum();
        let both = |counts: [u64; 2]| format!("{} / {}", counts[0], counts[1]);
        verdict.row([
            format!("{bytes} bytes, {} segments", log.files.len()),
            what.to_owned(),
            self.cases.to_string(),
            both(self.whole),
            both(self.cut),
            both(self.refused),
            self.violations.len().to_string(),
        ]);
        for violation in self.violations {
            verdict.violation(violation);
        }
    }
}

pub(crate) fn run(args: &Args) -> Verdict {
    let columns = [
        "log",
        "damage",
        "cases",
        "read as it was",
        "tail cut, and said so",
        "refused with the place",
        "misread or panicked",
    ];
    let mut verdict = Verdict::new("damage", &columns);
    // A panic is counted, not printed each time.
    std::panic::set_hook(Box::new(|_| {}));
    let threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        threads => threads,
    };
    let small = log::make(args.small_bytes, args.seed);
    every(&small, threads, &mut verdict);
    let large = log::make(args.large_mib << 20, args.seed);
    let sums = in_parallel(threads, args.mutations, |number, sums: &mut Sums| {
        let mut random = Random::new(args.seed, number);
        let (files, what) = mutate::random(&large, &mut random);
        let what = format!("mutation {number}, seed {}: {what}", args.seed);
        sums.take(&large, &files, &what);
    });
    sums.row(&large, "random mutations", &mut verdict);
    let _ = std::panic::take_hook();
    verdict.note("two counts: with the head known, as an index knows it / without");
    verdict
}

/// Everything that can be done to one byte.
fn every(log: &Log, threads: usize, verdict: &mut Verdict) {
    let places: Vec<(&String, usize)> = log
        .files
        .iter()
        .flat_map(|(name, bytes)| (0..bytes.len()).map(move |at| (name, at)))
        .collect();
    let each = |what: &str, ways: u64, change: &(dyn Fn(&mut Vec<u8>, usize, u64) + Sync)| {
        in_parallel(
            threads,
            places.len() as u64 * ways,
            |case, sums: &mut Sums| {
                let (name, at) = places[(case / ways) as usize];
                let mut bytes = log.files[name].to_vec();
                change(&mut bytes, at, case % ways);
                let mut files = log.files.clone();
                files.insert(name.clone(), Arc::new(bytes));
                sums.take(
                    log,
                    &files,
                    &format!("{what} in {name} at {at}, way {}", case % ways),
                );
            },
        )
    };
    each("bit flipped", 8, &|bytes, at, way| bytes[at] ^= 1 << way).row(
        log,
        "every bit flipped",
        verdict,
    );
    each("truncated", 1, &|bytes, at, _| bytes.truncate(at)).row(log, "every truncation", verdict);
    each("byte removed", 1, &|bytes, at, _| {
        bytes.remove(at);
    })
    .row(log, "every byte removed", verdict);
    each("byte doubled", 1, &|bytes, at, _| {
        bytes.insert(at, bytes[at])
    })
    .row(log, "every byte doubled", verdict);
    each("zero", 1, &|bytes, at, _| bytes[at] = 0).row(log, "every byte zero", verdict);
}

fn in_parallel(threads: usize, cases: u64, case: impl Fn(u64, &mut Sums) + Sync) -> Sums {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut sums = Sums::default();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= cases {
                            return sums;
                        }
                        case(number, &mut sums);
                    }
                })
            })
            .collect();
        let mut sums = Sums::default();
        for worker in workers {
            sums.add(worker.join().expect("a worker"));
        }
        sums
    })
}
