//! The journal: the truth of the embedded store. Append-only segment files of JSON lines, one line per
//! event, chained by SHA-256; the format is written down in `docs/journal.md`.
//!
//! - [`DataDir`] owns the directory, [`Disk`] is the seam to the file system.
//! - [`Writer`] appends batches and makes them durable; one thread owns it.
//! - [`Reader`] reads what is durable, beside the writer or on a copy, and verifies what it reads.
//! - [`Writer::open`] cuts what was never acknowledged and refuses everything else that is not as written.
//!
//! It knows streams, versions and names as text. It must not know orders, commands or the index.

pub(crate) mod anchor;
pub(crate) mod append;
mod archived;
pub(crate) mod chain;
mod data_dir;
mod directory;
pub(crate) mod disk;
mod error;
pub(crate) mod hash;
pub(crate) mod line;
pub(crate) mod lines;
mod location;
pub(crate) mod noted;
pub(crate) mod plain;
mod reader;
pub(crate) mod recover;
mod scan;
mod search;
pub(crate) mod segment;
pub(crate) mod shared;
#[cfg(any(test, feature = "testing"))]
mod simulated;
pub(crate) mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use archived::WithArchive;
pub use data_dir::{DataDir, DataDirError};
pub use directory::Directory;
pub use disk::{Disk, DiskFile};
pub use error::{Damage, Invalid, JournalError};
pub use hash::{ChainHash, Head};
pub use line::{Batch, Entry, MAX_LINE};
pub use location::Location;
pub use noted::Noted;
pub use reader::{Reader, Record, RecordRef, Verified};
pub use recover::{Cut, OpenReport};
pub use scan::Scan;
#[cfg(any(test, feature = "testing"))]
pub use simulated::{SimulatedDisk, SimulatedFault};
pub use writer::{Options, Writer, Written};
