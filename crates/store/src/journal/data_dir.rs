//! The data directory: private, not a link, on this machine, and owned by one process at a time.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags};

use super::directory::{DIRECTORY, Directory};
use super::disk::Disk;
use super::noted::NOTED;
use super::plain::{NotPlain, PLAIN};
use super::segment::first_position;

const LOCK: &str = "lock";
const INDEX: &str = "index";
/// The one directory sled keeps among its files.
const BLOBS: &str = "blobs";
/// Plain files beside the log.
const FILES: [&str; 5] = [LOCK, NOTED, "index.open", "index.redo", "index.probe"];
/// `statfs` magic numbers of file systems whose locks or syncs depend on another machine.
const NETWORK: [u32; 4] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x517b];

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// The path is a symbolic link, which someone else could point elsewhere.
    #[error("data directory {path:?} is a symbolic link; give the directory itself")]
    Link {
        /// The path as given.
        path: PathBuf,
    },
    /// The path is there but is not a directory.
    #[error("data directory {path:?} is not a directory")]
    NotDirectory {
        /// The path as given.
        path: PathBuf,
    },
    /// Group or others can enter it.
    #[error("data directory {path:?} is open to other users (mode {mode:o}); run chmod 700 on it")]
    Open {
        /// The path as given, or the part of it that is open.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another user owns it.
    #[error("data directory {path:?} belongs to user {owner}, this process runs as user {user}")]
    Owner {
        /// The path as given.
        path: PathBuf,
        /// The owner's user id.
        owner: u32,
        /// Our user id.
        user: u32,
    },
    /// Something else stands in the place of one of its files.
    #[error("{path:?} is a {found}, not a plain file; move it away")]
    NotPlain {
        /// The file's path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Another process has it open.
    #[error("data directory {path:?} is in use by process {process}; stop it first")]
    InUse {
        /// The path as given.
        path: PathBuf,
        /// What the lock file says; "unknown" when it says nothing.
        process: String,
    },
    /// What belongs to a journal with records is not there.
    #[error(
        "{path:?} is gone, and its journal is not; restore it from a backup, or make an empty directory there (mode 700) to go on without what was in it"
    )]
    Gone {
        /// The missing part.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} in data directory {path:?}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The path as given.
        path: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
}

/// A data directory this process owns until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    handle: OwnedFd,
    // Holds the lock: closing it gives the directory free, also when the process is killed.
    _lock: File,
}

impl DataDir {
    /// Opens the directory, making it (mode 0700) if its parent exists, and takes the lock.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let io = |action, source: io::Error| DataDirError::Io {
            action,
            path: path.into(),
            source,
        };
        make(path).map_err(|error| io("make the directory", error))?;
        let handle = match rustix::fs::open(path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(handle) => handle,
            Err(error) => return Err(refused(path, error.into())),
        };
        check_private(path, &handle)?;
        warn_of_network(path, &handle);
        check_files(path, FILES.iter().map(Path::new))?;
        check_index(path)?;
        let lock = take_lock(path, &handle)?;
        Ok(Self {
            path: path.into(),
            handle,
            _lock: lock,
        })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As [`directory`](Self::directory), but made only as long as nothing was written to `journal`.
    pub fn directory_of(&self, journal: &dyn Disk, name: &str) -> Result<Directory, DataDirError> {
        let path = self.path.join(name);
        let io = |action, source: io::Error| DataDirError::Io {
            action,
            path: self.path.clone(),
            source,
        };
        let is_there = path
            .try_exists()
            .map_err(|error| io("look for a part", error))?;
        let is_segment = |name: &String| first_position(name).is_some();
        let written = || journal.list().map(|names| names.iter().any(is_segment));
        if !is_there && written().map_err(|error| io("list the journal", error))? {
            return Err(DataDirError::Gone { path });
        }
        self.directory(name)
    }

    /// Opens or makes a directory inside (`journal`, `vault`), as private as this one.
    pub fn directory(&self, name: &str) -> Result<Directory, DataDirError> {
        let path = self.path.join(name);
        let directory = match Directory::within(&self.handle, name) {
            Ok(directory) => directory,
            Err(error) => return Err(refused(&path, error)),
        };
        check_private(&path, directory.handle())?;
        Ok(directory)
    }
}

