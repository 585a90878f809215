//! How an embedded store is opened, and what the open found.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use issuance_domain::Policy;

use crate::error::StoreError;
use crate::journal::{DataDirError, Head, JournalError, OpenReport};
use crate::vault::{Keys, VaultError, VaultReport};

/// How an embedded store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory. Its parent must exist.
    pub dir: PathBuf,
    /// Where the vault's master keys come from.
    pub keys: Arc<dyn Keys>,
    /// Decides which tasks an order owes.
    pub policy: Policy,
    /// Bounds.
    pub limits: Limits,
    /// What is known elsewhere of the log's past.
    pub past: Past,
}

/// What the log must hold, and what to do if it does not. The index knows a head as well; either may show that an older
/// copy was put in the log's place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past {
    /// A head kept outside the data directory, such as the last audit's: the log must contain it.
    pub known: Option<Head>,
    /// Open also a log that lacks a known head. What happened after its end is forgotten here and was still sent to the
    /// provider, so every open order has to be looked up before anything is sent again.
    pub accept_rollback: bool,
}

/// Bounds of an embedded store. Everything that waits is counted, and beyond its bound refused or held back.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Appends that may wait for the disk; one more is answered `Overloaded`.
    pub queue: usize,
    /// Bytes that may wait for the disk.
    pub queue_bytes: usize,
    /// Appends made durable by one sync.
    pub group: usize,
    /// Bytes made durable by one sync.
    pub group_bytes: usize,
    /// A journal segment of this many bytes is closed and the next one begun.
    pub segment_bytes: u64,
    /// A vault file of this many bytes is closed and the next one begun.
    pub vault_file_bytes: u64,
    /// Orders kept in memory although they are in the index.
    pub orders_at_hand: usize,
    /// Rows that may wait for the index before appends are held back.
    pub unindexed_rows: usize,
    /// Bytes sled may keep in memory.
    pub index_cache_bytes: u64,
    /// When sled took this many bytes of rows, it is opened again: only then does it note where its pages lie, and a start
    /// reads what it took since its last note. Reads of what is not in memory wait meanwhile.
    pub index_unnoted_bytes: u64,
    /// One write of the index that takes longer than this stops the store: sled hangs.
    pub index_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 4_096,
            queue_bytes: 64 << 20,
            group: 1_024,
            group_bytes: 8 << 20,
            segment_bytes: 64 << 20,
            vault_file_bytes: 64 << 20,
            orders_at_hand: 20_000,
            unindexed_rows: 20_000,
            index_cache_bytes: 8 << 20,
            index_unnoted_bytes: 64 << 20,
            index_patience: Duration::from_secs(60),
        }
    }
}

/// What an open found.
#[derive(Debug, Clone)]
pub struct EmbeddedReport {
    /// In the journal.
    pub journal: OpenReport,
    /// In the vault.
    pub vault: VaultReport,
    /// In the index.
    pub index: IndexReport,
    /// Orders something is still to be done for.
    pub open_orders: u64,
}

/// What an open found in the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexReport {
    /// Why it was made anew, if it was. The journal had it all, unless `ahead_of` says otherwise.
    pub rebuilt: Option<String>,
    /// Records it had to catch up with.
    pub replayed: u64,
    /// A rollback that was accepted ([`Past::accept_rollback`]): the log had been at this position, and is no longer.
    /// Somebody should look before anything is sent.
    pub ahead_of: Option<u64>,
}

/// Why an embedded store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The journal cannot be believed or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The vault cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The journal's records cannot be replayed.
    #[error(transparent)]
    Replay(#[from] StoreError),
    /// The index cannot be made, not even anew.
    #[error("cannot make the index: {why}")]
    Index {
        /// What is in the way.
        why: String,
    },
    /// The operating system gave no thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}
