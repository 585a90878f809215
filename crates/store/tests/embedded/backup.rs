//! Copies of a data directory in which a store is at work: consistent, whole or not there, and as good as the original.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use issuance_store::copies::{Before, CopyError, archive, backup, restore};
use issuance_store::journal::DataDir;
use issuance_store::vault::{Change, Keyring, MasterKey, Vault, VaultOptions};
use issuance_store::{EmbeddedStore, Field, OpenError, Options, Past, Store, StoreError};
use uuid::Uuid;

use super::hands::{
    accepted, activated, append, copy, fill, follow, id, look, open, requested, sealing,
};
use super::options;

/// A restored copy, opened as a store. Its archive may have gone on since.
fn opened(dir: &Path) -> EmbeddedStore {
    let with = |past| {
        EmbeddedStore::open(Options {
            dir: dir.into(),
            past,
            ..options(dir)
        })
    };
    let accepted = Past {
        known: None,
        accept_rollback: true,
    };
    let opened = match with(Past::default()) {
        Err(OpenError::Journal(error)) if error.is_rollback() => with(accepted),
        opened => opened,
    };
    let (store, report) = opened.unwrap();
    assert_eq!(report.vault.damaged_count, 0);
    assert_eq!(report.journal.cut, None);
    store
}

/// Everything that was acknowledged before the copy began is in it, with its data; and what is in it, is true.
async fn compare(live: &dyn Store, copy: &dyn Store, acknowledged: &BTreeSet<u64>, all: &[u64]) {
    for number in all {
        let (order, history) = (
            copy.order(id(*number)).await.unwrap(),
            copy.history(id(*number)).await.unwrap(),
        );
        let Some(order) = order else {
            assert!(
                !acknowledged.contains(number),
                "order {number} is not in the copy"
            );
            assert!(history.is_empty());
            continue;
        };
        let truth = live.history(id(*number)).await.unwrap();
        assert_eq!(order.version.0 as usize, history.len());
        for (copied, original) in history.iter().zip(&truth) {
            assert_eq!(copied.event, original.event);
            assert_eq!(copied.position, original.position);
        }
        if history.len() == truth.len() {
            assert_eq!(live.order(id(*number)).await.unwrap().unwrap(), order);
        }
        let sealed = copy.open_sealed(id(*number), &Field::Request).await;
        assert_eq!(
            sealed.unwrap().unwrap().to_vec(),
            format!("sealed {number}").into_bytes()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_under_load_restores_to_the_same_projections() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let store = Arc::new(store);
    let acknowledged = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4_u64)
        .map(|caller| {
            let (store, acknowledged, done) = (
                Arc::clone(&store),
                Arc::clone(&acknowledged),
                Arc::clone(&done),
            );
            tokio::spawn(async move {
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    let number = caller * 100_000 + number;
                    let mut first = follow(id(number), None, vec![requested(number)]);
                    first.sealed = vec![sealing(&format!("sealed {number}"))];
                    store.append(first).await.unwrap();
                    acknowledged.lock().unwrap().insert(number);
                    let more = vec![accepted(number), activated(number)];
                    append(&*store, id(number), more).await.unwrap();
                }
            })
        })
        .collect();
    let (data, kept) = (dir.path().join("data"), dir.path().join("kept"));
    let mut copies = Vec::new();
    for round in 0..6 {
        // Segments roll and are archived meanwhile.
        let enough = 60 * (round + 1);
        while acknowledged.lock().unwrap().len() < enough {
            tokio::task::yield_now().await;
        }
        let before = acknowledged.lock().unwrap().clone();
        let out = dir.path().join(format!("backup-{round}"));
        let (data, kept) = (data.clone(), kept.clone());
        let both = tokio::task::spawn_blocking(move || {
            let head = before.len() as u64;
            std::thread::scope(|scope| {
                let archiving = scope.spawn(|| archive(&data, &kept, Before::Position(head)));
                let copied = backup(&data, &out).unwrap();
                archiving.join().unwrap().unwrap();
                (copied, before, out)
            })
        });
        copies.push(both.await.unwrap());
    }
    done.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let all: Vec<_> = acknowledged.lock().unwrap().iter().copied().collect();
    let mut archived = false;
    for (copied, before, out) in copies {
        archived |= copied.start.position > 0;
        let restored = out.with_extension("restored");
        let again = restore(&out, &restored).unwrap();
        assert_eq!((again.head, again.start), (copied.head, copied.start));
        assert!(!restored.join("index").exists());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&restored), mode(&restored.join("vault"))),
            (0o700, 0o700)
        );
        let copy = opened(&restored);
        compare(&*store, &copy, &before, &all).await;
        // It is a store like any other.
        append(&copy, id(999_999_999), vec![requested(999_999_999)])
            .await
            .unwrap();
    }
    assert!(archived, "no segment was archived while copies were made");
}

