//! What can be wrong with the index. Nothing of it loses anything: the journal has it all.

use crate::error::StoreError;
use crate::journal::disk;

/// Why the index cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum IndexError {
    /// There is none, or it was never finished.
    #[error("there is none")]
    Empty,
    /// It was open when the machine stopped.
    #[error("the machine stopped while it was open")]
    Untrusted,
    /// Another version wrote it.
    #[error("another version wrote it (format {found})")]
    Format {
        /// Its number.
        found: u32,
    },
    /// Orders have another form by now.
    #[error("orders have another form in it than today")]
    Shape,
    /// It reflects a journal that is not there.
    #[error("it reflects event {position}, which the journal does not hold")]
    Ahead {
        /// What it reflects.
        position: u64,
    },
    /// A row cannot be read.
    #[error("a row of it cannot be read")]
    Row,
    /// A row cannot be written.
    #[error("a row of it cannot be written")]
    Encode(#[from] serde_json::Error),
    /// sled refused.
    #[error("sled failed")]
    Sled(#[from] sled::Error),
    /// sled panicked.
    #[error("sled panicked: {what}")]
    Panicked {
        /// What it said.
        what: String,
    },
    /// sled does not come back.
    #[error("sled hangs")]
    Hangs,
    /// The operating system refused.
    #[error("a file of it failed")]
    Io(#[from] std::io::Error),
    /// One of the files beside it cannot be used.
    #[error("cannot use {file}")]
    File {
        /// Its name in the data directory.
        file: &'static str,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// There is no room for what is to be written. Nothing was; what is there can be read.
    #[error("no room to write it")]
    NoRoom(#[source] std::io::Error),
    /// It is being made anew.
    #[error("it is being made anew")]
    Closed,
}

impl IndexError {
    /// What an error is before sled was touched.
    pub(super) fn no_room(file: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| {
            if disk::is_full(&source) {
                Self::NoRoom(source)
            } else {
                Self::File { file, source }
            }
        }
    }

    /// An error of a file beside it.
    pub(super) fn at(file: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { file, source }
    }

    fn io(&self) -> Option<&std::io::Error> {
        match self {
            Self::NoRoom(error)
            | Self::Io(error)
            | Self::File { source: error, .. }
            | Self::Sled(sled::Error::Io(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether room on the disk would help.
    pub(in super::super) fn is_full(&self) -> bool {
        matches!(self, Self::NoRoom(_)) || self.io().is_some_and(disk::is_full)
    }

    /// Whether it says nothing of what is in the files: there is no room, or no file handle.
    pub(in super::super) fn passes(&self) -> bool {
        self.is_full() || self.io().is_some_and(disk::is_out_of_handles)
    }
}

impl From<IndexError> for StoreError {
    fn from(error: IndexError) -> Self {
        match error {
            // Soon over.
            IndexError::Closed => Self::Overloaded,
            error if error.is_full() => Self::DiskFull,
            error => Self::Damaged {
                what: format!("the index: {}", super::super::shared::chain(&error)),
            },
        }
    }
}
