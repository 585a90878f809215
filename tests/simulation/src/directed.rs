//! Runs that leave nothing to chance: each story of `scenario` with a crash at every boundary, without any webhook, with
//! every answer lost once; and every pair of fault families at their highest rate.

use crate::batch::{every, run_caught};
use crate::coverage::Coverage;
use crate::faults::Family;
use crate::options::Options;
use crate::report::Report;
use crate::scenario::{Scenario, scenarios};
use crate::violation::Violation;

/// A way to break every story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A crash at every boundary, and again soon after.
    Crash,
    /// No webhook arrives: every order ends as with them (L4).
    Webhooks,
    /// Every answer is lost, one per run.
    Answers,
    /// Every two families of faults together.
    Pairs,
}

impl Mode {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Crash, Self::Webhooks, Self::Answers, Self::Pairs];
}

/// How thorough it is.
#[derive(Debug, Clone, Copy)]
pub struct Thorough {
    /// Threads.
    pub jobs: usize,
    /// How many second crashes follow each first one.
    pub again: u64,
    /// Seeds for each pair.
    pub seeds: u64,
}

/// A run that broke something.
#[derive(Debug)]
pub struct Finding {
    /// Which story, and how it was broken.
    pub name: String,
    /// The run.
    pub options: Options,
    /// What it broke.
    pub violation: Violation,
}

/// What a mode came to.
#[derive(Debug, Default)]
pub struct Directed {
    /// Runs.
    pub runs: u64,
    /// By story: its name, what was counted in it, and how many runs that made.
    pub counts: Vec<(String, u64, u64)>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What was reached.
    pub coverage: Coverage,
}

/// One run that is to come.
struct Job {
    name: String,
    options: Options,
    /// How its orders must end, if that is known.
    ends: Option<Vec<String>>,
}

/// Runs one mode over all stories whose name contains `only`.
#[must_use]
pub fn directed(mode: Mode, only: &str, how: Thorough) -> Directed {
    let mut stories = scenarios();
    stories.retain(|story| story.name.contains(only));
    let mut done = Directed::default();
    let jobs = match mode {
        Mode::Crash => done.each(&stories, how, crashes),
        Mode::Webhooks => done.each(&stories, how, webhooks),
        Mode::Answers => done.each(&stories, how, answers),
        Mode::Pairs => pairs(how.seeds),
    };
    done.run(jobs, how.jobs);
    done
}

impl Directed {
    /// Each story as it is, and what follows from it.
    fn each(
        &mut self,
        stories: &[Scenario],
        how: Thorough,
        jobs: impl Fn(&Scenario, &Report, Thorough) -> (u64, Vec<Job>),
    ) -> Vec<Job> {
        let mut all = Vec::new();
        for story in stories {
            let report = run_caught(&story.options, false);
            let (counted, jobs) = jobs(story, &report, how);
            self.counts
                .push((story.name.to_owned(), counted, jobs.len() as u64));
            all.extend(jobs);
            self.take(story.name, &story.options, report);
        }
        all
    }

    fn take(&mut self, name: &str, options: &Options, report: Report) {
        self.runs += 1;
        self.coverage.add(&report.coverage);
        if let Some(violation) = report.violation {
            self.findings.push(Finding {
                name: name.to_owned(),
                options: options.clone(),
                violation,
            });
        }
    }

    fn run(&mut self, jobs: Vec<Job>, threads: usize) {
        // Reports are large, jobs are many: a block at a time.
        for block in jobs.chunks(256) {
            let reports = every(block, threads, |job| run_caught(&job.options, false));
            for (job, mut report) in block.iter().zip(reports) {
                if report.violation.is_none()
                    && let Some(ends) = &job.ends
                    && *ends != sorted(&report)
                {
                    let what = format!(
                        "orders end {}, not {}",
                        report.ends.join(" "),
                        ends.join(" ")
                    );
                    report.violation = Some(Violation::of("L4", what));
                }
                self.take(&job.name, &job.options, report);
            }
        }
    }
}

/// Whose order is whose may be a matter of who came first.
fn sorted(report: &Report) -> Vec<String> {
    let mut ends = report.ends.clone();
    ends.sort();
    ends
}

/// A crash at every boundary, and some boundaries later, while it recovers, another.
fn crashes(story: &Scenario, report: &Report, how: Thorough) -> (u64, Vec<Job>) {
    let mut jobs = Vec::new();
    let mut add = |crash_at: Vec<u64>| {
        jobs.push(Job {
            name: format!("{} with crashes at {crash_at:?}", story.name),
            options: Options {
                crash_at,
                ..story.options.clone()
            },
            ends: None,
        });
    };
    for first in places(story, report.boundaries) {
        add(vec![first]);
        for nth in 0..how.again {
            // Mostly soon: 1, 2, 4 ... 64 boundaries later, in turn.
            let later = 1 << ((first + nth) % 7);
            add(vec![first, first + later]);
        }
    }
    (report.boundaries, jobs)
}

fn webhooks(story: &Scenario, report: &Report, _: Thorough) -> (u64, Vec<Job>) {
    // An order that a message about another's card stops for a person goes on without that message.
    let stops = story.options.may(Family::MixUp);
    let job = Job {
        name: format!("{} without webhooks", story.name),
        options: Options {
            no_webhooks: true,
            ..story.options.clone()
        },
        ends: (!stops).then(|| sorted(report)),
    };
    (report.ends.len() as u64, vec![job])
}

fn answers(story: &Scenario, report: &Report, _: Thorough) -> (u64, Vec<Job>) {
    let lost = |nth| Job {
        name: format!("{} without the answer to request {nth}", story.name),
        options: Options {
            lose_answer: Some(nth),
            ..story.options.clone()
        },
        ends: None,
    };
    let jobs = places(story, report.requests).map(lost);
    (report.requests, jobs.collect())
}

/// Every place; of a crowd's, where one is like the other, some.
fn places(story: &Scenario, all: u64) -> impl Iterator<Item = u64> + use<> {
    const SOME: u64 = 60;
    let step = match story.options.orders {
        0..=30 => 1,
        _ => (all / SOME).max(1),
    };
    (1..=all).step_by(usize::try_from(step).unwrap_or(1))
}

/// Every two families at their highest rate, with everything else as the seed has it and no other fault.
fn pairs(seeds: u64) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (place, first) in Family::ALL.iter().enumerate() {
        for second in &Family::ALL[place + 1..] {
            for nth in 0..seeds {
                let seed = (jobs.len() as u64) << 8 | nth;
                let mut options = Options::of_seed(seed);
                options.rates.fill(0.0);
                for family in [*first, *second] {
                    options.set(family, family.rates().1);
                }
                options.orders = options.orders.min(6);
                let (first, second) = (first.name(), second.name());
                let name = format!("{first} and {second}, seed {seed:#x}");
                let ends = None;
                jobs.push(Job {
                    name,
                    options,
                    ends,
                });
            }
        }
    }
    jobs
}
