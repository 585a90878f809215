//! Copies of data directories: what the command line offers beside a running engine. Nothing here opens a log for writing,
//! so nothing here asks for the engine's lock.
//!
//! - [`backup`] copies a data directory while an engine is at work in it, [`restore`] puts a backup in a new place.
//! - [`archive`] moves closed segments to another directory.
//! - [`salvage`] copies what still verifies of a damaged log.
//!
//! What is made appears whole or not at all: it grows under another name and is renamed when all of it is durable.

mod archive;
mod backup;
mod error;
mod salvage;
mod segment;
mod staging;
mod vault;

pub use archive::{Archived, Before, archive};
pub use backup::{Copied, backup, restore};
pub use error::CopyError;
pub use salvage::{Gap, Part, Salvaged, Unreadable, salvage};

/// The directory of the log in a data directory.
const JOURNAL: &str = "journal";
/// The directory of personal data in a data directory.
const VAULT: &str = "vault";
