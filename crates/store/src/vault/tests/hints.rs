//! An open by hints knows what an open by reading knows, whatever became of the hints.

use super::super::hint::HINTED_FROM;
use super::super::index::Places;
use super::super::table::FieldHash;
use super::*;

const VALUE: usize = 24 << 10;

fn open_large(disk: &SimulatedDisk, keys: Keyring) -> (Vault, VaultReport) {
    let options = VaultOptions {
        file_bytes: HINTED_FROM,
    };
    Vault::open(Arc::new(disk.clone()), Arc::new(keys), &options).unwrap()
}

fn value(of: u128, text: &str) -> String {
    format!("{text} of {of} ").repeat(VALUE / (text.len() + 8))
}

fn hints(disk: &SimulatedDisk) -> Vec<String> {
    let mut names = names(disk);
    names.retain(|name| name.starts_with("hint-"));
    names
}

/// Some closed files, with replaced, erased and large values in them.
fn filled(disk: &SimulatedDisk) -> Vault {
    let (mut vault, _) = open_large(disk, ring());
    for number in 0..120 {
        put(
            &mut vault,
            order(number),
            "request",
            &value(number, "request"),
        )
        .unwrap();
        match number % 10 {
            3 => put(&mut vault, order(number - 2), "request", "another").unwrap(),
            5 => put(&mut vault, order(number), "proof", &large('p')).unwrap(),
            7 => erase(&mut vault, order(number - 1)).unwrap(),
            _ => {}
        }
    }
    vault
}

/// Each record's place, and how much of each file no longer counts.
fn known(vault: &Vault) -> Vec<String> {
    let shared = vault.shared();
    let mut known = Vec::new();
    for number in 0..120 {
        for field in ["request", "proof"].map(FieldHash::of) {
            let found = shared.locate(order(number), field).unwrap();
            let place = found.map(|(place, _)| place);
            known.push(format!("{number} {place:?}"));
        }
        let erased = number % 10 == 6;
        assert_eq!(vault.reader().is_erased(order(number)).unwrap(), erased);
        assert_eq!(vault.reader().holds(order(number)).unwrap(), !erased);
    }
    let files = shared.closed();
    let files = files.iter().map(|(number, file)| {
        let places = &file.places;
        format!("{number} {} {}", places.slots(), places.replaced())
    });
    known.extend(files);
    known
}

/// How many closed files are known by their hints alone.
fn hinted(vault: &Vault) -> usize {
    let closed = vault.shared().closed();
    let hinted = closed
        .values()
        .filter(|file| matches!(*file.places, Places::Hinted(_)));
    hinted.count()
}

fn check(disk: &SimulatedDisk, keys: &Keyring) -> VaultReport {
    let bare = disk.copy();
    hints(&bare)
        .iter()
        .for_each(|hint| bare.remove(hint).unwrap());
    let (by_reading, expected) = open_large(&bare, keys.clone());
    // As many large values are swept either way.
    let (vault, report) = open_large(disk, keys.clone());
    assert_eq!(report, expected);
    assert_eq!(known(&vault), known(&by_reading));
    let recent = |vault: &Vault| vault.recent().unwrap();
    assert_eq!(recent(&vault), recent(&by_reading));
    for number in [0, 11, 46, 75] {
        let expected = match number % 10 {
            6 => None,
            1 => Some("another".to_owned()),
            _ => Some(value(number, "request")),
        };
        assert_eq!(get(&vault, order(number), "request"), expected, "{number}");
    }
    assert_eq!(get(&vault, order(75), "proof"), Some(large('p')));
    report
}

#[test]
fn an_open_by_hints_knows_the_same_and_reads_no_closed_file() {
    let disk = SimulatedDisk::new();
    drop(filled(&disk));
    let hinted = hints(&disk);
    assert!(hinted.len() >= 3, "{hinted:?}");
    let report = check(&disk, &ring());
    assert_eq!((report.damaged_count, report.swept), (0, 0));
    // What is damaged in a closed file is not read, and found when it is.
    let name = "vault-0000000001.jsonl";
    let mut bytes = disk.bytes(name).unwrap();
    bytes[600] ^= 1;
    disk.put(name, &bytes);
    let (vault, report) = open_large(&disk, ring());
    assert_eq!(report.damaged_count, 0, "the file was not read");
    let error = vault.reader().open(order(0), "request").unwrap_err();
    assert!(
        matches!(error, VaultError::Damaged { byte: 0, .. }),
        "{error}"
    );
    let others = (2..120).filter(|number| number % 10 != 6);
    others.for_each(|number| assert!(get(&vault, order(number), "request").is_some()));
    drop(vault);
    // Without its hint it is, and then it gets none.
    disk.remove("hint-0000000001").unwrap();
    for _ in 0..2 {
        let (_, report) = open_large(&disk, ring());
        assert_eq!(report.damaged_count, 1);
    }
}

