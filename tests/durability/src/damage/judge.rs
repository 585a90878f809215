//! What a damaged log may do: be read exactly as it was, or be refused with a place. Once with the head known from the index,
//! which no loss passes by; once without, where a tail may be cut as `docs/journal.md` says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use issuance_store::journal::{Head, JournalError, Reader};

use super::log::{Files, Log, Still, said};

/// How a damaged log was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// Read exactly as it was: the change did not matter.
    Whole,
    /// Read up to a tail that was cut off, and said so.
    Cut,
    /// Refused, with the place.
    Refused,
}

/// With the head known, then without. An error is a violation.
pub(super) fn judge(log: &Log, files: &Files) -> Result<[Met; 2], String> {
    let look = |known| {
        catch_unwind(AssertUnwindSafe(|| read(log, files, known)))
            .unwrap_or_else(|_| Err("panicked".into()))
    };
    let known = look(Some(log.head)).map_err(|why| format!("with the head known: {why}"))?;
    if known == Met::Cut {
        return Err("acknowledged events were cut though the head is known".into());
    }
    let alone = look(None).map_err(|why| format!("without a known head: {why}"))?;
    Ok([known, alone])
}

fn read(log: &Log, files: &Files, known: Option<Head>) -> Result<Met, String> {
    let (reader, report) = match Reader::open(Arc::new(Still(files.clone())), known) {
        Err(error) => return refused(&error, log, files),
        Ok(opened) => opened,
    };
    let mut count = 0;
    for record in reader.records(1) {
        let record = match record {
            Err(error) => return refused(&error, log, files),
            Ok(record) => record,
        };
        if log.records.get(count) != Some(&said(&record)) {
            return Err(format!("event {} is read, but was another", count + 1));
        }
        count += 1;
    }
    if count == log.records.len() {
        return Ok(Met::Whole);
    }
    if count > 0 && !log.records[count - 1].ends {
        return Err(format!("half an append is read, up to event {count}"));
    }
    match report.cut {
        Some(cut) => {
            let rest = &files[&cut.file][cut.byte as usize..];
            if holds_barrier(log, rest) {
                return Err(format!("cut before what was durable, at {cut:?}"));
            }
            Ok(Met::Cut)
        }
        None if is_beginning(log, files) => Ok(Met::Cut),
        None => Err(format!("only {count} events are read and nothing is said")),
    }
}

/// A refusal must say where.
fn refused(error: &JournalError, log: &Log, files: &Files) -> Result<Met, String> {
    let named = match error {
        JournalError::Damaged { file, byte, .. } => is_damaged(log, files, file, *byte as usize),
        JournalError::Missing { .. }
        | JournalError::Foreign { .. }
        | JournalError::RolledBack { .. }
        | JournalError::Diverged { .. } => true,
        _ => false,
    };
    if named {
        Ok(Met::Refused)
    } else {
        Err(format!(
            "refused at a place that is sound, or none: {error:?}"
        ))
    }
}

/// Whether the line at this place is not one that stood there: changed, or behind something that is.
fn is_damaged(log: &Log, files: &Files, file: &str, byte: usize) -> bool {
    let sound = |(name, now): (&String, &Arc<Vec<u8>>), end: usize| {
        log.files
            .get(name)
            .is_some_and(|was| now.len() >= end && was.get(..end) == now.get(..end))
    };
    let Some(now) = files.get(file) else {
        return false;
    };
    let line = now[byte.min(now.len())..]
        .iter()
        .position(|byte| *byte == b'\n');
    let end = line.map_or(now.len(), |line| byte + line + 1);
    let before_and_it = files.iter().take_while(|(name, _)| **name != *file);
    let all_before = before_and_it.clone().count()
        == log.files.keys().take_while(|name| **name != *file).count();
    let all_sound = all_before
        && before_and_it
            .clone()
            .all(|(name, now)| log.files.get(name) == Some(now))
        && sound((&file.to_owned(), now), end);
    // A file that only lacks its end is refused there.
    !all_sound || end == now.len()
}

/// A whole line of the log as it was that says that all before it was durable. What the first line says is of lines that
/// were not cut.
fn holds_barrier(log: &Log, rest: &[u8]) -> bool {
    let mut lines = rest.split_inclusive(|byte| *byte == b'\n').skip(1);
    lines.any(|line| {
        // The body says it too; the mark stands before it.
        let mark = position(line, b"\"barrier\":true,");
        let body = position(line, b"\"body\":");
        mark.is_some() && mark < body && line.ends_with(b"\n") && is_line(log, line)
    })
}

fn position(line: &[u8], wanted: &[u8]) -> Option<usize> {
    line.windows(wanted.len())
        .position(|window| window == wanted)
}

fn is_line(log: &Log, line: &[u8]) -> bool {
    log.files
        .values()
        .any(|file| position(file, line).is_some())
}

/// Whether the files are the log's first bytes, up to the end of a line: then nobody can tell.
fn is_beginning(log: &Log, files: &Files) -> bool {
    let (mut now, mut was) = (files.iter(), log.files.iter());
    loop {
        match (now.next(), was.next()) {
            (None, _) => return true,
            (Some(a), Some(b)) if a == b => {}
            (Some((name, bytes)), Some((other, whole))) => {
                let shorter = name == other
                    && whole.starts_with(bytes)
                    && (bytes.is_empty() || bytes.ends_with(b"\n"));
                return shorter && now.next().is_none();
            }
            (Some(_), None) => return false,
        }
    }
}
