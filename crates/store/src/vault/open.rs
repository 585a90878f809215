//! Learns where records are: of closed files from their hints, of the others by reading them.
//!
//! Unlike the journal, a damaged record does not keep the vault shut: the others do not depend on it. It is
//! reported, and reads that could have meant it say so.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::error::VaultError;
use super::file::{self, Name, io_error};
use super::hint::{Hint, Unsound};
use super::index::{Closed, Places};
use super::replaced::{self, Source};
use super::scan::{Scanned, scan};
use super::table::{NAMED_MAX, Place, Table};
use crate::journal::disk::Disk;
use crate::journal::{Cut, Damage};

/// What an open found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VaultReport {
    /// Records; one that a newer file replaced is counted until a compaction removes it. Erasures are records too.
    pub records: u64,
    /// Files of records.
    pub files: usize,
    /// Bytes of those files.
    pub bytes: u64,
    /// What was written but never synced, and was left off at the end.
    pub cut: Option<Cut>,
    /// The first hundred records that cannot be read.
    pub damaged: Vec<DamagedRecord>,
    /// How many there are.
    pub damaged_count: u64,
    /// Master keys that records are sealed with and nobody has. What they sealed cannot be read.
    pub unknown_keys: Vec<String>,
    /// Sealed files no record refers to, removed. None are while records are damaged.
    pub swept: u64,
}

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedRecord {
    /// The vault file.
    pub file: String,
    /// Line in it, from 1.
    pub record: u64,
    /// Byte offset at which that line starts.
    pub byte: u64,
    /// What is wrong with it.
    pub damage: Damage,
}

/// What can be told of a vault without its keys.
#[derive(Debug)]
pub(crate) struct Examined {
    /// Records that cannot be read.
    pub(crate) damaged: u64,
    /// Sealed files that records which count refer to.
    pub(crate) sealed_files: HashSet<String>,
}

/// Reads all records of a vault that nobody writes.
pub(crate) fn examine(disk: &dyn Disk) -> Result<Examined, VaultError> {
    let loaded = load(disk, Hints::Ignored)?;
    let damaged = loaded.damaged().1;
    let mut files = loaded.closed;
    if let Some(Last {
        number,
        size,
        table,
    }) = loaded.last
    {
        let places = Arc::new(Places::Known(table));
        files.insert(number, Closed { size, places });
    }
    let sources = files.iter().map(|(file, closed)| Source {
        file: *file,
        places: Arc::clone(&closed.places),
    });
    let sources: Vec<_> = sources.collect();
    // All were read, so no hint is asked for.
    let replaced = replaced::find(&sources, &|_| Err(Unsound)).unwrap_or_default();
    let mut sealed_files = HashSet::new();
    for Source { file, places, .. } in &sources {
        let Places::Known(table) = &**places else {
            continue;
        };
        let large = table.large().iter();
        let counts = large.filter(|(offset, _)| !replaced.contains(*file, **offset));
        sealed_files.extend(counts.map(|(_, name)| name.clone()));
    }
    Ok(Examined {
        damaged,
        sealed_files,
    })
}

/// Whether closed files are believed to be what stands in their hints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hints {
    /// Yes, and those that have none get one.
    Kept,
    /// No: everything is read, and nothing written.
    Ignored,
}

/// What the files say.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) closed: BTreeMap<u32, Closed>,
    /// The last file, if a record can be put behind its last one.
    pub(super) last: Option<Last>,
    pub(super) cut: Option<Cut>,
    /// The last record of each file under each key that has its value with it, the oldest file's first.
    pub(super) proofs: BTreeMap<String, Vec<Place>>,
    /// Sealed files that records refer to, also those that a newer file replaced: what they refer to is a compaction's to
    /// remove.
    pub(super) referred: HashSet<String>,
}

/// The file that goes on.
pub(super) struct Last {
    pub(super) number: u32,
    pub(super) size: u64,
    pub(super) table: Table,
}

pub(super) fn names(disk: &dyn Disk) -> Result<Vec<Name>, VaultError> {
    let names = disk
        .list()
        .map_err(|source| io_error("list", "the vault directory", source))?;
    Ok(names.iter().map(|name| Name::of(name)).collect())
}

pub(super) fn load(disk: &dyn Disk, hints: Hints) -> Result<Loaded, VaultError> {
    let mut numbers: Vec<_> = names(disk)?
        .into_iter()
        .filter_map(|name| {
            if let Name::Records(number) = name {
                Some(number)
            } else {
                None
            }
        })
        .collect();
    numbers.sort_unstable();
    let mut loaded = Loaded::default();
    for number in &numbers {
        let name = file::records(*number);
        let opened = disk
            .open(&name, false)
            .and_then(|file| Ok((file.size()?, file)));
        let (size, file) = opened.map_err(|source| io_error("open", &name, source))?;
        let last = Some(number) == numbers.last();
        // The last one can have a torn tail.
        let kept = hints == Hints::Kept && !last;
        if let Some((hint, tail)) = kept
            .then(|| Hint::read(disk, *number, &*file, size))
            .flatten()
        {
            loaded.note(*number, &tail.keys, &tail.large);
            loaded.close(*number, size, Places::Hinted(hint));
            continue;
        }
        let scanned = scan(&file, &name, size, last, |_| ());
        let scanned = scanned.map_err(|source| io_error("read", &name, source))?;
        let Scanned {
            table,
            end,
            cut,
            appendable,
        } = scanned;
        loaded.note(*number, table.keys(), table.large());
        loaded.cut = cut;
        if last && appendable {
            loaded.last = Some(Last {
                number: *number,
                size: end,
                table,
            });
            continue;
        }
        let hint = match kept && table.damaged_count() == 0 {
            true => Hint::write(&table, disk, *number, size)
                .map_err(|source| io_error("write", &file::hint(*number), source))?,
            false => None,
        };
        let places = hint.map_or(Places::Known(table), Places::Hinted);
        loaded.close(*number, end, places);
    }
    Ok(loaded)
}

impl Loaded {
    /// Number and length of each file.
    pub(super) fn files(&self) -> impl Iterator<Item = (u32, u64)> {
        let closed = self
            .closed
            .iter()
            .map(|(number, file)| (*number, file.size));
        closed.chain(self.last.iter().map(|last| (last.number, last.size)))
    }

    pub(super) fn records(&self) -> u64 {
        let closed = self.closed.values().map(|file| file.places.slots());
        closed.sum::<u64>() + self.last.as_ref().map_or(0, |last| last.table.slots())
    }

    /// The first records that cannot be read, and how many there are.
    pub(super) fn damaged(&self) -> (Vec<DamagedRecord>, u64) {
        let closed = self.closed.values().map(|file| file.places.damaged());
        let last = self.last.iter().map(|last| &last.table);
        let last = last.map(|table| (table.damaged(), table.damaged_count()));
        let (mut first, mut count) = (Vec::new(), 0);
        for (named, damaged) in closed.chain(last) {
            let room = NAMED_MAX - first.len();
            first.extend(named.iter().take(room).cloned());
            count += damaged;
        }
        (first, count)
    }

    fn close(&mut self, number: u32, size: u64, places: Places) {
        let places = Arc::new(places);
        self.closed.insert(number, Closed { size, places });
    }

    fn note(&mut self, file: u32, keys: &[(String, u32)], large: &BTreeMap<u32, String>) {
        for (key, offset) in keys {
            let place = Place {
                file,
                offset: *offset,
            };
            self.proofs.entry(key.clone()).or_default().push(place);
        }
        self.referred.extend(large.values().cloned());
    }
}
