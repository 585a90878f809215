//! sled notes where its pages lie only when it opens, so the store closes and opens it under way. Whatever happens to that,
//! nothing acknowledged is lost, and nobody sees a half of the rows.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use issuance_store::{EmbeddedStore, IndexHook, IndexStep, Options, Store, StoreError};

use super::hands::{append, copy, fill, id, look, noticed, open};
use super::index_faults::Gate;
use super::options;

const ORDERS: u64 = 30;
const LONG: Duration = Duration::from_secs(60);

/// sled is opened again after each write, and every old order has to be asked from it.
fn eager(dir: &Path) -> Options {
    let mut eager = options(dir);
    eager.limits.index_unnoted_bytes = 1;
    eager.limits.orders_at_hand = 0;
    eager
}

/// Counts how often sled is opened once the store is open; each time it meets something.
#[derive(Clone, Default)]
struct Opens(Arc<AtomicU64>, Arc<AtomicBool>);

impl Opens {
    fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// A store whose index meets this, told how often it was opened before.
    fn store(
        &self,
        options: Options,
        meets: impl Fn(u64) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> EmbeddedStore {
        let Self(opens, armed) = self.clone();
        let hook: IndexHook = Arc::new(move |step| {
            if step == IndexStep::Open && armed.load(Ordering::SeqCst) {
                meets(opens.fetch_add(1, Ordering::SeqCst))
            } else {
                Ok(())
            }
        });
        let (store, _) = EmbeddedStore::open_with_index(options, hook).unwrap();
        self.1.store(true, Ordering::SeqCst);
        store
    }

    async fn wait_for(&self, count: u64) {
        let waited = async {
            while self.count() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, waited).await.unwrap();
    }
}

/// Stands in sled's directory as long as that is not made anew.
fn kept(dir: &Path) -> std::path::PathBuf {
    dir.join("data/index/kept")
}

async fn closes_whole(store: EmbeddedStore, dir: &Path, orders: u64) {
    let found = look(&store, 0..orders).await;
    store.close().await.unwrap();
    drop(store);
    let (store, report) = open(dir);
    assert_eq!((report.index.rebuilt, report.index.replayed), (None, 0));
    assert_eq!(look(&store, 0..orders).await, found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_is_opened_again_under_load_and_every_read_is_right() {
    let (dir, opens) = (tempfile::tempdir().unwrap(), Opens::default());
    let store = opens.store(eager(dir.path()), |_| Ok(()));
    let store = Arc::new(store);
    std::fs::write(kept(dir.path()), "").unwrap();
    fill(&*store, 0..ORDERS).await;
    let found = look(&*store, 0..ORDERS).await;
    let ended = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, found, ended) = (Arc::clone(&store), found.clone(), Arc::clone(&ended));
            tokio::spawn(async move {
                while !ended.load(Ordering::SeqCst) {
                    assert_eq!(look(&*store, 0..ORDERS).await, found);
                }
            })
        })
        .collect();
    let (mut number, before) = (ORDERS, opens.count());
    while opens.count() < before + 5 {
        fill(&*store, number..number + 5).await;
        number += 5;
    }
    ended.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(kept(dir.path()).exists(), "it was made anew");
    let store = Arc::into_inner(store).unwrap();
    closes_whole(store, dir.path(), number).await;
}

/// What a kill leaves between the close and the open is an index like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_wait_for_it_appends_go_on_and_a_kill_costs_nothing() {
    let (dir, opens) = (tempfile::tempdir().unwrap(), Opens::default());
    let gate = Gate::default();
    let passes = gate.clone();
    let mut eager = eager(dir.path());
    eager.limits.orders_at_hand = 1_000;
    let store = opens.store(eager, move |_| {
        passes.pass();
        Ok(())
    });
    let store = Arc::new(store);
    fill(&*store, 0..ORDERS).await;
    let found = look(&*store, 0..ORDERS).await;
    gate.shut(true);
    let before = opens.count();
    append(&*store, id(0), vec![noticed(1)]).await.unwrap();
    opens.wait_for(before + 1).await;
    let going_on = async {
        for _ in 0..20 {
            append(&*store, id(0), vec![noticed(1)]).await.unwrap();
        }
    };
    tokio::time::timeout(LONG, going_on).await.unwrap();
    let killed = tempfile::tempdir().unwrap();
    copy(&dir.path().join("data"), &killed.path().join("data"));
    let cold = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.history(id(5)).await.unwrap().len() })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!cold.is_finished(), "a read that sled has to answer waits");
    gate.shut(false);
    assert_eq!(cold.await.unwrap(), found[&5].1);
    assert_eq!(look(&*store, 1..ORDERS).await.len() as u64, ORDERS - 1);
    let (reopened, report) = open(killed.path());
    assert_eq!(report.index.rebuilt, None);
    assert_eq!(
        look(&reopened, 1..ORDERS).await,
        look(&*store, 1..ORDERS).await
    );
    assert!(reopened.order(id(0)).await.unwrap().unwrap().version.0 > 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_died_over_a_note_of_sled_costs_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..ORDERS).await;
    store.close().await.unwrap();
    drop(store);
    let half = dir
        .path()
        .join("data/index/snap.7FFFFFFFFFFFFFFF.generating");
    std::fs::write(&half, [7; 100]).unwrap();
    let (store, report) = open(dir.path());
    assert_eq!((report.index.rebuilt, report.index.replayed), (None, 0));
    closes_whole(store, dir.path(), ORDERS).await;
    assert!(!half.exists());
}

