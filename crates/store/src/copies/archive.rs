//! Retention: whole closed segments move to an archive, and an anchor stays in their place.
//!
//! The archive is a data directory with a journal that begins at event 1; the live part begins at its anchor. Each verifies
//! alone, and both together are the whole log. The engine may run: it looks for a segment in the archive when it is gone
//! here. First the copy is durable, then the anchor is, and only then the original goes, so at every moment each event is in
//! one place at least.

use std::path::Path;
use std::sync::Arc;

use issuance_domain::Timestamp;

use super::error::{CopyError, io_at};
use super::{JOURNAL, segment};
use crate::journal::anchor::Anchor;
use crate::journal::disk::{Disk, DiskFile, read_full};
use crate::journal::recover::{io, recover};
use crate::journal::segment::{file_name, list};
use crate::journal::{DataDir, Directory, Head, JournalError, Reader};

const TEMPORARY: &str = "archive.tmp";

/// Up to where segments are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Segments that end before this position.
    Position(u64),
    /// Segments whose last event was recorded before this time.
    Time(Timestamp),
}

/// What was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Archived {
    /// The last event in the archive.
    pub head: Head,
    /// Segments moved now.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Moves segments of the data directory `source` to the data directory `archive`, which is made if its parent exists. The
/// last segment stays.
///
/// # Errors
/// When either log is not as written, the archive is not the one of earlier segments, or cannot be written. Nothing is lost
/// then, and the next call goes on.
pub fn archive(source: &Path, archive: &Path, before: Before) -> Result<Archived, CopyError> {
    let path = source.join(JOURNAL);
    let live = match Directory::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CopyError::NoLog {
                path: source.into(),
            });
        }
        opened => opened.map_err(io_at("open", &path))?,
    };
    let data = DataDir::open(archive)?;
    let kept = data.directory(JOURNAL)?;
    let place = archive.canonicalize().map_err(io_at("find", archive))?;
    move_segments(Arc::new(live), Arc::new(kept), &place, before)
}

fn move_segments(
    live: Arc<dyn Disk>,
    kept: Arc<dyn Disk>,
    place: &Path,
    before: Before,
) -> Result<Archived, CopyError> {
    let anchor = Anchor::read(&*live)?;
    let start = anchor.as_ref().map_or(Head::EMPTY, |anchor| anchor.head);
    if let Some(earlier) = anchor.and_then(|anchor| anchor.archive)
        && earlier != place
    {
        return Err(CopyError::OtherArchive { path: earlier });
    }
    // Left by a move that did not end.
    let _ = kept.remove(TEMPORARY);
    Reader::open(Arc::clone(&kept), None)?.0.contains(start)?;

    let fixed = recover(&*live, None)?;
    let (reader, _) = Reader::open(Arc::clone(&live), None)?;
    let mut moved = Archived {
        head: start,
        segments: 0,
        bytes: 0,
    };
    for pair in fixed.segments.windows(2) {
        let [part, next] = pair else { break };
        if !is_before(&reader, next.first - 1, before)? {
            break;
        }
        let name = file_name(part.first);
        moved.head = segment::copy(&*live, *part, moved.head, &*kept, TEMPORARY)?;
        keep(&*kept, &name, part.first)?;
        moved.segments += 1;
        moved.bytes += part.size;
    }
    if moved.segments > 0 {
        let anchor = Anchor {
            head: moved.head,
            archive: Some(place.into()),
        };
        anchor.write(&*live)?;
    }
    remove_moved(&*live, &*kept, moved.head.position)?;
    Ok(moved)
}

