//! The stores on trial, each with its ways to die.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use issuance_domain::Policy;
use issuance_store::journal::{SimulatedDisk, SimulatedFault};
use issuance_store::{EmbeddedStore, SimulatedStore, Store};
use tempfile::TempDir;

use super::op::Call;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

pub(super) enum Subject {
    Simulated(Arc<SimulatedStore>),
    Embedded(Embedded),
}

/// On disks in memory that lose what was not synced; its index on real files.
pub(super) struct Embedded {
    dir: TempDir,
    journal: SimulatedDisk,
    vault: SimulatedDisk,
    store: Option<Arc<EmbeddedStore>>,
}

impl Embedded {
    fn open(&mut self) {
        let mut options = crate::options(self.dir.path());
        options.dir = self.dir.path().into();
        options.limits.segment_bytes = 4 << 10;
        options.limits.vault_file_bytes = 4 << 10;
        // Rows leave memory soon, so that the index is read.
        options.limits.orders_at_hand = 0;
        options.limits.unindexed_rows = 6;
        let (journal, vault) = (self.journal.clone(), self.vault.clone());
        let (store, _) =
            EmbeddedStore::open_on(options, Arc::new(journal), Arc::new(vault)).unwrap();
        self.store = Some(Arc::new(store));
    }

    fn cut(&mut self, seed: u64) {
        drop(self.store.take());
        self.journal = self.journal.power_cut(seed);
        self.vault = self.vault.power_cut(seed ^ 1);
        if seed.is_multiple_of(4) {
            let _ = std::fs::remove_dir_all(self.dir.path().join("index"));
        }
        self.open();
    }
}

impl Subject {
    pub(super) fn simulated() -> Self {
        Self::Simulated(Arc::new(SimulatedStore::new(Policy::standard())))
    }

    pub(super) fn embedded() -> Self {
        let mut embedded = Embedded {
            dir: tempfile::tempdir().unwrap(),
            journal: SimulatedDisk::new(),
            vault: SimulatedDisk::new(),
            store: None,
        };
        embedded.open();
        Self::Embedded(embedded)
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Simulated(store) => store.clone(),
            Self::Embedded(embedded) => embedded.store.clone().unwrap(),
        }
    }

    pub(super) async fn restart(&mut self) {
        self.store().close().await.unwrap();
        match self {
            Self::Simulated(_) => self.crash(0),
            Self::Embedded(embedded) => {
                drop(embedded.store.take());
                embedded.open();
            }
        }
    }

    pub(super) fn crash(&mut self, seed: u64) {
        match self {
            Self::Simulated(store) => *store = Arc::new(store.crash().unwrap()),
            Self::Embedded(embedded) => embedded.cut(seed),
        }
    }

    /// Dies while this is done; what was answered, if anything was.
    pub(super) async fn torn(&mut self, seed: u64, call: Call) -> Option<String> {
        match self {
            Self::Simulated(store) => {
                let dying = Arc::clone(store);
                let mut asked = pin!(call.ask(&*dying));
                let heard = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                let kept = seed as usize % (dying.unsynced() + 1);
                *store = Arc::new(dying.crash_keeping(kept).unwrap());
                match heard {
                    Poll::Ready(said) => Some(said),
                    Poll::Pending => None,
                }
            }
            Self::Embedded(embedded) => {
                let disk = [&embedded.journal, &embedded.vault][(seed % 2) as usize];
                let faults = [
                    SimulatedFault::Errno(EIO),
                    SimulatedFault::ShortErrno(EIO),
                    SimulatedFault::ShortErrno(ENOSPC),
                ];
                disk.arm(disk.calls() + seed / 2 % 4, faults[(seed / 8 % 3) as usize]);
                let said = call.ask(&**embedded.store.as_ref().unwrap()).await;
                embedded.cut(seed);
                Some(said)
            }
        }
    }
}
