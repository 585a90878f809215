//! A log opened for reading: no lock is taken, nothing is made or changed, and whoever writes it may go on.

use std::path::Path;
use std::sync::Arc;

use issuance_domain::{OrderId, Timestamp, Version};
use issuance_store::journal::{
    Directory, Disk, Head, Noted, OpenReport, Reader, Record, Scan, WithArchive,
};
use issuance_store::{Position, Recorded, read_event};

use crate::error::AuditError;
use crate::place::Place;

/// Where a data directory keeps its log.
const JOURNAL: &str = "journal";
/// What the files of a log are called.
const SEGMENT: &str = "journal-";
/// What an order's stream is called.
const ORDER: &str = "order/";

/// A log, up to the event that was last when it was opened.
#[derive(Debug, Clone)]
pub struct Log {
    reader: Reader,
    opened: OpenReport,
}

impl Log {
    /// Opens a data directory, or a directory of journal segments such as a copy. Of a log whose beginning is in an archive
    /// it takes what is here.
    ///
    /// # Errors
    /// When there is no log, or its last segment or the joints of the others are not as written.
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let (reader, opened) = Reader::open(segments(path)?, None)?;
        Ok(Self { reader, opened })
    }

    /// Opens a log together with the archive its beginning is in.
    ///
    /// # Errors
    /// As [`Log::open`]; also when a segment is in neither, or the archive is another log's.
    pub fn open_with_archive(path: &Path, archive: &Path) -> Result<Self, AuditError> {
        let both = WithArchive::of(segments(path)?, segments(archive)?);
        let archived = both.archived()?;
        let (reader, opened) = Reader::open(Arc::new(both), None)?;
        if let Some(head) = archived {
            reader.contains(head)?;
        }
        Ok(Self { reader, opened })
    }

    /// Proves that the log contains a head known from elsewhere, such as an earlier report's. Only so can it show that
    /// nothing was taken off its end.
    ///
    /// # Errors
    /// When the log ends before that head, or holds another event there.
    pub fn contains(&self, known: Head) -> Result<(), AuditError> {
        Ok(self.reader.contains(known)?)
    }

    /// How far the log in a data directory had come when its engine last noted it; none when there is no note, as beside a
    /// copy of the journal. Read it before the log is opened: an engine at work goes on. Whether it was forged, only the
    /// engine can tell, which has the key.
    ///
    /// # Errors
    /// When the note cannot be read.
    pub fn noted(path: &Path) -> Result<Option<Head>, AuditError> {
        let noted = Noted::read(path).map_err(|source| AuditError::Open {
            path: path.into(),
            source,
        });
        Ok(noted?.map(|noted| noted.head))
    }

    /// What the open found: the last event, the segments, and what was never acknowledged.
    #[must_use]
    pub fn opened(&self) -> &OpenReport {
        &self.opened
    }

    /// All records from the first, each verified and bound to the one before; an error when the first ones are not here.
    pub(crate) fn records(&self) -> Scan {
        self.reader.records(1)
    }

    /// All records that are here, each verified and bound to the one before.
    pub(crate) fn here(&self) -> Scan {
        self.reader.all()
    }
}

/// The directory of segments that is meant by a path.
fn segments(path: &Path) -> Result<Arc<dyn Disk>, AuditError> {
    let inner = path.join(JOURNAL);
    let directory = if inner.is_dir() { &*inner } else { path };
    let failed = |source| AuditError::Open {
        path: directory.into(),
        source,
    };
    let disk = Directory::open(directory).map_err(failed)?;
    // An empty journal is a log, an unrelated directory is not.
    let named = disk
        .list()
        .map_err(failed)?
        .iter()
        .any(|name| name.starts_with(SEGMENT));
    if !named && directory == path {
        return Err(AuditError::NoLog { path: path.into() });
    }
    Ok(Arc::new(disk))
}

/// Whose stream a record is on; none when it is no order's.
pub(crate) fn order_of(record: &Record) -> Result<Option<OrderId>, AuditError> {
    let Some(id) = record.stream.strip_prefix(ORDER) else {
        return Ok(None);
    };
    let malformed = |_| AuditError::Malformed {
        place: Place::of(record),
        what: "order id",
    };
    id.parse().map(Some).map_err(malformed)
}

/// When a record was made.
pub(crate) fn time_of(record: &Record) -> Result<Timestamp, AuditError> {
    let malformed = |_| AuditError::Malformed {
        place: Place::of(record),
        what: "time",
    };
    record.recorded_at.parse().map_err(malformed)
}

/// The event of an order's record.
pub(crate) fn event_of(record: &Record, order: OrderId) -> Result<Recorded, AuditError> {
    let event = read_event(
        &record.name,
        record.schema,
        &record.recorded_at,
        &record.body,
    )
    .map_err(|source| AuditError::Unreadable {
        place: Place::of(record),
        source,
    })?;
    Ok(Recorded {
        position: Position(record.position),
        order,
        version: Version(record.version),
        event,
    })
}
