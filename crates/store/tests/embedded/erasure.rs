//! What is erased leaves the directory; a key that is changed opens nothing any more. Both while others are served, and
//! whatever crash comes between.

use std::path::Path;
use std::sync::Arc;

use issuance_domain::{Action, By, EventBody, Version};
use issuance_store::journal::{SimulatedDisk, SimulatedFault};
use issuance_store::vault::{INLINE_MAX, Keyring, MasterKey, VaultError};
use issuance_store::{EmbeddedStore, Field, OpenError, Options, Store};

use super::hands::{accepted, activated, append, follow, id, open, requested, sealing};
use super::options;

const EIO: i32 = 5;

fn key(byte: u8) -> MasterKey {
    MasterKey::new([byte; 32])
}

fn keyed(dir: &Path, keys: Keyring) -> Options {
    Options {
        keys: Arc::new(keys),
        ..options(dir)
    }
}

/// A closed order; every third with a large value in a file of its own.
async fn ended(store: &dyn Store, number: u64) {
    let story = vec![requested(number), accepted(number), activated(number)];
    let mut first = follow(id(number), None, story);
    first.sealed = vec![sealing(&secret(number))];
    store.append(first).await.unwrap();
}

fn secret(number: u64) -> String {
    match number % 3 {
        0 => format!("secret {number} ").repeat(INLINE_MAX / 8),
        _ => format!("secret {number}"),
    }
}

async fn erase(store: &dyn Store, number: u64) {
    let asked = EventBody::ErasureRequested { by: By::Operator };
    append(store, id(number), vec![asked]).await.unwrap();
    let requested = Version(4);
    let done = EventBody::PersonalDataErased { requested };
    append(store, id(number), vec![done]).await.unwrap();
}

async fn read(store: &dyn Store, number: u64) -> Option<String> {
    let opened = store
        .open_sealed(id(number), &Field::Request)
        .await
        .unwrap();
    opened.map(|value| String::from_utf8(value.to_vec()).unwrap())
}

/// Every file below, whole.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(self::files(&entry.path()));
        } else {
            let name = entry.file_name().into_string().unwrap();
            files.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
    files
}

/// The sealed bytes of an order as they lie on the disk: of records, their text; of large values, a piece of their file.
fn sealed_bytes(dir: &Path, number: u64) -> Vec<Vec<u8>> {
    let all = files(&dir.join("data/vault"));
    let order = id(number).to_string();
    let mut found = Vec::new();
    for (_, bytes) in all.iter().filter(|(name, _)| name.starts_with("vault-")) {
        let text = std::str::from_utf8(bytes).unwrap();
        for line in text.lines().filter(|line| line.contains(&order)) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Some(sealed) = line["sealed"].as_str() {
                found.push(sealed.as_bytes().to_vec());
            }
            if let Some(file) = line["file"].as_str() {
                let (_, bytes) = all.iter().find(|(name, _)| name == file).unwrap();
                found.push(bytes[1_000..1_064].to_vec());
            }
        }
    }
    found
}

fn holds(dir: &Path, needle: &[u8]) -> bool {
    files(&dir.join("data"))
        .iter()
        .any(|(_, bytes)| bytes.windows(needle.len()).any(|window| window == needle))
}

#[tokio::test]
async fn f_122_not_even_the_sealed_bytes_remain() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    for number in 0..12 {
        ended(&store, number).await;
    }
    let gone = [3, 4, 11];
    let traces: Vec<_> = gone
        .iter()
        .flat_map(|number| sealed_bytes(dir.path(), *number))
        .collect();
    assert_eq!(traces.len(), 3);
    for number in gone {
        erase(&store, number).await;
        assert_eq!(read(&store, number).await, None);
    }
    assert!(
        traces.iter().all(|trace| holds(dir.path(), trace)),
        "out of reach, and still on the disk"
    );
    let compacted = store.compact(false).await.unwrap();
    assert_eq!((compacted.removed, compacted.sealed_files), (3, 1));
    assert!(traces.iter().all(|trace| !holds(dir.path(), trace)));
    store.close().await.unwrap();
    drop(store);

    let (store, report) = open(dir.path());
    assert_eq!(
        (report.vault.damaged_count, report.index.rebuilt),
        (0, None)
    );
    for number in 0..12 {
        let expected = (!gone.contains(&number)).then(|| secret(number));
        assert_eq!(read(&store, number).await, expected);
        let order = store.order(id(number)).await.unwrap().unwrap();
        assert_eq!(order.is_erased(), gone.contains(&number));
    }
}

