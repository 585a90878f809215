//! What still verifies of a damaged log, in a directory of its own.
//!
//! The log's beginning up to the first damage is still proved by the chain: it becomes `prefix`. What follows the damage
//! is read on, and lines that hang together become a *run*, each in a directory of its own. A run is proved in itself; that
//! it follows the prefix, nothing proves any more. Appends stay whole: of one that is not, nothing is kept.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{CopyError, io_at};
use super::staging::Staging;
use crate::journal::anchor::Anchor;
use crate::journal::chain::Chain;
use crate::journal::disk::{Disk, DiskFile, write_full};
use crate::journal::line::parse;
use crate::journal::lines::{LineEnd, Lines};
use crate::journal::recover::io;
use crate::journal::segment::{file_name, list_leniently};
use crate::journal::{Damage, Directory, Head, JournalError};

/// The report beside what was salvaged.
const REPORT: &str = "salvage.json";
/// Unreadable places that are named; more are only counted.
const NAMED_MAX: usize = 1_000;
/// An append that is not whole after so many bytes is none.
const APPEND_MAX: usize = 64 << 20;
/// Output is written in pieces of about this size.
const PIECE: usize = 1 << 20;
/// An output file ends at this size, so that every place in it fits 32 bits.
const FILE_MAX: u64 = 1 << 30;

/// What a salvage found, also written down beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Salvaged {
    /// What was kept, in the order it was found. Each is a directory of segments.
    pub parts: Vec<Part>,
    /// Events that are lost between two parts.
    pub gaps: Vec<Gap>,
    /// Places whose bytes say nothing any more; the first thousand.
    pub unreadable: Vec<Unreadable>,
    /// How many there are.
    pub unreadable_count: u64,
    /// Files named like segments that are none.
    pub foreign: Vec<String>,
}

/// Lines that hang together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The directory: `prefix`, or `run-<first position>`.
    pub directory: String,
    /// Whether the chain from the log's beginning proves it. Only the prefix is.
    pub chained: bool,
    /// Its first event.
    pub first: u64,
    /// Its last event; one less than the first when it holds none.
    pub last: u64,
    /// The hash of its last event.
    pub hash: String,
}

/// Events no part holds. What came after the last part, nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first of them.
    pub from: u64,
    /// The last of them.
    pub to: u64,
}

/// Bytes that are no line of a log, or a line that does not belong where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The segment file.
    pub file: String,
    /// Line in it, from 1.
    pub line: u64,
    /// Byte offset at which that line starts.
    pub byte: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What is wrong.
    pub why: String,
}

impl Salvaged {
    /// Whether the log was whole after all.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.parts.len() < 2 && self.unreadable_count == 0 && self.foreign.is_empty()
    }

    /// The report of the salvage in this directory; nothing if it is none.
    ///
    /// # Errors
    /// When there is a report that cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>, CopyError> {
        let path = path.join(REPORT);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(io_at("read", &path))?,
        };
        let report = serde_json::from_slice(&bytes).map_err(std::io::Error::from);
        report.map(Some).map_err(io_at("read", &path))
    }
}

/// Copies what verifies of the segments in `journal` to `out`, which must not exist. Reads the damaged log, and changes
/// nothing of it.
///
/// # Errors
/// When `out` exists or cannot be written, or the operating system cannot read a file at all.
pub fn salvage(journal: &Path, out: &Path) -> Result<Salvaged, CopyError> {
    let source = Directory::open(journal).map_err(io_at("open", journal))?;
    let (segments, foreign) = list_leniently(&source)?;
    if segments.is_empty() && foreign.is_empty() {
        let path = journal.to_path_buf();
        return Err(CopyError::NoLog { path });
    }
    let start = match Anchor::read(&source) {
        Ok(anchor) => anchor.map_or(Head::EMPTY, |anchor| anchor.head),
        // Without it the first line is a run's.
        Err(JournalError::Damaged { .. }) => Head::EMPTY,
        Err(error) => return Err(error.into()),
    };
    let staging = Staging::begin(out)?;
    let mut salvage = Salvage::begin(&staging, start)?;
    salvage.found.foreign = foreign;
    for first in segments {
        salvage.segment(&source, first)?;
    }
    let found = salvage.end()?;
    let mut report = serde_json::to_vec_pretty(&found).map_err(|error| {
        let source = std::io::Error::from(error);
        io_at("write", out)(source)
    })?;
    report.push(b'\n');
    staging.put(REPORT, &report)?;
    staging.finish()?;
    Ok(found)
}

