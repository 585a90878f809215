//! What is in a journal directory: which segments, up to which event, and whether it may be believed.
//!
//! The last segment is read in full, and so is all from a known head on. Closed segments before that were
//! synced whole before the next was made; of them the first and the last line are read, and that they
//! join. [`Reader::verify_all`](super::Reader::verify_all) reads everything.

use std::sync::Arc;

use issuance_domain::planted::{self, Bug};

use super::anchor::Anchor;
use super::chain::Chain;
use super::disk::{Disk, DiskFile, read_full};
use super::error::{Damage, JournalError};
use super::hash::Head;
use super::line::{MAX_LINE, parse};
use super::lines::{LineEnd, Lines, line_number};
use super::segment::{self, Segment, file_name};
use super::tail;

/// What an open found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// The last event that is not here but in an archive; [`Head::EMPTY`] when the log is here from its beginning.
    pub start: Head,
    /// The last event.
    pub head: Head,
    /// How many segment files there are.
    pub segments: usize,
    /// Bytes of all of them.
    pub bytes: u64,
    /// The position after which every line was read and verified.
    pub verified_after: u64,
    /// What was written but never acknowledged, and was left off at the end.
    pub cut: Option<Cut>,
}

/// A torn tail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The segment file.
    pub file: String,
    /// Where the log ends in it.
    pub byte: u64,
    /// How many bytes lie behind that.
    pub bytes: u64,
}

/// The segments that count, and the report.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Segment>,
    pub(crate) report: OpenReport,
}

pub(crate) fn recover(disk: &dyn Disk, known: Option<Head>) -> Result<Recovered, JournalError> {
    let start = Anchor::read(disk)?.map_or(Head::EMPTY, |anchor| anchor.head);
    let mut firsts = segment::list(disk)?;
    // Archived, and not yet removed here.
    firsts.retain(|first| *first > start.position);
    let known = known.unwrap_or(Head {
        position: u64::MAX,
        ..Head::EMPTY
    });
    let mut head = start;
    let mut segments = Vec::with_capacity(firsts.len());
    let mut verified_after = None;
    let mut cut = None;
    for (index, &first) in firsts.iter().enumerate() {
        join(head, first)?;
        let next = firsts.get(index + 1).copied();
        let file = Part::open(disk, first)?;
        let size = match next {
            Some(next) if next <= known.position => {
                head = file.ends(head, next)?;
                file.size
            }
            _ => {
                verified_after.get_or_insert(head.position);
                let (end, size) = file.read(head, next.is_none(), known)?;
                head = end;
                size
            }
        };
        if size < file.size {
            cut = Some(Cut {
                file: file.name,
                byte: size,
                bytes: file.size - size,
            });
        }
        segments.push(Segment { first, size });
    }
    if known.position != u64::MAX && head.position < known.position {
        return Err(JournalError::RolledBack {
            known: known.position,
            found: head.position,
        });
    }
    let report = OpenReport {
        start,
        head,
        segments: segments.len(),
        bytes: segments.iter().map(|segment| segment.size).sum(),
        verified_after: verified_after.unwrap_or(start.position),
        cut,
    };
    Ok(Recovered { segments, report })
}

/// A segment must start where the one before ended.
fn join(head: Head, first: u64) -> Result<(), JournalError> {
    match first.cmp(&(head.position + 1)) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(JournalError::Missing {
            from: head.position + 1,
            to: first - 1,
        }),
        std::cmp::Ordering::Less => Err(JournalError::Foreign {
            file: file_name(first),
        }),
    }
}

struct Part {
    name: String,
    file: Arc<dyn DiskFile>,
    size: u64,
}

impl Part {
    fn open(disk: &dyn Disk, first: u64) -> Result<Self, JournalError> {
        let name = file_name(first);
        let open = disk
            .open(&name, false)
            .and_then(|file| Ok((file.size()?, file)));
        let (size, file) = open.map_err(|source| io("open", &name, source))?;
        Ok(Self { name, file, size })
    }

