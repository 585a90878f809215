//! `simulation`: runs seeds, one or millions. `docs/simulation.md` has the commands.
#![expect(clippy::print_stdout, reason = "a command's output")]

use std::num::ParseIntError;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use issuance_simulation::{Batch, Limits, Options, Report, batch, run_caught};

#[derive(Parser)]
#[command(about = "The real engine under virtual time, with everything that can go wrong")]
enum Command {
    /// Runs one seed and tells its story.
    Seed {
        /// Decimal, or hexadecimal with `0x`.
        #[arg(value_parser = number)]
        seed: u64,
        /// Write every note to this file.
        #[arg(long)]
        trace: Option<std::path::PathBuf>,
    },
    /// Runs many seeds.
    Batch {
        /// The first.
        #[arg(long, value_parser = number, default_value = "0")]
        from: u64,
        /// How many.
        #[arg(long, default_value = "1000")]
        seeds: u64,
        /// Threads; as many as there are cores unless told otherwise.
        #[arg(long)]
        jobs: Option<usize>,
        /// Longest time, in seconds.
        #[arg(long, default_value = "36000")]
        seconds: u64,
        /// Half of the seeds come from this text, such as the commit.
        #[arg(long)]
        salt: Option<String>,
        /// End after so many violations.
        #[arg(long, default_value = "10")]
        violations: usize,
        /// What must be reached and was not fails the batch.
        #[arg(long)]
        require: bool,
    },
}

/// A run is mostly small allocations, made and given back by one thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn number(text: &str) -> Result<u64, ParseIntError> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    }
}

fn main() -> ExitCode {
    // A panic inside a run is a finding, told once with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let sound = match Command::parse() {
        Command::Seed { seed, trace } => {
            let options = Options::of_seed(seed);
            println!("{options}");
            let report = run_caught(&options, true);
            tell(&report, 50);
            if let Some(path) = trace
                && let Err(error) = std::fs::write(&path, report.lines.join("\n") + "\n")
            {
                println!("cannot write {}: {error}", path.display());
            }
            report.violation.is_none()
        }
        Command::Batch {
            from,
            seeds,
            jobs,
            seconds,
            salt,
            violations,
            require,
        } => {
            let limits = Limits {
                jobs: jobs.unwrap_or_else(cores),
                time: Duration::from_secs(seconds),
                violations,
            };
            let salt = salt.map(|text| hash(&text));
            let seed = |number: u64| match salt {
                Some(salt) if number % 2 == 1 => salt.wrapping_add(number),
                _ => number,
            };
            let done = batch(from..from + seeds, seed, Options::of_seed, limits);
            summary(&done, require)
        }
    };
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn tell(report: &Report, last: usize) {
    let from = report.lines.len().saturating_sub(last);
    for line in &report.lines[from..] {
        println!("{}", line.chars().take(240).collect::<String>());
    }
    println!(
        "hash {:#018x}; {} polls, {} boundaries, {} requests, {} faults; ends: {}",
        report.hash,
        report.polls,
        report.boundaries,
        report.requests,
        report.decided.len(),
        report.ends.join(" ")
    );
    match &report.violation {
        Some(violation) => println!("{violation}"),
        None => println!("nothing wrong"),
    }
}

fn summary(done: &Batch, require: bool) -> bool {
    for line in done.coverage.lines() {
        println!("{line}");
    }
    for (seed, violation) in &done.violations {
        println!("seed {seed:#x}: {violation}");
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = done.seeds as f64 / done.took.as_secs_f64();
    println!(
        "{} seeds in {:.1} s ({rate:.0} a second), {} of them twice; {} violations",
        done.seeds,
        done.took.as_secs_f64(),
        done.twice,
        done.violations.len()
    );
    let gaps = if require {
        done.coverage.gaps()
    } else {
        Vec::new()
    };
    for gap in &gaps {
        println!("never reached: {gap}");
    }
    done.violations.is_empty() && gaps.is_empty()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
