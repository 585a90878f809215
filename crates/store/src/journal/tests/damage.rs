//! No changed byte is read as truth, none makes it panic, and none is taken for a torn tail.

use super::super::hash::seal_line;
use super::*;

/// Everything a reader can be asked, on a disk somebody changed: sound events or an error.
fn probe(disk: &SimulatedDisk, truth: &[Record], moved: bool) -> (usize, Option<JournalError>) {
    let (reader, report) = match Reader::open(Arc::new(disk.clone()), None) {
        Ok(opened) => opened,
        Err(error) => return (0, Some(error)),
    };
    assert_eq!(report.cut, None, "a changed byte is no torn tail");
    for record in truth {
        if let Ok(read) = reader.read_at(record.location) {
            // Another event may have been put at the place; it then says which one it is.
            let named = &truth[read.position as usize - 1];
            assert_eq!((read.hash, read.body.get()), (named.hash, named.body.get()));
            assert!(read.position == record.position || moved);
        }
        if record.position % 4 == 1
            && let Ok(read) = reader.read_from(record.position, 3)
        {
            assert!(
                read.iter()
                    .zip(&truth[record.position as usize - 1..])
                    .all(|(a, b)| a.hash == b.hash)
            );
        }
    }
    let (count, error) = readable(&reader, truth);
    assert_eq!(error.is_some(), reader.verify_all().is_err());
    (count, error)
}