struct Salvage<'a> {
    staging: &'a Staging,
    found: Salvaged,
    /// The part that grows.
    part: Growing,
}

/// A part on its way: the chain through it, and the append that is not whole yet.
struct Growing {
    chain: Chain,
    directory: Directory,
    output: Option<Output>,
    /// Lines of the append that is not whole yet.
    held: Vec<u8>,
    /// Where that append begins: file, line and byte.
    held_from: Option<(String, u64, u64)>,
    /// The head of what was kept.
    kept: Head,
    part: Part,
}

struct Output {
    name: String,
    file: Arc<dyn DiskFile>,
    written: u64,
    buffer: Vec<u8>,
}

impl<'a> Salvage<'a> {
    fn begin(staging: &'a Staging, start: Head) -> Result<Self, CopyError> {
        Ok(Self {
            staging,
            found: Salvaged::default(),
            part: Growing::begin(staging, "prefix".into(), start, true)?,
        })
    }

    fn segment(&mut self, source: &Directory, first: u64) -> Result<(), CopyError> {
        let name = file_name(first);
        let opened = source
            .open(&name, false)
            .and_then(|file| Ok((file.size()?, file)));
        let (size, file) = opened.map_err(|source| io("open", &name, source))?;
        let mut lines = Lines::new(file, 0, size);
        let mut number = 0;
        loop {
            let line = lines
                .next_line()
                .map_err(|source| io("read", &name, source))?;
            let Some(line) = line else { break };
            number += 1;
            let at = line.offset;
            let taken = match line.end {
                LineEnd::Newline => self.take(line.bytes)?,
                LineEnd::File => Err(Damage::Unterminated),
                LineEnd::TooLong => Err(Damage::TooLong),
            };
            let place = (&*name, number, at);
            if let Err(damage) = taken {
                self.drop_held();
                self.lost(place, lines.offset() - at, damage);
            }
            if self.part.held.is_empty() {
                self.part.held_from = None;
            } else if self.part.held_from.is_none() {
                self.part.held_from = Some((name.clone(), number, at));
            }
        }
        if number == 0 {
            self.lost((&name, 1, 0), 0, Damage::Empty);
        }
        // A new segment is a new file here too.
        self.part.end_file()
    }

    /// Adds a line to the part that grows, or begins a new one with it.
    fn take(&mut self, bytes: &[u8]) -> Result<Result<(), Damage>, CopyError> {
        let Err(damage) = self.part.add(bytes)? else {
            return Ok(Ok(()));
        };
        let line = match parse(bytes) {
            Ok(line) if line.position > self.part.kept.position => line,
            // There already, or no line at all.
            _ => return Ok(Err(damage)),
        };
        if line.part != 1 {
            // The rest of an append whose beginning is lost.
            return Ok(Err(Damage::Batch));
        }
        let before = Head {
            position: line.position - 1,
            hash: line.prev,
        };
        let name = format!("run-{:020}", line.position);
        let run = Growing::begin(self.staging, name, before, false)?;
        self.drop_held();
        std::mem::replace(&mut self.part, run).end(self.staging, &mut self.found)?;
        self.part.add(bytes)
    }

    /// Gives up the append that is not whole. The part may go on behind what is unreadable if its chain does.
    fn drop_held(&mut self) {
        let held = std::mem::take(&mut self.part.held);
        self.part.chain = Chain::after(self.part.kept);
        if let Some((file, line, byte)) = self.part.held_from.take() {
            self.lost((&file, line, byte), held.len() as u64, Damage::Batch);
        }
    }

