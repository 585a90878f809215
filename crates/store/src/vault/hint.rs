//! Where the records of a closed file are, sorted by order and written beside it, so that an open need not read the file and
//! nobody has to keep it in memory. Nobody's truth: one that is missing, torn, damaged, or of another file costs a read of
//! the file.
//!
//! Blocks of 28 bytes a record (order, digest of the field, offset), sorted; behind them the *tail*: a line of JSON, then the first
//! order and the digest of each block; last the tail's length and its SHA-256. The tail names the file by its length and last
//! bytes, which are the last record's hash. A compaction removes it durably before the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::file::{self, Name};
use super::table::{FieldHash, Slot, Table};
use crate::journal::disk::{Disk, DiskFile, is_full, is_out_of_handles, read_full, write_full};

/// Smaller files are read as quickly, and then their damage is found at once.
pub(super) const HINTED_FROM: u64 = 1 << 20;
/// Bytes of a file's end that name it: a hash of 64 digits, and what closes a line.
const END: usize = 67;
const ENTRY: usize = 28;
/// Records of a block: what one look-up reads.
const BLOCK: usize = 256;
/// Of a block in the tail: an order, and half a SHA-256.
const FENCE: usize = 32;
/// The tail's length and SHA-256.
const FOOT: usize = 8 + 32;
const VERSION: u32 = 2;

/// What is kept in memory of a file with a hint: an eighth of a byte a record.
#[derive(Debug)]
pub(super) struct Hint {
    slots: u64,
    replaced: u64,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    /// The order of its first record.
    first: Uuid,
    digest: [u8; 16],
}

/// What an open learns besides.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tail {
    version: u32,
    bytes: u64,
    end: String,
    slots: u64,
    replaced: u64,
    /// As [`Table::large`].
    pub(super) large: BTreeMap<u32, String>,
    /// As [`Table::keys`].
    pub(super) keys: Vec<(String, u32)>,
}

/// It cannot be read, or is not what was written.
#[derive(Debug)]
pub(super) struct Unsound;

impl Hint {
    /// The hint of a file of this length, if there is one whose tail is sound.
    pub(super) fn read(
        disk: &dyn Disk,
        number: u32,
        of: &dyn DiskFile,
        size: u64,
    ) -> Option<(Self, Tail)> {
        let file = disk.open(&file::hint(number), false).ok()?;
        let foot_at = file.size().ok()?.checked_sub(FOOT as u64)?;
        let foot = read(&*file, foot_at, FOOT)?;
        let (length, digest) = foot.split_first_chunk::<8>()?;
        let length = u64::from_le_bytes(*length);
        let tail_at = foot_at.checked_sub(length)?;
        let bytes = read(&*file, tail_at, usize::try_from(length).ok()?)?;
        if *digest != *Sha256::digest(&bytes) {
            return None;
        }
        let line = bytes.iter().position(|byte| *byte == b'\n')?;
        let tail: Tail = serde_json::from_slice(&bytes[..line]).ok()?;
        let known = tail.version == VERSION && tail.bytes == size && tail.end == end_of(of, size)?;
        let blocks = bytes[line + 1..].chunks_exact(FENCE).map(Block::from_bytes);
        let blocks = blocks.collect::<Option<Vec<_>>>()?;
        let whole = tail.slots.div_ceil(BLOCK as u64) == blocks.len() as u64
            && tail.slots * ENTRY as u64 == tail_at
            && tail.large.values().all(|name| file::is_sealed(name));
        let (slots, replaced) = (tail.slots, tail.replaced);
        (known && whole).then_some((
            Self {
                slots,
                replaced,
                blocks,
            },
            tail,
        ))
    }

    /// Puts it beside its file, which must be closed. None when the file is small, or there is no room. Not durable: what
    /// is torn tells by its digest.
    pub(super) fn write(
        table: &Table,
        disk: &dyn Disk,
        number: u32,
        size: u64,
    ) -> std::io::Result<Option<Self>> {
        if size < HINTED_FROM {
            return Ok(None);
        }
        remove(disk, number)?;
        match Self::create(table, disk, number, size) {
            // The room is wanted for more than this.
            Err(error) if is_full(&error) || is_out_of_handles(&error) => {
                remove(disk, number).map(|()| None)
            }
            written => written,
        }
    }

