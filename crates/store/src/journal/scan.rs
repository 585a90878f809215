//! Reads events in order and binds each to the one before.

use std::sync::Arc;

use super::chain::Chain;
use super::error::{Damage, JournalError};
use super::hash::Head;
use super::lines::{LineEnd, Lines};
use super::location::Location;
use super::reader::{Record, RecordRef};
use super::recover::io;
use super::search;
use super::segment::{Segment, file_name};
use super::shared::Shared;

/// An iterator over events, up to the head at the time it was made. Stops at the first error.
#[derive(Debug)]
pub struct Scan {
    shared: Arc<Shared>,
    /// Segments still to read, the next one last.
    ahead: Vec<Segment>,
    current: Option<Current>,
    chain: Chain,
    /// Events before this position are read only to get to it.
    from: u64,
    start: Head,
    until: Head,
    bytes: u64,
}

#[derive(Debug)]
struct Current {
    segment: Segment,
    name: String,
    lines: Lines,
}

impl Scan {
    pub(super) fn new(shared: Arc<Shared>, position: u64) -> Self {
        let (segments, start, until) =
            shared.view(|view| (view.segments.clone(), view.start, view.head));
        let mut ahead = segments;
        let next = ahead.partition_point(|segment| segment.first <= position);
        ahead.drain(..next.saturating_sub(1));
        ahead.reverse();
        let chain = if position == start.position + 1 {
            Chain::after(start)
        } else {
            Chain::at(position)
        };
        let mut scan = Self {
            shared,
            ahead,
            current: None,
            chain,
            from: position,
            start,
            until,
            bytes: 0,
        };
        if position > until.position {
            scan.ahead.clear();
        }
        scan
    }

    pub(super) fn of_segment(shared: Arc<Shared>, first: u64) -> Self {
        let mut scan = Self::new(shared, first);
        scan.ahead.drain(..scan.ahead.len().saturating_sub(1));
        scan.until.position = u64::MAX;
        scan
    }

    /// The last event read.
    pub(super) fn head(&self) -> Head {
        self.chain.head()
    }

    /// Bytes of the lines read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the next event starts, or will start.
    pub(super) fn location(&self) -> Option<Location> {
        let current = self.current.as_ref()?;
        let offset = u32::try_from(current.lines.offset()).ok()?;
        Some(Location {
            segment: current.segment.first,
            offset,
        })
    }

    /// Reads one line without keeping it; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, JournalError> {
        Ok(self.step(|_| ())?.is_some())
    }

    /// Why there is no sound line at `place`: damage there or before it, or no line starts there.
    pub(super) fn find_damage(mut self, place: Location) -> JournalError {
        loop {
            match self.advance() {
                Ok(true) if self.location().is_some_and(|next| next <= place) => {}
                Ok(_) => return JournalError::NoSuchPlace(place),
                Err(error) => return error,
            }
        }
    }

    /// Shows the next event where it lies, and returns what `look` made of it; none at the end. For who reads many: nothing
    /// of it is copied.
    ///
    /// # Errors
    /// As the iterator, and like it, it is at its end then.
    pub fn visit<T>(
        &mut self,
        look: impl FnOnce(RecordRef<'_>) -> T,
    ) -> Result<Option<T>, JournalError> {
        let step = self.step(look);
        if step.is_err() {
            self.ahead.clear();
            self.until.position = 0;
        }
        step
    }

    fn step<T>(
        &mut self,
        look: impl FnOnce(RecordRef<'_>) -> T,
    ) -> Result<Option<T>, JournalError> {
        if self.from <= self.start.position {
            let until = std::mem::replace(&mut self.start, Head::EMPTY).position;
            return Err(JournalError::Archived { until });
        }
        while self.chain.head().position < self.until.position {
            if self.current.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(Current {
                segment,
                name,
                lines,
            }) = &mut self.current
            else {
                return Ok(None);
            };
            let number = self.chain.head().position + 2 - segment.first;
            let start = lines.offset();
            let damaged = |damage| JournalError::Damaged {
                file: name.clone(),
                line: number,
                byte: start,
                damage,
            };
            let read = lines
                .next_line()
                .map_err(|source| io("read", name, source))?;
            let Some(line) = read else {
                // The file became shorter than it was when it was opened.
                if start < segment.size {
                    return Err(damaged(Damage::Unterminated));
                }
                self.current = None;
                continue;
            };
            let linked = match line.end {
                LineEnd::Newline => self.chain.link(line.bytes),
                LineEnd::File => Err(Damage::Unterminated),
                LineEnd::TooLong => Err(Damage::TooLong),
            };
            let line_bytes = line.bytes.len() as u64 + 1;
            let linked = linked.map_err(damaged)?;
            if linked.position < self.from {
                continue;
            }
            self.bytes += line_bytes;
            let location = Location {
                segment: segment.first,
                offset: start as u32,
            };
            let record = RecordRef {
                line: linked,
                location,
            };
            return Ok(Some(look(record)));
        }
        Ok(None)
    }

    fn open_next(&mut self) -> Result<bool, JournalError> {
        let Some(segment) = self.ahead.pop() else {
            return Ok(false);
        };
        let name = file_name(segment.first);
        let file = self
            .shared
            .file(&name, segment.first)
            .map_err(|e| io("open", &name, e))?;
        let position = self.chain.head().position + 1;
        let mut offset = 0;
        if position > segment.first {
            let cursor = self
                .shared
                .cursor(position)
                .filter(|at| at.segment == segment.first);
            let found = match cursor {
                Some(cursor) => Some(cursor.offset.into()),
                None => search::find(&file, segment, position).map_err(|e| io("read", &name, e))?,
            };
            // Not found means damage on the way to it; reading all from the start names the place.
            offset = found.unwrap_or(0);
            if found.is_none() {
                self.chain = Chain::at(segment.first);
            }
        }
        let lines = Lines::new(file, offset, segment.size);
        self.current = Some(Current {
            segment,
            name,
            lines,
        });
        Ok(true)
    }
}

impl Iterator for Scan {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.visit(|record| Record::from(record)).transpose()
    }
}
