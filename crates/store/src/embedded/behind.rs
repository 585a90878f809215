//! The index, written behind: one thread takes the rows that changed since its last write, however often, and writes each
//! once. Appends are held back when too many rows wait.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::index::{Index, IndexError};
use super::noting::Noting;
use super::replay::{ReplayError, catch_up};
use super::shared::{Book, Shared, chain};
use crate::book::{Rows, Totals};
use crate::error::StoreError;
use crate::journal::Head;
use crate::position::Position;

/// Rows are left alone this long, so that those that change often are written once.
const LINGER: Duration = Duration::from_millis(200);
/// Appends are held back this long for the index before they are refused.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries to mend the index, or two looks at whether it is.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// What the committer and the index's thread tell each other.
#[derive(Debug)]
pub(super) struct Behind {
    flow: Mutex<Flow>,
    changed: Condvar,
    rows_max: usize,
}

#[derive(Debug)]
struct Flow {
    /// Rows that wait.
    rows: usize,
    end: Option<End>,
    /// Why nothing is written just now.
    stuck: Option<StoreError>,
    /// The rows lack what is durable.
    lost: bool,
}

/// How the thread is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Everything written, files closed.
    Written,
    /// As it is; the next open catches up.
    AsItIs,
}

impl Behind {
    pub(super) fn new(rows_max: usize) -> Arc<Self> {
        let flow = Mutex::new(Flow {
            rows: 0,
            end: None,
            stuck: None,
            lost: false,
        });
        Arc::new(Self {
            flow,
            changed: Condvar::new(),
            rows_max: rows_max.max(1),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many rows wait now.
    pub(super) fn grown(&self, rows: usize) {
        let mut flow = self.lock();
        let eager = self.rows_max / 2;
        let wakes = (flow.rows < eager) != (rows < eager);
        flow.rows = rows;
        if wakes {
            self.changed.notify_all();
        }
    }

    /// Waits until fewer rows wait, but not long.
    pub(super) fn wait_for_room(&self) -> Result<(), StoreError> {
        let many = |flow: &mut Flow| flow.rows >= self.rows_max && flow.stuck.is_none();
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, many);
        let flow = waited.unwrap_or_else(PoisonError::into_inner).0;
        match &flow.stuck {
            _ if flow.rows < self.rows_max => Ok(()),
            Some(stuck) => Err(stuck.clone()),
            None => Err(StoreError::Overloaded),
        }
    }

    /// The rows were lost in the middle of a change; the journal has them.
    pub(super) fn lose(&self) {
        self.lock().lost = true;
        self.changed.notify_all();
    }

    fn found(&self) {
        self.lock().lost = false;
        self.changed.notify_all();
    }

    /// Waits for rows that were lost, but not long. Whether they are there.
    pub(super) fn has_rows(&self) -> bool {
        let lost = |flow: &mut Flow| flow.lost;
        let waited = self.changed.wait_timeout_while(self.lock(), PAUSE, lost);
        !waited.unwrap_or_else(PoisonError::into_inner).0.lost
    }

    pub(super) fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.notify_all();
    }

    /// The thread hangs: nobody may wait for it.
    pub(super) fn hangs(&self, shared: &Shared) {
        let why = "its index hangs; it is made anew or goes on at the next start";
        self.set_stuck(Some(shared.stop(why.into())));
    }

    /// Why it is not written just now.
    pub(super) fn stuck(&self) -> Option<StoreError> {
        self.lock().stuck.clone()
    }

    fn set_stuck(&self, stuck: Option<StoreError>) {
        self.lock().stuck = stuck;
        self.changed.notify_all();
    }

    /// Waits for enough rows, for some time, or for the end.
    fn linger(&self, wait: Duration, rows: usize) -> Option<End> {
        let waits = |flow: &mut Flow| flow.end.is_none() && flow.rows < rows;
        let waited = self.changed.wait_timeout_while(self.lock(), wait, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.end
    }
}

/// Says that the thread is gone if it panicked: nobody may wait for it.
struct Farewell(Arc<Shared>, Arc<Behind>);

impl Drop for Farewell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.1
                .set_stuck(Some(self.0.stop("its index writer panicked".into())));
        }
    }
}

/// The thread that writes the index.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) index: Index,
    pub(super) behind: Arc<Behind>,
    /// The head of what is in the index for good.
    pub(super) reflected: Head,
    pub(super) noting: Noting,
    /// Orders kept in memory although they are in the index.
    pub(super) orders_at_hand: usize,
}

impl Writer {
    /// Runs until the end.
    pub(super) fn run(mut self) {
        let _farewell = Farewell(Arc::clone(&self.shared), Arc::clone(&self.behind));
        loop {
            let end = self.behind.linger(LINGER, self.behind.rows_max / 2);
            if end == Some(End::AsItIs) {
                return self.index.drop_files();
            }
            let written = self.recover() && self.renew() && self.write_behind();
            if end == Some(End::Written) {
                return self.close(written);
            }
            if !written {
                return self.give_up();
            }
            self.bound_next_open();
        }
    }

    /// What is on its way to the index did not get there before the end, or the store has stopped. Nothing may be written
    /// after it: the next open puts what is noted of it, and goes on from there.
    fn give_up(&mut self) {
        loop {
            match self.behind.linger(PAUSE, usize::MAX) {
                Some(End::Written) => return self.close(false),
                Some(End::AsItIs) => return self.index.drop_files(),
                None => {}
            }
        }
    }

