//! Every call fails once, in every way: acknowledged events survive, and nothing is acknowledged after.

use super::*;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What became of some groups of appends.
struct Run {
    acknowledged: Head,
    errors: Vec<JournalError>,
}

fn run(disk: &SimulatedDisk) -> Run {
    let mut run = Run {
        acknowledged: Head::EMPTY,
        errors: vec![],
    };
    let mut writer = match open(disk, small_segments()) {
        Ok((writer, _)) => writer,
        Err(error) => {
            run.errors.push(error);
            return run;
        }
    };
    for group in 0..10_u64 {
        let mut step = || {
            let written = writer.write(&batches(group * 5 + 1, &[2, 1, 2]))?;
            Ok::<_, JournalError>((written, writer.sync()?))
        };
        match step() {
            Ok((written, head)) => {
                assert_eq!(written.head, head);
                run.acknowledged = head;
            }
            Err(error) => run.errors.push(error),
        }
        assert_eq!(writer.head(), run.acknowledged);
        // Readers stay at what was acknowledged, whatever became of the writer.
        assert_eq!(writer.reader().head(), run.acknowledged);
    }
    run
}

/// After whatever happened, the disk opens and holds every acknowledged event.
fn check_survivors(disk: &SimulatedDisk, run: &Run) {
    // The chain binds all events to the last acknowledged one, so finding that one finds all.
    let known = Some(run.acknowledged).filter(|head| head.position > 0);
    let (mut writer, report) = open(
        disk,
        Options {
            known,
            ..small_segments()
        },
    )
    .unwrap();
    let verified = writer.reader().verify_all().unwrap();
    assert_eq!(verified.head, report.head);
    assert!(report.head.position >= run.acknowledged.position);
    writer.write(&batches(1, &[2])).unwrap();
    assert_eq!(writer.sync().unwrap().position, report.head.position + 2);
}

#[test]
fn every_call_fails_once() {
    let clean = SimulatedDisk::new();
    assert!(run(&clean).errors.is_empty());
    let calls = clean.calls();
    assert!(calls > 50);
    let faults = [
        SimulatedFault::Errno(EIO),
        SimulatedFault::ShortErrno(EIO),
        SimulatedFault::Errno(ENOSPC),
        SimulatedFault::ShortErrno(ENOSPC),
        SimulatedFault::Short,
    ];
    for fault in faults {
        for call in 0..calls {
            let disk = SimulatedDisk::new();
            disk.arm(call, fault);
            let run = run(&disk);
            match run.errors.first() {
                None => assert!(run.acknowledged.position == 50),
                // Room came back: nothing but the refused group is missing.
                Some(JournalError::Full { .. }) => {
                    assert_eq!(run.errors.len(), 1);
                    assert_eq!(run.acknowledged.position, 45);
                }
                Some(JournalError::Io { .. }) => {
                    assert!(
                        run.errors[1..]
                            .iter()
                            .all(|error| matches!(error, JournalError::Poisoned))
                    );
                }
                Some(error) => panic!("{fault:?} at {call}: {error}"),
            }
            check_survivors(&disk.copy(), &run);
            for seed in 0..12 {
                check_survivors(&disk.power_cut(seed), &run);
            }
            check_survivors(&disk, &run);
        }
    }
}

#[test]
fn the_power_goes_at_every_call() {
    let clean = SimulatedDisk::new();
    run(&clean);
    for call in 0..clean.calls() {
        let disk = SimulatedDisk::new();
        // From this call on nothing reaches the disk any more.
        for later in call..clean.calls() + 50 {
            disk.arm(later, SimulatedFault::Errno(EIO));
        }
        let mut before = Run {
            acknowledged: Head::EMPTY,
            errors: vec![],
        };
        if let Ok((mut writer, _)) = open(&disk, small_segments()) {
            for group in 0..10_u64 {
                let written = writer.write(&batches(group * 5 + 1, &[2, 1, 2]));
                let Ok(head) = written.and_then(|_| writer.sync()) else {
                    break;
                };
                before.acknowledged = head;
            }
        }
        for seed in 0..20 {
            check_survivors(&disk.power_cut(seed), &before);
        }
    }
}

#[test]
fn a_full_disk_is_refused_whole_and_recovers() {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, Options::default()).unwrap();
    writer.write(&batches(1, &[3])).unwrap();
    let durable = writer.sync().unwrap();
    let name = names(&disk).remove(0);
    let size = disk.bytes(&name).unwrap().len() as u64;
    for room in 0..900 {
        disk.set_capacity(Some(size + room));
        match writer.write(&batches(4, &[3])) {
            Err(JournalError::Full { durable: at, .. }) => assert_eq!(at, durable),
            other => panic!("{room}: {other:?}"),
        }
        assert_eq!(disk.bytes(&name).unwrap().len() as u64, size);
        assert_eq!(writer.reader().read_from(1, 9).unwrap().len(), 3);
        assert!(!writer.is_poisoned());
    }
    disk.set_capacity(None);
    assert_eq!(writer.write(&batches(4, &[3])).unwrap().first, 4);
    writer.sync().unwrap();
    writer.reader().verify_all().unwrap();
}

#[test]
fn a_failed_sync_is_never_repeated_and_only_the_device_is_believed() {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, Options::default()).unwrap();
    writer.write(&batches(1, &[1])).unwrap();
    let acknowledged = writer.sync().unwrap();
    writer.write(&batches(2, &[1])).unwrap();
    disk.arm(disk.calls(), SimulatedFault::Errno(EIO));
    assert!(matches!(
        writer.sync(),
        Err(JournalError::Io { action: "sync", .. })
    ));
    let calls = disk.calls();
    assert!(matches!(writer.sync(), Err(JournalError::Poisoned)));
    assert!(matches!(
        writer.write(&batches(2, &[1])),
        Err(JournalError::Poisoned)
    ));
    assert!(writer.is_poisoned());
    assert_eq!(disk.calls(), calls, "a stopped writer touches nothing");
    // The cache still shows the second event, the device does not have it.
    assert_eq!(
        open(&disk, Options::default()).unwrap().1.head,
        acknowledged
    );
}
