//! Readers see what is durable and nothing else, in order, from any place, beside the writer.

use std::thread;

use super::*;

#[test]
fn every_place_and_every_start_reads_the_same() {
    let (disk, truth) = sample();
    let (writer, _) = open(&disk, small_segments()).unwrap();
    let reader = writer.reader();
    for from in 0..=16_u64 {
        for limit in [0, 1, 3, 100] {
            let read = reader.read_from(from, limit).unwrap();
            let expected = truth
                .iter()
                .filter(|record| record.position >= from)
                .take(limit);
            assert!(
                read.iter().map(|r| r.hash).eq(expected.map(|r| r.hash)),
                "{from} {limit}"
            );
        }
    }
    for record in &truth {
        assert_eq!(reader.read_at(record.location).unwrap().hash, record.hash);
    }
    for place in [
        Location {
            segment: 1,
            offset: u32::MAX,
        },
        Location {
            segment: 99,
            offset: 0,
        },
    ] {
        assert!(matches!(
            reader.read_at(place),
            Err(JournalError::NoSuchPlace(_))
        ));
    }
}

#[test]
fn a_position_is_found_in_a_large_segment() {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, Options::default()).unwrap();
    let written = writer.write(&batches(1, &[1; 5000])).unwrap();
    writer.sync().unwrap();
    let reader = writer.reader();
    for position in (1..=5000).step_by(37) {
        let record = reader.read_from(position, 1).unwrap().remove(0);
        assert_eq!(
            (record.position, record.location),
            (position, written.locations[position as usize - 1])
        );
    }
    // Damage far away does not keep an event from being found, and reading over it names it.
    let name = names(&disk).remove(0);
    let mut bytes = disk.bytes(&name).unwrap();
    let victim = written.locations[2500];
    for at in 0..80 {
        bytes[victim.offset as usize + at] = b'#';
    }
    disk.put(&name, &bytes);
    let reader = Writer::open(Arc::new(disk), &Options::default()).map(|opened| opened.0.reader());
    assert!(matches!(
        reader,
        Err(JournalError::Damaged { line: 2501, .. })
    ));
}

#[test]
fn what_is_not_synced_is_not_read() {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, small_segments()).unwrap();
    let reader = writer.reader();
    let written = writer.write(&batches(1, &[2])).unwrap();
    assert!(reader.read_from(1, 10).unwrap().is_empty());
    assert!(matches!(
        reader.read_at(written.locations[0]),
        Err(JournalError::NoSuchPlace(_))
    ));
    writer.sync().unwrap();
    assert_eq!(reader.read_from(1, 10).unwrap().len(), 2);
}

#[test]
fn readers_follow_a_writer_on_a_real_disk() {
    let home = tempfile::tempdir().unwrap();
    let data = DataDir::open(&home.path().join("data")).unwrap();
    let disk = Arc::new(data.directory("journal").unwrap());
    let (mut writer, _) = Writer::open(
        disk,
        &Options {
            segment_bytes: 20_000,
            known: None,
        },
    )
    .unwrap();
    const EVENTS: u64 = 600;
    thread::scope(|scope| {
        for reader in [writer.reader(), writer.reader()] {
            scope.spawn(move || {
                let (mut next, mut prev) = (1, ChainHash::GENESIS);
                while next <= EVENTS {
                    for record in reader.read_from(next, 50).unwrap() {
                        assert_eq!((record.position, record.prev), (next, prev));
                        assert!(record.position <= reader.head().position);
                        assert_eq!(reader.read_at(record.location).unwrap().hash, record.hash);
                        (next, prev) = (next + 1, record.hash);
                    }
                    thread::yield_now();
                }
            });
        }
        for group in 0..EVENTS / 6 {
            writer.write(&batches(group * 6 + 1, &[1, 3, 2])).unwrap();
            writer.sync().unwrap();
        }
    });
    let copy = home.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(data.path().join("journal")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let (reader, report) = Reader::open(Arc::new(Directory::open(&copy).unwrap()), None).unwrap();
    assert_eq!(report.head, writer.head());
    assert_eq!(reader.verify_all().unwrap().head, writer.head());
}
