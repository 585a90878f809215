//! A data directory copied while an engine may be at work in it, and put back.
//!
//! The order is what makes a copy consistent. First the log's end is fixed: the last whole append that is there, synced, so
//! that no power cut takes from the original what the copy has. Then the vault is copied, and then the log up to that end.
//! The vault's part of an append is durable before the log's, so whatever those events need is in a vault copied later; what
//! the vault has beyond that, no event of the copy speaks of. The other way round, an event could lack its data.
//!
//! Everything that is copied is verified on the way. Files that an archiving or a compaction takes away meanwhile are
//! noticed, and the copy begins again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{CopyError, io_at};
use super::staging::Staging;
use super::vault::{self, CopiedVault};
use super::{JOURNAL, VAULT, segment};
use crate::journal::anchor::Anchor;
use crate::journal::disk::Disk;
use crate::journal::recover::{Recovered, io, recover};
use crate::journal::segment::file_name;
use crate::journal::{ChainHash, Directory, Head, JournalError};

/// What a backup says of itself.
const MANIFEST: &str = "backup.json";
/// Files that vanish while they are copied are looked for again so often. Each time an archiving or a compaction ended.
const TRIES: usize = 10;

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// The last event that is not in the copy because it is in an archive; [`Head::EMPTY`] when none is.
    pub start: Head,
    /// The last event of the copy.
    pub head: Head,
    /// Bytes of the log.
    pub journal_bytes: u64,
    /// Bytes of the vault.
    pub vault_bytes: u64,
    /// Records of the vault that were damaged already, and are so in the copy.
    pub vault_damaged: u64,
}

/// The manifest: what a restore must find again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    position: u64,
    hash: String,
    /// SHA-256 of each file of the vault; the log proves itself.
    vault: BTreeMap<String, String>,
}

/// Copies the data directory `source`, whether an engine runs in it or not, to `out`, which must not exist. The vault's
/// master keys are not in it.
///
/// # Errors
/// When the log is damaged, or `out` exists or cannot be written. Then there is no `out`.
pub fn backup(source: &Path, out: &Path) -> Result<Copied, CopyError> {
    let staging = Staging::begin(out)?;
    let (copied, files) = copy(source, &staging)?;
    let manifest = Manifest {
        position: copied.head.position,
        hash: copied.head.hash.to_string(),
        vault: files,
    };
    let bytes = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from);
    let mut bytes = bytes.map_err(io_at("write", out))?;
    bytes.push(b'\n');
    staging.put(MANIFEST, &bytes)?;
    staging.finish()?;
    Ok(copied)
}

/// Copies the backup `source` to a new data directory `out`, and proves that it is what was backed up.
///
/// # Errors
/// As for [`backup`]; also when `source` is no backup, or has changed since it was made.
pub fn restore(source: &Path, out: &Path) -> Result<Copied, CopyError> {
    let path = source.join(MANIFEST);
    let bytes = crate::journal::plain::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => CopyError::NoBackup {
            path: source.into(),
        },
        _ => io_at("read", &path)(error),
    })?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(std::io::Error::from)
        .map_err(io_at("read", &path))?;
    let changed = |what: String| CopyError::Changed {
        path: source.into(),
        what,
    };
    let staging = Staging::begin(out)?;
    let (copied, files) = copy(source, &staging)?;
    let hash = ChainHash::from_hex(manifest.hash.as_bytes());
    if (copied.head.position, Some(copied.head.hash)) != (manifest.position, hash) {
        return Err(changed(format!(
            "its log ends with event {}, {} was backed up",
            copied.head.position, manifest.position
        )));
    }
    if files != manifest.vault {
        let differs = |name: &&String| files.get(*name) != manifest.vault.get(*name);
        let name = files.keys().chain(manifest.vault.keys()).find(differs);
        return Err(changed(format!(
            "vault file {} is another",
            name.map_or("", |name| name)
        )));
    }
    staging.finish()?;
    Ok(copied)
}

fn copy(source: &Path, staging: &Staging) -> Result<(Copied, BTreeMap<String, String>), CopyError> {
    let path = source.join(JOURNAL);
    let journal: Arc<dyn Disk> = match Directory::open(&path) {
        Ok(journal) => Arc::new(journal),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CopyError::NoLog {
                path: source.into(),
            });
        }
        Err(error) => return Err(io_at("open", &path)(error)),
    };
    let mut tries = 0;
    loop {
        tries += 1;
        staging.clear()?;
        match copy_once(&*journal, source, staging) {
            Err(error) if tries < TRIES && error.is_moving() => {}
            copied => return copied,
        }
    }
}

fn copy_once(
    journal: &dyn Disk,
    source: &Path,
    staging: &Staging,
) -> Result<(Copied, BTreeMap<String, String>), CopyError> {
    let fixed = recover(journal, None)?;
    if let Some(last) = fixed.segments.last() {
        let name = file_name(last.first);
        let synced = journal.open(&name, false).and_then(|file| file.sync());
        synced.map_err(|source| io("sync", &name, source))?;
    }
    let CopiedVault {
        files,
        bytes: vault_bytes,
        damaged: vault_damaged,
    } = vault::copy(&source.join(VAULT), &staging.directory(VAULT)?)?;
    let journal_bytes = copy_journal(journal, &fixed, &staging.directory(JOURNAL)?)?;
    let copied = Copied {
        start: fixed.report.start,
        head: fixed.report.head,
        journal_bytes,
        vault_bytes,
        vault_damaged,
    };
    Ok((copied, files))
}

fn copy_journal(
    source: &dyn Disk,
    fixed: &Recovered,
    target: &Directory,
) -> Result<u64, CopyError> {
    let start = fixed.report.start;
    if start != Head::EMPTY {
        match Anchor::read(source)? {
            Some(anchor) if anchor.head == start => anchor.write(target)?,
            _ => return Err(CopyError::Moving),
        }
    }
    let (mut head, mut bytes) = (start, 0);
    for part in &fixed.segments {
        head = segment::copy(source, *part, head, target, &file_name(part.first))?;
        bytes += part.size;
    }
    target
        .sync()
        .map_err(|source| io("sync", "the copied journal", source))?;
    // Its last lines were written and never acknowledged, and are gone.
    if head == fixed.report.head {
        Ok(bytes)
    } else {
        Err(CopyError::Moving)
    }
}

impl CopyError {
    /// Whether somebody took files away while they were copied, so that another look may find them in order.
    fn is_moving(&self) -> bool {
        match self {
            Self::Moving | Self::Journal(JournalError::Missing { .. }) => true,
            Self::Io { source, .. } | Self::Journal(JournalError::Io { source, .. }) => {
                source.kind() == std::io::ErrorKind::NotFound
            }
            _ => false,
        }
    }
}
