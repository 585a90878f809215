//! Where in a log something stands, as an editor or `sed` finds it.

use std::fmt;

use issuance_store::journal::Record;
use serde::Serialize;

/// One event's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Its position in the whole log, from 1.
    pub position: u64,
    /// The segment file.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// The byte its line starts at.
    pub byte: u64,
}

impl Place {
    pub(crate) fn of(record: &Record) -> Self {
        Self {
            position: record.position,
            file: record.location.file_name(),
            line: record.position - record.location.segment + 1,
            byte: record.location.offset.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} line {}, byte {} (event {})",
            self.file, self.line, self.byte, self.position
        )
    }
}
