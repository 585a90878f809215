//! `simulation`: runs seeds, one or millions. `docs/simulation.md` has the commands.
#![expect(clippy::print_stdout, reason = "a command's output")]

use std::io;
use std::num::ParseIntError;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use issuance_simulation::{Limits, Mode, Options, Thorough, run_caught};

#[cfg(feature = "planted")]
mod board;
mod kept;
mod many;
mod tell;

/// A run is mostly small allocations, made and given back by one thread.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        trace: Option<PathBuf>,
        /// With this planted bug, such as B5.
        #[cfg(feature = "planted")]
        #[arg(long)]
        planted: Option<String>,
    },
    /// Makes what a seed or a file breaks as small as it gets, and keeps it as a file.
    Shrink {
        /// A seed, or a script.
        what: String,
        /// The file's name in `tests/simulation/scripts`, or a path.
        #[arg(long)]
        to: PathBuf,
        /// What it is about, in a sentence.
        #[arg(long, default_value = "")]
        about: String,
        /// Gives up after so many runs.
        #[arg(long, default_value = "5000")]
        runs: u64,
    },
    /// Keeps a seed's run as a file, as it is.
    Keep {
        /// Decimal, or hexadecimal with `0x`.
        #[arg(value_parser = number)]
        seed: u64,
        /// The file.
        #[arg(long)]
        to: PathBuf,
        /// What it is about, in a sentence.
        #[arg(long)]
        about: String,
        /// What it broke.
        #[arg(long)]
        broke: String,
    },
    /// Runs what was kept: a file, or every file of a folder.
    Replay {
        /// Where they are.
        #[arg(default_value = "tests/simulation/scripts")]
        path: PathBuf,
        /// Tell the last notes of each.
        #[arg(long)]
        story: bool,
    },
    /// Leaves nothing to chance: every story broken at every place.
    Directed {
        /// How they are broken.
        #[arg(value_enum, default_value = "all")]
        how: How,
        /// Only stories whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
        /// So many second crashes for each first one.
        #[arg(long, default_value = "3")]
        again: u64,
        /// So many seeds for each pair.
        #[arg(long, default_value = "3")]
        seeds: u64,
        /// Threads; as many as there are cores unless told otherwise.
        #[arg(long)]
        jobs: Option<usize>,
        /// What breaks something is kept as files in this folder, to be shrunk.
        #[arg(long)]
        keep: Option<PathBuf>,
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
    /// What every change must pass: all that was kept, the directed modes in short form, and many seeds; and what must
    /// be reached, is.
    Gate {
        /// What was kept.
        #[arg(long, default_value = "tests/simulation/scripts")]
        scripts: PathBuf,
        /// How many seeds at most.
        #[arg(long, default_value = "200000")]
        seeds: u64,
        /// How long the seeds run at most.
        #[arg(long, default_value = "300")]
        seconds: u64,
        /// Half of the seeds come from this text: the commit.
        #[arg(long, default_value = "")]
        salt: String,
        /// Threads.
        #[arg(long, default_value = "2")]
        jobs: usize,
    },
    /// Plays the planted bugs (reliability §4.7): each must be found.
    #[cfg(feature = "planted")]
    Planted {
        /// The most seeds for each.
        #[arg(long, default_value = "1000000")]
        seeds: u64,
        /// Only these, such as B5.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Not these.
        #[arg(long, value_delimiter = ',')]
        except: Vec<String>,
        /// Threads; as many as there are cores unless told otherwise.
        #[arg(long)]
        jobs: Option<usize>,
        /// The longest time for each, in seconds.
        #[arg(long, default_value = "36000")]
        seconds: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    All,
    Crash,
    Webhooks,
    Answers,
    Pairs,
}

impl How {
    fn modes(self) -> &'static [Mode] {
        match self {
            Self::All => Mode::ALL,
            Self::Crash => &[Mode::Crash],
            Self::Webhooks => &[Mode::Webhooks],
            Self::Answers => &[Mode::Answers],
            Self::Pairs => &[Mode::Pairs],
        }
    }
}

fn number(text: &str) -> Result<u64, ParseIntError> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    }
}

fn main() -> ExitCode {
    // A panic inside a run is a finding, told once with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let done = done(Command::parse());
    if let Err(error) = &done {
        println!("{error}");
    }
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// Does it, and says whether nothing was wrong.
fn done(command: Command) -> io::Result<bool> {
    Ok(match command {
        Command::Seed {
            seed,
            trace,
            #[cfg(feature = "planted")]
            planted,
        } => {
            #[cfg(feature = "planted")]
            board::plant(planted.as_deref());
            let options = Options::of_seed(seed);
            println!("{options}");
            let report = run_caught(&options, true);
            tell::story(&report, 50);
            if let Some(path) = trace {
                std::fs::write(&path, report.lines.join("\n") + "\n")?;
            }
            report.violation.is_none()
        }
        Command::Shrink {
            what,
            to,
            about,
            runs,
        } => kept::shrunk(&what, &to, about, runs)?,
        Command::Keep {
            seed,
            to,
            about,
            broke,
        } => kept::keep(seed, &to, about, broke)?,
        Command::Replay { path, story } => kept::replay(&path, story)?,
        Command::Directed {
            how,
            only,
            again,
            seeds,
            jobs,
            keep,
        } => {
            let thorough = Thorough {
                jobs: jobs.unwrap_or_else(cores),
                again,
                seeds,
            };
            let mut is_sound = true;
            for mode in how.modes() {
                let done = many::broken(*mode, &only, thorough, keep.as_deref())?;
                is_sound &= done.findings.is_empty();
            }
            is_sound
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
            let done = many::seeds(from..from + seeds, salt.as_deref(), limits);
            let gaps = if require {
                done.coverage.gaps()
            } else {
                Vec::new()
            };
            tell::coverage(&done.coverage, &gaps);
            done.violations.is_empty() && gaps.is_empty()
        }
        Command::Gate {
            scripts,
            seeds,
            seconds,
            salt,
            jobs,
        } => many::gate(&scripts, seeds, Duration::from_secs(seconds), &salt, jobs)?,
        #[cfg(feature = "planted")]
        Command::Planted {
            seeds,
            only,
            except,
            jobs,
            seconds,
        } => {
            let jobs = jobs.unwrap_or_else(cores);
            let time = Duration::from_secs(seconds);
            board::play((&only, &except), seeds, jobs, time)
        }
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
