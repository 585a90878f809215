//! Every call fails once, in every way, also while compacting; what was made durable stays.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::journal::SimulatedFault;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What must be in the vault; `None` means erased. Steps that failed leave both answers open.
#[derive(Default)]
struct Truth {
    sure: BTreeMap<(Uuid, &'static str), Option<String>>,
    unsure: Vec<(Uuid, &'static str, Option<String>)>,
    errors: Vec<VaultError>,
}

fn run(disk: &SimulatedDisk) -> Truth {
    let mut truth = Truth::default();
    let mut vault = match open(disk) {
        Ok((vault, _)) => vault,
        Err(error) => {
            truth.errors.push(error);
            return truth;
        }
    };
    for round in 0..6 {
        let text = if round == 2 {
            large('z')
        } else {
            format!("value {round}")
        };
        for (order, field) in [(order(round), "request"), (order(1), "idv_link")] {
            let done = put(&mut vault, order, field, &text);
            truth.note(order, field, Some(text.clone()), done);
        }
        if round % 2 == 1 {
            let gone = order(round - 1);
            let done = erase(&mut vault, gone);
            truth.note(gone, "request", None, done);
        }
        if round % 3 == 2
            && let Err(error) = vault.compaction().and_then(Compaction::run)
        {
            truth.errors.push(error);
        }
    }
    truth
}

impl Truth {
    fn note(
        &mut self,
        order: Uuid,
        field: &'static str,
        value: Option<String>,
        done: Result<(), VaultError>,
    ) {
        match done {
            Ok(()) => {
                self.sure.insert((order, field), value);
            }
            Err(error) => {
                self.unsure.push((order, field, value));
                self.errors.push(error);
            }
        }
    }

    fn check(&self, disk: &SimulatedDisk) {
        let (mut vault, report) = open(disk).unwrap();
        assert_eq!(report.damaged_count, 0);
        for ((order, field), value) in &self.sure {
            let found = get(&vault, *order, field);
            let attempted = self
                .unsure
                .iter()
                .any(|(o, f, v)| (o, f) == (order, field) && *v == found);
            assert!(found == *value || attempted, "{order} {field}");
        }
        put(&mut vault, order(50), "request", "after").unwrap();
        vault.compaction().unwrap().run().unwrap();
        let (vault, report) = open(disk).unwrap();
        assert_eq!((report.damaged_count, report.swept), (0, 0));
        for ((order, field), value) in &self.sure {
            let found = get(&vault, *order, field);
            let attempted = self
                .unsure
                .iter()
                .any(|(o, f, v)| (o, f) == (order, field) && *v == found);
            assert!(found == *value || attempted, "{order} {field}");
        }
    }
}

/// Looks at what may be left. Where nothing was under way, every power cut leaves the same, which is looked at once.
fn check_each(truth: &Truth, left: impl Iterator<Item = SimulatedDisk>) {
    let mut seen = BTreeSet::new();
    for disk in left {
        let files = names(&disk).into_iter();
        let files: BTreeMap<_, _> = files
            .map(|name| (disk.bytes(&name), name))
            .map(|(bytes, name)| (name, bytes))
            .collect();
        if seen.insert(files) {
            truth.check(&disk);
        }
    }
}

#[test]
fn every_call_fails_once() {
    let clean = SimulatedDisk::new();
    assert!(run(&clean).errors.is_empty());
    let calls = clean.calls();
    let faults = [
        SimulatedFault::Errno(EIO),
        SimulatedFault::ShortErrno(EIO),
        SimulatedFault::ShortErrno(ENOSPC),
        SimulatedFault::Short,
    ];
    for fault in faults {
        for call in 0..calls {
            let disk = SimulatedDisk::new();
            disk.arm(call, fault);
            let truth = run(&disk);
            match truth.errors.first() {
                None | Some(VaultError::Full { .. }) => assert!(truth.errors.len() <= 1),
                // A failed read fails that call; a failed write every later one.
                Some(VaultError::Io { .. }) => {
                    assert!(
                        truth.errors[1..]
                            .iter()
                            .all(|error| matches!(error, VaultError::Poisoned))
                    );
                }
                Some(error) => panic!("{fault:?} at {call}: {error}"),
            }
            check_each(
                &truth,
                (0..4).map(|seed| disk.power_cut(seed)).chain([disk.copy()]),
            );
        }
    }
}

#[test]
fn the_power_goes_at_every_call() {
    let clean = SimulatedDisk::new();
    run(&clean);
    for call in 0..clean.calls() {
        let disk = SimulatedDisk::new();
        for later in call..clean.calls() + 200 {
            disk.arm(later, SimulatedFault::Errno(EIO));
        }
        let truth = run(&disk);
        check_each(&truth, (0..8).map(|seed| disk.power_cut(seed)));
    }
}

#[test]
fn a_full_disk_is_refused_whole_and_recovers() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    put(&mut vault, order(1), "request", "first").unwrap();
    let size = disk.bytes("vault-0000000001.jsonl").unwrap().len() as u64;
    for room in 0..200 {
        disk.set_capacity(Some(size + room));
        assert!(matches!(
            put(&mut vault, order(2), "request", "x"),
            Err(VaultError::Full { .. })
        ));
        assert!(matches!(
            put(&mut vault, order(2), "proof", &large('x')),
            Err(VaultError::Full { .. })
        ));
        assert_eq!(names(&disk).len(), 1);
        assert_eq!(get(&vault, order(1), "request").unwrap(), "first");
    }
    disk.set_capacity(None);
    put(&mut vault, order(2), "request", "second").unwrap();
    assert_eq!(get(&vault, order(2), "request").unwrap(), "second");
}

#[test]
fn large_values_nobody_refers_to_are_swept() {
    let disk = SimulatedDisk::new();
    let (mut vault, _) = open(&disk).unwrap();
    put(&mut vault, order(1), "proof", &large('a')).unwrap();
    drop(
        vault
            .sealer()
            .seal(order(2), "proof", large('b').as_bytes())
            .unwrap(),
    );
    assert_eq!(names(&disk).len(), 3);
    let (vault, report) = open(&disk).unwrap();
    assert_eq!((report.swept, names(&disk).len()), (1, 2));
    assert!(get(&vault, order(1), "proof").is_some());
}
