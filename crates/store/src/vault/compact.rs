//! Makes erasure physical: copies the records that count into new files and removes the old ones.
//!
//! Closed files are taken in order, in runs. The records of a run that count are copied as they are to a
//! temporary file, which is synced and then renamed over the run's last file; the others of the run are
//! removed after that rename is durable. A crash in between leaves records twice, equal and in the same
//! order, which changes nothing. Sealed files go last. Erasures stay: a copy of an old file that is put
//! back does not bring its data back.
//!
//! A change of keys is the same work: records that another key sealed are copied opened and sealed anew.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use uuid::Uuid;

use super::error::VaultError;
use super::file::{self, io_error};
use super::hint;
use super::index::{Active, Closed, Places};
use super::reader::{refers_to, reopen};
use super::record::{Change, RawContent, Record, SealedRecord, encode, parse};
use super::replaced::{self, Replaced, Source};
use super::scan::scan;
use super::sealer::Sealer;
use super::shared::Shared;
use super::table::{About, FieldHash, Table};
use super::writer::keep_hint;
use crate::compacted::Compacted;
use crate::journal::append::{AppendFile, Fault};
use crate::journal::disk::is_full;
use crate::journal::lines::Lines;

/// Copied in pieces of about this size.
const PIECE: usize = 1 << 20;

/// A compaction that is about to run.
#[derive(Debug)]
pub struct Compaction {
    shared: Arc<Shared>,
    file_bytes: u64,
    files: Vec<(u32, u64)>,
    /// Records under any other key than this are sealed anew.
    rekey_to: Option<String>,
}

