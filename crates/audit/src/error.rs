//! Why a log could not be read, always with the place.

use std::io;
use std::path::PathBuf;

use issuance_domain::{CorruptHistory, OrderId};
use issuance_store::UnreadableEvent;
use issuance_store::journal::JournalError;

use crate::place::Place;

/// Why an audit stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The directory cannot be opened.
    #[error("cannot open {path:?}")]
    Open {
        /// As given.
        path: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
    /// There is no journal in the directory.
    #[error("{path:?} holds no log; give a data directory or a copy of its `journal`")]
    NoLog {
        /// As given.
        path: PathBuf,
    },
    /// The log is not as it was written; the message names file, line and byte.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An event no released engine up to this one wrote.
    #[error("{place} holds an event this version cannot read")]
    Unreadable {
        /// Where.
        place: Place,
        /// Which.
        source: UnreadableEvent,
    },
    /// A stream, version or time that is none.
    #[error("{place} holds an event without a readable {what}")]
    Malformed {
        /// Where.
        place: Place,
        /// Of what.
        what: &'static str,
    },
    /// An event that does not follow from those before it.
    #[error("{place} holds an event that cannot follow in order {order}")]
    Corrupt {
        /// Where.
        place: Place,
        /// Whose.
        order: OrderId,
        /// Why not.
        source: CorruptHistory,
    },
    /// The output cannot be written.
    #[error("cannot write the export")]
    Write(#[source] io::Error),
}
