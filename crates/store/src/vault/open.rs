//! Learns where the latest record of each order and field is: from the hints of closed files, and by reading the others.
//!
//! Unlike the journal, a damaged record does not keep the vault shut: the others do not depend on it. It is
//! reported, and reads that could have meant it say so.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use uuid::Uuid;

use super::error::VaultError;
use super::file::{self, Name, io_error};
use super::hint::{Entry, Hint, Kind};
use super::index::{FieldHash, Index, Place};
use super::record::{Record, identify, parse};
use crate::journal::disk::{Disk, DiskFile};
use crate::journal::lines::{LineEnd, Lines};
use crate::journal::{Cut, Damage, tail};

/// Damaged records the report names one by one.
const NAMED_MAX: usize = 100;
/// Last records whose owners are remembered: more than one crash can leave behind the log.
const RECENT_MAX: usize = 8 << 10;

/// What an open found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VaultReport {
    /// Records that count; erasures are records too.
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
    let loaded = load(disk, "", Hints::Ignored)?;
    Ok(Examined {
        damaged: loaded.damaged_count,
        sealed_files: loaded.referred().into_iter().map(Into::into).collect(),
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

/// Everything the files say.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) index: Index,
    /// Number and length of each file.
    pub(super) files: Vec<(u32, u64)>,
    pub(super) cut: Option<Cut>,
    pub(super) damaged: Vec<DamagedRecord>,
    pub(super) damaged_count: u64,
    /// Whether a record can be put behind the last one of the last file.
    pub(super) appendable: bool,
    /// The last record under the current key.
    pub(super) proof: Option<Place>,
    /// The last file's records, if they can all be read.
    pub(super) hint: Option<Hint>,
    sealed_files: HashMap<Uuid, Vec<(FieldHash, String)>>,
    /// Whose the last records are, the newest last.
    pub(super) recent: VecDeque<Uuid>,
}

pub(super) fn names(disk: &dyn Disk) -> Result<Vec<Name>, VaultError> {
    let names = disk
        .list()
        .map_err(|source| io_error("list", "the vault directory", source))?;
    Ok(names.iter().map(|name| Name::of(name)).collect())
}

pub(super) fn load(disk: &dyn Disk, current_key: &str, hints: Hints) -> Result<Loaded, VaultError> {
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
        if let Some(hint) = kept
            .then(|| Hint::read(disk, *number, &*file, size))
            .flatten()
        {
            loaded.hinted(*number, size, &hint, current_key);
            continue;
        }
        loaded
            .file(*number, &name, &file, size, last, current_key)
            .map_err(|source| io_error("read", &name, source))?;
        if let Some(hint) = loaded.hint.take_if(|_| kept) {
            hint.write(disk, *number, size)
                .map_err(|source| io_error("write", &file::hint(*number), source))?;
        }
    }
    Ok(loaded)
}

impl Loaded {
    /// Sealed files that records which count refer to.
    pub(super) fn referred(&self) -> HashSet<&str> {
        self.sealed_files
            .values()
            .flatten()
            .map(|(_, name)| name.as_str())
            .collect()
    }

    fn file(
        &mut self,
        number: u32,
        name: &str,
        file: &Arc<dyn DiskFile>,
        size: u64,
        last: bool,
        current_key: &str,
    ) -> std::io::Result<()> {
        let mut lines = Lines::new(Arc::clone(file), 0, size);
        let (mut record, mut end) = (0, size);
        self.appendable = true;
        let mut hint = Hint::default();
        let damaged_before = self.damaged_count;
        while let Some(line) = lines.next_line()? {
            record += 1;
            let parsed = match line.end {
                LineEnd::Newline => parse(line.bytes),
                LineEnd::File => Err(Damage::Unterminated),
                LineEnd::TooLong => Err(Damage::TooLong),
            };
            let byte = line.offset;
            let place = Place {
                file: number,
                offset: byte as u32,
            };
            let damage = match parsed {
                Ok(parsed) => {
                    self.read(&parsed, place, current_key, &mut hint);
                    continue;
                }
                Err(damage) => damage,
            };
            if last && tail::is_torn(file, byte, size)? {
                self.cut = Some(Cut {
                    file: name.into(),
                    byte,
                    bytes: size - byte,
                });
                end = byte;
                break;
            }
            // Reading it must say that it is damaged, not give an older value.
            match identify(line.bytes) {
                Some((order, Some(field))) => self.index.put(order, FieldHash::of(field), place),
                Some((order, None)) => self.index.erase(order, place),
                None => {}
            }
            self.appendable = line.end == LineEnd::Newline;
            self.damaged_count += 1;
            if self.damaged.len() < NAMED_MAX {
                self.damaged.push(DamagedRecord {
                    file: name.into(),
                    record,
                    byte,
                    damage,
                });
            }
        }
        self.files.push((number, end));
        self.hint = (self.damaged_count == damaged_before).then_some(hint);
        Ok(())
    }

    /// A closed file as its hint has it.
    fn hinted(&mut self, number: u32, size: u64, hint: &Hint, current_key: &str) {
        let place = |offset| Place {
            file: number,
            offset,
        };
        for (entry, large) in hint.entries() {
            self.take(&entry, place(entry.offset), large);
        }
        let proof = hint.proof(current_key).map(place);
        self.proof = proof.or(self.proof);
        self.files.push((number, size));
    }

    fn read(&mut self, record: &Record<'_>, place: Place, current_key: &str, hint: &mut Hint) {
        let (order, field) = match record {
            Record::Sealed(record) => (record.order, FieldHash::of(&record.field)),
            Record::Erased { order } => (*order, FieldHash::ERASED),
        };
        let entry = Entry {
            order,
            field,
            offset: place.offset,
        };
        let kind = Kind::of(record);
        match &kind {
            Kind::Large(name) => self.take(&entry, place, Some(name)),
            Kind::Inline(key) => {
                self.take(&entry, place, None);
                self.proof = Some(place).filter(|_| key == current_key).or(self.proof);
            }
            Kind::Erased => self.take(&entry, place, None),
        }
        hint.push(&entry, kind);
    }

    fn take(&mut self, entry: &Entry, place: Place, large: Option<&str>) {
        let (order, field) = (entry.order, entry.field);
        if field == FieldHash::ERASED {
            self.index.erase(order, place);
            self.sealed_files.remove(&order);
            return;
        }
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(order);
        self.index.put(order, field, place);
        if let Some(files) = self.sealed_files.get_mut(&order) {
            files.retain(|(of, _)| *of != field);
        }
        if let Some(name) = large {
            let files = self.sealed_files.entry(order).or_default();
            files.push((field, name.to_owned()));
        }
    }
}
