//! Runs one target at length, or all of them in turn: `issuance-fuzz [TARGET] [SECONDS] [SEED]`. An input that breaks
//! its property is written beside the corpus, and the next target follows.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program for a terminal"
)]

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use issuance_fuzz::{Mutations, TARGETS, Target, corpus, inputs};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise| {
        let word = words.get(at).and_then(|word| word.parse().ok());
        word.unwrap_or(otherwise)
    };
    let (seconds, seed) = (number(1, 60), number(2, 1));
    let wanted = words.first().map_or("all", String::as_str);
    let chosen: Vec<_> = TARGETS
        .iter()
        .filter(|target| wanted == "all" || target.name == wanted)
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("no target `{wanted}`; there are: all, {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    let time = Duration::from_secs(seconds);
    let broken = chosen.iter().filter(|target| !run(target, time, seed));
    if broken.count() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(target: &Target, time: Duration, seed: u64) -> bool {
    let began = Instant::now();
    let mut runs = 0_u64;
    for input in Mutations::new(inputs(target), seed) {
        if began.elapsed() >= time {
            break;
        }
        let body = target.run;
        if catch_unwind(|| body(&input)).is_err() {
            let file = corpus(target).join(format!("found-{seed}-{runs}"));
            let kept = std::fs::write(&file, &input);
            eprintln!("{}: broken by {} ({kept:?})", target.name, file.display());
            return false;
        }
        runs += 1;
    }
    println!("{}: {runs} inputs, sound", target.name);
    true
}
