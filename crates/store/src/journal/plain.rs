//! Plain files and nothing else: an open never waits for the other end of a pipe, follows no link, and says what stands in a
//! file's place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FileType, OFlags};

/// Something else stands in a file's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is a {found}, not a plain file; move it away")]
pub(crate) struct NotPlain {
    pub(crate) found: &'static str,
}

impl NotPlain {
    pub(crate) fn of(kind: FileType) -> Option<Self> {
        let found = match kind {
            FileType::RegularFile => return None,
            FileType::Directory => "directory",
            FileType::Symlink => "symbolic link",
            FileType::Fifo => "named pipe",
            FileType::Socket => "socket",
            FileType::CharacterDevice | FileType::BlockDevice => "device",
            _ => "thing unknown",
        };
        Some(Self { found })
    }

    /// What `path` itself is, whatever it points at.
    fn at(path: &Path) -> Option<Self> {
        let status = rustix::fs::lstat(path).ok()?;
        Self::of(FileType::from_raw_mode(status.st_mode))
    }
}

impl From<NotPlain> for io::Error {
    fn from(found: NotPlain) -> Self {
        Self::new(io::ErrorKind::InvalidInput, found)
    }
}

/// How every file here is opened: no waiting for whoever is at the other end of a pipe, no following of links.
pub(crate) const PLAIN: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK);

/// Opens for reading.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    checked(path, OpenOptions::new().read(true))
}

/// Opens for writing what is there.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    checked(path, OpenOptions::new().write(true))
}

/// Opens for writing, emptied, or makes it (mode 0600).
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    checked(
        path,
        options.write(true).create(true).truncate(true).mode(0o600),
    )
}

/// All bytes of a file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn checked(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = i32::try_from(PLAIN.bits()).map_err(io::Error::other)?;
    let opened = options.custom_flags(flags).open(path);
    match NotPlain::at(path) {
        Some(found) => Err(found.into()),
        None => opened,
    }
}
