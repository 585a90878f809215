//! What readers see of the rows: all of them, or none while they are made anew. A row that is not there yet would be taken
//! for one that never was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::IndexError;
use super::sled::Sled;
use crate::book::{Entries, Ground, Span, TableId};
use crate::error::StoreError;

/// The rows behind a door.
#[derive(Debug)]
pub(super) struct Door {
    rows: Arc<Sled>,
    shut: AtomicBool,
}

impl Door {
    /// An open one.
    pub(super) fn of(rows: Arc<Sled>) -> Self {
        Self {
            rows,
            shut: AtomicBool::new(false),
        }
    }

    pub(super) fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::Release);
    }

    fn enter(&self) -> Result<&Sled, StoreError> {
        if self.shut.load(Ordering::Acquire) {
            Err(IndexError::Closed.into())
        } else {
            Ok(&self.rows)
        }
    }
}

impl Ground for Door {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.enter()?.get(table, key)
    }

    fn range(&self, table: TableId, span: &Span) -> Entries<'_> {
        match self.enter() {
            Ok(rows) => rows.range(table, span),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }
}
