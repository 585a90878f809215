//! What came of a run, of many, and what they reached, for people.

use std::time::Duration;

use issuance_simulation::{Batch, Coverage, Report, excuses};

/// The last notes of a run, and its verdict.
pub(crate) fn story(report: &Report, last: usize) {
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

/// What many seeds came to.
pub(crate) fn batch(done: &Batch) {
    for (seed, violation) in &done.violations {
        println!("seed {seed:#x}: {violation}");
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = |time: Duration, runs: u64| runs as f64 / time.as_secs_f64();
    println!(
        "{} seeds in {:.1} s ({:.0} a second), {} of them twice; {} violations",
        done.seeds,
        done.took.as_secs_f64(),
        rate(done.took, done.seeds),
        done.twice,
        done.violations.len()
    );
    println!(
        "{:.2} s of processor time ({:.0} runs a second); all traces {:#018x}",
        done.worked.as_secs_f64(),
        rate(done.worked, done.seeds + done.twice),
        done.trace
    );
}

/// What was reached, what nobody gets to and why, and what must be reached and was not.
pub(crate) fn coverage(coverage: &Coverage, gaps: &[String]) {
    for line in coverage.lines() {
        println!("{line}");
    }
    for excuse in excuses() {
        println!("not reached here: {excuse}");
    }
    for gap in gaps {
        println!("never reached: {gap}");
    }
}
