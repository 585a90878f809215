//! Disks that fail under a running store: at every call, in every way, nothing acknowledged is lost and nothing is
//! acknowledged after the first error.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use issuance_store::journal::{Disk as _, SimulatedDisk, SimulatedFault};
use issuance_store::{AppendError, EmbeddedStore, Field, Options, Store, StoreError};

use super::hands::{follow, id, requested, sealing};
use super::options;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

#[derive(Clone)]
pub(crate) struct Disks {
    pub(crate) journal: SimulatedDisk,
    pub(crate) vault: SimulatedDisk,
}

impl Disks {
    pub(crate) fn new() -> Self {
        Self {
            journal: SimulatedDisk::new(),
            vault: SimulatedDisk::new(),
        }
    }

    fn open(&self, dir: &Path) -> Result<EmbeddedStore, issuance_store::OpenError> {
        self.open_with(options(dir), dir)
    }

    pub(crate) fn open_with(
        &self,
        mut options: Options,
        dir: &Path,
    ) -> Result<EmbeddedStore, issuance_store::OpenError> {
        options.dir = dir.into();
        let opened = EmbeddedStore::open_on(
            options,
            Arc::new(self.journal.clone()),
            Arc::new(self.vault.clone()),
        );
        opened.map(|(store, _)| store)
    }
}