#[tokio::test]
async fn a_crash_before_the_record_leaves_an_erasure_that_is_done_again() {
    let (journal, vault) = (SimulatedDisk::new(), SimulatedDisk::new());
    let open = |journal: &SimulatedDisk, vault: &SimulatedDisk, dir: &Path| {
        let options = Options {
            dir: dir.into(),
            ..options(dir)
        };
        EmbeddedStore::open_on(options, Arc::new(journal.clone()), Arc::new(vault.clone()))
            .unwrap()
            .0
    };
    let dir = tempfile::tempdir().unwrap();
    let store = open(&journal, &vault, dir.path());
    ended(&store, 1).await;
    let asked = EventBody::ErasureRequested { by: By::Operator };
    append(&store, id(1), vec![asked]).await.unwrap();
    journal.arm(journal.calls(), SimulatedFault::Errno(EIO));
    let done = EventBody::PersonalDataErased {
        requested: Version(4),
    };
    append(&store, id(1), vec![done.clone()]).await.unwrap_err();
    drop(store);

    let dir = tempfile::tempdir().unwrap();
    let store = open(&journal.power_cut(7), &vault.power_cut(7), dir.path());
    let order = store.order(id(1)).await.unwrap().unwrap();
    assert!(order.erasure.is_some() && !order.is_erased());
    assert_eq!(read(&store, 1).await, None, "gone before it is recorded");
    let owed = store.tasks(id(1)).await.unwrap();
    let erasure = |task: &issuance_store::TaskRow| task.id.action == Action::ErasePersonalData;
    assert!(owed.iter().any(erasure));
    append(&store, id(1), vec![done]).await.unwrap();
    assert!(store.order(id(1)).await.unwrap().unwrap().is_erased());
}

#[tokio::test]
async fn a_changed_key_opens_everything_and_the_old_one_can_be_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let old = || Keyring::new("k1", key(1));
    let both = || Keyring::new("k2", key(2)).with_old("k1", key(1));
    let new = || Keyring::new("k2", key(2));
    {
        let (store, _) = EmbeddedStore::open(keyed(dir.path(), old())).unwrap();
        for number in 0..9 {
            ended(&store, number).await;
        }
        erase(&store, 4).await;
        store.close().await.unwrap();
    }
    {
        let (store, _) = EmbeddedStore::open(keyed(dir.path(), both())).unwrap();
        ended(&store, 9).await;
        assert_eq!(read(&store, 3).await, Some(secret(3)), "by the old key");
        let done = store.compact(true).await.unwrap();
        assert_eq!((done.resealed, done.unopened), (8, 0));
        assert_eq!(done.skipped, Vec::<String>::new());
        let again = store.compact(true).await.unwrap();
        assert_eq!((again.resealed, again.removed), (0, 0));
        store.close().await.unwrap();
    }
    let vault = files(&dir.path().join("data/vault"));
    assert!(vault.iter().all(|(_, bytes)| {
        let named = b"\"key\":\"k1\"";
        !bytes.windows(named.len()).any(|window| window == named)
    }));
    let (store, _) = EmbeddedStore::open(keyed(dir.path(), new())).unwrap();
    for number in 0..10 {
        let expected = (number != 4).then(|| secret(number));
        assert_eq!(read(&store, number).await, expected);
    }
}

#[tokio::test]
async fn without_the_old_key_its_records_are_kept_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (store, _) =
            EmbeddedStore::open(keyed(dir.path(), Keyring::new("k1", key(1)))).unwrap();
        ended(&store, 1).await;
        ended(&store, 3).await;
        store.close().await.unwrap();
    }
    {
        let wrong = Keyring::new("k2", key(2)).with_old("k1", key(9));
        let refused = EmbeddedStore::open(keyed(dir.path(), wrong)).unwrap_err();
        assert!(
            matches!(&refused, OpenError::Vault(VaultError::WrongKey { name }) if name == "k1"),
            "{refused:?}"
        );
        let without = Keyring::new("k2", key(2));
        let (store, report) = EmbeddedStore::open(keyed(dir.path(), without)).unwrap();
        assert_eq!(report.vault.unknown_keys, ["k1"]);
        let done = store.compact(true).await.unwrap();
        assert_eq!((done.resealed, done.unopened), (0, 2));
        store.close().await.unwrap();
    }
    let (store, _) = EmbeddedStore::open(keyed(dir.path(), Keyring::new("k1", key(1)))).unwrap();
    assert_eq!(read(&store, 3).await, Some(secret(3)));
}

#[tokio::test]
async fn a_wrong_key_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (store, _) =
            EmbeddedStore::open(keyed(dir.path(), Keyring::new("k1", key(1)))).unwrap();
        ended(&store, 1).await;
        store.close().await.unwrap();
    }
    let before = files(&dir.path().join("data"));
    let refused = EmbeddedStore::open(keyed(dir.path(), Keyring::new("k1", key(9)))).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Vault(VaultError::WrongKey { name }) if name == "k1"),
        "{refused:?}"
    );
    assert_eq!(files(&dir.path().join("data")), before);
    EmbeddedStore::open(keyed(dir.path(), Keyring::new("k1", key(1)))).unwrap();
}
