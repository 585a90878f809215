//! Where every record is, asked file by file, the newest first: what a later file says of an order's field counts.
//!
//! Of the file that grows, of small ones and of those without a sound hint the records stand in memory; of all others they
//! are looked up in the hint. So memory does not grow with what the vault holds.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;

use super::error::VaultError;
use super::file::{self, io_error};
use super::hint::{self, Hint, Unsound};
use super::open::DamagedRecord;
use super::scan::scan;
use super::shared::Shared;
use super::table::{FieldHash, Place, Slot, Table};
use crate::journal::disk::DiskFile;

/// A record's place, and the file it is in.
pub(super) type Found = (Place, Arc<dyn DiskFile>);

/// The records of one file.
#[derive(Debug)]
pub(super) enum Places {
    Known(Table),
    Hinted(Hint),
}

/// A file nothing is added to.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) size: u64,
    pub(super) places: Arc<Places>,
}

/// The file that grows. Without one it stands for no file and is empty.
#[derive(Debug, Default)]
pub(super) struct Active {
    pub(super) file: u32,
    pub(super) table: Table,
}

impl Places {
    /// Records that no later one of the same file replaced.
    pub(super) fn slots(&self) -> u64 {
        match self {
            Self::Known(table) => table.slots(),
            Self::Hinted(hint) => hint.slots(),
        }
    }

    /// Records that a later one of the same file replaced.
    pub(super) fn replaced(&self) -> u64 {
        match self {
            Self::Known(table) => table.replaced(),
            Self::Hinted(hint) => hint.replaced(),
        }
    }

    /// The first records that cannot be read, and how many there are. None are known of in a file with a hint.
    pub(super) fn damaged(&self) -> (&[DamagedRecord], u64) {
        match self {
            Self::Known(table) => (table.damaged(), table.damaged_count()),
            Self::Hinted(_) => (&[], 0),
        }
    }
}