#[test]
fn a_hint_that_is_not_sound_costs_a_read_and_nothing_else() {
    let disk = SimulatedDisk::new();
    drop(filled(&disk));
    let all = hints(&disk);
    let whole = disk.bytes(&all[0]).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 5) {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        for bytes in [&changed[..], &whole[..at], &disk.bytes(&all[1]).unwrap()] {
            let disk = disk.copy();
            disk.put(&all[0], bytes);
            check(&disk, &ring());
            // What was not sound is gone, at once or when somebody came upon it.
            let (vault, _) = open_large(&disk, ring());
            assert_eq!(hinted(&vault), all.len());
            assert!(disk.bytes(&all[0]).unwrap() == whole, "it is made anew");
        }
    }
    // A copy from before a compaction put back, or one of another file, is not what the hint is of.
    let stray = "hint-0000000099";
    disk.put(stray, &whole);
    check(&disk, &ring());
    assert!(!hints(&disk).contains(&stray.to_owned()));
    let before = disk.bytes("vault-0000000001.jsonl").unwrap();
    let (mut vault, _) = open_large(&disk, ring());
    vault.compaction().unwrap().run().unwrap();
    drop(vault);
    check(&disk, &ring());
    disk.put("vault-0000000001.jsonl", &before);
    check(&disk, &ring());
}

#[test]
fn hints_follow_compaction_and_a_change_of_keys() {
    let disk = SimulatedDisk::new();
    let mut vault = filled(&disk);
    let done = vault.compaction().unwrap().run().unwrap();
    assert!(done.removed > 0);
    drop(vault);
    check(&disk, &ring());
    let both = Keyring::new("k2", key(2)).with_old("k1", key(1));
    let (mut vault, _) = open_large(&disk, both.clone());
    vault.rekeying().unwrap().run().unwrap();
    drop(vault);
    assert!(!hints(&disk).is_empty());
    let report = check(&disk, &Keyring::new("k2", key(2)));
    assert_eq!(report.damaged_count, 0);
    // A hint names the records that prove a key.
    let wrong = Vault::open(
        Arc::new(disk.clone()),
        Arc::new(Keyring::new("k2", key(3))),
        &VaultOptions::default(),
    );
    assert!(
        matches!(wrong, Err(VaultError::WrongKey { .. })),
        "{wrong:?}"
    );
}

#[test]
fn a_power_cut_at_any_time_leaves_hints_that_are_right_or_none() {
    let disk = SimulatedDisk::new();
    let mut vault = filled(&disk);
    for seed in 0..5 {
        check(&disk.power_cut(seed), &ring());
    }
    vault.compaction().unwrap().run().unwrap();
    for seed in 0..5 {
        check(&disk.power_cut(seed), &ring());
    }
}

#[test]
fn what_a_hint_says_is_not_kept_in_memory() {
    let disk = SimulatedDisk::new();
    let vault = filled(&disk);
    let closed = hints(&disk).len();
    assert_eq!(
        (hinted(&vault), vault.shared().closed().len()),
        (closed, closed)
    );
    drop(vault);
    let (mut vault, _) = open_large(&disk, ring());
    assert_eq!(hinted(&vault), closed);
    // Nor what a compaction wrote.
    vault.compaction().unwrap().run().unwrap();
    assert_eq!(hinted(&vault), hints(&disk).len());
}

#[test]
fn a_hint_that_goes_bad_under_an_open_vault_misleads_nobody() {
    let disk = SimulatedDisk::new();
    let expected = known(&filled(&disk));
    for hint in hints(&disk) {
        let whole = disk.bytes(&hint).unwrap();
        for damage in [Damage::Flipped, Damage::Short, Damage::Gone] {
            let disk = disk.copy();
            let (vault, _) = open_large(&disk, ring());
            let closed = hinted(&vault);
            match damage {
                Damage::Flipped => {
                    let mut changed = whole.clone();
                    changed[40] ^= 1;
                    disk.put(&hint, &changed);
                }
                Damage::Short => disk.put(&hint, &whole[..100]),
                Damage::Gone => disk.remove(&hint).unwrap(),
            }
            assert!(known(&vault) == expected, "{hint}");
            assert_eq!(hinted(&vault), closed - 1);
            drop(vault);
            // A compaction asks it, too.
            let (mut vault, _) = open_large(&disk, ring());
            assert_eq!(hinted(&vault), closed);
            disk.put(&hint, &whole[..100]);
            assert!(vault.compaction().unwrap().run().unwrap().removed > 0);
            assert_eq!(get(&vault, order(11), "request").unwrap(), "another");
        }
    }
}

enum Damage {
    Flipped,
    Short,
    Gone,
}
