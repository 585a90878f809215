//! A file beside the index that says who had it open. What sled has not been told to write reaches the disk in any order,
//! so after a power cut nothing in its files can be believed, also if it opens.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error::IndexError;
use crate::journal::plain;

const MARK: &str = "index.open";
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// What stands for a boot that cannot be told: it is no later one.
const UNKNOWN: &str = "unknown";

fn path(dir: &Path) -> PathBuf {
    dir.join(MARK)
}

/// The running boot of this machine, where it can be told.
fn boot() -> Option<String> {
    let boot = std::fs::read_to_string(BOOT).ok()?;
    Some(boot.trim().to_owned()).filter(|boot| !boot.is_empty())
}

/// Whether the index was closed, or its process died but the machine did not.
pub(super) fn is_trusted(dir: &Path) -> bool {
    match plain::read(&path(dir)) {
        Ok(mark) => boot().is_some_and(|boot| boot.as_bytes() == mark.trim_ascii()),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// The index is about to be opened.
pub(super) fn set(dir: &Path) -> Result<(), IndexError> {
    write(dir, boot().as_deref().unwrap_or(UNKNOWN))
}

/// The index was closed: its files are made durable, then the mark goes.
pub(super) fn clear(dir: &Path, index: &Path) -> Result<(), IndexError> {
    sync_tree(index)?;
    std::fs::remove_file(path(dir))?;
    Ok(File::open(dir)?.sync_all()?)
}

fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            plain::open(&entry.path())?.sync_all()?;
        }
    }
    File::open(path)?.sync_all()
}

fn write(dir: &Path, mark: &str) -> Result<(), IndexError> {
    let mut file = plain::create(&path(dir)).map_err(IndexError::at(MARK))?;
    writeln!(file, "{mark}")?;
    file.sync_all()?;
    Ok(File::open(dir)?.sync_all()?)
}
