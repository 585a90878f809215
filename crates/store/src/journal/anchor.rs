//! The anchor: what stands in a journal directory for the beginning of the log when that lies elsewhere, in an archive or
//! nowhere. It names the last event that is not here; the first line that is names the same hash.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::disk::{Disk, write_full};
use super::error::{Damage, JournalError};
use super::hash::{ChainHash, Head};
use super::recover::io;

/// Its file. Not named like a segment, so readers that want only lines need not know it.
pub(crate) const ANCHOR: &str = "anchor.json";
const TEMPORARY: &str = "anchor.tmp";
/// An anchor is a hundred bytes and a path.
const SIZE_MAX: u64 = 16 << 10;

/// Where the log in a directory begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// The last event that is not here.
    pub(crate) head: Head,
    /// The data directory that holds everything up to it, if one was said to.
    pub(crate) archive: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    position: u64,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    archive: Option<PathBuf>,
}

impl Anchor {
    pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Self>, JournalError> {
        let file = match disk.open(ANCHOR, false) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|source| io("open", ANCHOR, source))?,
        };
        let read = || {
            let size = usize::try_from(file.size()?.min(SIZE_MAX)).unwrap_or_default();
            let mut bytes = vec![0; size];
            let got = super::disk::read_full(&*file, &mut bytes, 0)?;
            bytes.truncate(got);
            Ok(bytes)
        };
        let bytes = read().map_err(|source| io("read", ANCHOR, source))?;
        match parse(&bytes) {
            Some(anchor) => Ok(Some(anchor)),
            None => Err(JournalError::Damaged {
                file: ANCHOR.into(),
                line: 1,
                byte: 0,
                damage: Damage::Shape,
            }),
        }
    }

    /// Puts it in the place of the one before, durably and in one step.
    pub(crate) fn write(&self, disk: &dyn Disk) -> Result<(), JournalError> {
        let wire = Wire {
            position: self.head.position,
            hash: self.head.hash.to_string(),
            archive: self.archive.clone(),
        };
        let put = || {
            let mut bytes = serde_json::to_vec(&wire)?;
            bytes.push(b'\n');
            // One that did not end may have left it.
            let _ = disk.remove(TEMPORARY);
            let file = disk.create(TEMPORARY)?;
            write_full(&*file, &bytes, 0)?;
            file.sync()?;
            disk.rename(TEMPORARY, ANCHOR)?;
            disk.sync()
        };
        put().map_err(|source| io("write", ANCHOR, source))
    }
}

fn parse(bytes: &[u8]) -> Option<Anchor> {
    let wire: Wire = serde_json::from_slice(bytes).ok()?;
    let head = Head {
        position: wire.position,
        hash: ChainHash::from_hex(wire.hash.as_bytes())?,
    };
    Some(Anchor {
        head,
        archive: wire.archive,
    })
}