    /// Reads the whole segment; returns its last event and how many bytes of it count.
    fn read(&self, before: Head, last: bool, known: Head) -> Result<(Head, u64), JournalError> {
        let mut chain = Chain::after(before);
        let mut lines = Lines::new(Arc::clone(&self.file), 0, self.size);
        // Where the last whole batch ended.
        let (mut whole, mut number) = ((before, 0), 0);
        while let Some(line) = lines
            .next_line()
            .map_err(|source| io("read", &self.name, source))?
        {
            number += 1;
            let (offset, end) = (line.offset, line.end);
            let linked = match end {
                LineEnd::Newline => chain.link(line.bytes).map(|_| ()),
                LineEnd::File => Err(Damage::Unterminated),
                LineEnd::TooLong => Err(Damage::TooLong),
            };
            if let Err(damage) = linked {
                let torn = last
                    && tail::is_torn(&self.file, offset, self.size)
                        .map_err(|source| io("read", &self.name, source))?;
                if torn || planted::is(Bug::DamageSkipped) {
                    break;
                }
                return Err(self.damaged(number, offset, damage));
            }
            let head = chain.head();
            if head.position == known.position && head.hash != known.hash {
                return Err(JournalError::Diverged {
                    position: head.position,
                });
            }
            if chain.unfinished().is_none() {
                whole = (head, lines.offset());
            }
        }
        if !last && (number == 0 || whole.1 != self.size) {
            let damage = if number == 0 {
                Damage::Empty
            } else {
                Damage::Batch
            };
            return Err(self.damaged(number.max(1), whole.1, damage));
        }
        Ok(whole)
    }

    /// Reads the first and the last line of a closed segment; returns its last event.
    fn ends(&self, before: Head, next: u64) -> Result<Head, JournalError> {
        let mut lines = Lines::few(Arc::clone(&self.file), 0, self.size);
        let first = lines
            .next_line()
            .map_err(|source| io("read", &self.name, source))?;
        let first = first.ok_or_else(|| self.damaged(1, 0, Damage::Empty))?;
        let linked = match first.end {
            LineEnd::Newline => Chain::after(before).link(first.bytes).map(|_| ()),
            LineEnd::File => Err(Damage::Unterminated),
            LineEnd::TooLong => Err(Damage::TooLong),
        };
        linked.map_err(|damage| self.damaged(1, 0, damage))?;

        let (offset, bytes) = self
            .last_line()
            .map_err(|source| io("read", &self.name, source))?;
        let refuse = |damage| {
            let number =
                line_number(&self.file, offset).map_err(|source| io("read", &self.name, source))?;
            Err(self.damaged(number, offset, damage))
        };
        let Some(bytes) = bytes.strip_suffix(b"\n") else {
            return refuse(Damage::Unterminated);
        };
        let last = match parse(bytes) {
            Ok(last) => last,
            Err(damage) => return refuse(damage),
        };
        if last.part != last.parts {
            return refuse(Damage::Batch);
        }
        // It ends early: whole lines are gone from its end.
        if last.position + 1 < next {
            return Err(JournalError::Missing {
                from: last.position + 1,
                to: next - 1,
            });
        }
        if last.position + 1 != next {
            return refuse(Damage::Position {
                expected: next - 1,
                found: last.position,
            });
        }
        Ok(Head {
            position: last.position,
            hash: last.hash,
        })
    }

    /// The bytes behind the last newline but one.
    fn last_line(&self) -> std::io::Result<(u64, Vec<u8>)> {
        let mut window = 4 << 10;
        loop {
            let from = self.size.saturating_sub(window);
            let mut bytes = vec![0; usize::try_from(self.size - from).unwrap_or(usize::MAX)];
            let got = read_full(&*self.file, &mut bytes, from)?;
            bytes.truncate(got);
            let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let start = body
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map(|newline| newline + 1);
            if start.is_some() || from == 0 || window > 2 * MAX_LINE as u64 {
                let start = start.unwrap_or(0);
                return Ok((from + start as u64, bytes.split_off(start)));
            }
            window *= 8;
        }
    }

    fn damaged(&self, line: u64, byte: u64, damage: Damage) -> JournalError {
        JournalError::Damaged {
            file: self.name.clone(),
            line,
            byte,
            damage,
        }
    }
}

pub(crate) fn io(action: &'static str, file: &str, source: std::io::Error) -> JournalError {
    JournalError::Io {
        action,
        file: file.into(),
        source,
    }
}
