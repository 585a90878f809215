//! What still verifies of a damaged log, in a directory of its own.
//!
//! Every line that the chain proves from the log's beginning goes to `prefix`, wherever it lies. Other lines that hang
//! together become a *run*, each in a directory of its own. A run is proved in itself; that it follows the prefix, nothing
//! proves any more, and a forged line can be one. Appends stay whole: of one that is not, nothing is kept.

mod part;
mod walk;

use std::path::Path;

use serde::{Deserialize, Serialize};

use self::walk::Walk;
use super::error::{CopyError, io_at};
use super::staging::Staging;
use crate::journal::anchor::Anchor;
use crate::journal::segment::list_leniently;
use crate::journal::{Directory, Head, JournalError};

/// The report beside what was salvaged.
const REPORT: &str = "salvage.json";

/// What a salvage found, also written down beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Salvaged {
    /// What was kept, in the order it was found. Each is a directory of segments.
    pub parts: Vec<Part>,
    /// Events that are lost between two parts.
    pub gaps: Vec<Gap>,
    /// Places whose bytes say nothing any more; the first thousand.
    pub unreadable: Vec<Unreadable>,
    /// How many there are.
    pub unreadable_count: u64,
    /// Files named like segments that are none.
    pub foreign: Vec<String>,
}

/// Lines that hang together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The directory: `prefix`, or `run-<number>`, from 1.
    pub directory: String,
    /// Whether the chain from the log's beginning proves it. Only the prefix is.
    pub chained: bool,
    /// Its first event.
    pub first: u64,
    /// Its last event; one less than the first when it holds none.
    pub last: u64,
    /// The hash of its last event.
    pub hash: String,
}

/// Events no part holds. What came after the last part, nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first of them.
    pub from: u64,
    /// The last of them.
    pub to: u64,
}

/// Bytes that are no line of a log, or a line that does not belong where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The segment file.
    pub file: String,
    /// Line in it, from 1.
    pub line: u64,
    /// Byte offset at which that line starts.
    pub byte: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What is wrong.
    pub why: String,
}

impl Salvaged {
    /// Whether the log was whole after all.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.parts.len() < 2 && self.unreadable_count == 0 && self.foreign.is_empty()
    }

    /// The report of the salvage in this directory; nothing if it is none.
    ///
    /// # Errors
    /// When there is a report that cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>, CopyError> {
        let path = path.join(REPORT);
        let bytes = match crate::journal::plain::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(io_at("read", &path))?,
        };
        let report = serde_json::from_slice(&bytes).map_err(std::io::Error::from);
        report.map(Some).map_err(io_at("read", &path))
    }
}

/// Copies what verifies of the segments in `journal` to `out`, which must not exist. Reads the damaged log, and changes
/// nothing of it.
///
/// # Errors
/// When `out` exists or cannot be written, or the operating system cannot read a file at all.
pub fn salvage(journal: &Path, out: &Path) -> Result<Salvaged, CopyError> {
    let source = Directory::open(journal).map_err(io_at("open", journal))?;
    let (segments, foreign) = list_leniently(&source)?;
    if segments.is_empty() && foreign.is_empty() {
        let path = journal.to_path_buf();
        return Err(CopyError::NoLog { path });
    }
    let start = match Anchor::read(&source) {
        Ok(anchor) => anchor.map_or(Head::EMPTY, |anchor| anchor.head),
        // Without it the first line is a run's.
        Err(JournalError::Damaged { .. }) => Head::EMPTY,
        Err(error) => return Err(error.into()),
    };
    let staging = Staging::begin(out)?;
    let mut walk = Walk::begin(&staging, start)?;
    for first in segments {
        walk.segment(&source, first)?;
    }
    let found = Salvaged {
        foreign,
        ..walk.end()?
    };
    let mut report = serde_json::to_vec_pretty(&found).map_err(|error| {
        let source = std::io::Error::from(error);
        io_at("write", out)(source)
    })?;
    report.push(b'\n');
    staging.put(REPORT, &report)?;
    staging.finish()?;
    Ok(found)
}
