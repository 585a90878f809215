//! Two groups under way: one at the disk, the next judged as if the first had arrived.

use std::io;
use std::sync::{Arc, Condvar, Mutex};

use issuance_store::journal::{Disk, DiskFile, SimulatedDisk};
use issuance_store::{AppendError, EmbeddedStore, Store as _, StoreError};

use super::hands::{follow, id, noticed, requested, sealing};
use super::options;

/// What the next write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    /// It waits for the gate to change.
    Shut,
    /// One waits.
    Knocked,
    /// It finds the disk full, once.
    Full,
}

/// A disk whose writes wait at a gate.
#[derive(Debug, Clone)]
struct Gated {
    disk: SimulatedDisk,
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

#[derive(Debug)]
struct GatedFile(Arc<dyn DiskFile>, Gated);

impl Gated {
    fn new() -> Self {
        Self {
            disk: SimulatedDisk::new(),
            gate: Arc::new((Mutex::new(Gate::Open), Condvar::new())),
        }
    }

    fn set(&self, gate: Gate) {
        *self.gate.0.lock().unwrap() = gate;
        self.gate.1.notify_all();
    }

    fn pass(&self) -> io::Result<()> {
        let (gate, changed) = &*self.gate;
        let shut = |gate: &mut Gate| {
            if *gate == Gate::Shut {
                *gate = Gate::Knocked;
            }
            *gate == Gate::Knocked
        };
        let mut gate = changed.wait_while(gate.lock().unwrap(), shut).unwrap();
        match std::mem::replace(&mut *gate, Gate::Open) {
            Gate::Full => Err(io::ErrorKind::StorageFull.into()),
            Gate::Open | Gate::Shut | Gate::Knocked => Ok(()),
        }
    }

    fn file(&self, file: io::Result<Arc<dyn DiskFile>>) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(GatedFile(file?, self.clone())))
    }
}

impl Disk for Gated {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(self.disk.create(name))
    }
    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn DiskFile>> {
        self.file(self.disk.open(name, write))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }
}

impl DiskFile for GatedFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(into, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.1.pass()?;
        self.0.write_at(bytes, offset)
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.truncate(size)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn evict(&self) -> io::Result<()> {
        self.0.evict()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rests_on_a_refused_group_is_refused() {
    let (journal, vault) = (Gated::new(), SimulatedDisk::new());
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let disks = (Arc::new(journal.clone()), Arc::new(vault.clone()));
        let mut options = options(dir.path());
        options.dir = dir.path().into();
        EmbeddedStore::open_on(options, disks.0, disks.1).unwrap().0
    };
    let store = Arc::new(open());
    let first = follow(id(1), None, vec![requested(1)]);
    let mut second = follow(id(1), Some(&first.projection.order), vec![noticed(1)]);
    second.sealed = vec![sealing("with the second")];

    journal.set(Gate::Shut);
    let append = |append| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.append(append).await })
    };
    let before = vault.calls();
    let at_the_disk = append(first.clone());
    while *journal.gate.0.lock().unwrap() != Gate::Knocked {
        tokio::task::yield_now().await;
    }
    let behind_it = append(second.clone());
    // Its personal data is written once it was judged, which needs the first.
    while vault.calls() == before {
        tokio::task::yield_now().await;
    }
    journal.set(Gate::Full);
    for refused in [at_the_disk.await.unwrap(), behind_it.await.unwrap()] {
        assert!(
            matches!(refused, Err(AppendError::Store(StoreError::DiskFull))),
            "{refused:?}"
        );
    }
    assert!(store.order(id(1)).await.unwrap().is_none());

    // There is room again, and what comes next rests on what is there.
    store.append(first).await.unwrap();
    store.append(second).await.unwrap();
    drop(store);
    assert_eq!(open().history(id(1)).await.unwrap().len(), 2);
}
