//! The one writer of a journal: owned by the committer's thread, blocking, stopped by its first failure.

use std::sync::Arc;

use issuance_domain::planted::{self, Bug};

use super::append::{AppendFile, Fault};
use super::disk::Disk;
use super::error::{Invalid, JournalError};
use super::hash::Head;
use super::line::{Batch, Place, check, encode};
use super::location::Location;
use super::reader::Reader;
use super::recover::{OpenReport, io, recover};
use super::segment::{self, Segment, file_name};
use super::shared::{Shared, View};

/// Bytes that may be written without a sync; keeps every offset inside 32 bits.
const UNSYNCED_MAX: u64 = 1 << 30;
/// A buffer that one large group made larger than this is given back.
const BUFFER_KEPT: usize = 4 << 20;

/// How a journal is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A segment of this many bytes or more is closed and the next one begun. At most 1 GiB counts.
    pub segment_bytes: u64,
    /// A head known from elsewhere (the index, a checkpoint): the log must contain it, and everything
    /// from there on is verified line by line.
    pub known: Option<Head>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            known: None,
        }
    }
}

/// What a write put behind the log. Not durable before the next [`Writer::sync`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Position of the first event; the others follow without a gap.
    pub first: u64,
    /// The last event.
    pub head: Head,
    /// Where each event lies, in the order given.
    pub locations: Vec<Location>,
}

/// Appends batches of events and makes them durable.
///
/// After the first storage error every call answers [`JournalError::Poisoned`]. A full disk is no such
/// error as long as the file could be taken back to its last durable byte.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    segment_bytes: u64,
    active: Option<Active>,
    /// The last event written, durable or not.
    written: Head,
    durable: Head,
    buffer: Vec<u8>,
    poisoned: bool,
}

#[derive(Debug)]
struct Active {
    first: u64,
    file: AppendFile,
}

