//! The one writer of a vault: owned by the committer's thread, blocking, stopped by its first failure.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use uuid::Uuid;

use super::compact::Compaction;
use super::error::VaultError;
use super::file::{self, Name, io_error};
use super::hint::{self, Hint};
use super::index::{Active, Closed, Places};
use super::keys::Keys;
use super::open::{Hints, Loaded, VaultReport, load, names};
use super::reader::VaultReader;
use super::record::{Change, encode};
use super::sealer::Sealer;
use super::shared::Shared;
use super::table::About;
use crate::journal::append::{AppendFile, Fault};
use crate::journal::disk::Disk;

/// Largest file; keeps every offset inside 32 bits.
const FILE_MAX: u64 = 1 << 30;
const BUFFER_KEPT: usize = 4 << 20;
/// Last records whose owners are told: more than one crash can leave behind the log.
const RECENT_MAX: usize = 8 << 10;

/// How a vault is opened.
#[derive(Clone, Copy, Debug)]
pub struct VaultOptions {
    /// A file of this many bytes or more is closed and the next one begun. At most 1 GiB counts.
    pub file_bytes: u64,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
        }
    }
}

/// Appends sealed records and makes them durable. After the first storage error every call answers
/// [`VaultError::Poisoned`]; a full disk is none as long as the file could be taken back.
#[derive(Debug)]
pub struct Vault {
    shared: Arc<Shared>,
    file_bytes: u64,
    active: Option<(u32, AppendFile)>,
    /// The number the next file gets.
    next: u32,
    /// Written and not synced: what readers learn of at the sync.
    pending: Vec<(About, u32)>,
    buffer: Vec<u8>,
}

impl Vault {
    /// Opens the vault in `disk`, or begins one; proves every key that sealed a record; cuts what was never synced and
    /// removes what no record refers to.
    pub fn open(
        disk: Arc<dyn Disk>,
        keys: Arc<dyn Keys>,
        options: &VaultOptions,
    ) -> Result<(Self, VaultReport), VaultError> {
        let key = keys.current()?;
        sync_last(&*disk)?;
        let mut loaded = load(&*disk, Hints::Kept)?;
        let swept = sweep(&*disk, &loaded)?;
        let (damaged, damaged_count) = loaded.damaged();
        let mut report = VaultReport {
            records: loaded.records(),
            files: loaded.files().count(),
            bytes: loaded.files().map(|(_, size)| size).sum(),
            cut: loaded.cut.take(),
            damaged,
            damaged_count,
            swept,
            unknown_keys: Vec::new(),
        };
        let next = loaded.files().map(|(number, _)| number + 1).max();
        let mut growing = Active::default();
        let mut active = None;
        if let Some(last) = loaded.last {
            let name = file::records(last.number);
            let file = disk
                .open(&name, true)
                .map_err(|e| io_error("open", &name, e))?;
            if report.cut.is_some() {
                let cut = file.truncate(last.size).and_then(|()| file.sync());
                cut.map_err(|source| io_error("cut the torn tail of", &name, source))?;
            }
            active = Some((last.number, AppendFile::new(file, last.size)));
            growing = Active {
                file: last.number,
                table: last.table,
            };
        }
        disk.sync()
            .map_err(|source| io_error("sync", "the vault directory", source))?;

        let vault = Self {
            shared: Arc::new(Shared::new(disk, keys, loaded.closed, growing)),
            file_bytes: options.file_bytes.clamp(1, FILE_MAX),
            active,
            next: next.unwrap_or(1),
            pending: Vec::new(),
            buffer: Vec::new(),
        };
        vault.shared.master_key(&key)?;
        for (name, places) in loaded.proofs {
            match vault.reader().proves_key(&places) {
                Ok(true) => {}
                Ok(false) => return Err(VaultError::WrongKey { name }),
                // Nobody may need what it sealed any more.
                Err(VaultError::UnknownKey { name }) => report.unknown_keys.push(name),
                // One that cannot be had for a while is a wait.
                Err(VaultError::Key(_)) if name != key => {}
                Err(error) => return Err(error),
            }
        }
        Ok((vault, report))
    }

