//! Reads all records once and learns where the latest of each order and field is.
//!
//! Unlike the journal, a damaged record does not keep the vault shut: the others do not depend on it. It is
//! reported, and reads that could have meant it say so.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use uuid::Uuid;

use super::error::VaultError;
use super::file::{self, Name, io_error};
use super::index::{FieldHash, Index, Place};
use super::record::{RawContent, Record, identify, parse};
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
    let loaded = load(disk, "")?;
    Ok(Examined {
        damaged: loaded.damaged_count,
        sealed_files: loaded.referred().into_iter().map(Into::into).collect(),
    })
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

pub(super) fn load(disk: &dyn Disk, current_key: &str) -> Result<Loaded, VaultError> {
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
        loaded
            .file(*number, &name, &file, size, last, current_key)
            .map_err(|source| io_error("read", &name, source))?;
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
                    self.take(parsed, place, current_key);
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
        Ok(())
    }

    fn take(&mut self, record: Record<'_>, place: Place, current_key: &str) {
        let record = match record {
            Record::Sealed(record) => record,
            Record::Erased { order } => {
                self.index.erase(order, place);
                self.sealed_files.remove(&order);
                return;
            }
        };
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(record.order);
        let field = FieldHash::of(&record.field);
        self.index.put(record.order, field, place);
        if let Some(files) = self.sealed_files.get_mut(&record.order) {
            files.retain(|(of, _)| *of != field);
        }
        match record.content {
            RawContent::File { name, .. } => {
                let files = self.sealed_files.entry(record.order).or_default();
                files.push((field, name.into_owned()));
            }
            RawContent::Inline(_) if record.key == current_key => self.proof = Some(place),
            RawContent::Inline(_) => {}
        }
    }
}
