//! The seam under the append files: one directory, its files, and when their bytes are durable.
//! Production is [`Directory`](super::Directory); tests and simulation use a disk that forgets what was not synced.

use std::fmt;
use std::io;
use std::sync::Arc;

/// One directory of append files. Names are plain file names, never paths.
pub trait Disk: fmt::Debug + Send + Sync {
    /// The names in the directory, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes a file that must not exist yet, open for reading and writing, for the owner only.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file; `write` asks for writing as well.
    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn DiskFile>>;
    /// Puts `from` in the place of `to` in one step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file's name; open handles keep its bytes.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// After this returns, names made, renamed and removed before are durable.
    fn sync(&self) -> io::Result<()>;
}

/// One open file.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Reads at `offset`; may read less than asked, 0 is the end of the file.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at `offset`; may write less than given.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Cuts the file to `size` bytes.
    fn truncate(&self, size: u64) -> io::Result<()>;
    /// After this returns, every byte written before, and the length, are durable.
    fn sync(&self) -> io::Result<()>;
    /// Lets go of clean cached pages, so that the next read comes from the device.
    ///
    /// After a failed sync the kernel may show pages the device never took.
    fn evict(&self) -> io::Result<()>;
}

/// Reads until `into` is full or the file ends; returns how much was read.
pub(crate) fn read_full(file: &dyn DiskFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read_at(&mut into[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes all of `bytes`; only a short write and an interruption are tried again.
pub(crate) fn write_full(file: &dyn DiskFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the error says that the process or the machine has no file handle left (`EMFILE`, `ENFILE`). Nothing was made then:
/// the handle comes before the name.
pub(crate) fn is_out_of_handles(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether the error says that there is no room (`ENOSPC`, `EDQUOT`, `EFBIG`).
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
