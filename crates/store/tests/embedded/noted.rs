//! How far the log had come is noted beside it: an older copy is noticed also when the index is gone.

use std::path::Path;

use issuance_store::journal::{JournalError, Noted};
use issuance_store::{EmbeddedStore, OpenError, Options, Past, Store as _};

use super::hands::{copy, fill, look, open, swap};
use super::options;

/// A closed store, and an older copy of its journal in `older`. Its last position.
async fn aged(dir: &Path) -> u64 {
    let (store, _) = open(dir);
    fill(&store, 0..5).await;
    store.close().await.unwrap();
    drop(store);
    copy(&dir.join("data/journal"), &dir.join("older"));
    let (store, _) = open(dir);
    fill(&store, 5..10).await;
    let head = store.head().await.unwrap().0;
    store.close().await.unwrap();
    head
}

fn forget_index(dir: &Path) {
    std::fs::remove_dir_all(dir.join("data/index")).unwrap();
}

#[tokio::test]
async fn an_older_log_without_an_index_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let head = aged(dir.path()).await;
    forget_index(dir.path());
    swap(&dir.path().join("older"), &dir.path().join("data/journal"));
    let refused = EmbeddedStore::open(options(dir.path())).map(drop);
    assert!(
        matches!(refused, Err(OpenError::Journal(JournalError::RolledBack { known, .. })) if known == head),
        "{refused:?}"
    );

    let accepted = Options {
        past: Past {
            known: None,
            accept_rollback: true,
        },
        ..options(dir.path())
    };
    let (store, report) = EmbeddedStore::open(accepted).unwrap();
    assert_eq!(report.index.ahead_of, Some(head));
    look(&store, 0..5).await;
    store.close().await.unwrap();
    drop(store);
    // Once accepted it is the log.
    forget_index(dir.path());
    let (store, report) = open(dir.path());
    assert_eq!(report.index.ahead_of, None);
    drop(store);
}

#[tokio::test]
async fn an_emptied_log_without_an_index_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let head = aged(dir.path()).await;
    forget_index(dir.path());
    std::fs::remove_dir_all(dir.path().join("data/journal")).unwrap();
    let refused = EmbeddedStore::open(options(dir.path())).map(drop);
    assert!(
        matches!(refused, Err(OpenError::Journal(JournalError::RolledBack { known, found: 0 })) if known == head),
        "{refused:?}"
    );
}

/// Also of a store that was never closed, up to the last write of its index.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_noted_while_the_store_runs_and_never_too_far() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..5).await;
    let head = store.head().await.unwrap().0;
    let noted = || Noted::read(&dir.path().join("data")).unwrap().unwrap().head;
    let caught_up = tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while noted().position < head {
            tokio::task::yield_now().await;
        }
    });
    caught_up.await.expect("it is not noted");
    assert_eq!(noted().position, head);
    // As after kill -9.
    let killed = tempfile::tempdir().unwrap();
    copy(&dir.path().join("data"), &killed.path().join("data"));
    forget_index(killed.path());
    let (store, report) = open(killed.path());
    assert_eq!(report.index.ahead_of, None);
    look(&store, 0..5).await;
}

/// One that is gone, cut, or was written by somebody else says nothing, and keeps nobody out.
#[tokio::test]
async fn a_note_that_proves_nothing_is_made_anew() {
    type Spoil = fn(&Path);
    let made = tempfile::tempdir().unwrap();
    let head = aged(made.path()).await;
    let spoils: [Spoil; 4] = [
        |note| std::fs::remove_file(note).unwrap(),
        |note| std::fs::write(note, "").unwrap(),
        |note| std::fs::write(note, "noise\n").unwrap(),
        |note| {
            // Further than the log ever was, without the key.
            let text = std::fs::read_to_string(note).unwrap();
            let (_, rest) = text.split_once(',').unwrap();
            std::fs::write(note, format!("{{\"position\":99999,{rest}")).unwrap();
        },
    ];
    for spoil in spoils {
        let dir = tempfile::tempdir().unwrap();
        copy(&made.path().join("data"), &dir.path().join("data"));
        forget_index(dir.path());
        spoil(&dir.path().join("data/head"));
        drop(open(dir.path()));
        let noted = Noted::read(&dir.path().join("data")).unwrap().unwrap();
        assert_eq!(noted.head.position, head);
        forget_index(dir.path());
        swap(&made.path().join("older"), &dir.path().join("data/journal"));
        assert!(EmbeddedStore::open(options(dir.path())).is_err());
    }
}
