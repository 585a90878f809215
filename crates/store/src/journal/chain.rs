//! The rules that bind one line to the next: position, previous hash, and whole batches.

use super::error::Damage;
use super::hash::Head;
use super::line::{Line, parse};

/// Walks lines in order and refuses the first that does not follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    head: Head,
    /// False until a line is seen, when the walk starts at a place whose past is not known.
    linked: bool,
    batch: Option<Open>,
}

/// A batch of which not all lines are seen yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    part: u32,
    parts: u32,
    /// The head before the batch.
    before: Head,
}

impl Chain {
    /// Starts behind a head.
    pub(crate) fn after(head: Head) -> Self {
        Self {
            head,
            linked: true,
            batch: None,
        }
    }

    /// Starts at a position whose past is not known; the first line is taken at its word.
    pub(crate) fn at(position: u64) -> Self {
        let head = Head {
            position: position.saturating_sub(1),
            ..Head::EMPTY
        };
        Self {
            head,
            linked: false,
            batch: None,
        }
    }

    /// The last line seen.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// The head before the batch that is not whole, if one is open.
    pub(crate) fn unfinished(&self) -> Option<Head> {
        self.batch.map(|batch| batch.before)
    }

    /// Reads a line and takes it as the next.
    pub(crate) fn link<'a>(&mut self, bytes: &'a [u8]) -> Result<Line<'a>, Damage> {
        let line = parse(bytes)?;
        let expected = self.head.position + 1;
        if line.position != expected {
            return Err(Damage::Position {
                expected,
                found: line.position,
            });
        }
        if self.linked && line.prev != self.head.hash {
            return Err(Damage::Chain);
        }
        let fits = match self.batch {
            Some(open) => line.parts == open.parts && line.part == open.part + 1,
            // A walk that starts in the middle of a batch cannot know its beginning.
            None => line.part == 1 || !self.linked,
        };
        if !fits {
            return Err(Damage::Batch);
        }
        self.batch = (line.part < line.parts).then(|| Open {
            part: line.part,
            parts: line.parts,
            before: self.batch.map_or(self.head, |open| open.before),
        });
        self.head = Head {
            position: line.position,
            hash: line.hash,
        };
        self.linked = true;
        Ok(line)
    }
}
