//! A lossless feed of what happens, from any position on.

use std::sync::Arc;

use issuance_domain::planted::{self, Bug};
use issuance_store::{Position, Recorded, Store};

use crate::error::EngineError;

/// Events after a position, for as long as it is read. Nothing is skipped and nothing is kept for a slow reader: it reads
/// the log.
#[derive(Debug)]
pub struct Feed {
    store: Arc<dyn Store>,
    after: Position,
}

/// Events read at once.
const BATCH: usize = 256;

impl Feed {
    pub(crate) fn new(store: Arc<dyn Store>, after: Position) -> Self {
        Self { store, after }
    }

    /// The next events, as soon as there are any. Safe to drop and call again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Vec<Recorded>, EngineError> {
        loop {
            let (events, through) = self.store.read_after(self.after, BATCH).await?;
            let moved = through > self.after;
            self.after = through;
            if !events.is_empty() {
                return Ok(events);
            }
            if !moved {
                self.store.wait_beyond(self.after).await;
                self.after.0 += u64::from(planted::is(Bug::EventSkipped));
            }
        }
    }

    /// Up to where it was read.
    #[must_use]
    pub fn position(&self) -> Position {
        self.after
    }
}