    fn lost(&mut self, (file, line, byte): (&str, u64, u64), bytes: u64, why: Damage) {
        self.found.unreadable_count += 1;
        if self.found.unreadable.len() < NAMED_MAX {
            self.found.unreadable.push(Unreadable {
                file: file.into(),
                line,
                byte,
                bytes,
                why: why.to_string(),
            });
        }
    }

    fn end(mut self) -> Result<Salvaged, CopyError> {
        self.drop_held();
        let Self {
            staging,
            mut found,
            part,
        } = self;
        part.end(staging, &mut found)?;
        let mut reached = None;
        let mut parts: Vec<_> = found.parts.iter().collect();
        parts.sort_by_key(|part| part.first);
        for part in parts {
            if let Some(reached) = reached
                && part.first > reached + 1
            {
                found.gaps.push(Gap {
                    from: reached + 1,
                    to: part.first - 1,
                });
            }
            reached = reached.max(Some(part.last));
        }
        Ok(found)
    }
}

impl Growing {
    /// A part behind `before`, which is taken at its word unless it is the prefix's.
    fn begin(
        staging: &Staging,
        name: String,
        before: Head,
        chained: bool,
    ) -> Result<Self, CopyError> {
        let directory = staging.directory(&name)?;
        if before != Head::EMPTY {
            let archive = None;
            let anchor = Anchor {
                head: before,
                archive,
            };
            anchor.write(&directory)?;
        }
        Ok(Self {
            chain: Chain::after(before),
            directory,
            output: None,
            held: Vec::new(),
            held_from: None,
            kept: before,
            part: Part {
                directory: name,
                chained,
                first: before.position + 1,
                last: before.position,
                hash: before.hash.to_string(),
            },
        })
    }

    /// Takes a line that follows; keeps it once its append is whole.
    fn add(&mut self, bytes: &[u8]) -> Result<Result<(), Damage>, CopyError> {
        let mut chain = self.chain;
        if let Err(damage) = chain.link(bytes) {
            return Ok(Err(damage));
        }
        if self.held.len() + bytes.len() > APPEND_MAX {
            return Ok(Err(Damage::Batch));
        }
        self.chain = chain;
        self.held.extend_from_slice(bytes);
        self.held.push(b'\n');
        if self.chain.unfinished().is_some() {
            return Ok(Ok(()));
        }
        if self
            .output
            .as_ref()
            .is_some_and(|output| output.written >= FILE_MAX)
        {
            self.end_file()?;
        }
        let output = match &mut self.output {
            Some(output) => output,
            none => none.insert(Output::create(&self.directory, self.kept.position + 1)?),
        };
        output.buffer.append(&mut self.held);
        self.kept = self.chain.head();
        if output.buffer.len() >= PIECE {
            output.flush()?;
        }
        Ok(Ok(()))
    }

    /// Its end. A run that kept nothing leaves nothing.
    fn end(mut self, staging: &Staging, found: &mut Salvaged) -> Result<(), CopyError> {
        self.end_file()?;
        let Self {
            directory,
            kept,
            mut part,
            ..
        } = self;
        let synced = directory.sync();
        synced.map_err(|source| io("sync", &part.directory, source))?;
        if part.chained || kept.position >= part.first {
            part.last = kept.position;
            part.hash = kept.hash.to_string();
            found.parts.push(part);
            return Ok(());
        }
        let path = staging.path().join(&part.directory);
        std::fs::remove_dir_all(&path).map_err(io_at("remove", &path))
    }

    fn end_file(&mut self) -> Result<(), CopyError> {
        let Some(mut output) = self.output.take() else {
            return Ok(());
        };
        output.flush()?;
        let synced = output.file.sync();
        Ok(synced.map_err(|source| io("sync", &output.name, source))?)
    }
}

impl Output {
    fn create(directory: &Directory, first: u64) -> Result<Self, CopyError> {
        let name = file_name(first);
        let created = directory.create(&name);
        let file = created.map_err(|source| io("create", &name, source))?;
        Ok(Self {
            name,
            file,
            written: 0,
            buffer: Vec::new(),
        })
    }

    fn flush(&mut self) -> Result<(), CopyError> {
        write_full(&*self.file, &self.buffer, self.written)
            .map_err(|source| io("write", &self.name, source))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
