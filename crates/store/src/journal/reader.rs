//! Reads the durable part of a journal, beside its writer or on a copy. Every line is verified when read.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::disk::Disk;
use super::error::{Damage, JournalError};
use super::hash::{ChainHash, Head};
use super::line::{Line, parse};
use super::lines::{LineEnd, Lines};
use super::location::Location;
use super::recover::{OpenReport, io, recover};
use super::scan::Scan;
use super::segment::file_name;
use super::shared::{Shared, View};

/// A read of many events stops behind this many bytes of lines.
const READ_BYTES_MAX: u64 = 8 << 20;

/// An event as the journal holds it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place in the global order, from 1 without gaps.
    pub position: u64,
    /// The stream it belongs to.
    pub stream: String,
    /// Its version in that stream.
    pub version: u64,
    /// Its stored name.
    pub name: String,
    /// The schema number of the body.
    pub schema: u16,
    /// When it was recorded, RFC 3339.
    pub recorded_at: String,
    /// Which event of its atomic append it is, from 1.
    pub part: u32,
    /// How many events that append has.
    pub parts: u32,
    /// The inbox message the append settles.
    pub message: Option<String>,
    /// The event itself.
    pub body: Box<RawValue>,
    /// Hash of the line before.
    pub prev: ChainHash,
    /// Hash of this line.
    pub hash: ChainHash,
    /// Where it lies.
    pub location: Location,
}

/// As a [`Record`], where it lies in its reader's buffer.
#[derive(Debug)]
pub struct RecordRef<'a> {
    pub(super) line: Line<'a>,
    pub(super) location: Location,
}

impl<'a> RecordRef<'a> {
    /// Its place in the global order.
    pub fn position(&self) -> u64 {
        self.line.position
    }

    /// The stream it belongs to.
    pub fn stream(&self) -> &str {
        &self.line.stream
    }

    /// Its version in that stream.
    pub fn version(&self) -> u64 {
        self.line.version
    }

    /// Its stored name.
    pub fn name(&self) -> &str {
        &self.line.name
    }

    /// The schema number of the body.
    pub fn schema(&self) -> u16 {
        self.line.schema
    }

    /// When it was recorded, RFC 3339.
    pub fn recorded_at(&self) -> &str {
        &self.line.recorded_at
    }

    /// The inbox message the append settles.
    pub fn message(&self) -> Option<&str> {
        self.line.message.as_deref()
    }

    /// The event itself.
    pub fn body(&self) -> &'a RawValue {
        self.line.body
    }

    /// Whether it is the last event of its atomic append.
    pub fn ends_append(&self) -> bool {
        self.line.part == self.line.parts
    }

    /// The log up to here.
    pub fn head(&self) -> Head {
        Head {
            position: self.line.position,
            hash: self.line.hash,
        }
    }

    /// Where it lies.
    pub fn location(&self) -> Location {
        self.location
    }
}

impl From<RecordRef<'_>> for Record {
    fn from(RecordRef { line, location }: RecordRef<'_>) -> Self {
        Self {
            position: line.position,
            stream: line.stream.into_owned(),
            version: line.version,
            name: line.name.into_owned(),
            schema: line.schema,
            recorded_at: line.recorded_at.into_owned(),
            part: line.part,
            parts: line.parts,
            message: line.message.map(Into::into),
            body: line.body.to_owned(),
            prev: line.prev,
            hash: line.hash,
            location,
        }
    }
}

/// What a full verification read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The last event.
    pub head: Head,
    /// Bytes of all lines.
    pub bytes: u64,
}

