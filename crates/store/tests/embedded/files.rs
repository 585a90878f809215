//! What can happen to the files between two lives of a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use issuance_domain::Policy;
use issuance_store::journal::{Directory, Head, JournalError, Reader};
use issuance_store::{
    AppendError, EmbeddedStore, Kind, OpenError, Options, Past, Store, StoreError,
};

use super::hands::{
    accepted, activated, append, at, copy, fill, id, look, message, open, requested, rows, swap,
};
use super::options;

#[tokio::test]
async fn a_closed_store_opens_without_replay() {
    let dir = tempfile::tempdir().unwrap();
    let (store, report) = open(dir.path());
    assert_eq!(
        (report.index.rebuilt, report.index.replayed),
        (None, 0),
        "nothing was there"
    );
    fill(&store, 0..30).await;
    let found = look(&store, 0..30).await;
    store.close().await.unwrap();
    assert!(matches!(store.head().await, Err(StoreError::Closed)));
    assert!(matches!(
        append(&store, id(99), vec![requested(99)]).await,
        Err(AppendError::Store(StoreError::Closed))
    ));
    assert!(matches!(store.close().await, Err(StoreError::Closed)));
    drop(store);
    let (store, report) = open(dir.path());
    assert_eq!((report.index.rebuilt, report.index.replayed), (None, 0));
    assert_eq!(report.open_orders, 30);
    assert_eq!(look(&store, 0..30).await, found);
}

#[tokio::test]
async fn the_index_is_a_function_of_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..60).await;
    store.close().await.unwrap();
    drop(store);
    // In two lives, by way of a replay.
    let (store, _) = open(dir.path());
    fill(&store, 60..90).await;
    let found = look(&store, 0..90).await;
    drop(store);
    let (store, report) = open(dir.path());
    // How much there was to replay depends on how far the writing behind had come.
    assert!(report.index.rebuilt.is_none(), "{report:?}");
    store.close().await.unwrap();
    drop(store);
    let written = rows(dir.path());
    std::fs::remove_dir_all(dir.path().join("data/index")).unwrap();
    let (store, report) = open(dir.path());
    assert_eq!(report.index.replayed, report.journal.head.position);
    assert!(report.index.rebuilt.is_some());
    assert_eq!(look(&store, 0..90).await, found);
    store.close().await.unwrap();
    drop(store);
    let rebuilt = rows(dir.path());
    assert_eq!(written.len(), rebuilt.len());
    for (written, rebuilt) in written.iter().zip(&rebuilt) {
        assert_eq!(
            (
                String::from_utf8_lossy(&written.0),
                String::from_utf8_lossy(&written.1)
            ),
            (
                String::from_utf8_lossy(&rebuilt.0),
                String::from_utf8_lossy(&rebuilt.1)
            )
        );
    }
    assert!(written.iter().all(|(_, value)| value.len() < 64 << 10));
}

#[tokio::test]
async fn an_index_left_behind_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..20).await;
    store.close().await.unwrap();
    drop(store);
    copy(&dir.path().join("data/index"), &dir.path().join("older"));
    let (store, _) = open(dir.path());
    fill(&store, 20..40).await;
    append(&store, id(1), vec![accepted(1), activated(1)])
        .await
        .unwrap();
    store.receive(message(1_000), None).await.unwrap();
    let found = look(&store, 0..40).await;
    let counts = store.counts().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let newer = rows(dir.path());
    swap(&dir.path().join("older"), &dir.path().join("data/index"));
    let (store, report) = open(dir.path());
    // How much there was to replay depends on how far the writing behind had come.
    assert!(report.index.rebuilt.is_none(), "{report:?}");
    assert_eq!(look(&store, 0..40).await, found);
    assert_eq!(store.counts().await.unwrap(), counts);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(rows(dir.path()), newer);
}

