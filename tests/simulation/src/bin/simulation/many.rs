//! Many runs: every story broken at every place, many seeds, and the gate of both.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use issuance_simulation::{
    Batch, Coverage, Directed, Limits, Mode, Options, Script, Thorough, batch, directed, hash,
};

use crate::{kept, tell};

/// One directed mode.
pub(crate) fn broken(
    mode: Mode,
    only: &str,
    how: Thorough,
    keep: Option<&Path>,
) -> io::Result<Directed> {
    let done = directed(mode, only, how);
    let counted = match mode {
        Mode::Crash => "boundaries",
        Mode::Webhooks => "orders",
        Mode::Answers => "answers",
        Mode::Pairs => "",
    };
    for (name, count, runs) in &done.counts {
        println!("{name:<28} {count:>6} {counted}, {runs:>6} runs");
    }
    for (nth, finding) in done.findings.iter().enumerate() {
        println!("{}: {}", finding.name, finding.violation);
        if let Some(folder) = keep {
            let script = Script {
                about: finding.violation.to_string(),
                from: finding.name.clone(),
                broke: finding.violation.invariant.to_owned(),
                options: finding.options.clone(),
            };
            script.write(&folder.join(format!("{mode:?}-{nth}.json").to_lowercase()))?;
        }
    }
    println!(
        "{mode:?}: {} stories, {} runs, {} violations",
        done.counts.len(),
        done.runs,
        done.findings.len()
    );
    Ok(done)
}

/// Many seeds; with a salt every second one comes from it.
pub(crate) fn seeds(numbers: Range<u64>, salt: Option<&str>, limits: Limits) -> Batch {
    let salt = salt.map(hash);
    let seed = |number: u64| match salt {
        Some(salt) if number % 2 == 1 => salt.wrapping_add(number),
        _ => number,
    };
    let done = batch(numbers, seed, Options::of_seed, limits);
    tell::batch(&done);
    done
}

/// All that every change must pass.
pub(crate) fn gate(
    scripts: &Path,
    most: u64,
    time: Duration,
    salt: &str,
    jobs: usize,
) -> io::Result<bool> {
    let mut is_sound = kept::replay(scripts, false)?;
    let mut reached = Coverage::default();
    let how = Thorough {
        jobs,
        again: 1,
        seeds: 1,
    };
    for mode in Mode::ALL {
        let done = broken(*mode, "", how, None)?;
        is_sound &= done.findings.is_empty();
        reached.add(&done.coverage);
    }
    let limits = Limits {
        jobs,
        time,
        violations: 10,
    };
    let done = seeds(0..most, Some(salt), limits);
    is_sound &= done.violations.is_empty();
    reached.add(&done.coverage);
    let gaps = reached.gaps();
    tell::coverage(&reached, &gaps);
    Ok(is_sound && gaps.is_empty())
}
