//! `issuance audit salvage`: what still verifies of a damaged log, in a directory of its own; and its verification.

use std::path::Path;

use issuance::store::copies::{self, Salvaged};
use issuance_audit::Log;

use super::failed;
use crate::copies::not_copied;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(super) fn run(dir: &Path, to: &Path, output: Output) -> Result<(), Failure> {
    let inner = dir.join("journal");
    let journal = if inner.is_dir() { &*inner } else { dir };
    let salvaged = copies::salvage(journal, to).map_err(not_copied)?;
    show(&salvaged, output)?;
    if output.json {
        return Ok(());
    }
    output.line("to go on from the prefix, make it the `journal` of a data directory and start with `--accept-rollback`")
}

/// Proves each part again, then says what is lost. Fails unless the log was whole.
pub(super) fn verify(dir: &Path, salvaged: &Salvaged, output: Output) -> Result<(), Failure> {
    let mut wrong = 0;
    for part in &salvaged.parts {
        if part.last < part.first {
            continue;
        }
        let log = Log::open(&dir.join(&part.directory)).map_err(failed)?;
        let report = log.verify(|_, _| {}).map_err(failed)?;
        let found = (report.head.position, report.head.hash.to_string());
        if report.start.position + 1 != part.first || found != (part.last, part.hash.clone()) {
            let what = format!("{} is not what was salvaged", part.directory);
            return Err(Failure::new(Exit::Failed, what));
        }
        wrong += report.wrong;
    }
    show(salvaged, output)?;
    if salvaged.is_whole() && wrong == 0 {
        return Ok(());
    }
    let lost: u64 = salvaged.gaps.iter().map(|gap| gap.to - gap.from + 1).sum();
    let what = format!(
        "the log is not whole: {lost} events are lost in between, {} places cannot be read, {wrong} events do not make sense",
        salvaged.unreadable_count
    );
    Err(Failure::new(Exit::Failed, what).hint("restore the log from a backup, if there is one"))
}

fn show(salvaged: &Salvaged, output: Output) -> Result<(), Failure> {
    if output.json {
        return output.document(salvaged);
    }
    let mut gaps = salvaged.gaps.iter().peekable();
    for part in &salvaged.parts {
        while let Some(gap) = gaps.next_if(|gap| gap.to < part.first) {
            output.line(&format!("events {} to {} are lost", gap.from, gap.to))?;
        }
        let count = (part.last + 1).saturating_sub(part.first);
        let proof = if part.chained {
            "the chain proves them from the log's beginning"
        } else {
            "they hang together, but nothing proves that they follow"
        };
        output.line(&format!(
            "{}: {count} events, {} to {}: {proof}; head {}:{}",
            part.directory, part.first, part.last, part.last, part.hash
        ))?;
    }
    for place in &salvaged.unreadable {
        output.line(&format!(
            "{} line {}, byte {}: {} bytes: {}",
            place.file, place.line, place.byte, place.bytes, place.why
        ))?;
    }
    let more = salvaged.unreadable_count - salvaged.unreadable.len() as u64;
    if more > 0 {
        output.line(&format!("and {more} more places"))?;
    }
    salvaged
        .foreign
        .iter()
        .try_for_each(|name| output.line(&format!("{name} is named like a segment and is none")))
}
