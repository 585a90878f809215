//! A directory that appears whole or not at all. It grows as `<name>.partial` beside its place and gets its name last.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::RenameFlags;

use super::error::{CopyError, io_at};
use crate::journal::{DataDir, Directory};

/// A directory on its way. Dropped before [`finish`](Self::finish), it is removed.
#[derive(Debug)]
pub(super) struct Staging {
    out: PathBuf,
    partial: PathBuf,
    // Keeps a second one with the same name out.
    data: DataDir,
    finished: bool,
}

impl Staging {
    /// Begins one, and clears away what an earlier one left that did not get to its end.
    pub(super) fn begin(out: &Path) -> Result<Self, CopyError> {
        let path = out.to_path_buf();
        if out.symlink_metadata().is_ok() {
            return Err(CopyError::Exists { path });
        }
        let Some(name) = out.file_name() else {
            return Err(CopyError::Exists { path });
        };
        let mut partial = name.to_os_string();
        partial.push(".partial");
        let partial = out.with_file_name(partial);
        let data = DataDir::open(&partial)?;
        let staging = Self {
            out: path,
            partial,
            data,
            finished: false,
        };
        staging.clear()?;
        Ok(staging)
    }

    /// Makes a directory in it.
    pub(super) fn directory(&self, name: &str) -> Result<Directory, CopyError> {
        Ok(self.data.directory(name)?)
    }

    /// Begins again.
    pub(super) fn clear(&self) -> Result<(), CopyError> {
        clear(&self.partial).map_err(io_at("clear", &self.partial))
    }

    /// Puts a file in it, durably.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CopyError> {
        let path = self.partial.join(name);
        let put = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        put().map_err(io_at("write", &path))
    }

    /// Where it grows.
    pub(super) fn path(&self) -> &Path {
        &self.partial
    }

    /// Gives it its name. What is in it must be durable.
    pub(super) fn finish(mut self) -> Result<(), CopyError> {
        let parent = self
            .out
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let finish = || {
            File::open(&self.partial)?.sync_all()?;
            let here = rustix::fs::CWD;
            let flags = RenameFlags::NOREPLACE;
            match rustix::fs::renameat_with(here, &self.partial, here, &self.out, flags) {
                // A file system without that flag; nobody else makes this name between two looks, or they lose nothing.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                    fs::rename(&self.partial, &self.out)?;
                }
                renamed => renamed?,
            }
            File::open(parent)?.sync_all()
        };
        finish().map_err(io_at("finish", &self.out))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.finished {
            // What stays is cleared away by the next one of the name.
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// Removes all but the lock.
fn clear(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != "lock" {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
