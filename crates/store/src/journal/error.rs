//! What can be wrong with a journal, always with the place.

use std::io;

use super::hash::Head;
use super::location::Location;

/// Why the journal could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Bytes are not what was written. Nothing after this place is believed.
    #[error(
        "journal damaged at {file} line {line}, byte {byte}: {damage}; restore this file from a copy"
    )]
    Damaged {
        /// The segment file.
        file: String,
        /// Line in it, from 1.
        line: u64,
        /// Byte offset at which that line starts.
        byte: u64,
        /// What is wrong with it.
        damage: Damage,
    },
    /// A segment file is gone: events are missing in the middle.
    #[error("journal segment with events {from} to {to} is missing; restore it from a copy")]
    Missing {
        /// First missing position.
        from: u64,
        /// Last missing position.
        to: u64,
    },
    /// A file is named like a segment but does not belong to this log.
    #[error("{file} does not belong to this journal; move it away")]
    Foreign {
        /// The file's name.
        file: String,
    },
    /// The beginning of the log is in an archive, and the archive is not where it was.
    #[error(
        "events up to {until} are in the archive, which cannot be read; put it back where it was"
    )]
    Archived {
        /// The last event that is not here.
        until: u64,
    },
    /// The log ends before a head that is known to have been durable: an older copy was put back.
    #[error(
        "journal ends at event {found} but had reached {known}; an older copy was put in its place"
    )]
    RolledBack {
        /// The position known from elsewhere.
        known: u64,
        /// The last position here.
        found: u64,
    },
    /// The log holds another event at a known position: it is not the same log.
    #[error("journal holds another event at position {position} than the one known from elsewhere")]
    Diverged {
        /// The position known from elsewhere.
        position: u64,
    },
    /// The disk is full. Nothing of this write remains, the writer goes on when there is room.
    #[error("no room for {file}; free some space, or file handles, and try again")]
    Full {
        /// The file that could not grow.
        file: String,
        /// Where the log stands: everything after it that was not yet synced is gone.
        durable: Head,
        /// The operating system's word.
        source: io::Error,
    },
    /// The operating system failed. A writer that met this takes no further calls.
    #[error("cannot {action} {file}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, or the directory.
        file: String,
        /// The operating system's word.
        source: io::Error,
    },
    /// The writer has failed before; only a new open, which reads back what the disk has, can go on.
    #[error(
        "the journal writer stopped at an earlier storage error; restart to reopen the journal"
    )]
    Poisoned,
    /// The entry cannot be written; nothing was.
    #[error("event cannot be stored")]
    Invalid(#[from] Invalid),
    /// The place is not in the durable part of the log.
    #[error("no event at byte {} of the segment that starts at {}", .0.offset, .0.segment)]
    NoSuchPlace(Location),
}

impl JournalError {
    /// Whether the log is sound by itself and lacks what is known of it from elsewhere.
    #[must_use]
    pub fn is_rollback(&self) -> bool {
        matches!(self, Self::RolledBack { .. } | Self::Diverged { .. })
    }
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The line is longer than any that was written.
    #[error("the line is too long")]
    TooLong,
    /// The file ends in the middle of a line.
    #[error("the line has no end")]
    Unterminated,
    /// The bytes do not have the hash the line ends with.
    #[error("its bytes do not match its hash")]
    Hash,
    /// The bytes are as hashed but are not an event.
    #[error("it is not a journal line this version can read")]
    Shape,
    /// Not the next position.
    #[error("it should be event {expected} but says {found}")]
    Position {
        /// The position that follows the line before.
        expected: u64,
        /// The position it states.
        found: u64,
    },
    /// It does not name the hash of the line before.
    #[error("it does not follow the line before it")]
    Chain,
    /// An atomic append is not whole.
    #[error("an atomic append is broken here")]
    Batch,
    /// A file that must hold events holds none.
    #[error("the file is empty")]
    Empty,
}

/// Why an entry cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The body is not on one line.
    #[error("its body must be JSON without line breaks or tabs between tokens")]
    Body,
    /// The stream or the name is empty.
    #[error("its stream and its name must not be empty")]
    Name,
    /// A batch without entries.
    #[error("an append must hold at least one event")]
    NoEntries,
    /// The line would be longer than any reader takes.
    #[error("its line would be longer than {max} bytes; large things belong in the vault")]
    TooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// Too much was written without a sync.
    #[error("too much was written without a sync")]
    Unsynced,
    /// A text could not be put as JSON.
    #[error("one of its texts cannot be written as JSON")]
    Text,
}
