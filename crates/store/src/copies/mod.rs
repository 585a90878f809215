//! Copies of data directories: what the command line offers beside a running engine. Nothing here opens a log for writing,
//! so nothing here asks for the engine's lock.
//!
//! - [`salvage`] copies what still verifies of a damaged log.
//!
//! What is made appears whole or not at all: it grows under another name and is renamed when all of it is durable.

mod error;
mod salvage;
mod staging;

pub use error::CopyError;
pub use salvage::{Gap, Part, Salvaged, Unreadable, salvage};
