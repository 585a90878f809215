//! The real disk: files reached through an open directory, so that nothing can be swapped underneath.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Advice, AtFlags, Dir, FileType, Mode, OFlags};

use super::disk::{Disk, DiskFile};
use super::plain::{NotPlain, PLAIN};

/// A directory of the operating system.
#[derive(Debug)]
pub struct Directory {
    handle: OwnedFd,
}

impl Directory {
    /// Opens an existing directory, for reading a copy of a log or as part of a [`DataDir`](super::DataDir).
    pub fn open(path: &Path) -> io::Result<Self> {
        let handle = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
        Ok(Self { handle })
    }

    /// Opens or makes the directory `name` inside `parent`; refuses a symbolic link.
    pub(super) fn within(parent: &OwnedFd, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
            Ok(()) => rustix::fs::fsync(parent)?,
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let handle = rustix::fs::openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { handle })
    }

    pub(super) fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    fn file(&self, name: &str, flags: OFlags) -> io::Result<Arc<dyn DiskFile>> {
        let flags = flags | PLAIN | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR);
        let status = match &opened {
            Ok(handle) => rustix::fs::fstat(handle),
            Err(_) => rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW),
        };
        let kind = status.map(|status| FileType::from_raw_mode(status.st_mode));
        match kind.ok().and_then(NotPlain::of) {
            Some(found) => Err(found.into()),
            None => Ok(Arc::new(OpenFile(File::from(opened?)))),
        }
    }
}

pub(super) const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
    }

    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn DiskFile>> {
        self.file(name, if write { OFlags::RDWR } else { OFlags::RDONLY })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.handle, from, &self.handle, to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.handle)?)
    }
}

#[derive(Debug)]
struct OpenFile(File);

impl DiskFile for OpenFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync(&self) -> io::Result<()> {
        // `fdatasync`: it makes the length durable too, and spares the time stamps.
        self.0.sync_data()
    }

    fn evict(&self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.0, 0, None, Advice::DontNeed)?)
    }
}
