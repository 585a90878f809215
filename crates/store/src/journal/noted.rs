//! How far the log had come, noted in a file beside it: an older copy in the log's place is a sound log, and this shows that it
//! is older. One record, written over in place: it fits a sector, so a power cut leaves the one before or this one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::hash::{ChainHash, Head};
use super::plain;

/// Its name in the data directory.
pub(crate) const NOTED: &str = "head";
/// Bytes of the file, whatever it says.
const SIZE: usize = 400;

/// A head that the engine noted, and what proves that it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The log had come this far.
    pub head: Head,
    /// The name of the master key that `proof` is made with.
    pub key: String,
    /// Proves that nobody without that key wrote it, in hexadecimal digits.
    pub proof: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    position: u64,
    hash: String,
    key: String,
    proof: String,
}

impl Noted {
    /// What stands in a data directory; none when nothing does.
    ///
    /// # Errors
    /// When it cannot be read, or is none of this engine's.
    pub fn read(dir: &Path) -> io::Result<Option<Self>> {
        let bytes = match plain::read(&dir.join(NOTED)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let wire: Wire = serde_json::from_slice(&bytes)?;
        let hash = ChainHash::from_hex(wire.hash.as_bytes());
        let hash = hash.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Some(Self {
            head: Head {
                position: wire.position,
                hash,
            },
            key: wire.key,
            proof: wire.proof,
        }))
    }

    /// What the proof is of.
    pub(crate) fn text(head: Head) -> String {
        format!("{}:{}", head.position, head.hash)
    }
}

/// The file, open for one record after another.
#[derive(Debug)]
pub(crate) struct NotedFile(File);

impl NotedFile {
    /// Opens the file, or makes it; its name is durable then.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let path: PathBuf = dir.join(NOTED);
        match plain::open_to_write(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = plain::create(&path)?;
                File::open(dir)?.sync_all()?;
                Ok(Self(file))
            }
            opened => opened.map(Self),
        }
    }

    /// Writes over what stood there. Without [`sync`](Self::sync) a power cut may bring that back.
    pub(crate) fn write(&self, noted: &Noted) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(&Wire {
            position: noted.head.position,
            hash: noted.head.hash.to_string(),
            key: noted.key.clone(),
            proof: noted.proof.clone(),
        })?;
        bytes.resize(SIZE.max(bytes.len() + 1) - 1, b' ');
        bytes.push(b'\n');
        self.0.write_all_at(&bytes, 0)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