#[tokio::test]
async fn a_damaged_index_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..40).await;
    let found = look(&store, 0..40).await;
    store.close().await.unwrap();
    drop(store);
    copy(&dir.path().join("data/index"), &dir.path().join("good"));
    let db = dir.path().join("data/index/db");
    let length = std::fs::metadata(&db).unwrap().len() as usize;
    let flips = |from: usize| {
        move |bytes: &mut Vec<u8>| {
            bytes[from..]
                .iter_mut()
                .step_by(97)
                .for_each(|byte| *byte ^= 0x5a)
        }
    };
    type Damage = Box<dyn Fn(&mut Vec<u8>)>;
    let damages: Vec<Damage> = vec![
        Box::new(flips(0)),
        Box::new(flips(length / 2)),
        Box::new(|bytes| bytes.fill(0)),
        Box::new(|bytes| bytes.truncate(1_000)),
        Box::new(|bytes| bytes.clear()),
        Box::new(|bytes| bytes.fill(0xff)),
    ];
    for (number, damage) in damages.iter().enumerate() {
        swap(&dir.path().join("good"), &dir.path().join("data/index"));
        let mut bytes = std::fs::read(&db).unwrap();
        damage(&mut bytes);
        std::fs::write(&db, bytes).unwrap();
        let (store, report) = open(dir.path());
        assert_eq!(
            look(&store, 0..40).await,
            found,
            "damage {number}: {:?}",
            report.index
        );
        store.close().await.unwrap();
    }
    // Not even a directory.
    std::fs::remove_dir_all(dir.path().join("data/index")).unwrap();
    std::fs::write(dir.path().join("data/index"), "a file").unwrap();
    let (store, report) = open(dir.path());
    assert!(report.index.rebuilt.is_some());
    assert_eq!(look(&store, 0..40).await, found);
}

/// The row about all rows has key 0 and says which form orders have in it.
#[tokio::test]
async fn an_index_of_orders_of_another_form_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..10).await;
    let found = look(&store, 0..10).await;
    store.close().await.unwrap();
    drop(store);
    for (from, to, why) in [
        ("\"shape\":\"", "\"shape\":\"0", "form"),
        ("\"format\":", "\"format\":9", "version"),
    ] {
        let index = sled::open(dir.path().join("data/index")).unwrap();
        let row = index.get([0]).unwrap().unwrap();
        let row = String::from_utf8(row.to_vec()).unwrap();
        assert!(row.contains(from), "{row}");
        index.insert([0], row.replace(from, to).as_bytes()).unwrap();
        index.flush().unwrap();
        drop(index);
        let (store, report) = open(dir.path());
        let rebuilt = report.index.rebuilt.unwrap();
        assert!(rebuilt.contains(why), "{rebuilt}");
        assert_eq!(look(&store, 0..10).await, found);
        store.close().await.unwrap();
        drop(store);
        assert_eq!(open(dir.path()).1.index.rebuilt, None);
    }
}

#[tokio::test]
async fn a_lock_that_is_held_a_little_longer_costs_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..10).await;
    store.close().await.unwrap();
    drop(store);
    let db = std::fs::File::open(dir.path().join("data/index/db")).unwrap();
    rustix::fs::flock(&db, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let holder = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(db);
    });
    let (store, report) = open(dir.path());
    assert_eq!((report.index.rebuilt, report.index.replayed), (None, 0));
    holder.join().unwrap();
    drop(store);
}

#[tokio::test]
async fn a_closed_store_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let (store, _) = open(dir.path());
        fill(&store, round * 20..(round + 1) * 20).await;
        store.close().await.unwrap();
        for name in ["index/db", "lock"] {
            let file = std::fs::File::open(dir.path().join("data").join(name)).unwrap();
            let lock = rustix::fs::FlockOperation::NonBlockingLockExclusive;
            assert_eq!(
                rustix::fs::flock(&file, lock),
                Ok(()),
                "{name}, round {round}"
            );
        }
    }
}

#[tokio::test]
async fn an_index_open_when_the_machine_stopped_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..10).await;
    drop(store);
    let mark = dir.path().join("data/index.open");
    assert!(mark.exists(), "it was not closed");
    std::fs::write(&mark, "another boot\n").unwrap();
    let (store, report) = open(dir.path());
    assert!(
        report
            .index
            .rebuilt
            .is_some_and(|why| why.contains("machine"))
    );
    store.close().await.unwrap();
    assert!(!mark.exists());
}

#[tokio::test]
async fn an_interrupted_write_of_the_index_is_finished_or_never_happened() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..10).await;
    store.close().await.unwrap();
    drop(store);
    let before = rows(dir.path());
    let redo = dir.path().join("data/index.redo");
    std::fs::write(&redo, [0x11; 500]).unwrap();
    let (store, report) = open(dir.path());
    assert_eq!(report.index.rebuilt, None);
    store.close().await.unwrap();
    drop(store);
    assert!(!redo.exists());
    assert_eq!(rows(dir.path()), before);
}

