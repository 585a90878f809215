//! Why a copy was not made. What it was to be made of is as it was.

use std::io;
use std::path::{Path, PathBuf};

use crate::journal::{DataDirError, JournalError};

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