/// A cheap handle; clones share a few open files.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Opens a journal that nobody writes, such as a copy: takes no lock and changes nothing. What a
    /// writer would cut off the end is left out and reported.
    pub fn open(
        disk: Arc<dyn Disk>,
        known: Option<Head>,
    ) -> Result<(Self, OpenReport), JournalError> {
        let recovered = recover(&*disk, known)?;
        let view = View {
            start: recovered.report.start,
            segments: recovered.segments,
            head: recovered.report.head,
        };
        Ok((
            Self::new(Arc::new(Shared::new(disk, view))),
            recovered.report,
        ))
    }

    /// The last event that is not here but in an archive; [`Head::EMPTY`] when nothing is.
    pub fn start(&self) -> Head {
        self.shared.view(|view| view.start)
    }

    /// The last durable event.
    pub fn head(&self) -> Head {
        self.shared.view(|view| view.head)
    }

    /// Proves that a head known from elsewhere is in the log.
    ///
    /// # Errors
    /// [`JournalError::RolledBack`] when the log ends before it, [`JournalError::Diverged`] when it holds another event
    /// there.
    pub fn contains(&self, known: Head) -> Result<(), JournalError> {
        let Head { position, hash } = known;
        let found = self.head().position;
        if found < position {
            return Err(JournalError::RolledBack {
                known: position,
                found,
            });
        }
        let start = self.start();
        let held = match position {
            _ if position == start.position => start.hash,
            _ => match self.records(position).next().transpose()? {
                Some(record) => record.hash,
                None => return Err(JournalError::Diverged { position }),
            },
        };
        if held == hash {
            Ok(())
        } else {
            Err(JournalError::Diverged { position })
        }
    }

    /// The event at a place that [`Writer::write`](super::Writer::write) or a [`Record`] named. The line is
    /// verified by itself; that it is the event the caller means, its stream and version tell.
    pub fn read_at(&self, location: Location) -> Result<Record, JournalError> {
        let segment = self.shared.view(|view| {
            let index = view
                .segments
                .binary_search_by_key(&location.segment, |s| s.first)
                .ok()?;
            view.segments.get(index).copied()
        });
        let offset = u64::from(location.offset);
        let size = segment
            .map(|segment| segment.size)
            .filter(|size| offset < *size);
        let size = size.ok_or(JournalError::NoSuchPlace(location))?;

        let name = file_name(location.segment);
        let file = self
            .shared
            .file(&name, location.segment)
            .map_err(|e| io("open", &name, e))?;
        let mut lines = Lines::few(file, offset, size);
        let line = lines
            .next_line()
            .map_err(|source| io("read", &name, source))?;
        let line = match line {
            Some(line) if line.end == LineEnd::Newline => parse(line.bytes),
            Some(line) if line.end == LineEnd::TooLong => Err(Damage::TooLong),
            _ => Err(Damage::Unterminated),
        };
        match line {
            Ok(line) => Ok(RecordRef { line, location }.into()),
            // Which line of the file it is, only a look at all before it can tell.
            Err(_) => {
                Err(Scan::of_segment(Arc::clone(&self.shared), location.segment)
                    .find_damage(location))
            }
        }
    }

    /// Up to `limit` events in order from `position` on; none behind the head. Fewer when their lines take
    /// more than 8 MiB, but never none while there are some.
    pub fn read_from(&self, position: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let mut scan = self.records(position);
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < limit && bytes < READ_BYTES_MAX {
            let Some(record) = scan.next().transpose()? else {
                break;
            };
            bytes += record.body.get().len() as u64;
            records.push(record);
        }
        if let (Some(last), Some(next)) = (records.last(), scan.location()) {
            self.shared.keep_cursor(last.position + 1, next);
        }
        Ok(records)
    }

    /// Every event from `position` up to the head of now, in order, each bound to the one before.
    /// [`JournalError::Archived`] when that begins before what is here.
    pub fn records(&self, position: u64) -> Scan {
        Scan::new(Arc::clone(&self.shared), position.max(1))
    }

    /// Every event that is here.
    pub fn all(&self) -> Scan {
        self.records(self.start().position + 1)
    }

    /// Reads all of the log that is here and proves that it is whole and unchanged up to its head.
    pub fn verify_all(&self) -> Result<Verified, JournalError> {
        let mut scan = self.all();
        while scan.advance()? {}
        Ok(Verified {
            head: scan.head(),
            bytes: scan.bytes(),
        })
    }
}