// Nothing under these locks can panic between two steps that belong together. Who takes both takes that of the closed
// files first.
impl Shared {
    pub(super) fn closed(&self) -> RwLockReadGuard<'_, BTreeMap<u32, Closed>> {
        self.closed.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while a file is put in the place of another: readers look up a place and open its file under this lock.
    pub(super) fn closed_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<u32, Closed>> {
        self.closed.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn active(&self) -> RwLockReadGuard<'_, Active> {
        self.active.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn active_mut(&self) -> RwLockWriteGuard<'_, Active> {
        self.active.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record that counts for this order and field, with its file.
    pub(super) fn locate(
        &self,
        order: Uuid,
        field: FieldHash,
    ) -> Result<Option<Found>, VaultError> {
        let found = |file, slots: &[Slot]| {
            let slot = slots.iter().find(|slot| slot.field == field)?;
            let offset = slot.offset;
            Some(
                self.file(file)
                    .map(|handle| (Place { file, offset }, handle)),
            )
        };
        self.ask(order, found)?.transpose()
    }

    /// Whether anything of the order counts but its erasure.
    pub(super) fn holds(&self, order: Uuid) -> Result<bool, VaultError> {
        let any = |_, slots: &[Slot]| {
            let mut fields = slots.iter().map(|slot| slot.field);
            fields.any(|field| field != FieldHash::ERASED).then_some(())
        };
        Ok(self.ask(order, any)?.is_some())
    }

    pub(super) fn file(&self, number: u32) -> Result<Arc<dyn DiskFile>, VaultError> {
        let name = file::records(number);
        let opened = self
            .handles
            .get(number.into(), || self.disk.open(&name, false));
        opened.map_err(|source| io_error("open", &name, source))
    }

    /// Shows the order's records to `ask`, file by file, the newest first, until it answers.
    fn ask<T>(
        &self,
        order: Uuid,
        mut ask: impl FnMut(u32, &[Slot]) -> Option<T>,
    ) -> Result<Option<T>, VaultError> {
        // What an erasure comes after counts no more.
        let mut step = |file, slots: &[Slot]| match ask(file, slots) {
            Some(answer) => ControlFlow::Break(Some(answer)),
            None if slots.iter().any(|slot| slot.field == FieldHash::ERASED) => {
                ControlFlow::Break(None)
            }
            None => ControlFlow::Continue(()),
        };
        loop {
            let closed = self.closed();
            let asked = {
                let active = self.active();
                step(active.file, active.table.of(order))
            };
            if let ControlFlow::Break(answer) = asked {
                return Ok(answer);
            }
            let mut unsound = None;
            for (&number, file) in closed.iter().rev() {
                let asked = match &*file.places {
                    Places::Known(table) => step(number, table.of(order)),
                    Places::Hinted(hint) => match self.slots(hint, number, order) {
                        Ok(slots) => step(number, &slots),
                        Err(Unsound) => {
                            unsound = Some((number, file.clone()));
                            break;
                        }
                    },
                };
                if let ControlFlow::Break(answer) = asked {
                    return Ok(answer);
                }
            }
            drop(closed);
            match unsound {
                Some((number, file)) => self.learn(number, &file)?,
                None => return Ok(None),
            }
        }
    }

    fn slots(&self, hint: &Hint, number: u32, order: Uuid) -> Result<Vec<Slot>, Unsound> {
        hint.of(&*self.hint_file(number)?, order)
    }

    pub(super) fn hint_file(&self, number: u32) -> Result<Arc<dyn DiskFile>, Unsound> {
        let name = file::hint(number);
        let opened = self
            .hints
            .get(number.into(), || self.disk.open(&name, false));
        opened.map_err(|_| Unsound)
    }

    /// Reads a file whose hint is not sound. The next open gives it another.
    pub(super) fn learn(&self, number: u32, of: &Closed) -> Result<(), VaultError> {
        let name = file::records(number);
        tracing::warn!(file = %name, "its hint is not sound: the file is read");
        let read = |source| io_error("read", &name, source);
        let file = self.disk.open(&name, false).map_err(read)?;
        let scanned = scan(&file, &name, of.size, false, |_| ()).map_err(read)?;
        if let Some(there) = self.closed_mut().get_mut(&number)
            // A compaction may have put another there.
            && Arc::ptr_eq(&there.places, &of.places)
        {
            there.places = Arc::new(Places::Known(scanned.table));
            self.hints.forget(number.into());
            // One that stays costs the same again.
            let _ = hint::remove(&*self.disk, number);
        }
        Ok(())
    }

    /// Whose the last records are, at most so many.
    pub(super) fn recent(&self, at_most: usize) -> Result<Vec<Uuid>, VaultError> {
        loop {
            let mut owners = last_owners(self.active().table.rows(), at_most);
            let closed = self.closed().clone();
            let mut unsound = None;
            for (number, file) in closed.into_iter().rev() {
                let wanted = at_most - owners.len();
                if wanted == 0 {
                    break;
                }
                let rows: Result<Vec<_>, Unsound> = match &*file.places {
                    Places::Known(table) => Ok(table.rows().collect()),
                    Places::Hinted(hint) => hint.rows(|| self.hint_file(number)).collect(),
                };
                match rows {
                    Ok(rows) => owners.extend(last_owners(rows.into_iter(), wanted)),
                    Err(Unsound) => {
                        unsound = Some((number, file));
                        break;
                    }
                }
            }
            match unsound {
                Some((number, file)) => self.learn(number, &file)?,
                None => return Ok(owners),
            }
        }
    }

    /// The first record that is known to be unreadable, and how many there are.
    pub(super) fn damaged(&self) -> Option<(DamagedRecord, u64)> {
        let closed = self.closed();
        let active = self.active();
        let files = closed.values().map(|file| file.places.damaged());
        let files = files.chain([(active.table.damaged(), active.table.damaged_count())]);
        let mut first = None;
        let mut count = 0;
        for (named, damaged) in files {
            first = first.or_else(|| named.first().cloned());
            count += damaged;
        }
        first.map(|first| (first, count))
    }
}

fn last_owners(rows: impl Iterator<Item = (Uuid, Slot)>, at_most: usize) -> Vec<Uuid> {
    let kept = rows.filter(|(_, slot)| slot.field != FieldHash::ERASED);
    let mut rows: Vec<_> = kept.map(|(order, slot)| (slot.offset, order)).collect();
    rows.sort_unstable_by_key(|(offset, _)| std::cmp::Reverse(*offset));
    rows.truncate(at_most);
    rows.into_iter().map(|(_, order)| order).collect()
}
