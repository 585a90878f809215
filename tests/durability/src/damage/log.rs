//! A log to damage: its files as bytes, and what its records say.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use issuance_store::journal::{
    Disk, DiskFile, Entry, Head, Options, Record, SimulatedDisk, Writer,
};
use serde_json::value::RawValue;

use crate::random::Random;

/// Files by name. A mutation copies only what it changes.
pub(super) type Files = BTreeMap<String, Arc<Vec<u8>>>;

/// What a record says, and that it ends its append.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) ends: bool,
}

/// What everybody who reads a record of the log must be told.
pub(super) fn said(record: &Record) -> Said {
    let Record {
        position,
        stream,
        version,
        name,
        schema,
        recorded_at,
        part,
        parts,
        message,
        body,
        hash,
        ..
    } = record;
    Said {
        text: format!(
            "{position} {stream} {version} {name} {schema} {recorded_at} {part}/{parts} {message:?} {body} {hash}"
        ),
        ends: part == parts,
    }
}

#[derive(Debug)]
pub(super) struct Log {
    pub(super) files: Files,
    pub(super) records: Vec<Said>,
    pub(super) head: Head,
}

/// A log of about this many bytes, all of it synced, in at least three segments.
pub(super) fn make(bytes: u64, seed: u64) -> Log {
    let disk = SimulatedDisk::new();
    let options = Options {
        segment_bytes: bytes / 3,
        ..Options::default()
    };
    let (mut writer, _) = Writer::open(Arc::new(disk.clone()), &options).expect("an empty log");
    let mut random = Random::new(seed, 0);
    let (mut written, mut number) = (0, 0);
    while written < bytes {
        for _ in 0..=random.below(3) {
            let batch: Vec<_> = (0..=random.below(4))
                .map(|_| {
                    number += 1;
                    written += 520;
                    entry(number, &mut random)
                })
                .collect();
            writer.write(&[batch]).expect("a write");
        }
        writer.sync().expect("a sync");
    }
    let records = writer
        .reader()
        .records(1)
        .map(|record| said(&record.expect("a record")))
        .collect();
    let files = disk.list().expect("names");
    let files = files
        .into_iter()
        .map(|name| {
            let bytes = disk.bytes(&name).expect("a file");
            (name, Arc::new(bytes))
        })
        .collect();
    Log {
        files,
        records,
        head: writer.head(),
    }
}

fn entry(number: u64, random: &mut Random) -> Entry<'static> {
    let filler = "x".repeat(random.below(160));
    let body = format!("{{\"number\":{number},\"barrier\":true,\"filler\":\"{filler}\"}}");
    Entry {
        stream: format!("order/0199{number:028}").into(),
        version: 1 + number % 7,
        name: "order_accepted".into(),
        schema: 1,
        recorded_at: "2025-01-02T03:04:05.678Z".into(),
        body: std::borrow::Cow::Owned(RawValue::from_string(body).expect("JSON")),
        message: number
            .is_multiple_of(5)
            .then(|| format!("m-{number}").into()),
    }
}

/// Files nobody writes.
#[derive(Debug)]
pub(super) struct Still(pub(super) Files);

#[derive(Debug)]
struct StillFile(Arc<Vec<u8>>);

fn still<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for Still {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
    fn create(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        still()
    }
    fn open(&self, name: &str, _: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(StillFile(Arc::clone(file))))
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        still()
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        still()
    }
    fn sync(&self) -> io::Result<()> {
        still()
    }
}

impl DiskFile for StillFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = (offset as usize).min(self.0.len());
        let count = into.len().min(self.0.len() - from);
        into[..count].copy_from_slice(&self.0[from..from + count]);
        Ok(count)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        still()
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn truncate(&self, _: u64) -> io::Result<()> {
        still()
    }
    fn sync(&self) -> io::Result<()> {
        still()
    }
    fn evict(&self) -> io::Result<()> {
        Ok(())
    }
}
