//! Two groups under way: one at the disk, the next judged as if the first had arrived.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use issuance_store::journal::{Disk, DiskFile, SimulatedDisk};
use issuance_store::{
    AppendError, EmbeddedStore, HostReference, Kind, LeaseAsk, Receipt, Store as _, StoreError,
};

use super::hands::{
    accepted, at, fill, follow, id, look, message, noticed, requested, rows_of, sealing,
};
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

/// A disk whose writes wait at a gate, and whose reads wait at another.
#[derive(Debug, Clone)]
struct Gated {
    disk: SimulatedDisk,
    gate: Arc<(Mutex<Gate>, Condvar)>,
    reads: Arc<(Mutex<Gate>, Condvar)>,
}

#[derive(Debug)]
struct GatedFile(Arc<dyn DiskFile>, Gated);

impl Gated {
    fn new() -> Self {
        Self {
            disk: SimulatedDisk::new(),
            gate: Arc::new((Mutex::new(Gate::Open), Condvar::new())),
            reads: Arc::new((Mutex::new(Gate::Open), Condvar::new())),
        }
    }

    fn set(&self, gate: Gate) {
        Self::turn(&self.gate, gate);
    }

    fn set_reads(&self, gate: Gate) {
        Self::turn(&self.reads, gate);
    }

    fn turn(of: &(Mutex<Gate>, Condvar), gate: Gate) {
        *of.0.lock().unwrap() = gate;
        of.1.notify_all();
    }

    async fn knock(of: &(Mutex<Gate>, Condvar)) {
        while *of.0.lock().unwrap() != Gate::Knocked {
            tokio::task::yield_now().await;
        }
    }

    fn pass((gate, changed): &(Mutex<Gate>, Condvar)) -> io::Result<()> {
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
        Gated::pass(&self.1.reads)?;
        self.0.read_at(into, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        Gated::pass(&self.1.gate)?;
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
    options.limits.orders_at_hand = 0;
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
    Gated::knock(&journal.gate).await;
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
    Gated::knock(&journal.gate).await;
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

/// A store whose index turned out to be unreadable, and is closed while it is made anew, just when an append was on its way
/// into the log: it is durable, and its rows cannot be read. Reads of the log wait at a gate.
struct Caught {
    journal: Gated,
    vault: SimulatedDisk,
    dir: tempfile::TempDir,
    store: Arc<EmbeddedStore>,
    append: tokio::task::JoinHandle<Result<issuance_store::Appended, AppendError>>,
    behind_it: tokio::task::JoinHandle<Result<Receipt, StoreError>>,
}

const ORDERS: u64 = 12;

fn reference() -> HostReference {
    HostReference {
        account: None,
        reference: "r-1".parse().unwrap(),
    }
}

async fn caught() -> Caught {
    let (journal, vault) = (Gated::new(), SimulatedDisk::new());
    let dir = tempfile::tempdir().unwrap();
    let store = open(&journal, &vault, dir.path());
    fill(&store, 0..ORDERS).await;
    store.close().await.unwrap();
    drop(store);
    {
        // Table 6 has the hosts' references; an append to an order that is there does not read it.
        let index = sled::open(dir.path().join("index")).unwrap();
        let rows: Vec<_> = index.scan_prefix([6]).map(|row| row.unwrap().0).collect();
        for key in rows {
            index.insert(key, &[7, 7, 7]).unwrap();
        }
        index.flush().unwrap();
    }
    let store = Arc::new(open(&journal, &vault, dir.path()));
    let before = store.order(id(4)).await.unwrap().unwrap();

    // A message is parked for this order, and there is another behind it.
    journal.set(Gate::Shut);
    let learns = follow(id(4), Some(&before), vec![accepted(4), noticed(1)]);
    let (first, second) = (Arc::clone(&store), Arc::clone(&store));
    let append = tokio::spawn(async move { first.append(learns).await });
    Gated::knock(&journal.gate).await;
    let behind_it = tokio::spawn(async move { second.receive(message(100), None).await });

    journal.set_reads(Gate::Shut);
    store.find_reference(&reference()).await.unwrap_err();
    Gated::knock(&journal.reads).await;
    journal.set(Gate::Open);
    while !matches!(store.order(id(5)).await, Err(StoreError::Overloaded)) {
        tokio::task::yield_now().await;
    }
    Caught {
        journal,
        vault,
        dir,
        store,
        append,
        behind_it,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_group_that_meets_a_closed_index_gets_its_rows_from_the_journal() {
    let Caught {
        journal,
        vault,
        dir,
        store,
        append,
        behind_it,
    } = caught().await;
    assert!(!append.is_finished(), "it was answered without its rows");
    journal.set_reads(Gate::Open);
    let answered = tokio::time::timeout(Duration::from_secs(60), async {
        append.await.unwrap().unwrap();
        behind_it.await.unwrap()
    });
    // What was judged while nothing could be read was refused, and is taken now.
    let receipt = match answered.await.unwrap() {
        Err(StoreError::Overloaded) => store.receive(message(100), None).await,
        receipt => receipt,
    };
    assert_eq!(receipt.unwrap(), Receipt::Stored);
    assert_eq!(
        store.find_reference(&reference()).await.unwrap(),
        Some(id(1))
    );
    assert_eq!(store.history(id(4)).await.unwrap().len(), 3);
    let pending = store.pending_messages(100).await.unwrap();
    let is_pending = |number| pending.iter().any(|said| said.id == message(number).id);
    assert!(is_pending(4), "it was parked for the order");
    assert!(is_pending(100));

    let (found, counts) = (
        look(&*store, 0..ORDERS).await,
        store.counts().await.unwrap(),
    );
    store.close().await.unwrap();
    drop(store);
    let index = dir.path().join("index");
    let rows = rows_of(&index);
    std::fs::remove_dir_all(&index).unwrap();
    let store = open(&journal, &vault, dir.path());
    assert_eq!(look(&store, 0..ORDERS).await, found);
    assert_eq!(store.counts().await.unwrap(), counts);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(rows_of(&index), rows, "the rows are not those of the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_whose_rows_take_long_hears_that_it_is_stored() {
    let Caught {
        journal,
        store,
        append,
        behind_it,
        dir: _dir,
        ..
    } = caught().await;
    let answer = tokio::time::timeout(Duration::from_secs(60), append).await;
    assert!(matches!(
        answer.unwrap().unwrap(),
        Err(AppendError::Store(StoreError::Unconfirmed))
    ));
    journal.set_reads(Gate::Open);
    let _ = behind_it.await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(60), async {
        while let Err(error) = store.history(id(4)).await {
            assert!(error.is_transient(), "{error}");
            tokio::task::yield_now().await;
        }
        store.history(id(4)).await.unwrap().len()
    });
    assert_eq!(read.await.unwrap(), 3);
    let next = follow(id(200), None, vec![requested(200)]);
    store.append(next).await.unwrap();
}
