//! What is erased is gone from the directory, and everything else stays.

use std::thread;

use super::*;

/// What the records of the order hold, and the names of its sealed files, as they lie on the disk.
fn traces(disk: &SimulatedDisk, order: Uuid) -> Vec<Vec<u8>> {
    let mut traces = Vec::new();
    for name in names(disk).iter().filter(|name| name.starts_with("vault-")) {
        let text = String::from_utf8(disk.bytes(name).unwrap()).unwrap();
        for line in text
            .lines()
            .filter(|line| line.contains(&order.to_string()))
        {
            let value = |key: &str| line.split_once(key)?.1.split('"').next();
            let trace = value("\"sealed\":\"").or_else(|| value("\"file\":\""));
            traces.extend(trace.map(|trace| trace.as_bytes().to_vec()));
        }
    }
    traces
}

fn filled() -> (SimulatedDisk, Vault) {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    for number in 0..20 {
        put(
            &mut vault,
            order(number),
            "request",
            &format!("request of {number}"),
        )
        .unwrap();
        put(
            &mut vault,
            order(number),
            "idv_link",
            &format!("first link of {number}"),
        )
        .unwrap();
        put(
            &mut vault,
            order(number),
            "idv_link",
            &format!("second link of {number}"),
        )
        .unwrap();
    }
    for number in [3, 7] {
        put(&mut vault, order(number), "proof", &large('p')).unwrap();
    }
    (disk, vault)
}

fn check(vault: &Vault, erased: &[u128]) {
    for number in 0..20 {
        let alive = !erased.contains(&number);
        let expected = |text: &str| alive.then(|| format!("{text} of {number}"));
        assert_eq!(get(vault, order(number), "request"), expected("request"));
        assert_eq!(
            get(vault, order(number), "idv_link"),
            expected("second link")
        );
        assert_eq!(vault.reader().is_erased(order(number)).unwrap(), !alive);
        let proof = alive && [3, 7].contains(&number);
        assert_eq!(get(vault, order(number), "proof").is_some(), proof);
    }
}

#[test]
fn erased_records_are_gone_after_compaction() {
    let (disk, mut vault) = filled();
    let gone: Vec<_> = [3, 4, 19]
        .into_iter()
        .flat_map(|number| traces(&disk, order(number)))
        .collect();
    assert!(gone.len() >= 10 && gone.iter().all(|trace| holds(&disk, trace)));
    for number in [3, 4, 19] {
        erase(&mut vault, order(number)).unwrap();
    }
    check(&vault, &[3, 4, 19]);
    let done = vault.compaction().unwrap().run().unwrap();
    assert_eq!((done.sealed_files, done.skipped.len()), (1, 0));
    assert!(done.bytes.1 < done.bytes.0);
    check(&vault, &[3, 4, 19]);
    for trace in &gone {
        assert!(!holds(&disk, trace), "{}", String::from_utf8_lossy(trace));
    }
    assert_eq!(
        names(&disk)
            .iter()
            .filter(|name| name.starts_with("sealed-"))
            .count(),
        1
    );
    // Replaced values are gone too: per order two records, and the proof of the seventh.
    let (vault, report) = open(&disk).unwrap();
    assert_eq!((report.records, report.swept), (17 * 2 + 1 + 3, 0));
    check(&vault, &[3, 4, 19]);
}

#[test]
fn a_crash_before_the_old_files_are_removed_costs_nothing() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    put(&mut vault, order(3), "proof", &large('p')).unwrap();
    put(&mut vault, order(4), "proof", &large('q')).unwrap();
    for number in 0..30 {
        put(
            &mut vault,
            order(number % 20),
            "idv_link",
            &format!("link {number}"),
        )
        .unwrap();
    }
    erase(&mut vault, order(4)).unwrap();
    let old = disk.copy();
    vault.compaction().unwrap().run().unwrap();
    let removed: Vec<_> = names(&old)
        .into_iter()
        .filter(|name| disk.bytes(name).is_none())
        .collect();
    assert!(
        removed.contains(&"vault-0000000001.jsonl".into()),
        "{removed:?}"
    );
    for name in removed {
        disk.put(&name, &old.bytes(&name).unwrap());
    }
    // Records are there twice now, and what is erased is there again but does not count.
    let (mut vault, report) = open(&disk).unwrap();
    assert_eq!((report.damaged_count, report.swept), (0, 0));
    let done = vault.compaction().unwrap().run().unwrap();
    assert!(done.removed > 0);
    assert_eq!(done.sealed_files, 1, "of what is erased");
    let (vault, report) = open(&disk).unwrap();
    assert_eq!(report.swept, 0);
    assert_eq!(get(&vault, order(3), "proof").unwrap(), large('p'));
    assert_eq!(get(&vault, order(4), "proof"), None);
    assert_eq!(get(&vault, order(9), "idv_link").unwrap(), "link 29");
    assert_eq!(get(&vault, order(12), "idv_link").unwrap(), "link 12");
}

#[test]
fn an_erased_order_can_be_stored_again_and_erased_again() {
    let (disk, mut vault) = filled();
    erase(&mut vault, order(5)).unwrap();
    put(&mut vault, order(5), "late", "webhook").unwrap();
    vault.compaction().unwrap().run().unwrap();
    let mut vault = open(&disk).unwrap().0;
    assert_eq!(get(&vault, order(5), "late").unwrap(), "webhook");
    assert_eq!(get(&vault, order(5), "request"), None);
    erase(&mut vault, order(5)).unwrap();
    assert_eq!(get(&vault, order(5), "late"), None);
}

#[test]
fn compaction_repeats_and_only_one_runs() {
    let (_, mut vault) = filled();
    let first = vault.compaction().unwrap();
    assert!(matches!(vault.compaction(), Err(VaultError::Compacting)));
    assert!(first.run().unwrap().removed > 0);
    let second = vault.compaction().unwrap().run().unwrap();
    assert_eq!((second.removed, second.bytes.0), (0, second.bytes.1));
    check(&vault, &[]);
}

#[test]
fn reads_and_writes_go_on_beside_it() {
    let (disk, mut vault) = filled();
    for round in 0..5 {
        for number in 0..20 {
            put(
                &mut vault,
                order(number),
                "idv_link",
                &format!("second link of {number}"),
            )
            .unwrap();
        }
        let compaction = vault.compaction().unwrap();
        thread::scope(|scope| {
            let running = scope.spawn(|| compaction.run().unwrap());
            while !running.is_finished() {
                put(&mut vault, order(8), "idv_link", "second link of 8").unwrap();
                put(&mut vault, order(100 + round), "request", "new").unwrap();
                check(&vault, &[]);
            }
        });
        check(&vault, &[]);
    }
    check(&open(&disk).unwrap().0, &[]);
}

#[test]
fn damaged_files_are_left_and_named() {
    let (disk, mut vault) = filled();
    erase(&mut vault, order(0)).unwrap();
    let name = "vault-0000000001.jsonl";
    let mut bytes = disk.bytes(name).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    disk.put(name, &bytes);
    let (mut vault, report) = open(&disk).unwrap();
    assert_eq!(report.damaged_count, 1);
    let done = vault.compaction().unwrap().run().unwrap();
    assert_eq!(done.skipped, [name]);
    assert_eq!(disk.bytes(name).unwrap(), bytes);
    assert_eq!(get(&vault, order(12), "request").unwrap(), "request of 12");
}