/// Files that become one.
#[derive(Default)]
struct Run {
    inputs: Vec<u32>,
    output: Option<AppendFile>,
    buffer: Vec<u8>,
    /// Of what was copied.
    table: Table,
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
            rekey_to: None,
        })
    }

    pub(super) fn of(mut self, files: Vec<(u32, u64)>, rekey_to: Option<String>) -> Self {
        self.files = files;
        self.rekey_to = rekey_to;
        self
    }

    /// Does it. Blocks for as long as the copying takes; reads and writes go on meanwhile.
    pub fn run(self) -> Result<Compacted, VaultError> {
        self.shared.refuse_if_poisoned()?;
        let mut done = Compacted::default();
        done.bytes.0 = self.files.iter().map(|(_, size)| size).sum();
        let replaced = self.replaced()?;
        let is_clean = |number: u32| replaced.count(number) == 0 && self.is_clean(number);
        if self.rekey_to.is_none() && self.files.iter().all(|(number, _)| is_clean(*number)) {
            done.bytes.1 = done.bytes.0;
            return Ok(done);
        }
        let mut run = Run::default();
        for &(number, size) in &self.files {
            self.refuse_if_closing()?;
            let large = size * 2 >= self.file_bytes;
            let alone = large && is_clean(number);
            // A file that is whole and large enough is best left alone; small ones are joined. If it is also of one key, it
            // need not be read again.
            let mut whole = alone;
            if !alone || self.rekey_to.is_some() {
                let (table, is_foreign) = self.read(number, size)?;
                whole &= !is_foreign;
                if table.damaged_count() > 0 {
                    done.skipped.push(file::records(number));
                    whole = true;
                } else if !whole {
                    self.copy(number, size, &table, &replaced, &mut run, &mut done)?;
                }
            }
            if whole {
                self.finish(&mut run, &mut done)?;
                done.bytes.1 += size;
            } else if run.written() >= self.file_bytes {
                self.finish(&mut run, &mut done)?;
            }
        }
        self.finish(&mut run, &mut done)?;
        Ok(done)
    }

    /// What newer files replaced. What is replaced from now on waits for the next compaction.
    fn replaced(&self) -> Result<Replaced, VaultError> {
        loop {
            let mut sources = Vec::new();
            {
                let closed = self.shared.closed();
                for (&file, Closed { places, .. }) in closed.iter() {
                    let places = Arc::clone(places);
                    sources.push(Source { file, places });
                }
                let Active { file, ref table } = *self.shared.active();
                let places = Arc::new(Places::Known(table.clone()));
                sources.push(Source { file, places });
            }
            match replaced::find(&sources, &|file| self.shared.hint_file(file)) {
                Ok(replaced) => return Ok(replaced),
                Err(unsound) => {
                    let file = self.shared.closed().get(&unsound).cloned();
                    if let Some(file) = file {
                        self.shared.learn(unsound, &file)?;
                    }
                }
            }
        }
    }

    /// Whether no record of a file is replaced by another of it.
    fn is_clean(&self, number: u32) -> bool {
        let closed = self.shared.closed();
        closed
            .get(&number)
            .is_none_or(|file| file.places.replaced() == 0)
    }

    /// What stands in a file, and whether another key sealed some of it.
    fn read(&self, number: u32, size: u64) -> Result<(Table, bool), VaultError> {
        let name = file::records(number);
        let mut is_foreign = false;
        let file = self.shared.disk.open(&name, false);
        let file = file.map_err(|source| io_error("open", &name, source))?;
        let scanned = scan(&file, &name, size, false, |record| {
            is_foreign |= self.is_foreign(record);
        });
        let scanned = scanned.map_err(|source| io_error("read", &name, source))?;
        Ok((scanned.table, is_foreign))
    }

    fn is_foreign(&self, record: &Record<'_>) -> bool {
        match record {
            Record::Sealed(record) => self.is_foreign_key(&record.key),
            Record::Erased { .. } => false,
        }
    }

    fn is_foreign_key(&self, key: &str) -> bool {
        self.rekey_to.as_ref().is_some_and(|current| key != current)
    }

    /// Adds the record under the current key; false when it does not open, and then nothing is added.
    fn reseal(&self, record: &SealedRecord<'_>, out: &mut Vec<u8>) -> Result<bool, VaultError> {
        let Some(plaintext) = reopen(&self.shared, record)? else {
            return Ok(false);
        };
        let sealer = Sealer::new(Arc::clone(&self.shared));
        let sealed = sealer.seal(record.order, &record.field, &plaintext)?;
        let encoded = encode(&Change::Put(sealed), false, out);
        encoded
            .map(|()| true)
            .map_err(|source| self.give_up("encode for", Fault::Broken(source)))
    }

    /// The vault was closed, and its directory may soon be another's.
    fn refuse_if_closing(&self) -> Result<(), VaultError> {
        if self.shared.closing.load(Ordering::Acquire) {
            let _ = self.shared.disk.remove(file::temporary());
            return Err(VaultError::Closing);
        }
        Ok(())
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
        table: &Table,
        replaced: &Replaced,
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
            let from_offset = line.offset as u32;
            let record = parse(line.bytes).map_err(|damage| VaultError::Damaged {
                file: file::records(number),
                record: 0,
                byte: line.offset,
                damage,
            })?;
            let (order, field, sealed_file) = match &record {
                Record::Erased { order } => (*order, FieldHash::ERASED, None),
                Record::Sealed(record) => match &record.content {
                    RawContent::File { name, .. } => (
                        record.order,
                        FieldHash::of(&record.field),
                        Some(name.clone().into_owned()),
                    ),
                    RawContent::Inline(_) => (record.order, FieldHash::of(&record.field), None),
                },
            };
            let mut slots = table.of(order).iter();
            let latest = slots.any(|slot| slot.field == field && slot.offset == from_offset);
            if !latest || replaced.contains(number, from_offset) {
                done.removed += 1;
                run.dead
                    .extend(sealed_file.map(|name| (order, field, name)));
                continue;
            }
            done.kept += 1;
            let (from, offset) = (run.buffer.len(), run.written() as u32);
            let mut about = About::record(&record);
            match record {
                Record::Sealed(record) if self.is_foreign_key(&record.key) => {
                    match self.reseal(&record, &mut run.buffer)? {
                        true => {
                            done.resealed += 1;
                            let line = run.buffer[from..].trim_ascii_end();
                            about = parse(line).map_or(about, |record| About::record(&record));
                            run.dead
                                .extend(sealed_file.map(|name| (order, field, name)));
                        }
                        false => {
                            done.unopened += 1;
                            run.keep(line.bytes);
                        }
                    }
                }
                Record::Sealed(_) | Record::Erased { .. } => run.keep(line.bytes),
            }
            run.table.take(about, offset);
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
        self.refuse_if_closing()?;
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
        // None may outlive the file that it is of.
        let size = output.written();
        {
            // Readers look up a place and open its file under this lock.
            let mut closed = self.shared.closed_mut();
            // No hint may outlive the file that it is of.
            let mut inputs = run.inputs.iter();
            let removed = inputs.try_for_each(|input| hint::remove(&**disk, *input));
            let removed = removed.and_then(|()| disk.sync());
            removed.map_err(|source| self.give_up("remove hints beside", fault(source)))?;
            let renamed = disk.rename(file::temporary(), &name);
            renamed.map_err(|source| self.give_up("rename", fault(source)))?;
            for input in &run.inputs {
                self.shared.handles.forget((*input).into());
                self.shared.hints.forget((*input).into());
                closed.remove(input);
            }
            let places = Arc::new(Places::Known(run.table));
            closed.insert(last, Closed { size, places });
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
            .map_err(|source| stop("sync the directory of", source))?;
        keep_hint(&self.shared, last)
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
    fn keep(&mut self, line: &[u8]) {
        self.buffer.extend_from_slice(line);
        self.buffer.push(b'\n');
    }

    fn written(&self) -> u64 {
        self.output.as_ref().map_or(0, AppendFile::written) + self.buffer.len() as u64
    }
}

impl Drop for Compaction {
    fn drop(&mut self) {
        self.shared.compacting.store(false, Ordering::Release);
    }
}
