//! What callers and threads share: the rows, the tasks, the readers, and whether the store has stopped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use issuance_domain::Policy;

use crate::book::{Rows, Tasks};
use crate::error::StoreError;
use crate::journal::disk::is_out_of_handles;
use crate::journal::{Head, Reader};
use crate::signal::Signal;
use crate::vault::VaultReader;

#[derive(Debug)]
pub(super) struct Shared {
    book: RwLock<Book>,
    tasks: Mutex<Tasks>,
    pub(super) policy: Policy,
    pub(super) journal: Reader,
    pub(super) vault: VaultReader,
    pub(super) grown: Signal,
    pub(super) tasks_changed: Signal,
    pub(super) messages_came: Signal,
    room: Mutex<Option<String>>,
    stopped: OnceLock<StoreError>,
    closed: AtomicBool,
    refusals: AtomicU64,
}

/// The rows and the head of the journal they reflect.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) rows: Rows,
    pub(super) head: Head,
}

impl Shared {
    pub(super) fn new(
        book: Book,
        tasks: Tasks,
        policy: Policy,
        journal: Reader,
        vault: VaultReader,
    ) -> Arc<Self> {
        Arc::new(Self {
            book: RwLock::new(book),
            tasks: Mutex::new(tasks),
            policy,
            journal,
            vault,
            grown: Signal::default(),
            tasks_changed: Signal::default(),
            messages_came: Signal::default(),
            room: Mutex::default(),
            stopped: OnceLock::new(),
            closed: AtomicBool::new(false),
            refusals: AtomicU64::new(0),
        })
    }

    /// The rows. A change of them that panicked has stopped the store, so a poisoned lock tells nothing new.
    pub(super) fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn book_mut(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses every call once the store has stopped or was closed.
    pub(super) fn alive(&self) -> Result<(), StoreError> {
        match self.stopped.get() {
            Some(error) => Err(error.clone()),
            None if self.closed.load(Ordering::Acquire) => Err(StoreError::Closed),
            None => Ok(()),
        }
    }

    /// Stops the store for good. The first reason counts.
    pub(super) fn stop(&self, why: String) -> StoreError {
        let error = self.stopped.get_or_init(|| {
            tracing::error!(%why, "the store has stopped");
            StoreError::Stopped { why }
        });
        self.wake_all();
        error.clone()
    }

    /// What a caller hears when a file could not grow or be made, and nothing of it was.
    pub(super) fn no_room(&self, source: &std::io::Error) -> StoreError {
        // Said once, not for every write that is refused meanwhile.
        if self.room().replace(source.to_string()).is_none() {
            tracing::warn!(%source, "no room to write");
        }
        if is_out_of_handles(source) {
            StoreError::Overloaded
        } else {
            StoreError::DiskFull
        }
    }

    /// Why the last write found no room; none since one did.
    pub(super) fn room(&self) -> MutexGuard<'_, Option<String>> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a storage error stopped the store. From then on the rows may lack what is durable.
    pub(super) fn has_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake_all();
    }

    /// How many groups could not be written.
    pub(super) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Acquire)
    }

    /// One more.
    pub(super) fn refused(&self) {
        self.refusals.fetch_add(1, Ordering::AcqRel);
    }

    /// Why an answer never came.
    pub(super) fn gone(&self) -> StoreError {
        self.alive().err().unwrap_or(StoreError::Closed)
    }

    fn wake_all(&self) {
        self.grown.raise();
        self.tasks_changed.raise();
        self.messages_came.raise();
    }
}

/// An error with everything behind it, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