    fn close(&mut self, written: bool) {
        if !self.shared.has_stopped() {
            self.noting.end(self.shared.journal.head());
        }
        let closed = if written {
            self.index.close()
        } else {
            Err(IndexError::Closed)
        };
        if let Err(error) = closed {
            tracing::warn!(error = %chain(&error), "the index was not closed; the next start catches up");
            self.index.drop_files();
        }
    }

    /// Makes the index anew if it could not be read. False when it was told to end first.
    fn renew(&self) -> bool {
        if !self.index.is_unreadable() || self.shared.has_stopped() {
            return true;
        }
        tracing::error!("the index cannot be read; it is made anew");
        self.mend(IndexError::Row, true, self.reflected).is_some()
    }

    /// Takes rows that were lost from the journal again. False when it was told to end first.
    fn recover(&mut self) -> bool {
        if !self.behind.lock().lost || self.shared.has_stopped() {
            return true;
        }
        let head = self.shared.journal.head();
        let Some(totals) = self.mend(IndexError::Closed, false, head) else {
            return false;
        };
        let position = Position(head.position);
        let rows = Rows::new(&self.index.door(), totals, position, self.orders_at_hand);
        *self.shared.book_mut() = Book { rows, head };
        self.reflected = head;
        self.noting.note(head);
        self.behind.found();
        true
    }

    /// Writes what waits. False when it was told to end first.
    fn write_behind(&mut self) -> bool {
        let (frozen, head) = {
            let mut book = self.shared.book_mut();
            if book.rows.fresh() == 0 || self.shared.has_stopped() {
                return true;
            }
            self.behind.grown(0);
            (book.rows.freeze(), book.head)
        };
        while let Err(error) = self.index.write(&frozen, head) {
            tracing::error!(error = %chain(&error), "the index cannot be written; it will be mended");
            let goes_on = match error {
                IndexError::NoRoom(_) => self.wait_out(),
                error => self.mend(error, false, self.reflected).is_some(),
            };
            if !goes_on {
                return false;
            }
        }
        if self.behind.stuck().is_some() && !self.shared.has_stopped() {
            self.behind.set_stuck(None);
        }
        self.reflected = head;
        self.noting.note(head);
        let dropped = self.shared.book_mut().rows.thaw();
        // Many rows, and the lock is open again.
        drop((dropped, frozen));
        metrics::counter!("issuance_store_index_writes_total").increment(1);
        true
    }

    /// Keeps what the next start reads in bounds.
    fn bound_next_open(&self) {
        if self.shared.has_stopped() {
            return;
        }
        if let Err(error) = self.index.bound_next_open() {
            tracing::error!(error = %chain(&error), "the index was closed and cannot be opened; it will be mended");
            self.mend(error, false, self.reflected);
        }
    }

    /// A full disk: what is in the index goes on being read. False when it was told to end first.
    fn wait_out(&self) -> bool {
        self.behind.set_stuck(Some(StoreError::DiskFull));
        self.behind.linger(PAUSE, usize::MAX).is_none()
    }

    /// Opens the index again, or makes it anew, up to `until`. None when it was told to end first, or the store stopped.
    fn mend(&self, mut error: IndexError, anew: bool, until: Head) -> Option<Totals> {
        loop {
            let stuck = if error.is_full() {
                StoreError::DiskFull
            } else {
                StoreError::Overloaded
            };
            self.behind.set_stuck(Some(stuck));
            // Rows do not end this wait, only the end does.
            if self.behind.linger(PAUSE, usize::MAX).is_some() {
                return None;
            }
            // sled cannot be opened on a full disk, but what is open can be read.
            if !self.index.has_room() {
                continue;
            }
            match self.reopen(anew, until) {
                Ok(totals) => {
                    tracing::info!("the index is mended");
                    self.behind.set_stuck(None);
                    return Some(totals);
                }
                Err(ReplayError::Index(again)) => error = again,
                // No file handle to read the log with: that passes.
                Err(ReplayError::Store(StoreError::Overloaded)) => error = IndexError::Closed,
                Err(ReplayError::Store(again)) => {
                    // Acknowledged records do not fit: nothing may be built on them.
                    self.shared.stop(chain(&again));
                    return None;
                }
            }
        }
    }

    fn reopen(&self, anew: bool, until: Head) -> Result<Totals, ReplayError> {
        let at_hand = 0;
        let catch_up = |meta| {
            catch_up(
                &self.index,
                &self.index.inside(),
                &meta,
                &self.shared.journal,
                until,
                &self.shared.policy,
                at_hand,
            )
            .map(|(rows, _)| rows.totals().clone())
        };
        {
            // Nobody reads while the files change hands; until all rows are right again, cold reads are refused.
            let _book = self.shared.book_mut();
            self.index.shut(true);
        }
        self.index.drop_files();
        let opened = if anew {
            Err(IndexError::Row)
        } else {
            self.index.open()
        };
        let opened = opened.and_then(|meta| {
            let known = meta.head()?.position <= until.position;
            if known {
                Ok(meta)
            } else {
                Err(IndexError::Ahead {
                    position: meta.head()?.position,
                })
            }
        });
        let opened = opened.map_err(ReplayError::from).and_then(catch_up);
        let totals = opened.or_else(|error| {
            if error.passes() {
                return Err(error);
            }
            tracing::warn!(error = %chain(&error), "the index is made anew");
            self.index.drop_files();
            catch_up(self.index.begin()?)
        })?;
        self.index.shut(false);
        Ok(totals)
    }
}