#[tokio::test]
async fn an_older_journal_is_refused_unless_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..10).await;
    let found = look(&store, 0..10).await;
    store.close().await.unwrap();
    drop(store);
    copy(&dir.path().join("data/journal"), &dir.path().join("older"));
    let (store, _) = open(dir.path());
    fill(&store, 10..20).await;
    let head = store.head().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let known = head_of(dir.path());
    swap(&dir.path().join("older"), &dir.path().join("data/journal"));
    let rolled_back = |past| {
        let refused = EmbeddedStore::open(Options {
            past,
            ..options(dir.path())
        });
        matches!(&refused, Err(OpenError::Journal(error)) if error.is_rollback())
    };
    assert!(rolled_back(Past::default()));
    // It stays refused, also when the index that knew is gone and only somebody else does.
    copy(&dir.path().join("data/index"), &dir.path().join("index"));
    std::fs::remove_dir_all(dir.path().join("data/index")).unwrap();
    assert!(rolled_back(Past {
        known: Some(known),
        accept_rollback: false
    }));
    copy(&dir.path().join("index"), &dir.path().join("data/index"));
    assert!(rolled_back(Past::default()));

    let accepted = Past {
        known: Some(known),
        accept_rollback: true,
    };
    let (store, report) = EmbeddedStore::open(Options {
        past: accepted,
        ..options(dir.path())
    })
    .unwrap();
    assert_eq!(report.index.ahead_of, Some(head.0));
    assert!(report.index.rebuilt.is_some());
    assert_eq!(look(&store, 0..10).await, found);
    assert!(store.order(id(15)).await.unwrap().is_none());
    store.close().await.unwrap();
    drop(store);
    // Once accepted it is the log; the other one's head is still not in it.
    drop(open(dir.path()));
    assert!(rolled_back(Past {
        known: Some(known),
        accept_rollback: false
    }));
}

#[tokio::test]
async fn another_log_in_the_place_of_the_log_is_refused() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (dir, numbers) in [(&dir, 0..10), (&other, 20..60)] {
        let (store, _) = open(dir.path());
        fill(&store, numbers).await;
        store.close().await.unwrap();
    }
    swap(
        &other.path().join("data/journal"),
        &dir.path().join("data/journal"),
    );
    assert!(matches!(
        EmbeddedStore::open(options(dir.path())),
        Err(OpenError::Journal(JournalError::Diverged { .. }))
    ));
    // An emptied journal directory is a rollback to nothing.
    std::fs::remove_dir_all(dir.path().join("data/journal")).unwrap();
    assert!(matches!(
        EmbeddedStore::open(options(dir.path())),
        Err(OpenError::Journal(JournalError::RolledBack {
            found: 0,
            ..
        }))
    ));
}

/// Orders whose personal data is lost must not be found out one by one.
#[tokio::test]
async fn a_log_whose_vault_is_gone_is_refused_until_somebody_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..3).await;
    store.close().await.unwrap();
    drop(store);
    let vault = dir.path().join("data/vault");
    std::fs::remove_dir_all(&vault).unwrap();
    for _ in 0..2 {
        let error = EmbeddedStore::open(options(dir.path())).unwrap_err();
        assert!(error.to_string().contains("restore it"), "{error}");
    }
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
        .create(&vault)
        .unwrap();
    open(dir.path());
}

