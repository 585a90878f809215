//! Two groups under way: one at the disk, the next judged as if the first had arrived.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use issuance_store::journal::{Disk, DiskFile, SimulatedDisk};
use issuance_store::{AppendError, EmbeddedStore, Kind, LeaseAsk, Store as _, StoreError};

use super::hands::{at, follow, id, noticed, requested, sealing};
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

fn open(journal: &Gated, vault: &SimulatedDisk, dir: &Path) -> EmbeddedStore {
    let mut options = options(dir);
    options.dir = dir.into();
    let (journal, vault) = (Arc::new(journal.clone()), Arc::new(vault.clone()));
    EmbeddedStore::open_on(options, journal, vault).unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_091_a_disk_that_takes_its_time_holds_up_no_claim_and_doubles_nothing() {
    let (journal, vault) = (Gated::new(), SimulatedDisk::new());
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&journal, &vault, dir.path()));
    let place = |number| {
        let store = Arc::clone(&store);
        let append = follow(id(number), None, vec![requested(number)]);
        tokio::spawn(async move { store.append(append).await })
    };
    place(1).await.unwrap().unwrap();
    journal.set(Gate::Shut);
    let slow = place(2);
    while *journal.gate.0.lock().unwrap() != Gate::Knocked {
        tokio::task::yield_now().await;
    }
    let again = place(2);
    let ask = LeaseAsk {
        kind: Kind::Submissions,
        now: at(60_000),
        until: at(120_000),
        limit: 1,
    };
    let meanwhile = tokio::time::timeout(Duration::from_secs(30), async {
        let lease = store.lease(ask).await.unwrap().pop().unwrap();
        store.release(&lease, None).await.unwrap();
        assert!(store.order(id(1)).await.unwrap().is_some());
        assert_eq!(store.history(id(1)).await.unwrap().len(), 1);
    });
    meanwhile.await.expect("nobody waits for the disk");
    assert!(store.order(id(2)).await.unwrap().is_none());
    journal.set(Gate::Open);
    slow.await.unwrap().unwrap();
    let again = again.await.unwrap();
    assert!(
        matches!(again, Err(AppendError::Conflict { .. })),
        "{again:?}"
    );
    assert_eq!(store.history(id(2)).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rests_on_a_refused_group_is_refused() {
    let (journal, vault) = (Gated::new(), SimulatedDisk::new());
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&journal, &vault, dir.path()));
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
    let store = open(&journal, &vault, dir.path());
    assert_eq!(store.history(id(1)).await.unwrap().len(), 2);
}
