//! sled, with its panics caught.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode as FileMode, OFlags, flock};
use sled::{Config, Db, Mode};

use super::error::IndexError;
use super::faults::{Faults, IndexStep};
use super::redo::Note;
use super::values::{self, META};
use crate::book::{Entries, Ground, Span, TableId};
use crate::error::StoreError;

/// sled's file in its directory.
pub(super) const FILE: &str = "db";

/// The rows in sled. Closed while the index is made anew.
#[derive(Debug)]
pub(super) struct Sled {
    open: RwLock<Option<Open>>,
    /// A read failed for what is in the files.
    unreadable: AtomicBool,
    faults: Faults,
}

#[derive(Debug)]
struct Open {
    db: Db,
    file: PathBuf,
}

/// Threads of a sled that was closed hold its file a little longer, as long as they sync.
const FILE_TRIES: u32 = 500;
const FILE_PAUSE: Duration = Duration::from_millis(20);

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
    /// Nothing is open yet.
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            open: RwLock::default(),
            unreadable: AtomicBool::new(false),
            faults,
        }
    }

    /// An open that takes longer than `patience` hangs; what is there has to be left behind then.
    pub(super) fn open(
        &self,
        path: &Path,
        cache_bytes: u64,
        patience: Duration,
    ) -> Result<(), IndexError> {
        let config = Config::new()
            .path(path)
            .mode(Mode::HighThroughput)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None);
        // An open that fails for this lock would cost the whole index.
        is_let_go(&path.join(FILE));
        let (sender, opened) = sync_channel(1);
        let faults = self.faults.clone();
        thread::Builder::new()
            .name("issuance-index-open".into())
            // Nobody listens any more when it took too long.
            .spawn(move || {
                let opened = guarded(|| {
                    faults.before(IndexStep::Open)?;
                    config.open()
                });
                drop(sender.send(opened));
            })?;
        let db = opened
            .recv_timeout(patience)
            .map_err(|_| IndexError::Hangs)??;
        self.unreadable.store(false, Ordering::Release);
        let file = path.join(FILE);
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(Open { db, file });
        Ok(())
    }

    /// Ends all use of the files. Reads under way must be over.
    pub(super) fn close(&self) {
        let open = self
            .open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(Open { db, file }) = open else {
            return;
        };
        let closed = guarded(|| {
            drop(db);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::warn!(%error, "the index did not close");
        }
        if !is_let_go(&file) {
            tracing::warn!("the index was closed, and its file is still held");
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
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_ref().ok_or(IndexError::Closed)?;
        Ok(open.db.clone())
    }

    pub(super) fn meta(&self) -> Result<Option<Vec<u8>>, IndexError> {
        let db = self.db()?;
        Ok(guarded(|| db.get(META))?.map(|bytes| bytes.to_vec()))
    }

    /// One by one: a batch would keep every reader waiting until its end.
    pub(super) fn put(&self, note: &Note) -> Result<(), IndexError> {
        let db = self.db()?;
        note.each(|key, value| {
            guarded(|| {
                self.faults.before(IndexStep::Put)?;
                match value {
                    Some(value) => db.insert(key, value),
                    None => db.remove(key),
                }
            })
            .map(drop)
        })
    }

    pub(super) fn flush(&self) -> Result<(), IndexError> {
        let db = self.db()?;
        guarded(|| {
            self.faults.before(IndexStep::Flush)?;
            db.flush()
        })
        .map(drop)
    }

    fn row(db: &Db, key: &[u8], held: &[u8]) -> Result<Vec<u8>, IndexError> {
        values::join(key, held, |part| guarded(|| db.get(part)))
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        self.close();
    }
}

/// Waits, not for ever, until nobody locks a file. Nobody else than sled can: the directory is ours.
fn is_let_go(file: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(file) = rustix::fs::open(file, flags, FileMode::empty()) else {
        // It is gone.
        return true;
    };
    (0..FILE_TRIES).any(|_| {
        let locked = flock(&file, FlockOperation::NonBlockingLockExclusive);
        if locked.is_err() {
            thread::sleep(FILE_PAUSE);
        }
        locked.is_ok()
    })
}

impl Ground for Sled {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let db = self.db()?;
        let key = values::key(table, key);
        let got = guarded(|| {
            self.faults.before(IndexStep::Get)?;
            db.get(&key)
        });
        let read = got.and_then(|held| held.map(|held| Self::row(&db, &key, &held)).transpose());
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