#[tokio::test]
async fn segments_that_are_missing_moved_emptied_or_twice_keep_the_store_shut() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..25).await;
    let found = look(&store, 0..25).await;
    store.close().await.unwrap();
    drop(store);
    let (journal, good) = (dir.path().join("data/journal"), dir.path().join("good"));
    copy(&journal, &good);
    let mut names: Vec<_> = std::fs::read_dir(&journal)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert!(names.len() > 3);
    for (index, name) in names.iter().enumerate() {
        let path = journal.join(name);
        let another = journal.join("journal-00000000000000009999.jsonl");
        let other = journal.join(&names[(index + 1) % names.len()]);
        type Play<'a> = (&'a str, &'a dyn Fn());
        let plays: [Play<'_>; 5] = [
            ("missing", &|| std::fs::remove_file(&path).unwrap()),
            ("emptied", &|| std::fs::write(&path, "").unwrap()),
            ("renamed", &|| std::fs::rename(&path, &another).unwrap()),
            ("twice", &|| assert!(std::fs::copy(&path, &another).is_ok())),
            ("another's", &|| {
                assert!(std::fs::copy(&other, &path).is_ok())
            }),
        ];
        for (what, play) in plays {
            swap(&good, &journal);
            play();
            let refused = EmbeddedStore::open(options(dir.path()));
            assert!(
                matches!(refused, Err(OpenError::Journal(_))),
                "{name:?} is {what}: {refused:?}"
            );
        }
    }
    swap(&good, &journal);
    let (store, report) = open(dir.path());
    assert_eq!(report.index.rebuilt, None);
    assert_eq!(look(&store, 0..25).await, found);
}

fn head_of(dir: &Path) -> Head {
    let journal = Directory::open(&dir.join("data/journal")).unwrap();
    let (_, report) = Reader::open(Arc::new(journal), None).unwrap();
    report.head
}

fn last_segment(dir: &Path) -> PathBuf {
    let segments = std::fs::read_dir(dir.join("data/journal")).unwrap();
    segments.map(|entry| entry.unwrap().path()).max().unwrap()
}

#[tokio::test]
async fn a_torn_tail_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..10).await;
    let (found, head) = (look(&store, 0..10).await, store.head().await.unwrap());
    drop(store);
    let segment = last_segment(dir.path());
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes.extend_from_slice(b"{\"position\":999,\"stream\":\"order/");
    std::fs::write(&segment, bytes).unwrap();
    let (store, report) = open(dir.path());
    assert_eq!(report.journal.cut.map(|cut| cut.bytes), Some(32));
    assert_eq!(look(&store, 0..10).await, found);
    let appended = append(&store, id(50), vec![requested(50)]).await.unwrap();
    assert_eq!(appended.position.0, head.0 + 1);
}

#[tokio::test]
async fn a_damaged_journal_keeps_the_store_shut() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..10).await;
    store.close().await.unwrap();
    drop(store);
    let segment = last_segment(dir.path());
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert!(matches!(
        EmbeddedStore::open(options(dir.path())),
        Err(OpenError::Journal(_))
    ));
}

#[tokio::test]
async fn a_second_owner_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    assert!(matches!(
        EmbeddedStore::open(options(dir.path())),
        Err(OpenError::DataDir(_))
    ));
    drop(store);
    drop(open(dir.path()));
}

#[tokio::test]
async fn another_policy_finds_other_work() {
    let dir = tempfile::tempdir().unwrap();
    let quiet = Policy {
        notify_host: false,
        ..Policy::standard()
    };
    let (store, _) = EmbeddedStore::open(Options {
        policy: quiet,
        ..options(dir.path())
    })
    .unwrap();
    for number in 0..5 {
        let mut events = super::hands::follow(
            id(number),
            None,
            vec![requested(number), accepted(number), activated(number)],
        );
        events.projection.tasks.clear();
        store.append(events).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let (store, report) = open(dir.path());
    assert_eq!(report.open_orders, 5, "the host is to be told after all");
    assert_eq!(store.next_due(Kind::Notices).await.unwrap(), Some(at(0)));
}

#[tokio::test]
async fn nothing_sealed_is_readable_in_any_file() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let canary = "Zanzibar-Quokka-4711";
    let mut large = String::new();
    for number in 0..20 {
        let mut append = super::hands::follow(id(number), None, vec![requested(number)]);
        large = format!("{canary} ").repeat(if number % 5 == 0 { 10_000 } else { 1 });
        append.sealed = vec![super::hands::sealing(&large)];
        store.append(append).await.unwrap();
    }
    assert!(!large.is_empty());
    store.close().await.unwrap();
    drop(store);
    let mut files = 0;
    each_file(dir.path(), &mut |bytes| {
        files += 1;
        assert!(
            !bytes
                .windows(canary.len())
                .any(|window| window == canary.as_bytes())
        );
    });
    assert!(files > 5, "{files} files");
}

fn each_file(dir: &Path, look: &mut impl FnMut(&[u8])) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_file(&path, look)
        } else {
            look(&std::fs::read(path).unwrap())
        }
    }
}