    /// Whose the last few thousand records are, each once.
    pub(crate) fn recent(&self) -> Result<Vec<Uuid>, VaultError> {
        let mut recent = self.shared.recent(RECENT_MAX)?;
        recent.sort_unstable();
        recent.dedup();
        Ok(recent)
    }

    /// Seals values for this vault on any thread.
    pub fn sealer(&self) -> Sealer {
        Sealer::new(Arc::clone(&self.shared))
    }

    /// Opens what is durable, now and later, on any thread.
    pub fn reader(&self) -> VaultReader {
        VaultReader::new(Arc::clone(&self.shared))
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Whether an earlier storage error stopped this vault.
    pub fn is_poisoned(&self) -> bool {
        self.shared.is_poisoned()
    }

    /// Puts the changes behind the others in one write. Not durable and not visible before [`Vault::sync`].
    ///
    /// On [`VaultError::Full`] nothing that was not synced remains, also of earlier writes.
    pub fn write(&mut self, changes: &[Change]) -> Result<(), VaultError> {
        self.shared.refuse_if_poisoned()?;
        if changes.is_empty() {
            return Ok(());
        }
        let (number, mut active) = self.take_active()?;
        self.buffer.clear();
        let name = file::records(number);
        for change in changes {
            let offset = active.written() + self.buffer.len() as u64;
            let barrier = !active.is_dirty() && self.buffer.is_empty();
            let encoded = encode(change, barrier, &mut self.buffer);
            encoded
                .map_err(|source| self.shared.fail("encode for", &name, Fault::Broken(source)))?;
            self.pending.push((About::change(change), offset as u32));
        }
        let appended = active.append(&self.buffer);
        self.active = Some((number, active));
        if self.buffer.capacity() > BUFFER_KEPT {
            self.buffer = Vec::new();
        }
        appended.map_err(|fault| {
            self.pending.clear();
            self.shared.fail("write", &name, fault)
        })
    }

    /// Makes everything written durable, then visible to readers.
    pub fn sync(&mut self) -> Result<(), VaultError> {
        self.shared.refuse_if_poisoned()?;
        let Some((number, active)) = &mut self.active else {
            return Ok(());
        };
        let synced = active.sync();
        synced.map_err(|fault| self.shared.fail("sync", &file::records(*number), fault))?;
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut active = self.shared.active_mut();
        for (about, offset) in self.pending.drain(..) {
            active.table.take(about, offset);
        }
        Ok(())
    }

    /// Begins to remove what no longer counts. The job runs beside this writer, on any thread; what is
    /// erased or replaced after this call waits for the next one.
    pub fn compaction(&mut self) -> Result<Compaction, VaultError> {
        self.tidy(None)
    }

    /// As [`compaction`](Self::compaction), and seals anew what another key than the current one sealed. When it
    /// is done and left nothing, the other keys are not needed any more.
    pub fn rekeying(&mut self) -> Result<Compaction, VaultError> {
        let key = self.shared.keys.current()?;
        self.tidy(Some(key))
    }

    fn tidy(&mut self, rekey_to: Option<String>) -> Result<Compaction, VaultError> {
        self.sync()?;
        let compaction = Compaction::begin(Arc::clone(&self.shared), self.file_bytes)?;
        let shared = &self.shared;
        let stale = self.active.take_if(|(number, file)| {
            let written = rekey_to.is_some() && file.durable() > 0;
            debug_assert_eq!(*number, shared.active().file);
            written || shared.active().table.replaced() > 0
        });
        if let Some((number, active)) = stale {
            self.close(number, active.durable())?;
        }
        let closed = self.shared.closed();
        let files = closed.iter().map(|(number, file)| (*number, file.size));
        Ok(compaction.of(files.collect(), rekey_to))
    }

    /// The file to write to; a new one only when nothing is owed to the old one.
    fn take_active(&mut self) -> Result<(u32, AppendFile), VaultError> {
        let is_full_file = |file: &AppendFile, max| !file.is_dirty() && file.written() >= max;
        match self.active.take() {
            Some((number, file)) if is_full_file(&file, self.file_bytes) => {
                // Kept until its successor is there: without room for that, it goes on.
                let size = file.durable();
                match self.create() {
                    Ok(active) => {
                        self.close(number, size)?;
                        self.shared.active_mut().file = active.0;
                        Ok(active)
                    }
                    Err(error) => {
                        self.active = Some((number, file));
                        Err(error)
                    }
                }
            }
            Some(active) => Ok(active),
            None => {
                let active = self.create()?;
                self.shared.active_mut().file = active.0;
                Ok(active)
            }
        }
    }

    /// Nothing more is written to a file.
    fn close(&mut self, number: u32, size: u64) -> Result<(), VaultError> {
        {
            let mut closed = self.shared.closed_mut();
            let Active { table, .. } = mem::take(&mut *self.shared.active_mut());
            let places = Arc::new(Places::Known(table));
            closed.insert(number, Closed { size, places });
        }
        keep_hint(&self.shared, number)
    }

    fn create(&mut self) -> Result<(u32, AppendFile), VaultError> {
        let (number, name) = (self.next, file::records(self.next));
        let disk = &self.shared.disk;
        let created = disk.create(&name);
        let file = created
            .map_err(|source| self.shared.fail("create", &name, Fault::of_create(source)))?;
        let synced = file.sync().and_then(|()| disk.sync());
        synced.map_err(|source| self.shared.fail("sync", &name, Fault::Broken(source)))?;
        self.next += 1;
        Ok((number, AppendFile::new(file, 0)))
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
    }
}

/// What an earlier process left in the cache becomes durable or shows itself as lost.
fn sync_last(disk: &dyn Disk) -> Result<(), VaultError> {
    let number = |name| {
        if let Name::Records(number) = name {
            Some(number)
        } else {
            None
        }
    };
    let Some(last) = names(disk)?.into_iter().filter_map(number).max() else {
        return Ok(());
    };
    let name = file::records(last);
    let file = disk
        .open(&name, true)
        .map_err(|source| io_error("open", &name, source))?;
    file.sync()
        .and_then(|()| file.evict())
        .map_err(|source| io_error("sync", &name, source))
}

/// Writes the hint of a file that is closed, and lets go of what it says.
pub(super) fn keep_hint(shared: &Shared, number: u32) -> Result<(), VaultError> {
    let Some(Closed { size, places }) = shared.closed().get(&number).cloned() else {
        return Ok(());
    };
    let Places::Known(table) = &*places else {
        return Ok(());
    };
    if table.damaged_count() > 0 {
        return Ok(());
    }
    let written = Hint::write(table, &*shared.disk, number, size);
    let hint = written
        .map_err(|source| shared.fail("write", &file::hint(number), Fault::Broken(source)))?;
    if let Some(hint) = hint
        && let Some(there) = shared.closed_mut().get_mut(&number)
        && Arc::ptr_eq(&there.places, &places)
    {
        shared.hints.forget(number.into());
        there.places = Arc::new(Places::Hinted(hint));
    }
    Ok(())
}

/// Removes what a crash left: a half compacted file, and large values no record refers to.
fn sweep(disk: &dyn Disk, loaded: &Loaded) -> Result<u64, VaultError> {
    let numbers: HashSet<_> = loaded.files().map(|(number, _)| number).collect();
    let is_damaged = loaded.damaged().1 > 0;
    let mut swept = 0;
    for name in names(disk)? {
        if let Some(stray) = hint::is_stray(&name, |number| numbers.contains(&number)) {
            let removed = disk.remove(&stray);
            removed.map_err(|source| io_error("remove", &stray, source))?;
            continue;
        }
        let name = match name {
            Name::Temporary => file::temporary().to_owned(),
            // A damaged record may be the one that refers to it.
            Name::Sealed(name) if !is_damaged && !loaded.referred.contains(&name) => name,
            _ => continue,
        };
        disk.remove(&name)
            .map_err(|source| io_error("remove", &name, source))?;
        swept += u64::from(name != file::temporary());
    }
    Ok(swept)
}
