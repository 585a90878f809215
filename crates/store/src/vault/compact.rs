//! Makes erasure physical: copies the records that count into new files and removes the old ones.
//!
//! Closed files are taken in order, in runs. The records of a run that count are copied as they are to a
//! temporary file, which is synced and then renamed over the run's last file; the others of the run are
//! removed after that rename is durable. A crash in between leaves records twice, equal and in the same
//! order, which changes nothing. Sealed files go last. Erasures stay: a copy of an old file that is put
//! back does not bring its data back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use uuid::Uuid;

use super::error::VaultError;
use super::file::{self, io_error};
use super::index::{FieldHash, Place};
use super::reader::refers_to;
use super::record::{RawContent, Record, parse};
use super::shared::Shared;
use crate::journal::append::{AppendFile, Fault};
use crate::journal::disk::is_full;
use crate::journal::lines::{LineEnd, Lines};

/// Copied in pieces of about this size.
const PIECE: usize = 1 << 20;

/// A compaction that is about to run.
#[derive(Debug)]
pub struct Compaction {
    shared: Arc<Shared>,
    file_bytes: u64,
    files: Vec<(u32, u64)>,
}

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Records removed.
    pub removed: u64,
    /// Records copied.
    pub kept: u64,
    /// Sealed files removed.
    pub sealed_files: u64,
    /// Bytes of record files before and after.
    pub bytes: (u64, u64),
    /// Files left as they are because records in them are damaged: what was erased may still be in them.
    pub skipped: Vec<String>,
}

/// Files that become one.
#[derive(Default)]
struct Run {
    inputs: Vec<u32>,
    output: Option<AppendFile>,
    buffer: Vec<u8>,
    moves: Vec<(Uuid, FieldHash, Place, u32)>,
    /// Large values of records that do not count.
    dead: Vec<(Uuid, FieldHash, String)>,
}

impl Compaction {
    pub(super) fn begin(shared: Arc<Shared>, file_bytes: u64) -> Result<Self, VaultError> {
        if shared.compacting.swap(true, Ordering::AcqRel) {
            return Err(VaultError::Compacting);
        }
        Ok(Self {
            shared,
            file_bytes,
            files: Vec::new(),
        })
    }

    pub(super) fn of(mut self, files: Vec<(u32, u64)>) -> Self {
        self.files = files;
        self
    }

    /// Does it. Blocks for as long as the copying takes; reads and writes go on meanwhile.
    pub fn run(self) -> Result<Compacted, VaultError> {
        self.shared.refuse_if_poisoned()?;
        let mut done = Compacted::default();
        done.bytes.0 = self.files.iter().map(|(_, size)| size).sum();
        if self
            .files
            .iter()
            .all(|(number, _)| self.shared.index().garbage(*number) == 0)
        {
            done.bytes.1 = done.bytes.0;
            return Ok(done);
        }
        let mut run = Run::default();
        for &(number, size) in &self.files {
            let clean = self.shared.index().garbage(number) == 0;
            // A file that is whole and large enough is best left alone; small ones are joined.
            let whole = clean && size * 2 >= self.file_bytes;
            if whole || self.is_damaged(number, size)? {
                self.finish(&mut run, &mut done)?;
                if !whole {
                    done.skipped.push(file::records(number));
                }
                done.bytes.1 += size;
                continue;
            }
            self.copy(number, size, &mut run, &mut done)?;
            if run.written() >= self.file_bytes {
                self.finish(&mut run, &mut done)?;
            }
        }
        self.finish(&mut run, &mut done)?;
        Ok(done)
    }

