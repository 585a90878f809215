//! Level 3 (reliability §4): the release binary with its embedded store, and the provider, each in a process of its own;
//! links between them, the host and the host's door that break in every way; processes killed, paused, starved; a disk that
//! fills up. Hosts and operators go on meanwhile. Then it heals, must come to rest, and the checker judges.

mod door;
mod engine;
mod host;
mod judge;
mod links;
mod operator;
mod plan;
mod provider;
mod proxy;
mod round;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::verdict::Verdict;
use round::{Sums, round};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A release build of `issuance`: the engine, the provider and the checker.
    #[arg(long)]
    binary: PathBuf,
    #[arg(long, default_value_t = 4)]
    rounds: u64,
    /// Of the first round; the next has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long it storms in each round, in seconds.
    #[arg(long, default_value_t = 8)]
    storm: u64,
    /// Most orders of a round.
    #[arg(long, default_value_t = 300)]
    orders: u64,
    /// Where the data lies. A directory of its own is made in it.
    #[arg(long)]
    work: Option<PathBuf>,
    /// Keep the directory of each round.
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(args: &Args) -> Verdict {
    let columns = [
        "seed",
        "acknowledged",
        "in the log",
        "cards",
        "operators' acts",
        "exchanges",
        "faults",
        "ended by itself",
        "wrong",
    ];
    let mut verdict = Verdict::new("chaos", &columns);
    if !args.binary.exists() {
        verdict.skip(format!("no program {}", args.binary.display()));
        return verdict;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut struck = BTreeMap::new();
    for seed in args.seed..args.seed + args.rounds {
        let work = match &args.work {
            Some(dir) => tempfile::tempdir_in(dir),
            None => tempfile::tempdir(),
        };
        let mut work = work.expect("a directory to work in");
        let sums = runtime.block_on(round(args, seed, work.path()));
        if args.keep {
            work.disable_cleanup(true);
            verdict.note(format!("seed {seed} left {}", work.path().display()));
        }
        for (what, times) in &sums.struck {
            *struck.entry(what.clone()).or_insert(0) += times;
        }
        tell(seed, sums, &mut verdict);
    }
    let struck: Vec<_> = struck
        .iter()
        .map(|(what, times)| format!("{what} {times}"))
        .collect();
    verdict.note(format!("struck: {}", struck.join(", ")));
    verdict
}

fn tell(seed: u64, sums: Sums, verdict: &mut Verdict) {
    verdict.row([
        seed.to_string(),
        sums.acknowledged.to_string(),
        sums.orders.to_string(),
        sums.cards.to_string(),
        sums.acts.to_string(),
        sums.exchanges.to_string(),
        sums.struck.values().sum::<u64>().to_string(),
        sums.ended.len().to_string(),
        sums.wrong.len().to_string(),
    ]);
    for what in sums.wrong {
        verdict.violation(format!("seed {seed}: {what}"));
    }
    for words in sums.ended {
        verdict.note(format!("seed {seed}: the engine ended by itself: {words}"));
    }
    if let Some(why) = sums.skipped {
        verdict.skip(format!("seed {seed}: {why}"));
    }
}
