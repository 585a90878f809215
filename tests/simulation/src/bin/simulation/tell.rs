//! What came of a run, of many, and what they reached, for people.

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
    let rate = done.seeds as f64 / done.took.as_secs_f64();
    println!(
        "{} seeds in {:.1} s ({rate:.0} a second), {} of them twice; {} violations",
        done.seeds,
        done.took.as_secs_f64(),
        done.twice,
        done.violations.len()
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