/// An error that says nothing of the files does not cost them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_or_handles_it_is_opened_again_later() {
    const ENOSPC: i32 = 28;
    const EMFILE: i32 = 24;
    for errno in [ENOSPC, EMFILE] {
        mended(move || Err(std::io::Error::from_raw_os_error(errno)), true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_that_fails_or_panics_costs_the_index_and_nothing_else() {
    const EIO: i32 = 5;
    mended(|| Err(std::io::Error::from_raw_os_error(EIO)), false).await;
    mended(|| panic!("sled said no"), false).await;
}

/// The first two opens meet this.
async fn mended(meets: impl Fn() -> std::io::Result<()> + Send + Sync + 'static, keeps: bool) {
    let (dir, opens) = (tempfile::tempdir().unwrap(), Opens::default());
    let store = opens.store(
        eager(dir.path()),
        move |before| {
            if before < 2 { meets() } else { Ok(()) }
        },
    );
    std::fs::write(kept(dir.path()), "").unwrap();
    let first = async {
        // Appends and cold reads may be refused for a while, and nothing is ever wrong.
        for number in 0..ORDERS {
            loop {
                match super::hands::place(&store, number).await {
                    Ok(()) => break,
                    Err(StoreError::Overloaded | StoreError::DiskFull) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            if number == 0 {
                opens.wait_for(3).await;
            }
        }
        while store.trouble().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, first).await.unwrap();
    assert_eq!(kept(dir.path()).exists(), keeps);
    closes_whole(store, dir.path(), ORDERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stays_open_while_there_is_no_room_to_open_it() {
    let (dir, opens) = (tempfile::tempdir().unwrap(), Opens::default());
    let store = opens.store(eager(dir.path()), |_| Ok(()));
    let probe = dir.path().join("data/index.probe");
    while std::fs::create_dir(&probe).is_err() {
        tokio::task::yield_now().await;
    }
    fill(&store, 0..ORDERS).await;
    let before = opens.count();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(look(&store, 0..ORDERS).await.len() as u64, ORDERS);
    assert_eq!((store.trouble(), opens.count()), (None, before));
    std::fs::remove_dir(&probe).unwrap();
    fill(&store, ORDERS..ORDERS + 1).await;
    opens.wait_for(before + 1).await;
    closes_whole(store, dir.path(), ORDERS + 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_that_hangs_stops_the_store() {
    let (dir, opens) = (tempfile::tempdir().unwrap(), Opens::default());
    let gate = Gate::default();
    let passes = gate.clone();
    let mut impatient = eager(dir.path());
    impatient.limits.index_patience = Duration::from_secs(1);
    gate.shut(true);
    let store = opens.store(impatient, move |_| {
        passes.pass();
        Ok(())
    });
    super::hands::place(&store, 0).await.unwrap();
    let stopped = async {
        loop {
            if let Err(StoreError::Stopped { why }) = store.head().await {
                return why;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let why = tokio::time::timeout(LONG, stopped).await.unwrap();
    assert!(why.contains("index hangs"), "{why}");
    drop(store);
    gate.shut(false);
    let opened = async {
        loop {
            match EmbeddedStore::open(options(dir.path())) {
                Ok((store, _)) => return store,
                Err(issuance_store::OpenError::DataDir(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let store = tokio::time::timeout(LONG, opened).await.unwrap();
    assert!(store.order(id(0)).await.unwrap().is_some());
}
