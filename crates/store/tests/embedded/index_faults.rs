//! An index that fails, panics or hangs, while the store runs and while it opens: it is mended or made anew, or the error says
//! what is in the way. Nothing acknowledged is lost.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use issuance_store::journal::SimulatedFault;
use issuance_store::{
    AppendError, EmbeddedStore, HostReference, IndexHook, IndexStep, OpenError, Options, Store,
    StoreError,
};

use super::faults::Disks;
use super::hands::{copy, fill, follow, id, look, open, requested, sealing};
use super::options;

/// Where a step of the index waits while it is shut.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(super) fn shut(&self, shut: bool) {
        *self.0.0.lock().unwrap() = shut;
        self.0.1.notify_all();
    }

    pub(super) fn pass(&self) {
        let shut = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(shut, |shut| *shut));
    }

    fn hook(&self, at: IndexStep) -> IndexHook {
        let gate = self.clone();
        Arc::new(move |step| {
            if step == at {
                gate.pass();
            }
            Ok(())
        })
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
    fill(&store, 0..10).await;
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
    // One refusal may only mean that the files just changed hands; those that follow each other mean that.
    let (mut number, mut refused) = (10, 0);
    while refused < 20 {
        let append = follow(id(number), None, vec![requested(number)]);
        let append = issuance_store::Append {
            sealed: vec![sealing(&format!("sealed {number}"))],
            ..append
        };
        match store.append(append).await {
            Ok(_) => (number, refused) = (number + 1, 0),
            Err(AppendError::Store(StoreError::Overloaded)) => {
                refused += 1;
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
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
    let found = look(&store, 0..number).await;
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
    assert_eq!(look(&store, 0..number).await, found);
}

/// What cannot be written stays in memory; what is in the index goes on being read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_room_for_the_index_is_waited_out_and_reads_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut small = options(dir.path());
    small.limits.unindexed_rows = 50;
    small.limits.orders_at_hand = 0;
    let (store, _) = EmbeddedStore::open(small.clone()).unwrap();
    fill(&store, 0..10).await;
    store.close().await.unwrap();
    drop(store);
    let is_full = Arc::new(AtomicBool::new(false));
    let full = Arc::clone(&is_full);
    let (store, _) = EmbeddedStore::open_with_index(
        small,
        Arc::new(move |step| match step {
            IndexStep::Note if full.load(Ordering::SeqCst) => {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }),
    )
    .unwrap();
    is_full.store(true, Ordering::SeqCst);
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
        look(&store, 0..10).await;
    }
    assert!(number > 10);
    assert!(store.trouble().unwrap().contains("no room"));
    let found = look(&store, 0..number).await;
    is_full.store(false, Ordering::SeqCst);
    let mended = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while store.trouble().is_some() {
            assert_eq!(look(&store, 0..number).await, found);
        }
    });
    mended.await.unwrap();
    fill(&store, number..number + 5).await;
    store.close().await.unwrap();
    drop(store);
    let (store, report) = open(dir.path());
    assert_eq!((report.index.rebuilt, report.index.replayed), (None, 0));
    assert_eq!(look(&store, 0..number).await, found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_hangs_stops_the_store_and_is_not_waited_for() {
    const LONG: std::time::Duration = std::time::Duration::from_secs(30);
    let dir = tempfile::tempdir().unwrap();
    let mut impatient = options(dir.path());
    impatient.limits.index_patience = std::time::Duration::from_secs(2);
    let gate = Gate::default();
    let (store, _) = EmbeddedStore::open_with_index(impatient, gate.hook(IndexStep::Put)).unwrap();
    fill(&store, 0..10).await;
    gate.shut(true);
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
    gate.shut(false);
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
    assert_eq!(look(&store, 0..number).await.len() as u64, number);
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
    fill(&store, 0..ORDERS).await;
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
    fill(&store, ORDERS..ORDERS + 5).await;
    store.close().await.unwrap();
    drop(store);
    let (store, report) = cold();
    assert_eq!(report.index.rebuilt, None);
    look(&store, 0..ORDERS + 5).await;
}

const ORDERS: u64 = 20;

/// A closed store whose index lacks the newer half.
async fn behind(dir: &Path) {
    let (store, _) = open(dir);
    fill(&store, 0..ORDERS / 2).await;
    store.close().await.unwrap();
    drop(store);
    let index = dir.join("data/index");
    copy(&index, &dir.join("older"));
    let (store, _) = open(dir);
    fill(&store, ORDERS / 2..ORDERS).await;
    store.close().await.unwrap();
    drop(store);
    super::hands::swap(&dir.join("older"), &index);
}

#[derive(Debug, Clone, Copy)]
enum How {
    Fails,
    Panics,
}

/// Each call of the index fails or panics once while it catches up at open, then from there on.
#[tokio::test]
async fn an_index_that_fails_while_it_opens_is_made_anew_or_the_error_says_so() {
    const STEPS: [IndexStep; 5] = [
        IndexStep::Open,
        IndexStep::Note,
        IndexStep::Put,
        IndexStep::Get,
        IndexStep::Flush,
    ];
    let made = tempfile::tempdir().unwrap();
    behind(made.path()).await;
    for at in STEPS {
        for how in [How::Fails, How::Panics] {
            // What notes a write is ours, and does not panic.
            if at == IndexStep::Note && matches!(how, How::Panics) {
                continue;
            }
            for (call, times) in [(0, 1), (1, 1), (3, 1), (0, u64::MAX)] {
                let what = format!("{at:?} {how:?} at call {call}, {times} times");
                let dir = tempfile::tempdir().unwrap();
                copy(&made.path().join("data"), &dir.path().join("data"));
                let (calls, met) = (AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
                let count = Arc::clone(&met);
                let hook: IndexHook = Arc::new(move |step| {
                    if step != at {
                        return Ok(());
                    }
                    let this = calls.fetch_add(1, Ordering::SeqCst);
                    if this < call || this - call >= times {
                        return Ok(());
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                    match how {
                        How::Fails => Err(std::io::Error::from_raw_os_error(5)),
                        How::Panics => panic!("sled said no"),
                    }
                });
                let opened = EmbeddedStore::open_with_index(options(dir.path()), hook);
                let met = met.load(Ordering::SeqCst);
                if times == 1 {
                    let (store, report) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert_eq!(report.index.rebuilt.is_some(), met > 0, "{what}");
                    assert_eq!(look(&store, 0..ORDERS).await.len() as u64, ORDERS);
                    store.close().await.unwrap();
                } else {
                    assert!(met > 0, "{what}");
                    let refused = opened.map(drop);
                    assert!(
                        matches!(refused, Err(OpenError::Index { .. })),
                        "{what}: {refused:?}"
                    );
                }
                let (store, _) = open(dir.path());
                assert_eq!(look(&store, 0..ORDERS).await.len() as u64, ORDERS);
            }
        }
    }
}

#[tokio::test]
async fn an_index_that_hangs_while_it_opens_is_not_waited_for() {
    let made = tempfile::tempdir().unwrap();
    behind(made.path()).await;
    for at in [
        IndexStep::Note,
        IndexStep::Put,
        IndexStep::Get,
        IndexStep::Flush,
    ] {
        let dir = tempfile::tempdir().unwrap();
        copy(&made.path().join("data"), &dir.path().join("data"));
        let mut impatient = options(dir.path());
        impatient.limits.index_patience = Duration::from_secs(1);
        let gate = Gate::default();
        gate.shut(true);
        let (sender, opened) = std::sync::mpsc::sync_channel(1);
        let hook = gate.hook(at);
        std::thread::spawn(move || {
            drop(sender.send(EmbeddedStore::open_with_index(impatient, hook).map(drop)));
        });
        let refused = opened.recv_timeout(Duration::from_secs(30));
        let refused = refused.unwrap_or_else(|_| panic!("{at:?}: it waits"));
        assert!(
            matches!(&refused, Err(OpenError::Index { why }) if why.contains("hangs")),
            "{at:?}: {refused:?}"
        );
        // What hangs still has the files; let go, it gives the directory back.
        let taken = EmbeddedStore::open(options(dir.path())).map(drop);
        assert!(matches!(taken, Err(OpenError::DataDir(_))), "{taken:?}");
        gate.shut(false);
        let store = loop {
            match EmbeddedStore::open(options(dir.path())) {
                Ok((store, _)) => break store,
                Err(OpenError::DataDir(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{at:?}: {error}"),
            }
        };
        assert_eq!(look(&store, 0..ORDERS).await.len() as u64, ORDERS);
    }
}

/// Rows that were on their way when the store was closed are noted beside the index; later ones must not take their place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_closed_while_its_index_cannot_be_written_loses_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let hook: IndexHook = Arc::new(move |step| match step {
        IndexStep::Put if failing.load(Ordering::SeqCst) => {
            Err(std::io::Error::from_raw_os_error(5))
        }
        _ => Ok(()),
    });
    let (store, _) = EmbeddedStore::open_with_index(options(dir.path()), hook).unwrap();
    fill(&store, 0..5).await;
    fails.store(true, Ordering::SeqCst);
    super::hands::place(&store, 5).await.unwrap();
    let stuck = async {
        while store.trouble().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), stuck)
        .await
        .unwrap();
    super::hands::place(&store, 6).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let (store, report) = open(dir.path());
    assert_eq!(report.index.rebuilt, None);
    assert_eq!(look(&store, 0..7).await.len(), 7);
}
