//! What can be wrong with the vault, always with the place and never with the content.

use std::io;

use super::keys::KeyError;
use crate::journal::Damage;

/// Why the vault could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// A record's bytes are not what was written. Other records stay readable.
    #[error(
        "vault damaged at {file} record {record}, byte {byte}: {damage}; restore this file from a copy"
    )]
    Damaged {
        /// The vault file, or the sealed file.
        file: String,
        /// Line in it, from 1.
        record: u64,
        /// Byte offset at which that line starts.
        byte: u64,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The record is as written but does not open: it was moved from another order or field, or the key
    /// of that name is another key.
    #[error(
        "vault {file} record {record}, byte {byte} does not open under key `{key}` for its order and field"
    )]
    NotAuthentic {
        /// The vault file.
        file: String,
        /// Line in it, from 1.
        record: u64,
        /// Byte offset at which that line starts.
        byte: u64,
        /// The name of the key it was sealed with.
        key: String,
    },
    /// The record is not there, and something that cannot be read any more may have been it.
    #[error(
        "not found in the vault, of which {damaged} records are damaged; the first is in {file} at byte {byte}"
    )]
    Uncertain {
        /// How many records cannot be read.
        damaged: u64,
        /// File of the first.
        file: String,
        /// Where the first starts.
        byte: u64,
    },
    /// No key of that name.
    #[error("the vault's master key `{name}` is not known; add it to the key ring")]
    UnknownKey {
        /// The name a record or the provider gave.
        name: String,
    },
    /// The key of that name does not open what was sealed under it.
    #[error("the vault's master key `{name}` is another key than the one that sealed its records")]
    WrongKey {
        /// Its name.
        name: String,
    },
    /// The key provider failed.
    #[error("the vault has no key to work with")]
    Key(#[from] KeyError),
    /// A name that cannot stand in a record: empty, too long, or with other than printable ASCII characters.
    #[error("`{name}` cannot name a {what} in the vault")]
    Name {
        /// A field or a key.
        what: &'static str,
        /// The name as given.
        name: String,
    },
    /// More than [`SEALED_MAX`](super::SEALED_MAX) bytes.
    #[error("{bytes} bytes are more than the vault takes in one field")]
    TooLarge {
        /// How many were given.
        bytes: usize,
    },
    /// The disk is full. Nothing of what was not synced remains, the vault goes on when there is room.
    #[error("no room for {file}; free some space, or file handles, and try again")]
    Full {
        /// The file that could not grow.
        file: String,
        /// The operating system's word.
        source: io::Error,
    },
    /// The operating system failed. If it was a write, the vault takes no further ones.
    #[error("cannot {action} {file}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, or the directory.
        file: String,
        /// The operating system's word.
        source: io::Error,
    },
    /// The vault has failed before; only a new open, which reads back what the disk has, can go on.
    #[error("the vault stopped at an earlier storage error; restart to reopen it")]
    Poisoned,
    /// A compaction is running.
    #[error("a compaction of the vault is running already")]
    Compacting,
    /// The vault was closed while it was compacted. Nothing is lost; the next compaction does the rest.
    #[error("the vault was closed before its compaction ended")]
    Closing,
    /// No random bytes from the operating system.
    #[error("no random bytes for a nonce")]
    Random(#[source] getrandom::Error),
}
