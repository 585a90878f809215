//! What tidying the sealed data came to.

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Records removed.
    pub removed: u64,
    /// Records kept.
    pub kept: u64,
    /// Of those, sealed anew under the current key.
    pub resealed: u64,
    /// Records that were to be sealed anew and do not open under the key of their name; they stay as they are.
    pub unopened: u64,
    /// Sealed files removed.
    pub sealed_files: u64,
    /// Bytes of record files before and after.
    pub bytes: (u64, u64),
    /// Files left as they are because records in them are damaged: what was erased may still be in them, and what
    /// another key sealed.
    pub skipped: Vec<String>,
}
