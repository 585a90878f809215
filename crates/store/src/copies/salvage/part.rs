//! One part on its way to its directory.

use std::mem;
use std::sync::Arc;

use super::super::error::{CopyError, io_at};
use super::super::staging::Staging;
use super::{Part, Salvaged};
use crate::journal::anchor::Anchor;
use crate::journal::chain::Chain;
use crate::journal::disk::{Disk, DiskFile, write_full};
use crate::journal::recover::io;
use crate::journal::segment::file_name;
use crate::journal::{Damage, Directory, Head};

/// An append that is not whole after so many bytes is none.
const APPEND_MAX: usize = 64 << 20;
/// Output is written in pieces of about this size.
const PIECE: usize = 1 << 20;
/// An output file ends at this size, so that every place in it fits 32 bits.
const FILE_MAX: u64 = 1 << 30;

/// The chain through a part, and the append that is not whole yet.
pub(super) struct Growing {
    chain: Chain,
    directory: Directory,
    output: Option<Output>,
    /// Lines of the append that is not whole yet.
    held: Vec<u8>,
    /// Where that append begins: file, line and byte.
    held_from: Option<(String, u64, u64)>,
    /// The head of what was kept.
    pub(super) kept: Head,
    part: Part,
}

struct Output {
    name: String,
    file: Arc<dyn DiskFile>,
    written: u64,
    buffer: Vec<u8>,
}

impl Growing {
    /// A part behind `before`, which is taken at its word unless it is the prefix's.
    pub(super) fn begin(
        staging: &Staging,
        name: String,
        before: Head,
        chained: bool,
    ) -> Result<Self, CopyError> {
        let directory = staging.directory(&name)?;
        if before != Head::EMPTY {
            let archive = None;
            let anchor = Anchor {
                head: before,
                archive,
            };
            anchor.write(&directory)?;
        }
        Ok(Self {
            chain: Chain::after(before),
            directory,
            output: None,
            held: Vec::new(),
            held_from: None,
            kept: before,
            part: Part {
                directory: name,
                chained,
                first: before.position + 1,
                last: before.position,
                hash: before.hash.to_string(),
            },
        })
    }

    /// Takes a line that follows; keeps it once its append is whole.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<Result<(), Damage>, CopyError> {
        let mut chain = self.chain;
        if let Err(damage) = chain.link(bytes) {
            return Ok(Err(damage));
        }
        if self.held.len() + bytes.len() > APPEND_MAX {
            return Ok(Err(Damage::Batch));
        }
        self.chain = chain;
        self.held.extend_from_slice(bytes);
        self.held.push(b'\n');
        if self.chain.unfinished().is_some() {
            return Ok(Ok(()));
        }
        if self
            .output
            .as_ref()
            .is_some_and(|output| output.written >= FILE_MAX)
        {
            self.end_file()?;
        }
        let output = match &mut self.output {
            Some(output) => output,
            none => none.insert(Output::create(&self.directory, self.kept.position + 1)?),
        };
        output.buffer.append(&mut self.held);
        self.kept = self.chain.head();
        if output.buffer.len() >= PIECE {
            output.flush()?;
        }
        Ok(Ok(()))
    }

    /// The position the next line must have.
    pub(super) fn next(&self) -> u64 {
        self.chain.head().position + 1
    }

    /// Remembers where the append begins that is not whole, if one is held.
    pub(super) fn at(&mut self, file: &str, line: u64, byte: u64) {
        if self.held.is_empty() {
            self.held_from = None;
        } else if self.held_from.is_none() {
            self.held_from = Some((file.to_owned(), line, byte));
        }
    }

    /// Gives up the append that is not whole: where it began, and its bytes. The part may go on if the chain does.
    pub(super) fn drop_held(&mut self) -> Option<((String, u64, u64), u64)> {
        let held = mem::take(&mut self.held);
        self.chain = Chain::after(self.kept);
        let from = self.held_from.take()?;
        Some((from, held.len() as u64))
    }

    /// Its end. A run that kept nothing leaves nothing.
    pub(super) fn end(mut self, staging: &Staging, found: &mut Salvaged) -> Result<(), CopyError> {
        self.end_file()?;
        let Self {
            directory,
            kept,
            mut part,
            ..
        } = self;
        let synced = directory.sync();
        synced.map_err(|source| io("sync", &part.directory, source))?;
        if part.chained || kept.position >= part.first {
            part.last = kept.position;
            part.hash = kept.hash.to_string();
            found.parts.push(part);
            return Ok(());
        }
        let path = staging.path().join(&part.directory);
        std::fs::remove_dir_all(&path).map_err(io_at("remove", &path))
    }

    pub(super) fn end_file(&mut self) -> Result<(), CopyError> {
        let Some(mut output) = self.output.take() else {
            return Ok(());
        };
        output.flush()?;
        let synced = output.file.sync();
        Ok(synced.map_err(|source| io("sync", &output.name, source))?)
    }
}

impl Output {
    fn create(directory: &Directory, first: u64) -> Result<Self, CopyError> {
        let name = file_name(first);
        let created = directory.create(&name);
        let file = created.map_err(|source| io("create", &name, source))?;
        Ok(Self {
            name,
            file,
            written: 0,
            buffer: Vec::new(),
        })
    }

    fn flush(&mut self) -> Result<(), CopyError> {
        write_full(&*self.file, &self.buffer, self.written)
            .map_err(|source| io("write", &self.name, source))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
