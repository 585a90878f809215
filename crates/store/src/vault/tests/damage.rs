//! A damaged record is named, the others stay readable, and nothing wrong is read.

use super::*;

const FIELDS: [&str; 2] = ["request", "idv_link"];

fn sample() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    for number in 0..5 {
        for field in FIELDS {
            put(
                &mut vault,
                order(number),
                field,
                &format!("{field} of {number}"),
            )
            .unwrap();
        }
    }
    disk
}

/// How many values read back; all others must be errors, never `None` and never wrong.
fn readable(vault: &Vault) -> usize {
    let mut count = 0;
    for number in 0..5 {
        for field in FIELDS {
            match vault.reader().open(order(number), field) {
                Ok(Some(value)) => {
                    assert_eq!(*value, format!("{field} of {number}").into_bytes());
                    count += 1;
                }
                Ok(None) => panic!("{field} of {number} is said never to have been there"),
                Err(VaultError::Damaged { .. } | VaultError::Uncertain { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    count
}

#[test]
fn every_flipped_byte_costs_one_record_and_is_named() {
    let disk = sample();
    assert!(names(&disk).len() > 1);
    for name in names(&disk) {
        let bytes = disk.bytes(&name).unwrap();
        for at in 0..bytes.len() {
            for flip in [
                1,
                4,
                0x20,
                0x80,
                bytes[at],
                bytes[at] ^ b'\n',
                bytes[at] ^ b'"',
            ] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                if changed == bytes {
                    continue;
                }
                let copy = disk.copy();
                copy.put(&name, &changed);
                let (mut vault, report) = open(&copy).unwrap();
                assert_eq!(report.cut, None, "a changed byte is no torn tail");
                assert!((1..=2).contains(&report.damaged_count));
                let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
                let first = &report.damaged[0];
                assert_eq!((&first.file, first.record), (&name, line));
                // A second one when the newline between them is lost, or when the changed order is another
                // that exists, whose own record is then not believed either.
                assert!(readable(&vault) >= 8);
                put(&mut vault, order(77), "request", "later").unwrap();
                let vault = open(&copy).unwrap().0;
                assert_eq!(get(&vault, order(77), "request").unwrap(), "later");
            }
        }
    }
}

#[test]
fn every_truncation_of_the_last_file_is_cut() {
    let disk = sample();
    let name = names(&disk).pop().unwrap();
    let bytes = disk.bytes(&name).unwrap();
    for size in 0..bytes.len() {
        let copy = disk.copy();
        copy.put(&name, &bytes[..size]);
        let (mut vault, report) = open(&copy).unwrap();
        assert_eq!(report.damaged_count, 0);
        let whole = bytes[..size]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        assert_eq!(
            report.cut.as_ref().map_or(size as u64, |cut| cut.byte),
            whole as u64
        );
        put(&mut vault, order(1), "request", "again").unwrap();
        assert_eq!(
            get(&open(&copy).unwrap().0, order(1), "request").unwrap(),
            "again"
        );
    }
}

#[test]
fn an_older_value_is_not_served_for_a_damaged_newer_one() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    put(&mut vault, order(1), "request", "old").unwrap();
    put(&mut vault, order(1), "request", "new").unwrap();
    put(&mut vault, order(2), "request", "other").unwrap();
    let name = "vault-0000000001.jsonl";
    let bytes = disk.bytes(name).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // Anywhere behind the order and the field, which are what the record is known by.
    for at in second + 70..second + 200 {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        disk.put(name, &changed);
        let (vault, _) = open(&disk).unwrap();
        let error = vault.reader().open(order(1), "request").unwrap_err();
        assert!(
            matches!(error, VaultError::Damaged { record: 2, .. }),
            "{error}"
        );
        assert_eq!(get(&vault, order(2), "request").unwrap(), "other");
    }
}

#[test]
fn a_flipped_byte_in_a_sealed_file_is_found() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    put(&mut vault, order(1), "proof", &large('a')).unwrap();
    let name = names(&disk)
        .into_iter()
        .find(|name| name.starts_with("sealed-"))
        .unwrap();
    let bytes = disk.bytes(&name).unwrap();
    for at in (0..bytes.len()).step_by(997) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        disk.put(&name, &changed);
        let error = vault.reader().open(order(1), "proof").unwrap_err();
        assert!(
            matches!(&error, VaultError::Damaged { file, .. } if *file == name),
            "{error}"
        );
    }
}
