//! What an open needs to know of a closed file, written beside it so that the file need not be read: where the records of
//! which order and field are. Nobody's truth: one that is missing, torn, or of another file costs a read of the file.
//!
//! A line of JSON, then one entry of 28 bytes for each record in order, then the SHA-256 of it all in hex. It names its file by
//! the length and the last bytes, which are the last record's hash. A compaction removes it durably before the file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::VaultError;
use super::file::{self, Name};
use super::index::FieldHash;
use super::record::{Change, Content, RawContent, Record};
use super::shared::Shared;
use crate::journal::append::Fault;
use crate::journal::disk::{Disk, DiskFile, is_full, is_out_of_handles, read_full, write_full};
use crate::journal::hash::ChainHash;

/// Smaller files are read as quickly, and then their damage is found at once.
pub(super) const HINTED_FROM: u64 = 1 << 20;
/// Bytes of a file's end that name it: a hash of 64 digits, and what closes a line.
const END: usize = 67;
const ENTRY: usize = 28;
const DIGEST: usize = 64;
const VERSION: u32 = 1;

/// The records of one file, all of them, the first one first.
#[derive(Debug, Default)]
pub(super) struct Hint {
    entries: Vec<u8>,
    about: About,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct About {
    version: u32,
    bytes: u64,
    end: String,
    /// Entries whose value is in a file of its own.
    large: Vec<(usize, String)>,
    /// The last record in the file under each key, of those that have their value with them.
    keys: Vec<(String, u32)>,
}

/// What an open has to know of a record besides its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Erased,
    /// The value is in the record, under this key.
    Inline(String),
    /// The value is in this file.
    Large(String),
}

/// One record.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) order: Uuid,
    pub(super) field: FieldHash,
    pub(super) offset: u32,
}

impl Kind {
    pub(super) fn of(record: &Record<'_>) -> Self {
        match record {
            Record::Erased { .. } => Self::Erased,
            Record::Sealed(record) => match &record.content {
                RawContent::Inline(_) => Self::Inline(record.key.clone().into_owned()),
                RawContent::File { name, .. } => Self::Large(name.clone().into_owned()),
            },
        }
    }

    pub(super) fn of_change(change: &Change) -> Self {
        match change {
            Change::Erase(_) => Self::Erased,
            Change::Put(sealed) => match &sealed.content {
                Content::Inline(_) => Self::Inline(sealed.key.clone()),
                Content::File { name, .. } => Self::Large(name.clone()),
            },
        }
    }
}

impl Hint {
    pub(super) fn push(&mut self, entry: &Entry, kind: Kind) {
        match kind {
            Kind::Erased => {}
            Kind::Inline(key) => match self.about.keys.iter_mut().find(|(of, _)| *of == key) {
                Some((_, last)) => *last = entry.offset,
                None => self.about.keys.push((key, entry.offset)),
            },
            Kind::Large(name) => self.about.large.push((self.entries.len() / ENTRY, name)),
        }
        self.entries.extend(entry.order.as_bytes());
        self.entries.extend(entry.field.to_bytes());
        self.entries.extend(entry.offset.to_le_bytes());
    }

    /// Every record, with the file of its value if it has one.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Entry, Option<&str>)> {
        let mut large = self.about.large.iter().peekable();
        let entries = self.entries.chunks_exact(ENTRY).enumerate();
        entries.filter_map(move |(at, bytes)| {
            let (order, rest) = bytes.split_first_chunk::<16>()?;
            let (field, offset) = rest.split_first_chunk::<8>()?;
            let entry = Entry {
                order: Uuid::from_bytes(*order),
                field: FieldHash::from_bytes(*field),
                offset: u32::from_le_bytes(offset.try_into().ok()?),
            };
            let file = large.next_if(|(of, _)| *of == at);
            Some((entry, file.map(|(_, name)| name.as_str())))
        })
    }

    /// A record that proves the key of this name.
    pub(super) fn proof(&self, key: &str) -> Option<u32> {
        let found = self.about.keys.iter().find(|(of, _)| of == key);
        found.map(|(_, offset)| *offset)
    }

    /// The hint of a file of this length, if there is a sound one.
    pub(super) fn read(disk: &dyn Disk, number: u32, of: &dyn DiskFile, size: u64) -> Option<Self> {
        let file = disk.open(&file::hint(number), false).ok()?;
        let mut bytes = vec![0; usize::try_from(file.size().ok()?).ok()?];
        if read_full(&*file, &mut bytes, 0).ok()? != bytes.len() {
            return None;
        }
        let (rest, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
        if ChainHash::of(rest).to_hex() != digest {
            return None;
        }
        let line = rest.iter().position(|byte| *byte == b'\n')?;
        let about: About = serde_json::from_slice(&rest[..line]).ok()?;
        let known = about.version == VERSION && about.bytes == size;
        let known = known && about.large.iter().all(|(_, name)| file::is_sealed(name));
        (known && about.end == end_of(of, size)?).then(|| Self {
            entries: rest[line + 1..].into(),
            about,
        })
    }

    /// Puts it beside its file, which must be closed. Not durable: a torn one tells by its digest.
    pub(super) fn write(self, disk: &dyn Disk, number: u32, size: u64) -> std::io::Result<()> {
        if size < HINTED_FROM {
            return Ok(());
        }
        remove(disk, number)?;
        match self.create(disk, number, size) {
            // The room is wanted for more than this.
            Err(error) if is_full(&error) || is_out_of_handles(&error) => remove(disk, number),
            written => written,
        }
    }

    fn create(mut self, disk: &dyn Disk, number: u32, size: u64) -> std::io::Result<()> {
        let of = disk.open(&file::records(number), false)?;
        let Some(end) = end_of(&*of, size) else {
            return Ok(());
        };
        self.about.version = VERSION;
        self.about.bytes = size;
        self.about.end = end;
        let mut bytes = serde_json::to_vec(&self.about)?;
        bytes.push(b'\n');
        bytes.extend(self.entries);
        bytes.extend(ChainHash::of(&bytes).to_hex());
        let file = disk.create(&file::hint(number))?;
        write_full(&*file, &bytes, 0)
    }
}

/// As [`Hint::write`], of a vault that is open: its first storage error stops it.
pub(super) fn keep(
    shared: &Arc<Shared>,
    hint: Hint,
    number: u32,
    size: u64,
) -> Result<(), VaultError> {
    let written = hint.write(&*shared.disk, number, size);
    written.map_err(|source| shared.fail("write", &file::hint(number), Fault::Broken(source)))
}

/// Removes the hint of a file, if there is one.
pub(super) fn remove(disk: &dyn Disk, number: u32) -> std::io::Result<()> {
    match disk.remove(&file::hint(number)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Whether a name is that of a hint whose file is gone.
pub(super) fn is_stray(name: &Name, files: &[(u32, u64)]) -> Option<String> {
    match name {
        Name::Hint(number) if files.iter().all(|(of, _)| of != number) => Some(file::hint(*number)),
        Name::Hint(_) | Name::Records(_) | Name::Sealed(_) | Name::Temporary | Name::Other => None,
    }
}

fn end_of(file: &dyn DiskFile, size: u64) -> Option<String> {
    let mut end = [0; END];
    let at = size.checked_sub(END as u64)?;
    let read = read_full(file, &mut end, at).ok()?;
    (read == END).then(|| hex::encode(end))
}
