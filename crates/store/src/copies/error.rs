//! Why a copy was not made. What it was to be made of is as it was.

use std::io;
use std::path::{Path, PathBuf};

use crate::journal::{DataDirError, JournalError};
use crate::vault::VaultError;

/// A copy that was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Something is there already.
    #[error("{path:?} exists; give a path that does not")]
    Exists {
        /// As given.
        path: PathBuf,
    },
    /// There is no log to copy.
    #[error("{path:?} holds no log; give a data directory")]
    NoLog {
        /// As given.
        path: PathBuf,
    },
    /// It is no backup.
    #[error("{path:?} has no `backup.json`: it is no backup; give one that `issuance backup` made")]
    NoBackup {
        /// As given.
        path: PathBuf,
    },
    /// The backup is not what was backed up.
    #[error("backup {path:?} has changed since it was made: {what}; use another one")]
    Changed {
        /// As given.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// Files were taken away again and again while they were copied.
    #[error(
        "files were moved away while they were copied; try again once compaction or archiving is over"
    )]
    Moving,
    /// Earlier segments are in another archive.
    #[error("earlier segments are in the archive {path:?}; give that one")]
    OtherArchive {
        /// Where they are.
        path: PathBuf,
    },
    /// The vault cannot be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The directory that grows cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The log cannot be read or is not as written, or the copy cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The operating system refused.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
}

pub(super) fn io_at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_path_buf();
    move |source| CopyError::Io {
        action,
        path,
        source,
    }
}
