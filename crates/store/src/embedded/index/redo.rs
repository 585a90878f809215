//! A note of all puts of one write, whole or not at all. Whoever finds one puts it again: rows are whole values, so twice
//! is as good as once.

use std::io::{self, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::error::IndexError;
use super::meta::Meta;
use super::values;
use crate::book::Frozen;
use crate::journal::plain;

/// Puts and removals, in order. Only ever cut from a whole file or made by [`note`].
#[derive(Debug)]
pub(super) struct Note(Vec<u8>);

/// Its file, beside the index.
pub(super) const REDO: &str = "index.redo";
const REMOVED: u32 = u32::MAX;
const DIGEST: usize = 32;

/// The rows of one write, the row about them last.
pub(super) fn note(frozen: &Frozen, meta: &Meta) -> Result<Note, IndexError> {
    let mut note = Note(Vec::new());
    frozen.each(|table, key, row| match row {
        Some(row) => values::split(table, key, row, |key, value| note.add(key, Some(value))),
        None => note.add(&values::key(table, key), None),
    })?;
    note.add(values::META, Some(&meta.encode()?))?;
    Ok(note)
}

impl Note {
    fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), IndexError> {
        let length = |bytes: &[u8]| {
            u32::try_from(bytes.len())
                .ok()
                .filter(|length| *length < REMOVED)
        };
        let key_length = length(key).ok_or(IndexError::Row)?;
        let value_length = value.map_or(Some(REMOVED), length).ok_or(IndexError::Row)?;
        self.0.extend_from_slice(&key_length.to_be_bytes());
        self.0.extend_from_slice(&value_length.to_be_bytes());
        self.0.extend_from_slice(key);
        self.0.extend_from_slice(value.unwrap_or_default());
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Every key with its value, or none where it is to be removed.
    pub(super) fn each<E>(
        &self,
        mut put: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = &self.0[..];
        while let Some((row, after)) = entry(rest) {
            put(row.0, row.1)?;
            rest = after;
        }
        Ok(())
    }
}

/// A key with its value.
type Put<'a> = (&'a [u8], Option<&'a [u8]>);

fn entry(bytes: &[u8]) -> Option<(Put<'_>, &[u8])> {
    let (lengths, rest) = bytes.split_at_checked(8)?;
    let length = |bytes: &[u8]| Some(u32::from_be_bytes(bytes.try_into().ok()?));
    let (key_length, value_length) = (length(&lengths[..4])?, length(&lengths[4..])?);
    let (key, rest) = rest.split_at_checked(key_length as usize)?;
    if value_length == REMOVED {
        return Some(((key, None), rest));
    }
    let (value, rest) = rest.split_at_checked(value_length as usize)?;
    Some(((key, Some(value)), rest))
}

/// Puts a note down before its puts are made. It needs no sync: after a power cut the index is made anew anyway.
pub(super) fn write(path: &Path, note: &Note) -> io::Result<()> {
    write_file(path, &[&Sha256::digest(&note.0), &note.0])
}

pub(super) fn write_file(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = plain::create(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))
}

/// The note that is there, if it is whole; one that is not was never acted on.
pub(super) fn read(path: &Path) -> Result<Option<Note>, IndexError> {
    let bytes = match plain::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(IndexError::at(REDO)(error)),
    };
    let Some((digest, note)) = bytes.split_at_checked(DIGEST) else {
        return Ok(None);
    };
    Ok((Sha256::digest(note).as_slice() == digest).then(|| Note(note.to_vec())))
}

/// Its puts are made.
pub(super) fn remove(path: &Path) -> Result<(), IndexError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(IndexError::at(REDO)(error)),
        _ => Ok(()),
    }
}
