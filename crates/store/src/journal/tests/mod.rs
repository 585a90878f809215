//! The journal on a simulated disk (every fault, every byte) and on a real one (locks, permissions, threads).
#![allow(clippy::unwrap_used, reason = "tests")]

mod damage;
mod faults;
mod format;
mod ownership;
mod reading;
mod segments;
mod torn;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::*;

/// An event whose content follows from its number.
fn entry(number: u64) -> Entry<'static> {
    let body = format!(
        r#"{{"number":{number},"text":"é \"quoted\" {}"}}"#,
        "x".repeat(number as usize % 40)
    );
    Entry {
        stream: format!("order/{}", number % 3).into(),
        version: number / 3 + 1,
        name: "order_requested".into(),
        schema: 1,
        recorded_at: "2025-01-02T03:04:05.678Z".into(),
        body: Cow::Owned(RawValue::from_string(body).unwrap()),
        message: (number.is_multiple_of(4)).then(|| format!("evt_{number}").into()),
    }
}

/// Batches of the given sizes, numbered on from `first`.
fn batches(first: u64, sizes: &[u64]) -> Vec<Batch<'static>> {
    let mut next = first;
    let mut batch = |size: &u64| {
        let entries = (next..next + size).map(entry).collect();
        next += size;
        entries
    };
    sizes.iter().map(&mut batch).collect()
}

fn open(disk: &SimulatedDisk, options: Options) -> Result<(Writer, OpenReport), JournalError> {
    Writer::open(Arc::new(disk.clone()), &options)
}

fn small_segments() -> Options {
    Options {
        segment_bytes: 1500,
        known: None,
    }
}

/// Three groups in each of some segments; the events 1 to 14 in batches of one to three.
fn sample() -> (SimulatedDisk, Vec<Record>) {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, small_segments()).unwrap();
    for (first, sizes) in [
        (1, &[1, 2][..]),
        (4, &[3]),
        (7, &[1, 1]),
        (9, &[2, 1]),
        (12, &[1, 2]),
    ] {
        writer.write(&batches(first, sizes)).unwrap();
        writer.sync().unwrap();
    }
    let records = writer.reader().read_from(1, 100).unwrap();
    assert_eq!(records.len(), 14);
    (disk, records)
}

fn names(disk: &SimulatedDisk) -> Vec<String> {
    disk.list().unwrap()
}

/// Reads as far as the log lets itself be read, and checks every event against the truth.
fn readable(reader: &Reader, truth: &[Record]) -> (usize, Option<JournalError>) {
    let mut count = 0;
    for record in reader.records(1) {
        match record {
            Ok(record) => {
                let expected = &truth[count];
                assert_eq!(record.hash, expected.hash);
                assert_eq!(record.body.get(), expected.body.get());
                assert_eq!(record.stream, expected.stream);
                count += 1;
            }
            Err(error) => return (count, Some(error)),
        }
    }
    (count, None)
}
