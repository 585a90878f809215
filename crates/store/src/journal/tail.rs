//! Torn or damaged? What a power cut can leave behind the last sync, told apart from bytes that rotted.
//!
//! Bytes that were never synced may be missing from the end of the file, or be zeros in whole sectors, in
//! any order. They are cut. A line that is whole in length and wrong in content is no trace of a power cut:
//! it was written, and perhaps acknowledged, so it is refused. And whatever it looks like, nothing is cut
//! in front of a later line that says that all before it was durable (its *barrier*).

use std::io;
use std::sync::Arc;

use serde::Deserialize;

use super::disk::{DiskFile, read_full};
use super::hash::sealed_hash;
use super::lines::{LineEnd, Lines};

const SECTOR: u64 = 512;
/// Whether the bad line that starts at `from` is a torn tail of the file that ends at `end`.
pub(crate) fn is_torn(file: &Arc<dyn DiskFile>, from: u64, end: u64) -> io::Result<bool> {
    let mut lines = Lines::new(Arc::clone(file), from, end);
    if let Some(line) = lines.next_line()?
        && line.end == LineEnd::File
        && !line.bytes.contains(&0)
    {
        // All there but for one wrong byte in the place of its newline: changed, not torn.
        return Ok(!lacks_only_newline(line.bytes));
    }
    Ok(has_lost_sectors(&**file, from, end)? && !barrier_follows(&mut lines)?)
}

fn lacks_only_newline(bytes: &[u8]) -> bool {
    bytes
        .split_last()
        .is_some_and(|(_, line)| sealed_hash(line).is_some())
}

/// Whether the line at `from` holds zeros, and only where whole sectors were never written.
fn has_lost_sectors(file: &dyn DiskFile, from: u64, end: u64) -> io::Result<bool> {
    let mut chunk = vec![0; 64 << 10];
    let (mut offset, mut run, mut lost) = (from, None, false);
    while offset < end {
        let want = chunk
            .len()
            .min(usize::try_from(end - offset).unwrap_or(usize::MAX));
        let got = read_full(file, &mut chunk[..want], offset)?;
        for byte in &chunk[..got] {
            match (*byte, run) {
                (0, None) if offset == from || offset % SECTOR == 0 => run = Some(offset),
                (0, None) => return Ok(false),
                (0, Some(_)) => {}
                (_, Some(_)) if offset % SECTOR != 0 => return Ok(false),
                (_, Some(_)) => (run, lost) = (None, true),
                (_, None) => {}
            }
            if *byte == b'\n' {
                return Ok(lost);
            }
            offset += 1;
        }
        if got == 0 {
            break;
        }
    }
    Ok(lost || run.is_some())
}

fn barrier_follows(lines: &mut Lines) -> io::Result<bool> {
    while let Some(line) = lines.next_line()? {
        let whole = line.end == LineEnd::Newline && sealed_hash(line.bytes).is_some();
        if whole && serde_json::from_slice::<Mark>(line.bytes).is_ok_and(|mark| mark.barrier) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The one field both kinds of append files share.
#[derive(Deserialize)]
struct Mark {
    #[serde(default)]
    barrier: bool,
}
