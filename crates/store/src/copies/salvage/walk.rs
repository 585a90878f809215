//! The way through all segments of a damaged log.

use super::super::error::CopyError;
use super::super::staging::Staging;
use super::part::Growing;
use super::{Gap, Salvaged, Unreadable};
use crate::journal::disk::Disk;
use crate::journal::line::{claimed_position, parse};
use crate::journal::lines::{LineEnd, Lines};
use crate::journal::recover::io;
use crate::journal::segment::file_name;
use crate::journal::{Damage, Directory, Head};

/// Unreadable places that are named; more are only counted.
const NAMED_MAX: usize = 1_000;
/// Runs that are kept. A log in more pieces is no log.
const RUNS_MAX: usize = 10_000;

pub(super) struct Walk<'a> {
    staging: &'a Staging,
    found: Salvaged,
    prefix: Growing,
    /// The run that grows, if one does.
    run: Option<Growing>,
    runs: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn begin(staging: &'a Staging, start: Head) -> Result<Self, CopyError> {
        Ok(Self {
            staging,
            found: Salvaged::default(),
            prefix: Growing::begin(staging, "prefix".into(), start, true)?,
            run: None,
            runs: 0,
        })
    }

    pub(super) fn segment(&mut self, source: &Directory, first: u64) -> Result<(), CopyError> {
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
            if let Err(damage) = taken {
                self.drop_held();
                self.lost((&name, number, at), lines.offset() - at, damage);
            }
            let parts = [Some(&mut self.prefix), self.run.as_mut()];
            parts
                .into_iter()
                .flatten()
                .for_each(|part| part.at(&name, number, at));
        }
        if number == 0 {
            self.lost((&name, 1, 0), 0, Damage::Empty);
        }
        // A new segment is a new file here too.
        self.run.as_mut().map_or(Ok(()), Growing::end_file)?;
        self.prefix.end_file()
    }

    /// Adds a line to the prefix, or to the run that grows, or begins a new run with it.
    fn take(&mut self, bytes: &[u8]) -> Result<Result<(), Damage>, CopyError> {
        if claimed_position(bytes) == Some(self.prefix.next()) && self.prefix.add(bytes)?.is_ok() {
            let left = self.run.as_mut().and_then(Growing::drop_held);
            self.broken(left);
            return Ok(Ok(()));
        }
        if let Some(run) = &mut self.run
            && run.add(bytes)?.is_ok()
        {
            let left = self.prefix.drop_held();
            self.broken(left);
            return Ok(Ok(()));
        }
        let line = match parse(bytes) {
            Ok(line) => line,
            Err(damage) => return Ok(Err(damage)),
        };
        let (expected, found) = (self.prefix.kept.position + 1, line.position);
        if found < expected {
            // The chain proves the one that is there: this one is the same, or of no log.
            return Ok(Err(Damage::Position { expected, found }));
        }
        if line.part != 1 || self.runs == RUNS_MAX {
            // The rest of an append whose beginning is lost.
            return Ok(Err(Damage::Batch));
        }
        self.drop_held();
        self.runs += 1;
        let before = Head {
            position: found - 1,
            hash: line.prev,
        };
        let name = format!("run-{}", self.runs);
        let mut run = Growing::begin(self.staging, name, before, false)?;
        let added = run.add(bytes)?;
        if let Some(ended) = self.run.replace(run) {
            ended.end(self.staging, &mut self.found)?;
        }
        Ok(added)
    }

    /// Gives up appends that are not whole.
    fn drop_held(&mut self) {
        let left = [
            self.prefix.drop_held(),
            self.run.as_mut().and_then(Growing::drop_held),
        ];
        left.into_iter().for_each(|left| self.broken(left));
    }

    fn broken(&mut self, left: Option<((String, u64, u64), u64)>) {
        if let Some(((file, line, byte), bytes)) = left {
            self.lost((&file, line, byte), bytes, Damage::Batch);
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

    pub(super) fn end(mut self) -> Result<Salvaged, CopyError> {
        self.drop_held();
        let Self {
            staging,
            mut found,
            prefix,
            run,
            ..
        } = self;
        if let Some(run) = run {
            run.end(staging, &mut found)?;
        }
        prefix.end(staging, &mut found)?;
        // The prefix first.
        found.parts.rotate_right(1);
        found.gaps = gaps(&found);
        Ok(found)
    }
}

/// What lies between the parts, and in none.
fn gaps(found: &Salvaged) -> Vec<Gap> {
    let mut parts: Vec<_> = found.parts.iter().collect();
    parts.sort_by_key(|part| part.first);
    let (mut gaps, mut reached) = (Vec::new(), None);
    for part in parts {
        if let Some(reached) = reached
            && part.first > reached + 1
        {
            gaps.push(Gap {
                from: reached + 1,
                to: part.first - 1,
            });
        }
        reached = reached.max(Some(part.last));
    }
    gaps
}
