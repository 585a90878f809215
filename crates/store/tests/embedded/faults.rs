//! Disks that fail under a running store: at every call, in every way, nothing acknowledged is lost and nothing is
//! acknowledged after the first error.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use issuance_store::journal::{Disk as _, SimulatedDisk, SimulatedFault};
use issuance_store::{
    AppendError, EmbeddedStore, Field, HostReference, Options, Store, StoreError,
};

use super::hands::{follow, id, requested, sealing};
use super::options;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

#[derive(Clone)]
struct Disks {
    journal: SimulatedDisk,
    vault: SimulatedDisk,
}

impl Disks {
    fn new() -> Self {
        Self {
            journal: SimulatedDisk::new(),
            vault: SimulatedDisk::new(),
        }
    }

    fn open(&self, dir: &Path) -> Result<EmbeddedStore, issuance_store::OpenError> {
        self.open_with(options(dir), dir)
    }

    fn open_with(
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_cannot_be_written_is_mended() {
    mended(0).await;
}

/// To make it anew the log is read, and its reader finds no file handle left at first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_mended_once_there_are_file_handles_again() {
    mended(3).await;
}

async fn mended(without_handles: u64) {
    const EMFILE: i32 = 24;
    let (disks, dir) = (Disks::new(), tempfile::tempdir().unwrap());
    let mut small = options(dir.path());
    small.limits.unindexed_rows = 50;
    small.limits.orders_at_hand = 0;
    let store = disks.open_with(small, dir.path()).unwrap();
    super::hands::fill(&store, 0..10).await;
    let redo = dir.path().join("index.redo");
    let in_the_way = |there: bool| {
        let done = if there {
            std::fs::create_dir(&redo)
        } else {
            std::fs::remove_dir(&redo)
        };
        done.is_ok()
    };
    while !in_the_way(true) {
        tokio::task::yield_now().await;
    }
    // Appends go on until too much waits, and are refused then.
    let (mut number, mut refused) = (10, false);
    while !refused {
        let append = follow(id(number), None, vec![requested(number)]);
        let append = issuance_store::Append {
            sealed: vec![sealing(&format!("sealed {number}"))],
            ..append
        };
        match store.append(append).await {
            Ok(_) => number += 1,
            Err(AppendError::Store(StoreError::Overloaded)) => refused = true,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(number > 10);
    let calls = disks.journal.calls();
    for call in calls..calls + without_handles {
        disks.journal.arm(call, SimulatedFault::Errno(EMFILE));
    }
    if without_handles > 0 {
        std::fs::write(dir.path().join("index/db"), "spoiled").unwrap();
    }
    assert!(in_the_way(false));
    while let Err(refused) = store
        .append(follow(id(5_000), None, vec![requested(5_000)]))
        .await
    {
        let passes = matches!(refused, AppendError::Store(StoreError::Overloaded));
        assert!(passes, "{refused}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let found = super::hands::look(&store, 0..number).await;
    store.close().await.unwrap();
    drop(store);
    let (store, report) = EmbeddedStore::open_on(
        Options {
            dir: dir.path().into(),
            ..options(dir.path())
        },
        Arc::new(disks.journal.clone()),
        Arc::new(disks.vault.clone()),
    )
    .unwrap();
    assert_eq!((report.index.rebuilt, report.index.replayed), (None, 0));
    assert_eq!(super::hands::look(&store, 0..number).await, found);
}

/// What cannot be written stays in memory; what is in the index goes on being read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_room_for_the_index_is_waited_out_and_reads_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut small = options(dir.path());
    small.limits.unindexed_rows = 50;
    small.limits.orders_at_hand = 0;
    let (store, _) = EmbeddedStore::open(small.clone()).unwrap();
    super::hands::fill(&store, 0..10).await;
    store.close().await.unwrap();
    drop(store);
    let (store, _) = EmbeddedStore::open(small).unwrap();
    let redo = dir.path().join("data/index.redo");
    while std::os::unix::fs::symlink("/dev/full", &redo).is_err() {
        tokio::task::yield_now().await;
    }
    let (mut number, mut refused) = (10, false);
    while !refused {
        let append = follow(id(number), None, vec![requested(number)]);
        let append = issuance_store::Append {
            sealed: vec![sealing(&format!("sealed {number}"))],
            ..append
        };
        match store.append(append).await {
            Ok(_) => number += 1,
            Err(AppendError::Store(StoreError::DiskFull)) => refused = true,
            Err(other) => panic!("{other:?}"),
        }
        super::hands::look(&store, 0..10).await;
    }
    assert!(number > 10);
    assert!(store.trouble().unwrap().contains("no room"));
    let found = super::hands::look(&store, 0..number).await;
    std::fs::remove_file(&redo).unwrap();
    let mended = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while store.trouble().is_some() {
            assert_eq!(super::hands::look(&store, 0..number).await, found);
        }
    });
    mended.await.unwrap();
    super::hands::fill(&store, number..number + 5).await;
    store.close().await.unwrap();
    drop(store);
    let (store, report) = super::hands::open(dir.path());
    assert_eq!((report.index.rebuilt, report.index.replayed), (None, 0));
    assert_eq!(super::hands::look(&store, 0..number).await, found);
}

/// A named pipe nobody reads is where the next write of the index waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_hangs_stops_the_store_and_is_not_waited_for() {
    const LONG: std::time::Duration = std::time::Duration::from_secs(30);
    let dir = tempfile::tempdir().unwrap();
    let mut impatient = options(dir.path());
    impatient.limits.index_patience = std::time::Duration::from_millis(200);
    let (store, _) = EmbeddedStore::open(impatient).unwrap();
    super::hands::fill(&store, 0..10).await;
    let redo = dir.path().join("data/index.redo");
    let pipe = || {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &redo, rustix::fs::FileType::Fifo, mode, 0)
    };
    while pipe().is_err() {
        tokio::task::yield_now().await;
    }
    let mut number = 10;
    let stopped = tokio::time::timeout(LONG, async {
        loop {
            let mut append = follow(id(number), None, vec![requested(number)]);
            append.sealed = vec![sealing(&format!("sealed {number}"))];
            match store.append(append).await {
                Ok(_) => number += 1,
                Err(error) => return error,
            }
        }
    });
    let stopped = stopped.await.unwrap().to_string();
    assert!(stopped.contains("index hangs"), "{stopped}");
    assert!(matches!(
        store.head().await,
        Err(StoreError::Stopped { .. })
    ));
    assert!(
        tokio::time::timeout(LONG, store.close())
            .await
            .unwrap()
            .is_err()
    );
    drop(store);
    // Let go, it gives the directory back, and nothing acknowledged is lost.
    let let_go = std::thread::spawn(move || std::fs::read(redo).map(drop));
    let opened = tokio::time::timeout(LONG, async {
        loop {
            match EmbeddedStore::open(options(dir.path())) {
                Ok((store, _)) => return store,
                Err(issuance_store::OpenError::DataDir(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    });
    let store = opened.await.unwrap();
    let_go.join().unwrap().unwrap();
    assert_eq!(
        super::hands::look(&store, 0..number).await.len() as u64,
        number
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_cannot_be_read_is_made_anew_while_the_store_runs() {
    const ORDERS: u64 = 30;
    let dir = tempfile::tempdir().unwrap();
    let cold = || {
        let mut cold = options(dir.path());
        cold.limits.orders_at_hand = 0;
        EmbeddedStore::open(cold).unwrap()
    };
    let (store, _) = cold();
    super::hands::fill(&store, 0..ORDERS).await;
    store.close().await.unwrap();
    drop(store);
    {
        // Table 6 has the hosts' references; an open does not read it.
        let index = sled::open(dir.path().join("data/index")).unwrap();
        let rows: Vec<_> = index.scan_prefix([6]).map(|row| row.unwrap().0).collect();
        assert_eq!(rows.len() as u64, ORDERS);
        for key in rows {
            index.insert(key, &[7, 7, 7]).unwrap();
        }
        index.flush().unwrap();
    }
    let (store, report) = cold();
    assert_eq!((report.index.rebuilt, report.index.replayed), (None, 0));
    let (mut failed, mut mending) = (0, false);
    let whole = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        loop {
            let mut bad = 0;
            for number in 0..ORDERS {
                let reference = HostReference {
                    account: None,
                    reference: format!("r-{number}").parse().unwrap(),
                };
                match store.find_reference(&reference).await {
                    Ok(order) => assert_eq!(order, Some(id(number))),
                    Err(StoreError::Damaged { .. } | StoreError::Overloaded) => bad += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            failed += bad;
            mending |= store
                .trouble()
                .is_some_and(|trouble| trouble.contains("index"));
            if bad == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    whole.await.unwrap();
    assert!(failed > 0 && mending);
    super::hands::fill(&store, ORDERS..ORDERS + 5).await;
    store.close().await.unwrap();
    drop(store);
    let (store, report) = cold();
    assert_eq!(report.index.rebuilt, None);
    super::hands::look(&store, 0..ORDERS + 5).await;
}
