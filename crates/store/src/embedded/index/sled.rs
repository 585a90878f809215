//! sled, with its panics caught.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use sled::{Config, Db, Mode};

use super::error::IndexError;
use super::redo::Note;
use super::values::{self, META};
use crate::book::{Entries, Ground, Span, TableId};
use crate::error::StoreError;

/// The rows in sled. Closed while the index is made anew.
#[derive(Debug, Default)]
pub(super) struct Sled {
    db: RwLock<Option<Db>>,
    /// A read failed for what is in the files.
    unreadable: AtomicBool,
}

/// Threads of a sled that was closed hold its lock a little longer. Nobody else can: the directory is ours.
const LOCK_TRIES: u32 = 250;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

fn is_locked(error: &IndexError) -> bool {
    // It has no kind of its own.
    matches!(error, IndexError::Sled(sled::Error::Io(io)) if io.to_string().contains("acquire lock"))
}

fn guarded<T>(run: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => Ok(done?),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let what = text
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("without a word");
            Err(IndexError::Panicked { what: what.into() })
        }
    }
}

impl Sled {
    pub(super) fn open(&self, path: &Path, cache_bytes: u64) -> Result<(), IndexError> {
        let config = Config::new()
            .path(path)
            .mode(Mode::HighThroughput)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None);
        let mut tries = 0;
        let db = loop {
            tries += 1;
            match guarded(|| config.open()) {
                Err(error) if is_locked(&error) && tries < LOCK_TRIES => thread::sleep(LOCK_PAUSE),
                opened => break opened?,
            }
        };
        self.unreadable.store(false, Ordering::Release);
        *self.db.write().unwrap_or_else(PoisonError::into_inner) = Some(db);
        Ok(())
    }

    /// Ends all use of the files. Reads under way must be over.
    pub(super) fn close(&self) {
        let db = self
            .db
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let closed = guarded(|| {
            drop(db);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::warn!(%error, "the index did not close");
        }
    }

    /// Whether a read failed since it was opened. What is in the files is wrong then, or sled's idea of it.
    pub(super) fn is_unreadable(&self) -> bool {
        self.unreadable.load(Ordering::Acquire)
    }

    fn read_failed(&self, error: IndexError) -> StoreError {
        if !matches!(error, IndexError::Closed) {
            self.unreadable.store(true, Ordering::Release);
        }
        error.into()
    }

    fn db(&self) -> Result<Db, IndexError> {
        self.db
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(IndexError::Closed)
    }

    pub(super) fn meta(&self) -> Result<Option<Vec<u8>>, IndexError> {
        let db = self.db()?;
        Ok(guarded(|| db.get(META))?.map(|bytes| bytes.to_vec()))
    }

    /// One by one: a batch would keep every reader waiting until its end.
    pub(super) fn put(&self, note: &Note) -> Result<(), IndexError> {
        let db = self.db()?;
        note.each(|key, value| {
            guarded(|| match value {
                Some(value) => db.insert(key, value),
                None => db.remove(key),
            })
            .map(drop)
        })
    }

    pub(super) fn flush(&self) -> Result<(), IndexError> {
        let db = self.db()?;
        guarded(|| db.flush()).map(drop)
    }

    fn row(db: &Db, key: &[u8], held: &[u8]) -> Result<Vec<u8>, IndexError> {
        values::join(key, held, |part| guarded(|| db.get(part)))
    }
}

impl Ground for Sled {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let db = self.db()?;
        let key = values::key(table, key);
        let read = guarded(|| db.get(&key))
            .and_then(|held| held.map(|held| Self::row(&db, &key, &held)).transpose());
        read.map_err(|error| self.read_failed(error))
    }

    fn range(&self, table: TableId, span: &Span) -> Entries<'_> {
        let db = match self.db() {
            Ok(db) => db,
            Err(error) => return Box::new(std::iter::once(Err(error.into()))),
        };
        let from = match &span.from {
            Bound::Included(key) => Bound::Included(values::key(table, key)),
            Bound::Excluded(key) => Bound::Excluded(values::key(table, key)),
            Bound::Unbounded => Bound::Included(vec![table as u8]),
        };
        let to = match &span.to {
            Bound::Included(key) => Bound::Included(values::key(table, key)),
            Bound::Excluded(key) => Bound::Excluded(values::key(table, key)),
            Bound::Unbounded => Bound::Excluded(vec![table as u8 + 1]),
        };
        let descending = span.descending;
        let mut rows = db.range((from, to));
        Box::new(std::iter::from_fn(move || {
            let next = guarded(|| {
                if descending {
                    rows.next_back()
                } else {
                    rows.next()
                }
                .transpose()
            });
            let next = next.transpose()?.and_then(|(key, held)| {
                let value = Self::row(&db, &key, &held)?;
                Ok((key[1..].to_vec(), value))
            });
            Some(next.map_err(|error| self.read_failed(error)))
        }))
    }
}
