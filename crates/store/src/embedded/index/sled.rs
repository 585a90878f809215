//! sled, with its panics caught.

use std::io::ErrorKind;
use std::ops::{Bound, Deref};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode as FileMode, OFlags, flock};
use sled::{Config, Db, Mode};

use super::error::IndexError;
use super::faults::{Faults, IndexStep};
use super::hand::Hand;
use super::redo::Note;
use super::values::{self, META};
use crate::book::{Entries, Ground, Span, TableId};
use crate::error::StoreError;
use crate::journal::plain;

/// sled's file in its directory.
pub(super) const FILE: &str = "db";

/// The rows in sled. Closed while the index is made anew.
#[derive(Debug)]
pub(super) struct Sled {
    /// Who reads or writes holds this as long, so that whoever gets it alone has the files alone.
    open: RwLock<Option<Open>>,
    /// Bytes of rows put since sled was opened, which is when it notes where its pages lie.
    unnoted: AtomicU64,
    /// A read failed for what is in the files.
    unreadable: AtomicBool,
    hand: Hand,
    faults: Faults,
}

#[derive(Debug)]
struct Open {
    db: Db,
    file: PathBuf,
}

/// sled in use: nobody closes it meanwhile.
struct Using<'a> {
    /// Goes first.
    db: Db,
    _held: RwLockReadGuard<'a, Option<Open>>,
}

impl Deref for Using<'_> {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

/// Rows in order, while sled is in use.
struct Walk<'a> {
    rows: sled::Iter,
    db: Using<'a>,
}

/// How sled is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening<'a> {
    /// Its directory.
    pub(super) path: &'a Path,
    /// Bytes it may keep in memory.
    pub(super) cache_bytes: u64,
    /// An open that takes longer hangs; what is there has to be left behind then.
    pub(super) patience: Duration,
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
            unnoted: AtomicU64::new(0),
            unreadable: AtomicBool::new(false),
            hand: Hand::default(),
            faults,
        }
    }

    pub(super) fn open(&self, opening: Opening<'_>) -> Result<(), IndexError> {
        let opened = self.start(opening)?;
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        Ok(())
    }

    /// Closes and opens the files, so that sled notes where its pages lie. Reads wait meanwhile; after an error it is closed.
    pub(super) fn reopen(&self, opening: Opening<'_>) -> Result<(), IndexError> {
        // sled syncs its file when it is closed. Nobody has to wait for most of that.
        self.flush()?;
        plain::open(&opening.path.join(FILE))?.sync_all()?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        end(open.take());
        *open = Some(self.start(opening)?);
        Ok(())
    }

    fn start(&self, opening: Opening<'_>) -> Result<Open, IndexError> {
        let Opening {
            path,
            cache_bytes,
            patience,
        } = opening;
        let config = Config::new()
            .path(path)
            .mode(Mode::HighThroughput)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None);
        // An open that fails for this lock would cost the whole index.
        is_let_go(&path.join(FILE));
        forget_half_notes(path)?;
        let faults = self.faults.clone();
        let opened = self.hand.run(Some(patience), move || {
            guarded(|| {
                faults.before(IndexStep::Open)?;
                config.open()
            })
        });
        let db = opened?.ok_or(IndexError::Hangs)??;
        self.unreadable.store(false, Ordering::Release);
        self.unnoted.store(0, Ordering::Release);
        let file = path.join(FILE);
        Ok(Open { db, file })
    }

    /// Ends all use of the files. Reads under way must be over.
    pub(super) fn close(&self) {
        let open = self
            .open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        end(open);
    }

    /// Bytes of rows that sled reads again when it is opened next, besides its note.
    pub(super) fn unnoted(&self) -> u64 {
        self.unnoted.load(Ordering::Acquire)
    }

    /// As if so many bytes fewer had been put.
    pub(super) fn put_off(&self, bytes: u64) {
        self.unnoted
            .fetch_sub(bytes.min(self.unnoted()), Ordering::AcqRel);
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

    fn db(&self) -> Result<Using<'_>, IndexError> {
        let held = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let db = held.as_ref().ok_or(IndexError::Closed)?.db.clone();
        Ok(Using { db, _held: held })
    }

    pub(super) fn meta(&self) -> Result<Option<Vec<u8>>, IndexError> {
        let db = self.db()?;
        Ok(guarded(|| db.get(META))?.map(|bytes| bytes.to_vec()))
    }

    /// One by one: a batch would keep every reader waiting until its end.
    pub(super) fn put(&self, note: Note) -> Result<(), IndexError> {
        self.unnoted
            .fetch_add(note.bytes() as u64, Ordering::AcqRel);
        let using = self.db()?;
        let (db, faults) = (using.db.clone(), self.faults.clone());
        let put = self.hand.run(None, move || {
            note.each(|key, value| {
                guarded(|| {
                    faults.before(IndexStep::Put)?;
                    match value {
                        Some(value) => db.insert(key, value),
                        None => db.remove(key),
                    }
                })
                .map(drop)
            })
        });
        put?.ok_or(IndexError::Hangs)?
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

fn end(open: Option<Open>) {
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

/// sled notes where its pages lie under a name that ends so, and renames it. It takes one that a process died over for its
/// newest note, and does not open.
const HALF_NOTE: &str = ".generating";

fn forget_half_notes(path: &Path) -> std::io::Result<()> {
    let found = match std::fs::read_dir(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        found => found?,
    };
    for entry in found {
        let entry = entry?;
        if entry
            .file_name()
            .as_encoded_bytes()
            .ends_with(HALF_NOTE.as_bytes())
        {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Bytes of sled's notes of where its pages lie.
pub(super) fn notes(path: &Path) -> u64 {
    let found = std::fs::read_dir(path).into_iter().flatten().flatten();
    let notes = found.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"snap."));
    notes
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum()
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
        let rows = db.range((from, to));
        let mut walk = Walk { rows, db };
        Box::new(std::iter::from_fn(move || {
            let Walk { rows, db } = &mut walk;
            let next = guarded(|| {
                if descending {
                    rows.next_back()
                } else {
                    rows.next()
                }
                .transpose()
            });
            let next = next.transpose()?.and_then(|(key, held)| {
                let value = Self::row(db, &key, &held)?;
                Ok((key[1..].to_vec(), value))
            });
            Some(next.map_err(|error| self.read_failed(error)))
        }))
    }
}
