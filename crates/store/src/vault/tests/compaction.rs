//! What is erased is gone from the directory, and everything else stays.

use std::thread;

use super::*;

/// The bytes of every record of the order, and its sealed files, as they lie on the disk.
fn traces(disk: &SimulatedDisk, order: Uuid) -> Vec<Vec<u8>> {
    let mut traces = Vec::new();
    for name in names(disk)
        .into_iter()
        .filter(|name| name.starts_with("vault-"))
    {
        let text = String::from_utf8(disk.bytes(&name).unwrap()).unwrap();
        let of_order = text
            .lines()
            .filter(|line| line.contains(&order.to_string()));
        for line in of_order.filter(|line| !line.contains("erased")) {
            traces.push(
                line.split('"')
                    .find(|part| part.len() > 30 && !part.contains('-'))
                    .map_or_else(
                        || {
                            line.split("\"file\":\"").nth(1).unwrap()[..39]
                                .as_bytes()
                                .to_vec()
                        },
                        |sealed| sealed.as_bytes().to_vec(),
                    ),
            );
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
        assert_eq!(vault.reader().is_erased(order(number)), !alive);
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
    assert!(
        gone.len() >= 10
            && gone
                .iter()
                .all(|trace| holds(&disk, trace) || trace.starts_with(b"sealed"))
    );
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
