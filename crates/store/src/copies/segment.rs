//! One segment copied, each line verified on the way.

use std::sync::Arc;

use super::error::CopyError;
use crate::journal::chain::Chain;
use crate::journal::disk::{Disk, write_full};
use crate::journal::lines::{LineEnd, Lines};
use crate::journal::recover::io;
use crate::journal::segment::{Segment, file_name};
use crate::journal::{Damage, Head, JournalError};

/// Written in pieces of about this size.
const PIECE: usize = 1 << 20;

/// Copies what counts of a segment that follows `before` to a new file `to`, durable but for its name; returns its last
/// event.
pub(super) fn copy(
    source: &dyn Disk,
    segment: Segment,
    before: Head,
    target: &dyn Disk,
    to: &str,
) -> Result<Head, CopyError> {
    let name = file_name(segment.first);
    let file = source.open(&name, false);
    let file = file.map_err(|source| io("open", &name, source))?;
    let mut lines = Lines::new(Arc::clone(&file), 0, segment.size);
    let output = target
        .create(to)
        .map_err(|source| io("create", to, source))?;
    let (mut chain, mut number, mut written, mut buffer) =
        (Chain::after(before), 0, 0, Vec::with_capacity(PIECE));
    loop {
        let line = lines
            .next_line()
            .map_err(|source| io("read", &name, source))?;
        if line.is_none() || buffer.len() >= PIECE {
            write_full(&*output, &buffer, written).map_err(|source| io("write", to, source))?;
            written += buffer.len() as u64;
            buffer.clear();
        }
        let Some(line) = line else { break };
        number += 1;
        let linked = match line.end {
            LineEnd::Newline => chain.link(line.bytes).map(|_| ()),
            LineEnd::File => Err(Damage::Unterminated),
            LineEnd::TooLong => Err(Damage::TooLong),
        };
        linked.map_err(|damage| JournalError::Damaged {
            file: name.clone(),
            line: number,
            byte: line.offset,
            damage,
        })?;
        buffer.extend_from_slice(line.bytes);
        buffer.push(b'\n');
    }
    output.sync().map_err(|source| io("sync", to, source))?;
    Ok(chain.head())
}
