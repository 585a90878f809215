//! Opens what is sealed, beside the writer and a running compaction.

use std::sync::Arc;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::cipher::Context;
use super::error::VaultError;
use super::file::{self, io_error};
use super::record::{RawContent, Record, SealedRecord, decode_inline, parse};
use super::sealer::SEALED_MAX;
use super::shared::Shared;
use super::table::{FieldHash, Place};
use crate::journal::Damage;
use crate::journal::disk::{DiskFile, read_full};
use crate::journal::hash::ChainHash;
use crate::journal::lines::{LineEnd, Lines, line_number};

/// Records that are tried to prove a key.
const PROOFS_MAX: usize = 8;

/// Reads the durable part of a vault. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct VaultReader {
    shared: Arc<Shared>,
}

impl VaultReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The latest value of this order and field. `None`: never there, or erased. While records are damaged
    /// that cannot be told apart from those, a miss is [`VaultError::Uncertain`].
    pub fn open(&self, order: Uuid, field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let Some((place, file)) = self.shared.locate(order, FieldHash::of(field))? else {
            return match self.shared.damaged() {
                Some((first, damaged)) if !self.is_erased(order)? => Err(VaultError::Uncertain {
                    damaged,
                    file: first.file,
                    byte: first.byte,
                }),
                _ => Ok(None),
            };
        };
        let source = Source { place, file };
        let line = source.line()?;
        match parse(&line).map_err(|damage| source.damaged(damage))? {
            Record::Sealed(record) if record.order == order && record.field == field => {
                self.unseal(&record, &source).map(Some)
            }
            _ => Err(source.damaged(Damage::Shape)),
        }
    }

    /// Whether anything is stored of the order.
    pub fn holds(&self, order: Uuid) -> Result<bool, VaultError> {
        self.shared.holds(order)
    }

    /// Whether the order's data was erased and nothing was stored since under a field asked for.
    pub fn is_erased(&self, order: Uuid) -> Result<bool, VaultError> {
        Ok(self.shared.locate(order, FieldHash::ERASED)?.is_some())
    }

    fn unseal(
        &self,
        record: &SealedRecord<'_>,
        source: &Source,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        match unseal(&self.shared, record)? {
            Unsealed::Plaintext(plaintext) => Ok(plaintext),
            Unsealed::Damaged(damage) => Err(source.damaged(damage)),
            Unsealed::NotAuthentic => Err(source.not_authentic(&record.key)),
        }
    }

    /// Whether one of these records opens, the last ones first: the proof that a key is the key of that name. One alone
    /// may have been tampered with.
    pub(super) fn proves_key(&self, places: &[Place]) -> Result<bool, VaultError> {
        let mut refuted = false;
        for place in places.iter().rev().take(PROOFS_MAX) {
            let file = self.shared.file(place.file)?;
            let source = Source {
                place: *place,
                file,
            };
            let opened = source.line().and_then(|line| match parse(&line) {
                Ok(Record::Sealed(record)) => self.unseal(&record, &source).map(drop),
                Ok(Record::Erased { .. }) => Err(source.damaged(Damage::Shape)),
                Err(damage) => Err(source.damaged(damage)),
            });
            match opened {
                Ok(()) => return Ok(true),
                Err(VaultError::NotAuthentic { .. }) => refuted = true,
                // Damage costs the record only.
                Err(VaultError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(!refuted)
    }
}

/// What came of unsealing a record that is as it was written, where it stands aside.
enum Unsealed {
    Plaintext(Zeroizing<Vec<u8>>),
    Damaged(Damage),
    NotAuthentic,
}

fn unseal(shared: &Shared, record: &SealedRecord<'_>) -> Result<Unsealed, VaultError> {
    let master = shared.master_key(&record.key)?;
    let sealed = match &record.content {
        RawContent::Inline(text) => match decode_inline(text) {
            Ok(sealed) => sealed,
            Err(damage) => return Ok(Unsealed::Damaged(damage)),
        },
        RawContent::File { name, digest } => sealed_file(shared, name, *digest)?,
    };
    let context = Context {
        order: record.order,
        field: &record.field,
        key_name: &record.key,
    };
    let opened = context.open(&master, &record.nonce, sealed);
    Ok(opened.map_or(Unsealed::NotAuthentic, Unsealed::Plaintext))
}

/// The plaintext of a record, for a compaction; none when it does not open.
pub(super) fn reopen(
    shared: &Shared,
    record: &SealedRecord<'_>,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    match unseal(shared, record) {
        Ok(Unsealed::Plaintext(plaintext)) => Ok(Some(plaintext)),
        Ok(Unsealed::Damaged(_) | Unsealed::NotAuthentic)
        | Err(VaultError::UnknownKey { .. } | VaultError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn sealed_file(shared: &Shared, name: &str, digest: ChainHash) -> Result<Vec<u8>, VaultError> {
    let file = shared
        .disk
        .open(name, false)
        .map_err(|e| io_error("open", name, e))?;
    let size = file
        .size()
        .map_err(|source| io_error("read", name, source))?;
    let damaged = |damage| VaultError::Damaged {
        file: name.into(),
        record: 1,
        byte: 0,
        damage,
    };
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size <= SEALED_MAX + 16);
    let mut bytes = vec![0; size.ok_or_else(|| damaged(Damage::TooLong))?];
    let count = read_full(&*file, &mut bytes, 0).map_err(|e| io_error("read", name, e))?;
    bytes.truncate(count);
    if ChainHash::of(&bytes) != digest {
        return Err(damaged(Damage::Hash));
    }
    Ok(bytes)
}

/// A record's place with the file it is in.
struct Source {
    place: Place,
    file: Arc<dyn DiskFile>,
}

impl Source {
    fn line(&self) -> Result<Vec<u8>, VaultError> {
        let io = |source| io_error("read", &file::records(self.place.file), source);
        let end = self.file.size().map_err(io)?;
        let mut lines = Lines::few(Arc::clone(&self.file), self.place.offset.into(), end);
        match lines.next_line().map_err(io)? {
            Some(line) if line.end == LineEnd::Newline => Ok(line.bytes.to_vec()),
            Some(line) if line.end == LineEnd::TooLong => Err(self.damaged(Damage::TooLong)),
            _ => Err(self.damaged(Damage::Unterminated)),
        }
    }

    fn damaged(&self, damage: Damage) -> VaultError {
        let (file, record, byte) = self.spot();
        VaultError::Damaged {
            file,
            record,
            byte,
            damage,
        }
    }

    fn not_authentic(&self, key: &str) -> VaultError {
        let (file, record, byte) = self.spot();
        VaultError::NotAuthentic {
            file,
            record,
            byte,
            key: key.into(),
        }
    }

    fn spot(&self) -> (String, u64, u64) {
        let byte = u64::from(self.place.offset);
        // 0 when even that cannot be read; the byte tells it as well.
        let record = line_number(&self.file, byte).unwrap_or(0);
        (file::records(self.place.file), record, byte)
    }
}

/// Whether the record that counts for this order and field has its value in this file. When it cannot be
/// read, it may have.
pub(super) fn refers_to(shared: &Shared, order: Uuid, field: FieldHash, name: &str) -> bool {
    let line = match shared.locate(order, field) {
        Ok(None) => return false,
        Ok(Some((place, file))) => Source { place, file }.line(),
        Err(error) => Err(error),
    };
    let Ok(line) = line else { return true };
    match parse(&line) {
        Ok(Record::Sealed(record)) => {
            matches!(record.content, RawContent::File { name: named, .. } if named == name)
        }
        Ok(Record::Erased { .. }) => false,
        Err(_) => true,
    }
}
