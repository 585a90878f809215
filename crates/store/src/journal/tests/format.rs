//! The bytes are what `docs/journal.md` says.

use sha2::{Digest as _, Sha256};

use super::super::hash::{SEAL_LEN, seal_line, sealed_hash};
use super::super::line::{Line, as_written};
use super::*;

#[test]
fn lines_are_as_documented() {
    let disk = SimulatedDisk::new();
    let (mut writer, report) = open(&disk, Options::default()).unwrap();
    assert_eq!(report.head, Head::EMPTY);
    let written = writer.write(&batches(3, &[1, 2])).unwrap();
    writer.sync().unwrap();
    assert_eq!(written.first, 1);

    let bytes = disk.bytes("journal-00000000000000000001.jsonl").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let zeros = "0".repeat(64);
    let covered = format!(
        r#"{{"position":1,"stream":"order/0","version":2,"name":"order_requested","schema":1,"recorded_at":"2025-01-02T03:04:05.678Z","barrier":true,"body":{{"number":3,"text":"é \"quoted\" xxx"}},"prev":"{zeros}""#
    );
    let hash = hex::encode(Sha256::digest(&covered));
    assert_eq!(lines[0], format!(r#"{covered},"hash":"{hash}"}}"#));

    let second = format!(
        r#"{{"position":2,"stream":"order/1","version":2,"name":"order_requested","schema":1,"recorded_at":"2025-01-02T03:04:05.678Z","part":1,"parts":2,"message":"evt_4","body":{{"number":4,"text":"é \"quoted\" xxxx"}},"prev":"{hash}""#
    );
    assert!(lines[1].starts_with(&second), "{}", lines[1]);
    assert!(lines[2].contains(r#""part":2,"parts":2"#));
    assert_eq!(lines.len(), 3);
    assert_eq!(
        written.head.hash.to_string(),
        &lines[2][lines[2].len() - 66..lines[2].len() - 2]
    );
}

#[test]
fn the_documented_example_is_what_is_written() {
    let document = include_str!("../../../../../docs/journal.md");
    let example = document
        .lines()
        .find(|line| line.starts_with("{\"position\":1,"));
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, Options::default()).unwrap();
    let body = RawValue::from_string(r#"{"number":1}"#.into()).unwrap();
    let entry = Entry {
        version: 1,
        body: Cow::Owned(body),
        ..entry(3)
    };
    writer.write(&[vec![entry]]).unwrap();
    let written = disk.bytes("journal-00000000000000000001.jsonl").unwrap();
    assert_eq!(
        example.unwrap().as_bytes(),
        written.strip_suffix(b"\n").unwrap()
    );
}

#[test]
fn barrier_marks_the_first_line_after_a_sync() {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, Options::default()).unwrap();
    writer.write(&batches(1, &[1, 1])).unwrap();
    writer.write(&batches(3, &[1])).unwrap();
    writer.sync().unwrap();
    writer.write(&batches(4, &[1, 1])).unwrap();
    let text =
        String::from_utf8(disk.bytes("journal-00000000000000000001.jsonl").unwrap()).unwrap();
    let marked: Vec<_> = text
        .lines()
        .map(|line| line.contains("\"barrier\":true"))
        .collect();
    assert_eq!(marked, [true, false, false, true, false]);
}

#[test]
fn entries_that_would_not_read_back_are_refused_before_anything_is_written() {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, Options::default()).unwrap();
    let raw = |json: &str| Cow::Owned(RawValue::from_string(json.into()).unwrap());
    let body = |json: &str| Entry {
        body: raw(json),
        ..entry(1)
    };
    let large = format!("\"{}\"", "x".repeat(MAX_LINE));
    let cases = [
        (vec![body("{\n}")], Invalid::Body),
        (
            vec![Entry {
                stream: "".into(),
                ..entry(1)
            }],
            Invalid::Name,
        ),
        (vec![], Invalid::NoEntries),
        (
            vec![entry(1), body(&large)],
            Invalid::TooLong { max: MAX_LINE },
        ),
    ];
    for (batch, expected) in cases {
        match writer.write(&[vec![entry(1)], batch]) {
            Err(JournalError::Invalid(invalid)) => assert_eq!(invalid, expected),
            other => panic!("{other:?}"),
        }
    }
    // The writer goes on, from the same position.
    assert_eq!(writer.write(&[vec![entry(1)]]).unwrap().first, 1);
    writer.sync().unwrap();
    assert_eq!(writer.reader().verify_all().unwrap().head.position, 1);
}

#[test]
fn the_longest_line_is_written_and_read() {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, Options::default()).unwrap();
    let mut size = MAX_LINE - 400;
    let last = loop {
        let body = RawValue::from_string(format!("\"{}\"", "x".repeat(size))).unwrap();
        match writer.write(&[vec![Entry {
            body: Cow::Owned(body),
            ..entry(1)
        }]]) {
            Ok(written) => {
                size += 1;
                writer.sync().unwrap();
                if written.head.position > 300 {
                    panic!("no limit met");
                }
            }
            Err(JournalError::Invalid(Invalid::TooLong { .. })) => break writer.head(),
            Err(error) => panic!("{error}"),
        }
    };
    let (writer, report) = open(&disk, Options::default()).unwrap();
    assert_eq!(report.head, last);
    let records = writer.reader().read_from(last.position, 1).unwrap();
    assert_eq!(
        writer.reader().read_at(records[0].location).unwrap().hash,
        last.hash
    );
}

#[test]
fn names_and_places_round_trip() {
    let place = Location {
        segment: u64::MAX,
        offset: 77,
    };
    assert_eq!(Location::from_bytes(place.to_bytes()), place);
    let hash = ChainHash::of(b"x");
    assert_eq!(ChainHash::from_hex(hash.to_string().as_bytes()), Some(hash));
    assert_eq!(
        ChainHash::from_hex(hash.to_string().to_uppercase().as_bytes()),
        None
    );
}

#[test]
fn what_is_read_as_written_any_json_reader_reads_the_same() {
    let (disk, _) = sample();
    let mut seen = [0, 0];
    let mut lines = Vec::new();
    for name in disk.list().unwrap() {
        let bytes = disk.bytes(&name).unwrap();
        lines.extend(bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    }
    lines.retain(|line| !line.is_empty());
    assert!(lines.len() > 10);
    // Every byte of each line taken out, doubled, and made each of those that mean something, under a hash that fits.
    for line in &lines {
        for at in 0..=line.len() {
            for with in [
                "", "\\", "\"", "0", "9", "-", ".", "e", " ", ",", ":", "{", "}", "\t", "é",
                "\u{7f}",
            ] {
                for over in [0, 1] {
                    let rest = line.get(at + over..).unwrap_or_default();
                    let changed = [&line[..at], with.as_bytes(), rest].concat();
                    let covered = changed.len().saturating_sub(SEAL_LEN);
                    let mut sealed = changed[..covered].to_vec();
                    seal_line(&mut sealed, 0);
                    let line = sealed.strip_suffix(b"\n").unwrap();
                    let (ours, json) = both(line);
                    seen[usize::from(ours.is_some())] += 1;
                    if ours.is_some() {
                        assert_eq!(ours, json, "{}", String::from_utf8_lossy(line));
                    }
                }
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 1_000), "{seen:?}");
    // And what we write is read so: the JSON reader is for others.
    for line in &lines {
        assert!(both(line).0.is_some(), "{}", String::from_utf8_lossy(line));
    }
}

/// What either reader makes of a line.
fn both(line: &[u8]) -> (Option<String>, Option<String>) {
    let hash = sealed_hash(line).unwrap();
    let ours = as_written(line, hash);
    let json: Option<Line<'_>> = serde_json::from_slice(line).ok();
    let show = |line: Line<'_>| format!("{line:?}");
    (ours.map(show), json.map(show))
}
