//! What goes in comes out, for the right order, field and key, and nowhere else.

use super::*;
use crate::journal::hash::seal_line;

#[test]
fn values_come_back_also_after_reopening() {
    let disk = SimulatedDisk::new();
    let (mut vault, report) = open(&disk).unwrap();
    assert_eq!((report.records, report.files), (0, 0));
    let sizes = [0, 1, 1000, INLINE_MAX, INLINE_MAX + 1, 3 << 20];
    for (number, size) in (0..).zip(sizes) {
        put(&mut vault, order(number), "request", &"x".repeat(size)).unwrap();
    }
    put(
        &mut vault,
        order(0),
        "idv_link/3",
        "https://example.test/?a=\"b\"",
    )
    .unwrap();
    put(&mut vault, order(0), "idv_link/3", "newer").unwrap();
    for reopened in [false, true] {
        if reopened {
            vault = open(&disk).unwrap().0;
        }
        for (number, size) in (0..).zip(sizes) {
            assert_eq!(get(&vault, order(number), "request").unwrap().len(), size);
        }
        assert_eq!(get(&vault, order(0), "idv_link/3").unwrap(), "newer");
        assert_eq!(get(&vault, order(0), "idv_link/4"), None);
        assert_eq!(get(&vault, order(99), "request"), None);
    }
    let sealed_files = names(&disk)
        .iter()
        .filter(|name| name.starts_with("sealed-"))
        .count();
    assert_eq!(sealed_files, 2);
}

#[test]
fn nothing_readable_is_on_the_disk_or_in_debug() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    let canary = "Erika Mustermann";
    let sealed = vault
        .sealer()
        .seal(order(1), "request", canary.as_bytes())
        .unwrap();
    assert!(!format!("{sealed:?} {vault:?} {:?} {:?}", key(7), ring()).contains("Muster"));
    assert!(!format!("{:?}", MasterKey::new(*b"ABCDEFGHABCDEFGHABCDEFGHABCDEFGH")).contains("65"));
    vault.write(&[Change::Put(sealed)]).unwrap();
    put(
        &mut vault,
        order(2),
        "request",
        &(canary.to_owned() + &large('y')),
    )
    .unwrap();
    assert!(!holds(&disk, canary.as_bytes()) && !holds(&disk, b"yyyyyyyy"));
}

#[test]
fn what_is_not_synced_is_not_read() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    let sealed = vault.sealer().seal(order(1), "request", b"x").unwrap();
    vault.write(&[Change::Put(sealed)]).unwrap();
    assert_eq!(get(&vault, order(1), "request"), None);
    vault.sync().unwrap();
    assert_eq!(get(&vault, order(1), "request").unwrap(), "x");
}

/// Rewrites the first record with a hash that fits, as somebody would who can write to the disk.
fn forge(disk: &SimulatedDisk, from: &str, to: &str) {
    let name = "vault-0000000001.jsonl";
    let text = String::from_utf8(disk.bytes(name).unwrap()).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let covered = &first[..first.rfind(",\"hash\"").unwrap()];
    assert!(covered.contains(from));
    let mut forged = covered.replacen(from, to, 1).into_bytes();
    seal_line(&mut forged, 0);
    forged.extend_from_slice(rest.as_bytes());
    disk.put(name, &forged);
}

/// Another vault's record under a key of this name, which is as it was sealed.
fn put_behind(disk: &SimulatedDisk, name: &str) {
    let other = SimulatedDisk::new();
    let (mut vault, _) = open_with(&other, Keyring::new(name, key(1))).unwrap();
    put(&mut vault, order(9), "request", "sound").unwrap();
    drop(vault);
    let file = "vault-0000000001.jsonl";
    let both = [disk.bytes(file).unwrap(), other.bytes(file).unwrap()].concat();
    disk.put(file, &both);
}

