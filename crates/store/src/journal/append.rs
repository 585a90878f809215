//! One growing file: bytes go to its end, then become durable together. Shared by journal and vault.

use std::io;
use std::sync::Arc;

use super::disk::{DiskFile, is_full, is_out_of_handles, write_full};

/// A file open for appending.
#[derive(Debug)]
pub(crate) struct AppendFile {
    file: Arc<dyn DiskFile>,
    written: u64,
    durable: u64,
}

/// Why bytes did not get to the file.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No room. The file is back at its last durable byte and can be used again.
    Full(io::Error),
    /// Anything else. What the file holds is not known, and it must not be used again.
    Broken(io::Error),
}

impl Fault {
    /// Of a file that could not be made. No file handle is like no room: nothing is there, and it can be tried again.
    pub(crate) fn of_create(source: io::Error) -> Self {
        if is_full(&source) || is_out_of_handles(&source) {
            Self::Full(source)
        } else {
            Self::Broken(source)
        }
    }
}

impl AppendFile {
    /// A file of which `durable` bytes are known to be so; bytes behind them are written over.
    pub(crate) fn new(file: Arc<dyn DiskFile>, durable: u64) -> Self {
        Self {
            file,
            written: durable,
            durable,
        }
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that survive a power cut.
    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    /// Whether a sync is owed.
    pub(crate) fn is_dirty(&self) -> bool {
        self.written > self.durable
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match write_full(&*self.file, bytes, self.written) {
            Ok(()) => {
                self.written += bytes.len() as u64;
                Ok(())
            }
            Err(error) if is_full(&error) => match self.rewind() {
                Ok(()) => Err(Fault::Full(error)),
                Err(error) => Err(Fault::Broken(error)),
            },
            Err(error) => Err(Fault::Broken(error)),
        }
    }

    /// One `fdatasync`. Never tried again: a second one may succeed for pages the first one dropped.
    pub(crate) fn sync(&mut self) -> Result<(), Fault> {
        if self.is_dirty() {
            self.file.sync().map_err(Fault::Broken)?;
            self.durable = self.written;
        }
        Ok(())
    }

    /// Gives up what was not synced, so that no half line stays behind.
    fn rewind(&mut self) -> io::Result<()> {
        self.file.truncate(self.durable)?;
        self.file.sync()?;
        self.written = self.durable;
        Ok(())
    }
}
