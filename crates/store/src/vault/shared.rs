//! What the vault's parts share: the disk, the keys, where durable records are, and whether it stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use super::error::VaultError;
use super::file;
use super::index::{Active, Closed};
use super::keys::{Keys, MasterKey};
use crate::journal::append::Fault;
use crate::journal::disk::Disk;
use crate::journal::shared::Handles;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) keys: Arc<dyn Keys>,
    pub(super) closed: RwLock<BTreeMap<u32, Closed>>,
    pub(super) active: RwLock<Active>,
    /// Of files of records.
    pub(super) handles: Handles,
    /// Of their hints.
    pub(super) hints: Handles,
    poisoned: AtomicBool,
    pub(super) compacting: AtomicBool,
    /// Its writer is gone.
    pub(super) closing: AtomicBool,
}

impl Shared {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        keys: Arc<dyn Keys>,
        closed: BTreeMap<u32, Closed>,
        active: Active,
    ) -> Self {
        Self {
            disk,
            keys,
            closed: RwLock::new(closed),
            active: RwLock::new(active),
            handles: Handles::default(),
            hints: Handles::default(),
            poisoned: AtomicBool::new(false),
            compacting: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
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