#[test]
fn the_vault_is_copied_whole_while_it_is_compacted() {
    const ROUNDS_MAX: u32 = 500;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let data = DataDir::open(&path).unwrap();
    data.directory("journal").unwrap();
    let keys = Arc::new(Keyring::new("test", MasterKey::new([7; 32])));
    let small = VaultOptions {
        file_bytes: 4 << 10,
    };
    let disk = Arc::new(data.directory("vault").unwrap());
    let (mut vault, _) = Vault::open(disk, keys.clone(), &small).unwrap();
    let sealer = vault.sealer();
    let order = |number: u64| Uuid::from_u128(u128::from(number) + 1);
    let value = |number: u64, round: u64| match number % 4 {
        // One of four is large, and lies in a file of its own.
        0 => format!("{number}/{round} ").repeat(20_000),
        _ => format!("{number}/{round}"),
    };
    let put = |vault: &mut Vault, number, round| {
        let sealed = sealer.seal(order(number), "request", value(number, round).as_bytes());
        vault.write(&[Change::Put(sealed.unwrap())]).unwrap();
        vault.sync().unwrap();
    };
    (0..40).for_each(|number| put(&mut vault, number, 0));
    let (done, compactions) = (AtomicBool::new(false), AtomicU64::new(0));
    let copies = std::thread::scope(|scope| {
        let copier = scope.spawn(|| {
            let mut copies = 0;
            for round in 0..ROUNDS_MAX {
                if copies > 3 && compactions.load(Ordering::Relaxed) > 3 {
                    break;
                }
                let out = dir.path().join(format!("copy-{round}"));
                match backup(&path, &out) {
                    Ok(copied) => {
                        assert_eq!(copied.vault_damaged, 0);
                        copies += 1;
                    }
                    // Compacted without end.
                    Err(error) => assert!(!out.exists(), "{error}"),
                }
            }
            done.store(true, Ordering::Relaxed);
            copies
        });
        for round in 1.. {
            if done.load(Ordering::Relaxed) {
                break;
            }
            // The first twenty are left alone, the others change all the time.
            (20..40).for_each(|number| put(&mut vault, number, round));
            let compacted = vault.compaction().unwrap().run().unwrap();
            compactions.fetch_add(u64::from(compacted.removed > 0), Ordering::Relaxed);
        }
        copier.join().unwrap()
    });
    let compactions = compactions.into_inner();
    assert!(copies > 3 && compactions > 3, "{copies}, {compactions}");
    drop((vault, data));
    for round in 0..ROUNDS_MAX {
        let out = dir.path().join(format!("copy-{round}"));
        if !out.exists() {
            continue;
        }
        let copy = DataDir::open(&out).unwrap();
        let disk = Arc::new(copy.directory("vault").unwrap());
        let (vault, report) = Vault::open(disk, keys.clone(), &small).unwrap();
        assert_eq!((report.damaged_count, report.cut), (0, None));
        for number in 0..40 {
            let found = vault.reader().open(order(number), "request").unwrap();
            let found = String::from_utf8(found.unwrap().to_vec()).unwrap();
            let (of, _) = found.split_once('/').unwrap();
            assert_eq!(of, number.to_string());
            assert!(number >= 20 || found == value(number, 0));
        }
    }
}