#[test]
fn every_flipped_byte_is_found() {
    let (disk, truth) = sample();
    assert!(names(&disk).len() >= 3);
    for name in names(&disk) {
        let bytes = disk.bytes(&name).unwrap();
        for at in 0..bytes.len() {
            let flips = (0..8).map(|bit| bytes[at] ^ (1 << bit)).chain([0, b'\n']);
            for flip in flips.filter(|flip| *flip != bytes[at]) {
                let mut changed = bytes.clone();
                changed[at] = flip;
                let copy = disk.copy();
                copy.put(&name, &changed);
                let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
                let (_, error) = probe(&copy, &truth, false);
                match error {
                    Some(JournalError::Damaged {
                        file,
                        line: found,
                        byte,
                        ..
                    }) => {
                        // A line broken in two is bad in its first or in its second half.
                        let halves = u64::from(flip == b'\n');
                        assert!(
                            file == name && (line..=line + halves).contains(&found),
                            "byte {at} as {flip}"
                        );
                        assert!(byte <= at as u64 + halves);
                    }
                    other => panic!("{name} byte {at} as {flip}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn every_truncation_of_the_last_segment_is_cut_to_a_whole_batch() {
    let (disk, truth) = sample();
    let name = names(&disk).pop().unwrap();
    let bytes = disk.bytes(&name).unwrap();
    let first = name[8..28].parse::<u64>().unwrap();
    for size in 0..bytes.len() {
        let copy = disk.copy();
        copy.put(&name, &bytes[..size]);
        let (mut writer, report) = open(&copy, small_segments()).unwrap();
        let (count, error) = readable(&writer.reader(), &truth);
        assert!(error.is_none());
        assert_eq!(count as u64, report.head.position);
        assert!(report.head.position >= first - 1);
        // The head is the end of a batch, and nothing whole was given up.
        let end =
            |record: &&Record| record.part == record.parts && record.location.segment == first;
        let mut whole = truth.iter().filter(end).filter(|record| {
            let next = truth.get(record.position as usize);
            next.map_or(bytes.len(), |next| next.location.offset as usize) <= size
        });
        assert_eq!(
            report.head.position,
            whole
                .next_back()
                .map_or(first - 1, |record| record.position)
        );
        let kept = report.cut.as_ref().map_or(size as u64, |cut| cut.byte);
        assert_eq!(copy.bytes(&name).unwrap().len() as u64, kept);
        // It goes on from there, and a second open has nothing to cut.
        writer.write(&batches(100, &[2])).unwrap();
        writer.sync().unwrap();
        let (writer, again) = open(&copy, small_segments()).unwrap();
        assert_eq!(
            (again.cut, again.head.position),
            (None, report.head.position + 2)
        );
        writer.reader().verify_all().unwrap();
    }
}

#[test]
fn every_truncation_of_a_closed_segment_is_refused() {
    let (disk, truth) = sample();
    let mut names = names(&disk);
    names.pop();
    for name in names {
        let bytes = disk.bytes(&name).unwrap();
        for size in 0..bytes.len() {
            let copy = disk.copy();
            copy.put(&name, &bytes[..size]);
            assert!(
                open(&copy, small_segments()).is_err(),
                "{name} cut to {size}"
            );
            assert!(probe(&copy, &truth, false).1.is_some());
        }
    }
}

#[test]
fn a_line_moved_repeated_or_left_out_is_refused() {
    let (disk, truth) = sample();
    for name in names(&disk) {
        let text = String::from_utf8(disk.bytes(&name).unwrap()).unwrap();
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let mut games: Vec<String> = Vec::new();
        for at in 0..lines.len() {
            let without: String = [&lines[..at], &lines[at + 1..]].concat().concat();
            // What is left out at the very end of the log is another log: only a known head tells.
            if at + 1 < lines.len() {
                games.push(without);
                let mut swapped = lines.clone();
                swapped.swap(at, at + 1);
                games.push(swapped.concat());
            }
            games.push([&lines[..=at], &lines[at..]].concat().concat());
        }
        for game in games {
            let copy = disk.copy();
            copy.put(&name, game.as_bytes());
            assert!(probe(&copy, &truth, true).1.is_some());
        }
    }
}

/// Position, part and parts.
type Claim = (u64, u32, u32);

/// Writes events as the writer does, but with places the writer would never give.
fn forged(places: &[Claim]) -> SimulatedDisk {
    let (mut bytes, mut prev) = (Vec::new(), ChainHash::GENESIS);
    for &(position, part, parts) in places {
        let place = super::super::line::Place {
            position,
            prev,
            barrier: true,
            part,
            parts,
        };
        prev = super::super::line::encode(&entry(position), place, &mut bytes).unwrap();
    }
    let disk = SimulatedDisk::new();
    disk.put("journal-00000000000000000001.jsonl", &bytes);
    disk
}

#[test]
fn sound_lines_in_a_wrong_order_are_refused() {
    let cases: [(&[Claim], Option<Damage>); 8] = [
        (&[(1, 1, 1), (2, 1, 2), (3, 2, 2), (4, 1, 1)], None),
        (
            &[(1, 1, 1), (3, 1, 1)],
            Some(Damage::Position {
                expected: 2,
                found: 3,
            }),
        ),
        (
            &[(1, 1, 1), (1, 1, 1)],
            Some(Damage::Position {
                expected: 2,
                found: 1,
            }),
        ),
        (&[(1, 1, 2), (2, 1, 1)], Some(Damage::Batch)),
        (&[(1, 1, 3), (2, 3, 3)], Some(Damage::Batch)),
        (&[(1, 1, 3), (2, 2, 2)], Some(Damage::Batch)),
        (&[(1, 2, 2)], Some(Damage::Batch)),
        (&[(1, 3, 2)], Some(Damage::Shape)),
    ];
    for (places, expected) in cases {
        match (open(&forged(places), Options::default()), expected) {
            (Ok((_, report)), None) => assert_eq!(report.head.position, 4),
            (Err(JournalError::Damaged { damage, .. }), Some(expected)) => {
                assert_eq!(damage, expected)
            }
            (other, _) => panic!("{places:?}: {other:?}"),
        }
    }
}

#[test]
fn a_changed_line_with_a_new_hash_breaks_the_chain_behind_it() {
    let (disk, truth) = sample();
    for name in names(&disk) {
        let text = String::from_utf8(disk.bytes(&name).unwrap()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for changed in 0..lines.len() {
            let mut bytes = Vec::new();
            for (index, line) in lines.iter().enumerate() {
                let from = bytes.len();
                if index == changed {
                    let covered = &line[..line.rfind(",\"hash\"").unwrap()];
                    bytes.extend_from_slice(
                        covered
                            .replace("order_requested", "order_Requested")
                            .as_bytes(),
                    );
                    seal_line(&mut bytes, from);
                } else {
                    bytes.extend_from_slice(line.as_bytes());
                    bytes.push(b'\n');
                }
            }
            let copy = disk.copy();
            copy.put(&name, &bytes);
            let known = truth.last().map(|last| Head {
                position: last.position,
                hash: last.hash,
            });
            // Behind the last line of all there is no other; a known head takes its part.
            let refused = match Reader::open(Arc::new(copy), known) {
                Ok((reader, _)) => reader.verify_all().map(|_| ()),
                Err(error) => Err(error),
            };
            match refused {
                Err(
                    JournalError::Damaged {
                        damage: Damage::Chain,
                        ..
                    }
                    | JournalError::Diverged { .. },
                ) => {}
                other => panic!("{name} line {changed}: {other:?}"),
            }
        }
    }
}

#[test]
fn errors_name_the_place() {
    let (disk, truth) = sample();
    let victim = &truth[4];
    let name = format!("journal-{:020}.jsonl", victim.location.segment);
    let mut bytes = disk.bytes(&name).unwrap();
    bytes[victim.location.offset as usize + 20] ^= 1;
    disk.put(&name, &bytes);
    let (reader, _) = Reader::open(Arc::new(disk), None).unwrap();
    let error = reader.read_at(victim.location).unwrap_err();
    let line = victim.position - victim.location.segment + 1;
    assert_eq!(
        error.to_string(),
        format!(
            "journal damaged at {name} line {line}, byte {}: its bytes do not match its hash; restore this file from a copy",
            victim.location.offset
        )
    );
    // The events around it stay readable.
    assert!(reader.read_at(truth[3].location).is_ok());
    assert!(reader.read_at(truth[5].location).is_ok());
    let inside = Location {
        offset: truth[1].location.offset + 1,
        ..truth[1].location
    };
    assert!(matches!(
        reader.read_at(inside),
        Err(JournalError::NoSuchPlace(_))
    ));
}