/// Gives what was copied its name. One of that name was copied by a move that did not end, or the archive went on from a log
/// of which this one is an older copy.
fn keep(kept: &dyn Disk, name: &str, first: u64) -> Result<(), CopyError> {
    let named = match kept.open(name, false) {
        Ok(there) => {
            let copied = kept.open(TEMPORARY, false);
            let same = copied.and_then(|copied| same_bytes(&*there, &*copied));
            if !same.map_err(|source| io("compare", name, source))? {
                return Err(JournalError::Diverged { position: first }.into());
            }
            kept.remove(TEMPORARY)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => kept.rename(TEMPORARY, name),
        Err(error) => Err(error),
    };
    let durable = named.and_then(|()| kept.sync());
    Ok(durable.map_err(|source| io("keep", name, source))?)
}

fn same_bytes(one: &dyn DiskFile, other: &dyn DiskFile) -> std::io::Result<bool> {
    let size = one.size()?;
    if other.size()? != size {
        return Ok(false);
    }
    let (mut left, mut right, mut offset) = (vec![0; 64 << 10], vec![0; 64 << 10], 0);
    while offset < size {
        let (got, also) = (
            read_full(one, &mut left, offset)?,
            read_full(other, &mut right, offset)?,
        );
        if got == 0 || left[..got] != right[..also] {
            return Ok(false);
        }
        offset += got as u64;
    }
    Ok(true)
}

fn is_before(reader: &Reader, last: u64, before: Before) -> Result<bool, CopyError> {
    let cutoff = match before {
        Before::Position(position) => return Ok(last < position),
        Before::Time(time) => time,
    };
    let record = reader.records(last).next().transpose()?;
    let at = record.and_then(|record| record.recorded_at.parse::<Timestamp>().ok());
    // What cannot be dated stays.
    Ok(at.is_some_and(|at| at < cutoff))
}

/// Removes what the anchor speaks of, if the archive has it.
fn remove_moved(live: &dyn Disk, kept: &dyn Disk, until: u64) -> Result<(), CopyError> {
    let moved: Vec<_> = list(live)?
        .into_iter()
        .filter(|first| *first <= until)
        .collect();
    for first in &moved {
        let name = file_name(*first);
        let size = |disk: &dyn Disk| disk.open(&name, false).and_then(|file| file.size());
        let sizes = size(live).and_then(|here| Ok((here, size(kept)?)));
        let (here, there) = sizes.map_err(|source| io("compare", &name, source))?;
        if here != there {
            let file = name;
            return Err(JournalError::Foreign { file }.into());
        }
        live.remove(&name)
            .map_err(|source| io("remove", &name, source))?;
    }
    let synced = if moved.is_empty() {
        Ok(())
    } else {
        live.sync()
    };
    Ok(synced.map_err(|source| io("sync", "the journal directory", source))?)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::value::RawValue;

    use super::*;
    use crate::journal::{Entry, Options, SimulatedDisk, SimulatedFault, WithArchive, Writer};

    const EVENTS: u64 = 30;

    fn filled() -> SimulatedDisk {
        let disk = SimulatedDisk::new();
        let options = Options {
            segment_bytes: 1_500,
            known: None,
        };
        let (mut writer, _) = Writer::open(Arc::new(disk.clone()), &options).unwrap();
        for number in 1..=EVENTS {
            let entry = Entry {
                stream: "order/1".into(),
                version: number,
                name: "order_requested".into(),
                schema: 1,
                recorded_at: format!("2025-01-{number:02}T00:00:00Z").into(),
                body: Cow::Owned(RawValue::from_string("{}".into()).unwrap()),
                message: None,
            };
            writer.write(&[vec![entry]]).unwrap();
            writer.sync().unwrap();
        }
        disk
    }

    fn moved(
        live: &SimulatedDisk,
        kept: &SimulatedDisk,
        before: Before,
    ) -> Result<Archived, CopyError> {
        let place = Path::new("/archive");
        move_segments(
            Arc::new(live.clone()),
            Arc::new(kept.clone()),
            place,
            before,
        )
    }

    /// Both together are the whole log, also for a reader that was there before.
    fn check(live: &SimulatedDisk, kept: &SimulatedDisk, what: &str) {
        let both = WithArchive::of(Arc::new(live.clone()), Arc::new(kept.clone()));
        let (reader, _) = Reader::open(Arc::new(both), None).unwrap();
        let verified = reader
            .verify_all()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(verified.head.position, EVENTS, "{what}");
        // And the live part alone is what follows the anchor.
        let (reader, report) = Reader::open(Arc::new(live.clone()), None).unwrap();
        assert_eq!(reader.verify_all().unwrap().head.position, EVENTS, "{what}");
        assert!(report.start.position < EVENTS, "{what}");
    }

    #[test]
    fn each_part_verifies_alone_and_both_are_the_log() {
        let (live, kept) = (filled(), SimulatedDisk::new());
        let whole = live.copy();
        let all = list(&live).unwrap().len();
        let before = Before::Time("2025-01-15T00:00:00Z".parse().unwrap());
        let first = moved(&live, &kept, before).unwrap();
        assert!(first.segments > 0 && first.head.position < 15);
        assert_eq!(moved(&live, &kept, before).unwrap().segments, 0);
        check(&live, &kept, "by time");
        let (alone, report) = Reader::open(Arc::new(kept.clone()), None).unwrap();
        assert_eq!(
            (report.start, alone.verify_all().unwrap().head),
            (Head::EMPTY, first.head)
        );
        let (alone, report) = Reader::open(Arc::new(live.clone()), None).unwrap();
        assert_eq!(report.start, first.head);
        assert!(matches!(
            alone.read_from(1, 1),
            Err(JournalError::Archived { until }) if until == first.head.position
        ));
        assert!(alone.contains(first.head).is_ok());

        let rest = moved(&live, &kept, Before::Position(u64::MAX)).unwrap();
        assert_eq!(
            first.segments + rest.segments,
            all - 1,
            "the last one stays"
        );
        check(&live, &kept, "all");
        for name in whole.list().unwrap() {
            let found = kept.bytes(&name).or_else(|| live.bytes(&name));
            assert_eq!(found, whole.bytes(&name), "{name}");
        }
    }

    #[test]
    fn a_missing_or_strange_archive_is_found_out() {
        let (live, kept) = (filled(), SimulatedDisk::new());
        moved(&live, &kept, Before::Position(20)).unwrap();
        for first in list(&kept).unwrap() {
            let lacking = kept.copy();
            lacking.remove(&file_name(first)).unwrap();
            let both = WithArchive::of(Arc::new(live.clone()), Arc::new(lacking.clone()));
            assert!(matches!(
                Reader::open(Arc::new(both), None),
                Err(JournalError::Missing { .. })
            ));
            // It is not gone on with either.
            assert!(moved(&live, &lacking, Before::Position(u64::MAX)).is_err());
        }
        assert!(moved(&live, &SimulatedDisk::new(), Before::Position(u64::MAX)).is_err());
        let elsewhere = Path::new("/elsewhere");
        assert!(matches!(
            move_segments(
                Arc::new(live.clone()),
                Arc::new(kept.clone()),
                elsewhere,
                Before::Position(1)
            ),
            Err(CopyError::OtherArchive { .. })
        ));
        check(&live, &kept, "after all refusals");

        // An older copy of the log that went on otherwise does not write over what the archive has.
        let (older, other) = (filled(), SimulatedDisk::new());
        moved(&older, &other, Before::Position(10)).unwrap();
        let copy = older.copy();
        moved(&older, &other, Before::Position(20)).unwrap();
        let next = list(&copy).unwrap()[0];
        let name = file_name(next);
        let bytes = copy.bytes(&name).unwrap();
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        copy.put(&name, &bytes[..line]);
        let later: Vec<_> = list(&copy).unwrap().split_off(1);
        later
            .iter()
            .for_each(|first| copy.remove(&file_name(*first)).unwrap());
        copy.put(&file_name(next + 1), b"");
        let refused = moved(&copy, &other, Before::Position(u64::MAX));
        assert!(
            matches!(
                refused,
                Err(CopyError::Journal(JournalError::Diverged { .. }))
            ),
            "{refused:?}"
        );
        check(&older, &other, "after the older copy");
    }

    #[test]
    fn every_call_may_fail_and_the_power_may_go() {
        let run = |live: &SimulatedDisk, kept: &SimulatedDisk| {
            moved(live, kept, Before::Position(u64::MAX))
        };
        let (live, kept) = (filled(), SimulatedDisk::new());
        let begun = live.calls();
        run(&live, &kept).unwrap();
        let calls = [live.calls() - begun, kept.calls()];
        let mut failed = 0;
        for (disk, calls) in calls.into_iter().enumerate() {
            for call in 0..calls {
                let what = format!("disk {disk}, call {call}");
                let (live, kept) = (filled(), SimulatedDisk::new());
                let armed = [&live, &kept][disk];
                armed.arm(armed.calls() + call, SimulatedFault::ShortErrno(5));
                failed += u64::from(run(&live, &kept).is_err());
                check(&live, &kept, &what);
                let after = (live.power_cut(call), kept.power_cut(call + 1));
                check(&after.0, &after.1, &format!("{what}, power cut"));
                for (live, kept) in [(live, kept), after] {
                    run(&live, &kept).unwrap_or_else(|error| panic!("{what}, again: {error}"));
                    check(&live, &kept, &format!("{what}, again"));
                    assert_eq!(list(&live).unwrap().len(), 1, "{what}");
                }
            }
        }
        assert!(failed > 50, "{failed}");
    }
}