fn make(path: &Path) -> io::Result<()> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) => {
            // The new name must survive a power cut, or the whole log goes with it.
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let parent =
                rustix::fs::open(parent.unwrap_or(Path::new(".")), DIRECTORY, Mode::empty())?;
            Ok(rustix::fs::fsync(parent)?)
        }
        Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn refused(path: &Path, source: io::Error) -> DataDirError {
    let path = path.to_path_buf();
    if path.is_symlink() {
        DataDirError::Link { path }
    } else if source.kind() == io::ErrorKind::NotADirectory {
        DataDirError::NotDirectory { path }
    } else {
        DataDirError::Io {
            action: "open the directory",
            path,
            source,
        }
    }
}

fn check_private(path: &Path, handle: &OwnedFd) -> Result<(), DataDirError> {
    let status = rustix::fs::fstat(handle).map_err(|error| DataDirError::Io {
        action: "read the permissions",
        path: path.into(),
        source: error.into(),
    })?;
    let user = rustix::process::geteuid().as_raw();
    if status.st_uid != user {
        return Err(DataDirError::Owner {
            path: path.into(),
            owner: status.st_uid,
            user,
        });
    }
    let mode = status.st_mode & 0o7777;
    if mode & 0o077 != 0 {
        return Err(DataDirError::Open {
            path: path.into(),
            mode,
        });
    }
    Ok(())
}

/// Each of these must be a plain file, or not there.
fn check_files<'a>(dir: &Path, names: impl Iterator<Item = &'a Path>) -> Result<(), DataDirError> {
    for name in names {
        let path = dir.join(name);
        let kind = rustix::fs::lstat(&path).map(|status| FileType::from_raw_mode(status.st_mode));
        if let Some(NotPlain { found }) = kind.ok().and_then(NotPlain::of) {
            return Err(DataDirError::NotPlain { path, found });
        }
    }
    Ok(())
}

/// sled opens its files by its own rules, so nothing else may stand in their place. What else is wrong with them only
/// costs the index.
fn check_index(dir: &Path) -> Result<(), DataDirError> {
    let index = dir.join(INDEX);
    if index.is_symlink() {
        return Err(DataDirError::Link { path: index });
    }
    let Ok(entries) = std::fs::read_dir(&index) else {
        return Ok(());
    };
    let names =
        entries.filter_map(|entry| entry.ok().map(|entry| PathBuf::from(entry.file_name())));
    let names: Vec<_> = names.filter(|name| name != Path::new(BLOBS)).collect();
    check_files(&index, names.iter().map(|name| &**name))
}

fn warn_of_network(path: &Path, handle: &OwnedFd) {
    let Ok(status) = rustix::fs::fstatfs(handle) else {
        return;
    };
    if NETWORK.contains(&(status.f_type as u32)) {
        tracing::warn!(
            ?path,
            "data directory is on a network file system, where locks and syncs may not hold"
        );
    }
}

fn take_lock(path: &Path, handle: &OwnedFd) -> Result<File, DataDirError> {
    let io = |action, source: io::Error| DataDirError::Io {
        action,
        path: path.into(),
        source,
    };
    let flags = OFlags::RDWR | OFlags::CREATE | PLAIN | OFlags::CLOEXEC;
    let lock = rustix::fs::openat(handle, LOCK, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| io("open the lock file", error.into()))?;
    let mut lock = File::from(lock);
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            // Only for the message; the lock itself is what counts.
            let mut text = [0; 20];
            let count = lock.read(&mut text).unwrap_or(0);
            let process = String::from_utf8_lossy(&text[..count]).trim().to_owned();
            let process = if process.is_empty() {
                "unknown".into()
            } else {
                process
            };
            return Err(DataDirError::InUse {
                path: path.into(),
                process,
            });
        }
        Err(error) => return Err(io("take the lock", error.into())),
    }
    // A full disk must not keep a reader out, so the process id is best effort.
    let _ = lock
        .set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{}", std::process::id()));
    Ok(lock)
}