    fn is_damaged(&self, number: u32, size: u64) -> Result<bool, VaultError> {
        let mut lines = self.lines(number, size)?;
        let read = |source| io_error("read", &file::records(number), source);
        while let Some(line) = lines.next_line().map_err(read)? {
            if line.end != LineEnd::Newline || parse(line.bytes).is_err() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lines(&self, number: u32, size: u64) -> Result<Lines, VaultError> {
        let name = file::records(number);
        let file = self.shared.disk.open(&name, false);
        Ok(Lines::new(
            file.map_err(|source| io_error("open", &name, source))?,
            0,
            size,
        ))
    }

    fn copy(
        &self,
        number: u32,
        size: u64,
        run: &mut Run,
        done: &mut Compacted,
    ) -> Result<(), VaultError> {
        if run.output.is_none() {
            run.output = Some(self.create()?);
        }
        run.inputs.push(number);
        let mut lines = self.lines(number, size)?;
        let read = |source| io_error("read", &file::records(number), source);
        while let Some(line) = lines.next_line().map_err(read)? {
            let place = Place {
                file: number,
                offset: line.offset as u32,
            };
            let (order, field, sealed_file) = match parse(line.bytes) {
                Ok(Record::Erased { order }) => (order, FieldHash::ERASED, None),
                Ok(Record::Sealed(record)) => match record.content {
                    RawContent::File { name, .. } => {
                        (record.order, FieldHash::of(&record.field), Some(name))
                    }
                    RawContent::Inline(_) => (record.order, FieldHash::of(&record.field), None),
                },
                Err(damage) => {
                    let (file, byte) = (file::records(number), line.offset);
                    return Err(VaultError::Damaged {
                        file,
                        record: 0,
                        byte,
                        damage,
                    });
                }
            };
            if self.shared.index().get(order, field) != Some(place) {
                done.removed += 1;
                run.dead
                    .extend(sealed_file.map(|name| (order, field, name.into_owned())));
                continue;
            }
            done.kept += 1;
            run.moves.push((order, field, place, run.written() as u32));
            run.buffer.extend_from_slice(line.bytes);
            run.buffer.push(b'\n');
            if run.buffer.len() >= PIECE {
                self.flush(run)?;
            }
        }
        Ok(())
    }

    fn create(&self) -> Result<AppendFile, VaultError> {
        let name = file::temporary();
        // One that did not end may have left it.
        let _ = self.shared.disk.remove(name);
        let created = self.shared.disk.create(name);
        let file = created.map_err(|source| self.give_up("create", fault(source)))?;
        Ok(AppendFile::new(file, 0))
    }

    fn flush(&self, run: &mut Run) -> Result<(), VaultError> {
        let Some(output) = &mut run.output else {
            return Ok(());
        };
        output
            .append(&run.buffer)
            .map_err(|fault| self.give_up("write", fault))?;
        run.buffer.clear();
        Ok(())
    }

    /// Puts the copy in the place of its inputs.
    fn finish(&self, run: &mut Run, done: &mut Compacted) -> Result<(), VaultError> {
        self.flush(run)?;
        let mut run = std::mem::take(run);
        let (Some(output), Some(&last)) = (&mut run.output, run.inputs.last()) else {
            return Ok(());
        };
        output.sync().map_err(|fault| self.give_up("sync", fault))?;
        done.bytes.1 += output.written();

        let disk = &self.shared.disk;
        let name = file::records(last);
        {
            // Readers look up a place and open its file under this lock.
            let mut index = self.shared.index_mut();
            let renamed = disk.rename(file::temporary(), &name);
            renamed.map_err(|source| self.give_up("rename", fault(source)))?;
            run.inputs.iter().for_each(|input| {
                self.shared.handles.forget((*input).into());
                index.is_clean(*input);
            });
            for (order, field, from, offset) in run.moves {
                index.moved(order, field, from, Place { file: last, offset });
            }
        }
        let stop = |action, source| self.shared.fail(action, &name, Fault::Broken(source));
        disk.sync()
            .map_err(|source| stop("sync the name of", source))?;
        let consumed = run
            .inputs
            .iter()
            .filter(|input| **input != last)
            .map(|n| file::records(*n));
        let mut dead: Vec<_> = consumed.collect();
        for (order, field, name) in run.dead {
            // A compaction that did not end leaves a record twice, and only one of the two counts.
            if !refers_to(&self.shared, order, field, &name) {
                done.sealed_files += 1;
                dead.push(name);
            }
        }
        for dead in dead {
            match disk.remove(&dead) {
                // Removed before a crash, by the same record.
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
                removed => {
                    removed.map_err(|source| stop("remove what was compacted into", source))?
                }
            }
        }
        disk.sync()
            .map_err(|source| stop("sync the directory of", source))
    }

    /// Nothing is lost with an unfinished copy; unless the disk was just full, the vault stops all the same.
    fn give_up(&self, action: &'static str, fault: Fault) -> VaultError {
        if matches!(fault, Fault::Full(_)) {
            let _ = self.shared.disk.remove(file::temporary());
        }
        self.shared.fail(action, file::temporary(), fault)
    }
}

fn fault(source: std::io::Error) -> Fault {
    if is_full(&source) {
        Fault::Full(source)
    } else {
        Fault::Broken(source)
    }
}

impl Run {
    fn written(&self) -> u64 {
        self.output.as_ref().map_or(0, AppendFile::written) + self.buffer.len() as u64
    }
}

impl Drop for Compaction {
    fn drop(&mut self) {
        self.shared.compacting.store(false, Ordering::Release);
    }
}