#[tokio::test]
async fn a_backup_is_whole_or_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..25).await;
    let found = look(&store, 0..25).await;
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    // What an earlier one left that did not end is no obstacle.
    let left = dir.path().join("out.partial");
    DataDir::open(&left).unwrap().directory("vault").unwrap();
    std::fs::write(left.join("vault/vault-0000000001.jsonl"), "half").unwrap();
    let copied = backup(&data, &out).unwrap();
    assert_eq!(copied.head.position, store.head().await.unwrap().0);
    assert!(!left.exists() && out.join("backup.json").exists());
    assert!(matches!(backup(&data, &out), Err(CopyError::Exists { .. })));
    assert!(matches!(
        restore(&data, &dir.path().join("none")),
        Err(CopyError::NoBackup { .. })
    ));
    // Without the engine it is the same.
    store.close().await.unwrap();
    drop(store);
    assert_eq!(backup(&data, &dir.path().join("cold")).unwrap(), copied);

    // A damaged log is no backup.
    let segments = || {
        let mut segments: Vec<_> = std::fs::read_dir(data.join("journal"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        segments.sort();
        segments
    };
    let path = &segments()[1];
    let good = std::fs::read(path).unwrap();
    let mut bytes = good.clone();
    bytes[good.len() / 2] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let none = dir.path().join("none");
    assert!(matches!(backup(&data, &none), Err(CopyError::Journal(_))));
    assert!(!none.exists() && !dir.path().join("none.partial").exists());
    std::fs::write(path, good).unwrap();

    // A backup that is no longer what it was is not restored.
    type Change<'a> = (&'a str, &'a dyn Fn(&Path));
    let changes: [Change<'_>; 3] = [
        ("vault", &|copy| {
            let path = copy.join("vault/vault-0000000001.jsonl");
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[200] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }),
        ("missing vault file", &|copy| {
            std::fs::remove_file(copy.join("vault/vault-0000000001.jsonl")).unwrap();
        }),
        ("log", &|copy| {
            let last = segments().pop().unwrap();
            std::fs::remove_file(copy.join("journal").join(last.file_name().unwrap())).unwrap();
        }),
    ];
    for (what, change) in changes {
        let changed = dir.path().join("changed");
        copy(&out, &changed);
        change(&changed);
        assert!(
            matches!(restore(&changed, &none), Err(CopyError::Changed { .. })),
            "{what}"
        );
        assert!(!none.exists(), "{what}");
        std::fs::remove_dir_all(changed).unwrap();
    }
    restore(&out, &none).unwrap();
    assert_eq!(look(&opened(&none), 0..25).await, found);
}

#[tokio::test]
async fn a_store_whose_archive_is_away_works_on_and_is_made_anew_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store, 0..25).await;
    let found = look(&store, 0..25).await;
    let (data, kept) = (dir.path().join("data"), dir.path().join("kept"));
    let moved = archive(&data, &kept, Before::Position(u64::MAX)).unwrap();
    assert!(moved.segments > 2 && moved.bytes > 0);
    // The engine runs on, old histories come from the archive.
    assert_eq!(look(&store, 0..25).await, found);
    store.close().await.unwrap();
    drop(store);

    let away = dir.path().join("away");
    std::fs::rename(&kept, &away).unwrap();
    let (store, report) = open(dir.path());
    assert_eq!(report.journal.start, moved.head);
    assert_eq!(report.index.rebuilt, None);
    assert_eq!(*store.order(id(3)).await.unwrap().unwrap(), found[&3].0);
    let old = store.history(id(0)).await.unwrap_err();
    assert!(matches!(old, StoreError::Damaged { .. }), "{old}");
    append(&store, id(100), vec![requested(100)]).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    // Nothing to make the index from.
    std::fs::remove_dir_all(data.join("index")).unwrap();
    let error = EmbeddedStore::open(options(dir.path())).unwrap_err();
    assert!(error.to_string().contains("archive"), "{error}");
    std::fs::rename(&away, &kept).unwrap();
    let (store, report) = open(dir.path());
    assert!(report.index.rebuilt.is_some());
    assert_eq!(look(&store, 0..25).await, found);
    assert!(store.order(id(100)).await.unwrap().is_some());
}
