//! Files that are missing, extra, renamed, emptied, or older than they should be.

use super::*;

fn refused(disk: &SimulatedDisk) -> JournalError {
    let error = open(disk, small_segments()).unwrap_err();
    assert!(Reader::open(Arc::new(disk.clone()), None).is_err());
    error
}

#[test]
fn segments_roll_at_batch_boundaries_and_reopen() {
    let (disk, truth) = sample();
    for record in &truth {
        if record.location.offset == 0 {
            assert_eq!((record.part, record.position), (1, record.location.segment));
        }
    }
    let (mut writer, report) = open(&disk, small_segments()).unwrap();
    assert_eq!(
        (report.head.position, report.cut, report.segments),
        (14, None, names(&disk).len())
    );
    assert_eq!(writer.write(&batches(15, &[1])).unwrap().first, 15);
    writer.sync().unwrap();
    assert_eq!(writer.reader().verify_all().unwrap().head.position, 15);
}

#[test]
fn a_missing_segment_is_named_by_its_events() {
    let (disk, truth) = sample();
    let names = names(&disk);
    let first = |index: usize| names[index][8..28].parse::<u64>().unwrap();
    for (index, name) in names.iter().enumerate().take(names.len() - 1) {
        let copy = disk.copy();
        copy.remove(name).unwrap();
        match refused(&copy) {
            JournalError::Missing { from, to } => {
                assert_eq!((from, to), (first(index), first(index + 1) - 1))
            }
            error => panic!("{error}"),
        }
    }
    // Without the last one the log is a shorter log; only a head known from elsewhere tells.
    let copy = disk.copy();
    copy.remove(names.last().unwrap()).unwrap();
    assert!(open(&copy, small_segments()).is_ok());
    let known = Some(Head {
        position: 14,
        hash: truth[13].hash,
    });
    let error = open(
        &copy,
        Options {
            known,
            ..small_segments()
        },
    )
    .unwrap_err();
    assert!(
        matches!(error, JournalError::RolledBack { known: 14, .. }),
        "{error}"
    );
}

#[test]
fn extra_renamed_and_emptied_segments_are_refused() {
    let (disk, _) = sample();
    let names = names(&disk);
    let bytes = |index: usize| disk.bytes(&names[index]).unwrap();

    let copy = disk.copy();
    copy.put("journal-00000000000000000002.jsonl", &bytes(0));
    assert!(matches!(
        refused(&copy),
        JournalError::Foreign { .. } | JournalError::Missing { .. } | JournalError::Damaged { .. }
    ));

    let copy = disk.copy();
    copy.put("journal-00000000000000000099.jsonl", &bytes(1));
    assert!(matches!(
        refused(&copy),
        JournalError::Missing { .. } | JournalError::Damaged { .. }
    ));

    for name in [
        "journal-1.jsonl",
        "journal-00000000000000000000.jsonl",
        "journal-x.jsonl",
        "journal-00000000000000000001.jsonl.old",
    ] {
        let copy = disk.copy();
        copy.put(name, &bytes(0));
        assert!(
            matches!(refused(&copy), JournalError::Foreign { .. }),
            "{name}"
        );
    }
    for (index, name) in names.iter().enumerate().take(names.len() - 1) {
        let copy = disk.copy();
        copy.put(name, b"");
        assert!(matches!(
            refused(&copy),
            JournalError::Damaged {
                damage: Damage::Empty,
                ..
            }
        ));

        let copy = disk.copy();
        copy.rename(name, "journal-00000000000000000050.jsonl")
            .unwrap();
        refused(&copy);

        let copy = disk.copy();
        copy.put(name, &bytes(index + 1));
        refused(&copy);
    }
    // Files of others are left alone.
    disk.put("README", b"hello");
    assert!(open(&disk, small_segments()).is_ok());
}

#[test]
fn a_known_head_must_be_in_the_log() {
    let (disk, truth) = sample();
    for record in &truth {
        let known = Some(Head {
            position: record.position,
            hash: record.hash,
        });
        let (_, report) = open(
            &disk,
            Options {
                known,
                ..small_segments()
            },
        )
        .unwrap();
        assert!(report.verified_after < record.position);
        let known = Some(Head {
            position: record.position,
            hash: ChainHash::GENESIS,
        });
        match open(
            &disk,
            Options {
                known,
                ..small_segments()
            },
        ) {
            Err(JournalError::Diverged { position }) => assert_eq!(position, record.position),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn opening_reads_little_of_closed_segments() {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(
        &disk,
        Options {
            segment_bytes: 200_000,
            known: None,
        },
    )
    .unwrap();
    for group in 0..40 {
        writer.write(&batches(group * 100 + 1, &[1; 100])).unwrap();
        writer.sync().unwrap();
    }
    let all = names(&disk).len() as u64;
    assert!(all > 5);
    let before = disk.calls();
    let (writer, report) = open(&disk, Options::default()).unwrap();
    // Per closed segment: open, size, the first line, the last line, each a read and its end.
    assert!(
        disk.calls() - before < all * 8 + 20,
        "{}",
        disk.calls() - before
    );
    assert!(report.verified_after > 3000);
    assert_eq!(writer.reader().verify_all().unwrap().bytes, report.bytes);
}