/// Appends orders one after another; says which were acknowledged, and asserts that none is after an error that is not
/// to be tried again.
async fn load(store: &dyn Store, count: u64) -> (BTreeSet<u64>, bool) {
    let (mut acknowledged, mut stopped) = (BTreeSet::new(), false);
    for number in 0..count {
        let mut append = follow(id(number), None, vec![requested(number)]);
        append.sealed = vec![sealing(&format!("sealed {number}"))];
        match store.append(append).await {
            Ok(_) => {
                assert!(!stopped, "acknowledged after the store had stopped");
                acknowledged.insert(number);
            }
            Err(AppendError::Store(StoreError::DiskFull)) => {}
            Err(AppendError::Store(StoreError::Stopped { .. } | StoreError::Closed)) => {
                stopped = true
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    (acknowledged, stopped)
}

async fn check(disks: &Disks, acknowledged: &BTreeSet<u64>, what: &str) {
    let dir = tempfile::tempdir().unwrap();
    let store = disks
        .open(dir.path())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    for number in acknowledged {
        let order = store.order(id(*number)).await.unwrap();
        assert!(
            order.is_some(),
            "{what}: acknowledged order {number} is lost"
        );
        let sealed = store
            .open_sealed(id(*number), &Field::Request)
            .await
            .unwrap();
        assert_eq!(
            sealed.unwrap().to_vec(),
            format!("sealed {number}").into_bytes(),
            "{what}"
        );
    }
    store
        .append(follow(id(9_999), None, vec![requested(9_999)]))
        .await
        .unwrap();
}

#[tokio::test]
async fn every_call_may_fail() {
    const COUNT: u64 = 6;
    let disks = Disks::new();
    let dir = tempfile::tempdir().unwrap();
    let store = disks.open(dir.path()).unwrap();
    load(&store, COUNT).await;
    drop(store);
    let calls = [disks.journal.calls(), disks.vault.calls()];
    assert!(calls.iter().all(|calls| *calls > COUNT), "{calls:?}");
    let faults = [
        SimulatedFault::Errno(EIO),
        SimulatedFault::Errno(ENOSPC),
        SimulatedFault::ShortErrno(EIO),
        SimulatedFault::ShortErrno(ENOSPC),
        SimulatedFault::Short,
    ];
    let mut stops = 0;
    for (disk, calls) in calls.into_iter().enumerate() {
        for call in 0..calls {
            for (kind, fault) in faults.into_iter().enumerate() {
                let what = format!("disk {disk}, call {call}, fault {kind}");
                let disks = Disks::new();
                [&disks.journal, &disks.vault][disk].arm(call, fault);
                let dir = tempfile::tempdir().unwrap();
                let Ok(store) = disks.open(dir.path()) else {
                    continue;
                };
                let (acknowledged, stopped) = load(&store, COUNT).await;
                stops += u64::from(stopped);
                assert!(
                    stopped || acknowledged.len() as u64 >= COUNT - 1,
                    "{what}: {acknowledged:?}"
                );
                drop(store);
                let cut = Disks {
                    journal: disks.journal.power_cut(call),
                    vault: disks.vault.power_cut(call + 1),
                };
                check(&disks, &acknowledged, &what).await;
                check(&cut, &acknowledged, &format!("{what}, power cut")).await;
            }
        }
    }
    assert!(stops > 10, "{stops}");
}

#[tokio::test]
async fn a_full_disk_keeps_reads_alive_and_is_waited_out() {
    for full in [0, 1] {
        let disks = Disks::new();
        let dir = tempfile::tempdir().unwrap();
        let store = disks.open(dir.path()).unwrap();
        let (acknowledged, _) = load(&store, 5).await;
        assert_eq!(acknowledged.len(), 5);
        [&disks.journal, &disks.vault][full].set_capacity(Some(10));
        let mut append = follow(id(100), None, vec![requested(100)]);
        append.sealed = vec![sealing("sealed 100")];
        let refused = store.append(append.clone()).await;
        assert!(
            matches!(refused, Err(AppendError::Store(StoreError::DiskFull))),
            "{refused:?}"
        );
        assert!(store.trouble().unwrap().contains("no room"));
        assert!(store.order(id(3)).await.unwrap().is_some());
        assert_eq!(store.history(id(3)).await.unwrap().len(), 1);
        assert!(store.order(id(100)).await.unwrap().is_none());
        [&disks.journal, &disks.vault][full].set_capacity(None);
        store.append(append).await.unwrap();
        assert_eq!(store.trouble(), None);
        drop(store);
        check(&disks, &(0..5).chain([100]).collect(), "after a full disk").await;
    }
}

/// Files are made when segments roll and for large values. Without a handle nothing is made, so it is tried again.
#[tokio::test]
async fn no_handle_for_a_file_is_waited_out() {
    const EMFILE: i32 = 24;
    const COUNT: u64 = 24;
    let small = |disks: &Disks, dir: &Path| {
        let mut options = options(dir);
        options.limits.segment_bytes = 4 << 10;
        options.limits.vault_file_bytes = 1 << 10;
        disks.open_with(options, dir).unwrap()
    };
    let fill = async |store: &EmbeddedStore| {
        let (mut refused, mut stopped) = (Vec::new(), false);
        for number in 0..COUNT {
            let mut append = follow(id(number), None, vec![requested(number)]);
            append.sealed = vec![sealing(&format!("sealed {number}"))];
            match store.append(append.clone()).await {
                Ok(_) => {}
                Err(AppendError::Store(StoreError::Overloaded)) => {
                    assert!(store.order(id(number)).await.unwrap().is_none());
                    store.append(append).await.unwrap();
                    refused.push(number);
                }
                Err(_) => {
                    stopped = true;
                    break;
                }
            }
        }
        (refused, stopped)
    };
    let disks = Disks::new();
    let dir = tempfile::tempdir().unwrap();
    let store = small(&disks, dir.path());
    let begun = [disks.journal.calls(), disks.vault.calls()];
    assert_eq!(fill(&store).await, (vec![], false));
    drop(store);
    let files = [&disks.journal, &disks.vault].map(|disk| disk.list().unwrap().len());
    assert!(files.iter().all(|files| *files > 2), "{files:?}");
    let ends = [disks.journal.calls(), disks.vault.calls()];
    for disk in 0..2 {
        let mut waited = 0;
        for call in begun[disk]..ends[disk] {
            let disks = Disks::new();
            [&disks.journal, &disks.vault][disk].arm(call, SimulatedFault::Errno(EMFILE));
            let dir = tempfile::tempdir().unwrap();
            let store = small(&disks, dir.path());
            let (refused, stopped) = fill(&store).await;
            assert!(refused.len() < 2 && (!stopped || refused.is_empty()));
            waited += refused.len();
            drop(store);
            if !refused.is_empty() {
                check(&disks, &(0..COUNT).collect(), "after no handle").await;
            }
        }
        // The first file and every further one.
        assert_eq!(waited, files[disk], "disk {disk}");
    }
}

/// The vault's part of an append is there and the log has no room for the rest.
#[tokio::test]
async fn sealed_data_of_an_order_that_never_was_is_erased_at_the_next_open() {
    let disks = Disks::new();
    let dir = tempfile::tempdir().unwrap();
    let store = disks.open(dir.path()).unwrap();
    load(&store, 5).await;
    let message = super::hands::message(1);
    let body = |text: &str| issuance_store::Sealing {
        field: Field::Body(super::hands::message(1).id),
        ..sealing(text)
    };
    store
        .receive(message.clone(), Some(body("a body")))
        .await
        .unwrap();
    store.close().await.unwrap();
    drop(store);

    let store = disks.open(dir.path()).unwrap();
    disks.journal.set_capacity(Some(10));
    let large = "large ".repeat(20_000);
    for (number, text) in [(100, "never was"), (101, &*large)] {
        let mut append = follow(id(number), None, vec![requested(number)]);
        append.sealed = vec![sealing(text)];
        store.append(append).await.unwrap_err();
    }
    let orphan = |store: EmbeddedStore, number| async move {
        let found = store.open_sealed(id(number), &Field::Request).await;
        (found.unwrap().is_some(), store)
    };
    let (there, store) = orphan(store, 100).await;
    assert!(there, "nothing is left to be found");
    drop(store);
    // It harms nobody while there is still no room.
    let sealed_files = || {
        let names = disks.vault.list().unwrap();
        names
            .iter()
            .filter(|name| name.starts_with("sealed-"))
            .count()
    };
    assert_eq!(sealed_files(), 1);
    let store = disks.open(dir.path()).unwrap();
    for number in [100, 101] {
        assert!(
            store
                .open_sealed(id(number), &Field::Request)
                .await
                .unwrap()
                .is_none()
        );
        assert!(store.order(id(number)).await.unwrap().is_none());
    }
    let of_message = store
        .open_sealed(id(0), &Field::Body(message.id.clone()))
        .await;
    assert_eq!(of_message.unwrap().unwrap().to_vec(), b"a body");
    disks.journal.set_capacity(None);
    drop(store);
    check(&disks, &(0..5).collect(), "the others").await;
    let store = disks.open(dir.path()).unwrap();
    assert_eq!(sealed_files(), 0, "the large value is swept");
    let mut again = follow(id(100), None, vec![requested(100)]);
    again.sealed = vec![sealing("it came after all")];
    store.append(again).await.unwrap();
    drop(store);
    let (there, store) = orphan(disks.open(dir.path()).unwrap(), 100).await;
    assert!(there);
    drop(store);
    // Without an index that knows the log's end, nothing is erased.
    disks.journal.set_capacity(Some(10));
    let store = disks.open(dir.path()).unwrap();
    let mut append = follow(id(102), None, vec![requested(102)]);
    append.sealed = vec![sealing("never was")];
    store.append(append).await.unwrap_err();
    drop(store);
    let elsewhere = tempfile::tempdir().unwrap();
    let (there, _store) = orphan(disks.open(elsewhere.path()).unwrap(), 102).await;
    assert!(there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_under_load_lose_nothing_acknowledged() {
    for seed in 0..20 {
        let disks = Disks::new();
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(disks.open(dir.path()).unwrap());
        let tasks: Vec<_> = (0..8_u64)
            .map(|caller| {
                let (store, disks) = (Arc::clone(&store), disks.clone());
                tokio::spawn(async move {
                    let mut cuts = Vec::new();
                    let mut acknowledged = BTreeSet::new();
                    for number in 0..6 {
                        let number = caller * 100 + number;
                        let mut append = follow(id(number), None, vec![requested(number)]);
                        append.sealed = vec![sealing(&format!("sealed {number}"))];
                        store.append(append).await.unwrap();
                        acknowledged.insert(number);
                        if number % 3 == seed % 3 {
                            // The journal first: the vault of the same moment or a later one belongs to it.
                            let journal = disks.journal.power_cut(seed * 1_000 + number);
                            let vault = disks.vault.power_cut(seed * 1_000 + number + 1);
                            cuts.push((Disks { journal, vault }, acknowledged.clone()));
                        }
                    }
                    cuts
                })
            })
            .collect();
        for task in tasks {
            for (disks, acknowledged) in task.await.unwrap() {
                check(&disks, &acknowledged, &format!("seed {seed}")).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_of_what_was_not_stored_is_none() {
    for fault in [SimulatedFault::Errno(EIO), SimulatedFault::Errno(ENOSPC)] {
        for ahead in 0..4 {
            let disks = Disks::new();
            let dir = tempfile::tempdir().unwrap();
            let store = disks.open(dir.path()).unwrap();
            load(&store, 2).await;
            disks.journal.arm(disks.journal.calls() + ahead, fault);
            let copies = (0..64).map(|_| store.receive(super::hands::message(1), None));
            let receipts = futures_util::future::join_all(copies).await;
            drop(store);
            let heard = receipts.iter().any(Result::is_ok);
            let cut = Disks {
                journal: disks.journal.power_cut(ahead),
                vault: disks.vault.power_cut(ahead),
            };
            let store = cut.open(dir.path()).unwrap();
            let stored = !store.pending_messages(10).await.unwrap().is_empty();
            assert!(stored || !heard, "{receipts:?}");
        }
    }
}
