//! Finds an event in a segment by its position without an index: positions only grow, so halving works.

use std::io;
use std::sync::Arc;

use super::disk::DiskFile;
use super::line::{claimed_position, parse};
use super::lines::{LineEnd, Lines};
use super::segment::Segment;

/// A stretch this short is read through.
const STRETCH: u64 = 32 << 10;

/// The offset of the event's line, or nothing if no sound line with that position is where it should be.
pub(crate) fn find(
    file: &Arc<dyn DiskFile>,
    segment: Segment,
    position: u64,
) -> io::Result<Option<u64>> {
    let (mut low, mut high) = (0, segment.size);
    while high - low > STRETCH {
        let middle = low + (high - low) / 2;
        let mut lines = Lines::few(Arc::clone(file), middle, high);
        // Most likely the middle of a line.
        lines.next_line()?;
        let start = lines.offset();
        let claimed = lines
            .next_line()?
            .and_then(|line| claimed_position(line.bytes));
        match claimed {
            Some(claimed) if claimed <= position => low = start,
            Some(_) => high = middle,
            // Nothing starts between here and `high`, or what does is damaged.
            None if start >= high => high = middle,
            None => return Ok(None),
        }
    }
    let mut lines = Lines::few(Arc::clone(file), low, segment.size);
    while let Some(line) = lines.next_line()? {
        match claimed_position(line.bytes) {
            Some(claimed) if claimed < position => {}
            Some(claimed) if claimed == position => {
                let sound = line.end == LineEnd::Newline
                    && parse(line.bytes).is_ok_and(|line| line.position == position);
                return Ok(sound.then_some(line.offset));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}