#[test]
fn a_record_moved_to_another_order_field_or_key_does_not_open() {
    let (a, b) = (order(1), order(2));
    let keys = || {
        Keyring::new("k9", key(9))
            .with_old("k1", key(1))
            .with_old("k2", key(1))
    };
    let moves = [
        (a.to_string(), b.to_string(), b, "request"),
        ("\"request\"".into(), "\"idv_link\"".into(), a, "idv_link"),
        ("\"k1\"".into(), "\"k2\"".into(), a, "request"),
    ];
    for (from, to, order, field) in moves {
        let disk = SimulatedDisk::new();
        let (mut vault, _) = open(&disk).unwrap();
        put(&mut vault, a, "request", "secret").unwrap();
        forge(&disk, &from, &to);
        // Alone it speaks against the key.
        let refused = open_with(&disk, keys()).map(drop);
        assert!(
            matches!(refused, Err(VaultError::WrongKey { .. })),
            "{refused:?}"
        );
        for name in ["k1", "k2"] {
            put_behind(&disk, name);
        }
        let (vault, report) = open_with(&disk, keys()).unwrap();
        assert_eq!(report.damaged_count, 0, "the line itself is sound");
        let error = vault.reader().open(order, field).unwrap_err();
        assert!(
            matches!(
                error,
                VaultError::NotAuthentic {
                    record: 1,
                    byte: 0,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_sealed_file_put_in_the_place_of_another_does_not_open() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    put(&mut vault, order(1), "request", &large('a')).unwrap();
    put(&mut vault, order(2), "request", &large('b')).unwrap();
    let sealed: Vec<_> = names(&disk)
        .into_iter()
        .filter(|name| name.starts_with("sealed-"))
        .collect();
    let (a, b) = (
        disk.bytes(&sealed[0]).unwrap(),
        disk.bytes(&sealed[1]).unwrap(),
    );
    disk.put(&sealed[0], &b);
    disk.put(&sealed[1], &a);
    for number in [1, 2] {
        let error = vault.reader().open(order(number), "request").unwrap_err();
        assert!(
            matches!(&error, VaultError::Damaged { file, .. } if sealed.contains(file)),
            "{error}"
        );
    }
    disk.remove(&sealed[0]).unwrap();
    disk.remove(&sealed[1]).unwrap();
    assert!(matches!(
        vault.reader().open(order(1), "request"),
        Err(VaultError::Io { .. })
    ));
}

#[test]
fn keys_rotate() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    put(&mut vault, order(1), "request", "old").unwrap();
    let both = || Keyring::new("k2", key(2)).with_old("k1", key(1));
    let (mut vault, _) = open_with(&disk, both()).unwrap();
    put(&mut vault, order(2), "request", "new").unwrap();
    assert_eq!(get(&vault, order(1), "request").unwrap(), "old");
    assert_eq!(get(&vault, order(2), "request").unwrap(), "new");

    let (vault, report) = open_with(&disk, Keyring::new("k2", key(2))).unwrap();
    assert_eq!(report.unknown_keys, ["k1"]);
    assert_eq!(get(&vault, order(2), "request").unwrap(), "new");
    let error = vault.reader().open(order(1), "request").unwrap_err();
    assert!(
        matches!(&error, VaultError::UnknownKey { name } if name == "k1"),
        "{error}"
    );
}

#[test]
fn another_key_under_the_same_name_is_refused_at_open() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    put(&mut vault, order(1), "request", "x").unwrap();
    let error = open_with(&disk, Keyring::new("k1", key(2))).unwrap_err();
    assert!(matches!(error, VaultError::WrongKey { .. }), "{error}");

    // Also one that only opens, wherever the last record it sealed is.
    let both = |old| Keyring::new("k2", key(2)).with_old("k1", key(old));
    let (mut vault, report) = open_with(&disk, both(1)).unwrap();
    assert!(report.unknown_keys.is_empty());
    for number in 2..20 {
        put(&mut vault, order(number), "request", &"new ".repeat(100)).unwrap();
    }
    drop(vault);
    let error = open_with(&disk, both(3)).unwrap_err();
    assert!(
        matches!(&error, VaultError::WrongKey { name } if name == "k1"),
        "{error}"
    );
}

#[test]
fn names_and_sizes_are_checked() {
    let (vault, _) = open(&SimulatedDisk::new()).unwrap();
    let sealer = vault.sealer();
    for field in ["", "a b", "a\nb", "a\"b", "a\\b", "é", &"x".repeat(201)] {
        assert!(
            matches!(
                sealer.seal(order(1), field, b""),
                Err(VaultError::Name { .. })
            ),
            "{field}"
        );
    }
    let huge = vec![0; SEALED_MAX + 1];
    assert!(matches!(
        sealer.seal(order(1), "request", &huge),
        Err(VaultError::TooLarge { .. })
    ));
    assert!(MasterKey::from_hex(&"ab".repeat(32)).is_some());
    assert!(MasterKey::from_hex(&"ab".repeat(31)).is_none());
}

#[test]
fn it_works_on_a_real_disk() {
    let home = tempfile::tempdir().unwrap();
    let data = crate::journal::DataDir::open(&home.path().join("data")).unwrap();
    let directory = || Arc::new(data.directory("vault").unwrap());
    let options = VaultOptions::default();
    let (mut vault, _) = Vault::open(directory(), Arc::new(ring()), &options).unwrap();
    put(&mut vault, order(1), "request", "x").unwrap();
    put(&mut vault, order(2), "request", &large('a')).unwrap();
    erase(&mut vault, order(2)).unwrap();
    vault.compaction().unwrap().run().unwrap();
    put(&mut vault, order(3), "request", "y").unwrap();
    drop(vault);
    let (vault, report) = Vault::open(directory(), Arc::new(ring()), &options).unwrap();
    assert_eq!(
        (report.records, report.swept, report.damaged_count),
        (3, 0, 0)
    );
    assert_eq!(get(&vault, order(1), "request").unwrap(), "x");
    assert_eq!(get(&vault, order(2), "request"), None);
    assert_eq!(get(&vault, order(3), "request").unwrap(), "y");
    let files = std::fs::read_dir(data.path().join("vault")).unwrap();
    assert!(files.into_iter().all(|file| {
        !file
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .starts_with("sealed")
    }));
}
