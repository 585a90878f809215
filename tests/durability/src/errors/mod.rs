//! F-079, F-080: every call to the disk fails once, in every way. Nothing is acknowledged after the first error, nothing
//! acknowledged is lost, no half append comes back, and the store opens again.

mod injected;
mod simulated;

use std::path::PathBuf;

use crate::verdict::Verdict;
use crate::verify::Findings;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of the simulated disk's calls only every so many; 1 takes all.
    #[arg(long, default_value_t = 1)]
    every: u64,
    /// On real files: the first so many calls of each kind fail, one a run. 0 leaves them out.
    #[arg(long, default_value_t = 500)]
    injected: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where files lie. A directory of its own is made in it.
    #[arg(long)]
    work: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Verdict {
    let columns = [
        "disk",
        "what fails",
        "how",
        "runs",
        "stopped",
        "refused at open",
        "acknowledged",
        "after the stop",
        "lost",
        "would not open",
        "wrong",
    ];
    let mut verdict = Verdict::new("errors", &columns);
    let work = match &args.work {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let work = work.expect("a directory to work in");
    simulated::sweep(args, work.path(), &mut verdict);
    if args.injected > 0 {
        injected::sweep(args, work.path(), &mut verdict);
    }
    verdict
}

/// Sums of one row.
#[derive(Debug, Default)]
struct Sums {
    runs: u64,
    stopped: u64,
    refused: u64,
    acknowledged: usize,
    late: usize,
    lost: usize,
    unopenable: u64,
    wrong: usize,
    violations: Vec<String>,
}

impl Sums {
    /// What a verification of one run says.
    fn take(&mut self, what: &str, verified: Result<Findings, String>) {
        match verified {
            Err(why) => {
                self.unopenable += 1;
                self.violations.push(format!("{what}: {why}"));
            }
            Ok(findings) => {
                self.lost += findings.lost.len();
                self.wrong += findings.wrong.len();
                let all = findings.lost.iter().chain(&findings.wrong);
                self.violations
                    .extend(all.map(|said| format!("{what}: {said}")));
            }
        }
    }

    fn late(&mut self, what: &str, late: &[String]) {
        self.late += late.len();
        self.violations.extend(
            late.iter()
                .map(|ack| format!("{what}: acknowledged after the stop: {ack}")),
        );
    }

    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.stopped += other.stopped;
        self.refused += other.refused;
        self.acknowledged += other.acknowledged;
        self.late += other.late;
        self.lost += other.lost;
        self.unopenable += other.unopenable;
        self.wrong += other.wrong;
        self.violations.extend(other.violations);
    }

    fn row(self, names: [&str; 3], verdict: &mut Verdict) {
        let counts = [
            self.runs,
            self.stopped,
            self.refused,
            self.acknowledged as u64,
            self.late as u64,
            self.lost as u64,
            self.unopenable,
            self.wrong as u64,
        ];
        let names = names.map(String::from).into_iter();
        verdict.row(names.chain(counts.iter().map(ToString::to_string)));
        for violation in self.violations {
            verdict.violation(violation);
        }
    }
}