impl Writer {
    /// Opens the journal in `disk`, or begins one, and cuts what was never acknowledged off its end.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: &Options,
    ) -> Result<(Self, OpenReport), JournalError> {
        // What an earlier process left in the cache becomes durable or shows itself as lost, before
        // anything is believed: after a failed sync only the device knows.
        let last = segment::list(&*disk)?.last().map(|first| file_name(*first));
        let last = last.map(|name| {
            let file = disk
                .open(&name, true)
                .map_err(|source| io("open", &name, source))?;
            file.sync()
                .and_then(|()| file.evict())
                .map_err(|source| io("sync", &name, source))?;
            Ok::<_, JournalError>((name, file))
        });
        let last = last.transpose()?;
        let recovered = recover(&*disk, options.known)?;
        let head = recovered.report.head;
        let active = match (last, recovered.segments.last()) {
            (Some((name, file)), Some(segment)) => {
                if recovered.report.cut.is_some() {
                    let cut = file.truncate(segment.size).and_then(|()| file.sync());
                    cut.map_err(|source| io("cut the torn tail of", &name, source))?;
                }
                Some(Active {
                    first: segment.first,
                    file: AppendFile::new(file, segment.size),
                })
            }
            _ => None,
        };
        disk.sync()
            .map_err(|source| io("sync", "the journal directory", source))?;
        let writer = Self {
            shared: Arc::new(Shared::new(
                disk,
                View {
                    start: recovered.report.start,
                    segments: recovered.segments,
                    head,
                },
            )),
            segment_bytes: options.segment_bytes.clamp(1, UNSYNCED_MAX),
            active,
            written: head,
            durable: head,
            buffer: Vec::new(),
            poisoned: false,
        };
        Ok((writer, recovered.report))
    }

    /// A reader of what is durable, now and later.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// The last durable event.
    pub fn head(&self) -> Head {
        self.durable
    }

    /// Whether an earlier storage error stopped this writer.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Puts the batches behind the log in one write. Each batch is atomic, all have consecutive positions.
    ///
    /// On [`JournalError::Full`] nothing that was not synced remains, also of earlier writes.
    /// On [`JournalError::Invalid`] nothing was written.
    pub fn write(&mut self, batches: &[Batch<'_>]) -> Result<Written, JournalError> {
        self.refuse_if_poisoned()?;
        for batch in batches {
            if batch.is_empty() {
                return Err(Invalid::NoEntries.into());
            }
            batch.iter().try_for_each(check)?;
        }
        if batches.is_empty() {
            return Ok(Written {
                first: self.written.position + 1,
                head: self.written,
                locations: vec![],
            });
        }
        let (first, offset, dirty) = self.make_room()?;
        self.buffer.clear();
        let first_position = self.written.position + 1;
        let mut head = self.written;
        let mut locations = Vec::with_capacity(batches.iter().map(Vec::len).sum());
        for batch in batches {
            let parts = u32::try_from(batch.len()).map_err(|_| Invalid::Unsynced)?;
            for (part, entry) in (1..).zip(batch) {
                let at = offset + self.buffer.len() as u64;
                if at > UNSYNCED_MAX * 2 {
                    return Err(Invalid::Unsynced.into());
                }
                let barrier = !dirty && self.buffer.is_empty();
                let position = head.position + 1;
                let place = Place {
                    position,
                    prev: head.hash,
                    barrier,
                    part,
                    parts,
                };
                let hash = encode(entry, place, &mut self.buffer)?;
                head = Head { position, hash };
                locations.push(Location {
                    segment: first,
                    offset: at as u32,
                });
            }
        }
        self.append()?;
        self.written = head;
        Ok(Written {
            first: first_position,
            head,
            locations,
        })
    }

    /// Makes everything written durable, then visible to readers.
    pub fn sync(&mut self) -> Result<Head, JournalError> {
        self.refuse_if_poisoned()?;
        let Some(active) = self.active.as_mut().filter(|active| active.file.is_dirty()) else {
            return Ok(self.durable);
        };
        let mut synced = active.file.sync();
        if planted::is(Bug::SyncAgain) && synced.is_err() {
            synced = active.file.sync();
        }
        let (first, size) = (active.first, active.file.durable());
        synced.map_err(|fault| self.fail("sync", first, fault))?;
        self.durable = self.written;
        self.shared.advance(Segment { first, size }, self.durable);
        Ok(self.durable)
    }

    fn refuse_if_poisoned(&self) -> Result<(), JournalError> {
        if self.poisoned {
            Err(JournalError::Poisoned)
        } else {
            Ok(())
        }
    }

    /// The segment to write to, its length, and whether it holds bytes that are not synced.
    /// Begins a new segment only when nothing is owed to the old one.
    fn make_room(&mut self) -> Result<(u64, u64, bool), JournalError> {
        let active = match self.active.take() {
            Some(active)
                if active.file.is_dirty() || active.file.written() < self.segment_bytes =>
            {
                active
            }
            full => self.begin_segment().inspect_err(|_| self.active = full)?,
        };
        let room = (active.first, active.file.written(), active.file.is_dirty());
        self.active = Some(active);
        Ok(room)
    }

    fn begin_segment(&mut self) -> Result<Active, JournalError> {
        let first = self.written.position + 1;
        let disk = &self.shared.disk;
        let file = match disk.create(&file_name(first)) {
            Ok(file) => file,
            Err(source) => return Err(self.fail("create", first, Fault::of_create(source))),
        };
        let durable = file.sync().and_then(|()| disk.sync());
        durable.map_err(|source| self.fail("sync", first, Fault::Broken(source)))?;
        Ok(Active {
            first,
            file: AppendFile::new(file, 0),
        })
    }

    fn append(&mut self) -> Result<(), JournalError> {
        let Some(active) = self.active.as_mut() else {
            return Err(JournalError::Poisoned);
        };
        let first = active.first;
        let appended = active.file.append(&self.buffer);
        if self.buffer.capacity() > BUFFER_KEPT {
            self.buffer = Vec::new();
        }
        appended.map_err(|fault| self.fail("write", first, fault))
    }

    fn fail(&mut self, action: &'static str, first: u64, fault: Fault) -> JournalError {
        let file = file_name(first);
        match fault {
            Fault::Full(source) => {
                self.written = self.durable;
                JournalError::Full {
                    file,
                    durable: self.durable,
                    source,
                }
            }
            Fault::Broken(source) => {
                self.poisoned = true;
                JournalError::Io {
                    action,
                    file,
                    source,
                }
            }
        }
    }
}
