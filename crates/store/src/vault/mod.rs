//! The vault: personal data, sealed, beside the log and never in it. Append files of JSON lines like the
//! journal's, but without a chain, so that records can be removed; the format is in `docs/journal.md`.
//!
//! - [`Keys`] is where master keys come from; [`Keyring`] holds a few in memory.
//! - [`Sealer`] encrypts on the caller's thread and writes large values to sealed files of their own.
//! - [`Vault`] appends records and makes them durable; the committer owns it, and syncs it before the
//!   journal, so that no durable event points at nothing.
//! - [`VaultReader`] opens what is durable. [`Compaction`] makes erasure physical.
//!
//! A field of an order is written once as a rule; of several records the latest counts. It knows orders as
//! UUIDs and fields as text. It must not know what is in them.

mod attest;
mod cipher;
mod compact;
mod error;
mod file;
mod hint;
mod index;
mod keys;
mod open;
mod reader;
mod record;
mod replaced;
mod scan;
mod sealer;
mod shared;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use file::Name;
pub(crate) use open::examine;

pub use compact::Compaction;
pub use error::VaultError;
pub use keys::{KeyError, Keyring, Keys, MasterKey};
pub use open::{DamagedRecord, VaultReport};
pub use reader::VaultReader;
pub use record::Change;
pub use sealer::{INLINE_MAX, SEALED_MAX, Sealed, Sealer};
pub use writer::{Vault, VaultOptions};
