//! What the vault's parts share: the disk, the keys, the index of durable records, and whether it stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::error::VaultError;
use super::file;
use super::index::{Index, Place};
use super::keys::{Keys, MasterKey};
use super::open::DamagedRecord;
use crate::journal::append::Fault;
use crate::journal::disk::{Disk, DiskFile};
use crate::journal::shared::Handles;

/// A record's place, and the file it is in.
pub(super) type Found = (Place, Arc<dyn DiskFile>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) keys: Arc<dyn Keys>,
    index: RwLock<Index>,
    pub(super) handles: Handles,
    /// Records that could not be read at open; those found later answer for themselves.
    pub(super) damaged: Vec<DamagedRecord>,
    pub(super) damaged_count: u64,
    poisoned: AtomicBool,
    pub(super) compacting: AtomicBool,
    /// Its writer is gone.
    pub(super) closing: AtomicBool,
}

impl Shared {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        keys: Arc<dyn Keys>,
        index: Index,
        damaged: Vec<DamagedRecord>,
        damaged_count: u64,
    ) -> Self {
        Self {
            disk,
            keys,
            index: RwLock::new(index),
            handles: Handles::default(),
            damaged,
            damaged_count,
            poisoned: AtomicBool::new(false),
            compacting: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
    }

    // Nothing under these locks can panic between two steps that belong together.
    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a record and an open file with it, looked up together: compaction may put another
    /// file in its place right after, but not into this handle.
    pub(super) fn locate(
        &self,
        find: impl FnOnce(&Index) -> Option<Place>,
    ) -> Result<Option<Found>, VaultError> {
        let index = self.index();
        let Some(place) = find(&index) else {
            return Ok(None);
        };
        let name = file::records(place.file);
        let file = self
            .handles
            .get(place.file.into(), || self.disk.open(&name, false));
        let file = file.map_err(|source| file::io_error("open", &name, source))?;
        Ok(Some((place, file)))
    }

    pub(super) fn master_key(&self, name: &str) -> Result<MasterKey, VaultError> {
        let key = self.keys.master_key(name)?;
        key.ok_or_else(|| VaultError::UnknownKey { name: name.into() })
    }

    pub(super) fn refuse_if_poisoned(&self) -> Result<(), VaultError> {
        let poisoned = self.poisoned.load(Ordering::Acquire);
        if poisoned {
            Err(VaultError::Poisoned)
        } else {
            Ok(())
        }
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// A storage error while writing; anything but a full disk stops the vault for good.
    pub(super) fn fail(&self, action: &'static str, file: &str, fault: Fault) -> VaultError {
        match fault {
            Fault::Full(source) => VaultError::Full {
                file: file.into(),
                source,
            },
            Fault::Broken(source) => {
                self.poisoned.store(true, Ordering::Release);
                file::io_error(action, file, source)
            }
        }
    }
}