    fn create(
        table: &Table,
        disk: &dyn Disk,
        number: u32,
        size: u64,
    ) -> std::io::Result<Option<Self>> {
        let of = disk.open(&file::records(number), false)?;
        let Some(end) = end_of(&*of, size) else {
            return Ok(None);
        };
        let tail = Tail {
            version: VERSION,
            bytes: size,
            end,
            slots: table.slots(),
            replaced: table.replaced(),
            large: table.large().clone(),
            keys: table.keys().into(),
        };
        let mut bytes = Vec::with_capacity(tail.slots as usize * ENTRY);
        for (order, slot) in table.rows() {
            bytes.extend(order.as_bytes());
            bytes.extend(slot.field.to_bytes());
            bytes.extend(slot.offset.to_le_bytes());
        }
        let blocks = bytes.chunks(BLOCK * ENTRY).filter_map(Block::of);
        let blocks: Vec<_> = blocks.collect();
        let tail_at = bytes.len();
        serde_json::to_writer(&mut bytes, &tail)?;
        bytes.push(b'\n');
        for block in &blocks {
            bytes.extend(block.first.as_bytes());
            bytes.extend(block.digest);
        }
        let digest = Sha256::digest(&bytes[tail_at..]);
        bytes.extend(((bytes.len() - tail_at) as u64).to_le_bytes());
        bytes.extend(digest);
        let file = disk.create(&file::hint(number))?;
        write_full(&*file, &bytes, 0)?;
        Ok(Some(Self {
            slots: tail.slots,
            replaced: tail.replaced,
            blocks,
        }))
    }

    pub(super) fn slots(&self) -> u64 {
        self.slots
    }

    pub(super) fn replaced(&self) -> u64 {
        self.replaced
    }

    /// The order's records.
    pub(super) fn of(&self, file: &dyn DiskFile, order: Uuid) -> Result<Vec<Slot>, Unsound> {
        let mut found = Vec::new();
        // An order can begin at the end of the block before the first one that begins with it.
        let first = self.blocks.partition_point(|block| block.first < order);
        for at in first.saturating_sub(1)..self.blocks.len() {
            if self.blocks[at].first > order {
                break;
            }
            let rows = self.block(file, at)?.into_iter();
            found.extend(rows.filter(|(of, _)| *of == order).map(|(_, slot)| slot));
        }
        Ok(found)
    }

    /// Every record, order by order. The file is asked for again and again, so that nobody has to hold it open.
    pub(super) fn rows<'a>(
        &'a self,
        file: impl Fn() -> Result<Arc<dyn DiskFile>, Unsound> + 'a,
    ) -> impl Iterator<Item = Result<(Uuid, Slot), Unsound>> + 'a {
        (0..self.blocks.len()).flat_map(move |at| {
            let (rows, unsound) = match file().and_then(|file| self.block(&*file, at)) {
                Ok(rows) => (rows, None),
                Err(unsound) => (Vec::new(), Some(Err(unsound))),
            };
            rows.into_iter().map(Ok).chain(unsound)
        })
    }

    fn block(&self, file: &dyn DiskFile, at: usize) -> Result<Vec<(Uuid, Slot)>, Unsound> {
        let from = at * BLOCK;
        let count = BLOCK.min(self.slots as usize - from);
        let bytes = read(file, (from * ENTRY) as u64, count * ENTRY).ok_or(Unsound)?;
        if digest(&bytes) != self.blocks[at].digest {
            return Err(Unsound);
        }
        let rows = bytes.chunks_exact(ENTRY).map(row);
        rows.collect::<Option<_>>().ok_or(Unsound)
    }
}

impl Block {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (first, _) = row(bytes)?;
        let digest = digest(bytes);
        Some(Self { first, digest })
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (first, digest) = bytes.split_first_chunk::<16>()?;
        Some(Self {
            first: Uuid::from_bytes(*first),
            digest: digest.try_into().ok()?,
        })
    }
}

fn row(bytes: &[u8]) -> Option<(Uuid, Slot)> {
    let (order, rest) = bytes.split_first_chunk::<16>()?;
    let (field, rest) = rest.split_first_chunk::<8>()?;
    let slot = Slot {
        field: FieldHash::from_bytes(*field),
        offset: u32::from_le_bytes(*rest.first_chunk()?),
    };
    Some((Uuid::from_bytes(*order), slot))
}

fn digest(bytes: &[u8]) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(bytes).into();
    std::array::from_fn(|at| whole[at])
}

fn read(file: &dyn DiskFile, at: u64, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    (read_full(file, &mut bytes, at).ok()? == count).then_some(bytes)
}

/// Removes the hint of a file, if there is one.
pub(super) fn remove(disk: &dyn Disk, number: u32) -> std::io::Result<()> {
    match disk.remove(&file::hint(number)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The name of a hint whose file is gone, if it is one.
pub(super) fn is_stray(name: &Name, has_file: impl Fn(u32) -> bool) -> Option<String> {
    match name {
        Name::Hint(number) if !has_file(*number) => Some(file::hint(*number)),
        Name::Hint(_) | Name::Records(_) | Name::Sealed(_) | Name::Temporary | Name::Other => None,
    }
}

fn end_of(file: &dyn DiskFile, size: u64) -> Option<String> {
    let at = size.checked_sub(END as u64)?;
    Some(hex::encode(read(file, at, END)?))
}
