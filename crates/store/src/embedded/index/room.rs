//! Room for what sled is about to write. After one write of its own that found none it answers no read either, so its file
//! is given the room beforehand, as blocks behind its end. Without it sled is left alone, and goes on being read.

use std::io;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::journal::plain;

/// What sled writes for each byte of rows, at most: a page is written again for the rows in it.
const FACTOR: u64 = 4;
/// And a few of its segments.
const MARGIN: u64 = 4 << 20;

/// Gives a file room for so many bytes of rows. Where a file system cannot do that, nothing is done.
pub(super) fn make(file: &Path, bytes: usize) -> io::Result<()> {
    let file = plain::open_to_write(file)?;
    let room = (bytes as u64).saturating_mul(FACTOR).saturating_add(MARGIN);
    let end = file.metadata()?.len().saturating_add(room);
    // Blocks behind the end can be had beyond this limit, but not be written.
    if getrlimit(Resource::Fsize)
        .current
        .is_some_and(|limit| limit < end)
    {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    match fallocate(&file, FallocateFlags::KEEP_SIZE, 0, end) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        made => Ok(made?),
    }
}
