//! Segment files: their names, and what they hold.

use super::disk::Disk;
use super::error::JournalError;

/// A segment and how much of it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Position of its first event, as in its name.
    pub(crate) first: u64,
    /// Bytes of it that are part of the log.
    pub(crate) size: u64,
}

const PREFIX: &str = "journal-";
const SUFFIX: &str = ".jsonl";

/// The file name of the segment that starts at `first`.
pub(crate) fn file_name(first: u64) -> String {
    format!("{PREFIX}{first:020}{SUFFIX}")
}

pub(crate) fn first_position(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let first = digits.parse().ok()?;
    (first > 0 && file_name(first) == name).then_some(first)
}

/// First positions of all segments, in order. What looks like a segment and is none is refused.
pub(crate) fn list(disk: &dyn Disk) -> Result<Vec<u64>, JournalError> {
    let (firsts, foreign) = list_leniently(disk)?;
    match foreign.into_iter().next() {
        Some(file) => Err(JournalError::Foreign { file }),
        None => Ok(firsts),
    }
}

/// First positions of all segments, in order, and names that look like a segment's and are none.
pub(crate) fn list_leniently(disk: &dyn Disk) -> Result<(Vec<u64>, Vec<String>), JournalError> {
    let names = disk.list().map_err(|source| JournalError::Io {
        action: "list",
        file: "the journal directory".into(),
        source,
    })?;
    let (mut firsts, mut foreign) = (Vec::new(), Vec::new());
    for name in names {
        match first_position(&name) {
            Some(first) => firsts.push(first),
            None if name.starts_with(PREFIX) => foreign.push(name),
            None => {}
        }
    }
    firsts.sort_unstable();
    Ok((firsts, foreign))
}
