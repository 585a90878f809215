//! Reads a file line by line in bounded memory.

use std::io::{self, BufRead as _};
use std::sync::Arc;

use super::disk::{DiskFile, read_full};
use super::line::MAX_LINE;

const CHUNK: usize = 256 << 10;

/// A line and where it starts. `bytes` has no newline.
#[derive(Debug)]
pub(crate) struct RawLine<'a> {
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) end: LineEnd,
}

/// How a line stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    Newline,
    /// The part of the file that is read ends without a newline.
    File,
    /// Longer than [`MAX_LINE`]; `bytes` is its beginning, the rest is skipped.
    TooLong,
}

/// A cursor over the lines of a file up to `end`.
#[derive(Debug)]
pub(crate) struct Lines {
    file: Arc<dyn DiskFile>,
    /// Offset in the file of `buffer[at]`, the next line's start.
    offset: u64,
    end: u64,
    buffer: Vec<u8>,
    at: usize,
    chunk: usize,
}

impl Lines {
    pub(crate) fn new(file: Arc<dyn DiskFile>, offset: u64, end: u64) -> Self {
        Self {
            file,
            offset,
            end,
            buffer: Vec::new(),
            at: 0,
            chunk: CHUNK,
        }
    }

    /// For a reader that wants one or a few lines.
    pub(crate) fn few(file: Arc<dyn DiskFile>, offset: u64, end: u64) -> Self {
        Self {
            chunk: 4 << 10,
            ..Self::new(file, offset, end)
        }
    }

    /// Where the next line starts.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn next_line(&mut self) -> io::Result<Option<RawLine<'_>>> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.at..];
            let found = (&unread[searched..]).skip_until(b'\n')?;
            searched += found;
            if found > 0 && unread[searched - 1] == b'\n' {
                return Ok(Some(self.take(searched, LineEnd::Newline)));
            }
            if searched > MAX_LINE {
                return Ok(Some(self.take_too_long(searched)?));
            }
            if !self.fill()? {
                return match self.buffer.len() - self.at {
                    0 => Ok(None),
                    rest => Ok(Some(self.take(rest, LineEnd::File))),
                };
            }
        }
    }

    fn take(&mut self, count: usize, end: LineEnd) -> RawLine<'_> {
        let (from, offset) = (self.at, self.offset);
        self.at += count;
        self.offset += count as u64;
        let newline = usize::from(end == LineEnd::Newline);
        RawLine {
            offset,
            bytes: &self.buffer[from..from + count - newline],
            end,
        }
    }

    /// Skips to the line after one that is too long, so that a reader can go on behind it.
    fn take_too_long(&mut self, searched: usize) -> io::Result<RawLine<'_>> {
        let start = self.offset;
        let mut offset = start + searched as u64;
        let mut chunk = vec![0; CHUNK];
        while offset < self.end {
            let want = chunk
                .len()
                .min(usize::try_from(self.end - offset).unwrap_or(usize::MAX));
            let got = read_full(&*self.file, &mut chunk[..want], offset)?;
            if got == 0 {
                break;
            }
            let count = (&chunk[..got]).skip_until(b'\n')?;
            offset += count as u64;
            if chunk[count - 1] == b'\n' {
                break;
            }
        }
        self.buffer.drain(..self.at);
        self.buffer.truncate(MAX_LINE);
        self.at = self.buffer.len();
        self.offset = offset;
        Ok(RawLine {
            offset: start,
            bytes: &self.buffer,
            end: LineEnd::TooLong,
        })
    }

    /// Reads the next chunk behind the buffer; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let kept = self.buffer.len();
        let from = self.offset + kept as u64;
        let want = self
            .chunk
            .min(usize::try_from(self.end.saturating_sub(from)).unwrap_or(usize::MAX));
        self.buffer.resize(kept + want, 0);
        let got = read_full(&*self.file, &mut self.buffer[kept..], from)?;
        self.buffer.truncate(kept + got);
        // A line that does not fit a small chunk is worth reading in large ones.
        self.chunk = CHUNK.min(self.chunk * 4);
        Ok(got > 0)
    }
}

/// Which line of the file starts at `offset`, from 1. Reads all before it: for messages about damage.
pub(crate) fn line_number(file: &Arc<dyn DiskFile>, offset: u64) -> io::Result<u64> {
    let mut lines = Lines::new(Arc::clone(file), 0, offset);
    let mut number = 1;
    while lines.next_line()?.is_some() {
        number += 1;
    }
    Ok(number)
}
