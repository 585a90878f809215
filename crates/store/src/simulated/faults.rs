//! What a test can do to a simulated store.

use std::sync::Arc;

use issuance_domain::{MessageId, OrderId};

use super::SimulatedStore;
use super::log::{Kept, Logged};
use super::state::State;
use crate::error::StoreError;
use crate::position::Position;

impl SimulatedStore {
    /// The process dies, and another opens what is durable. Whoever still holds this store hears that it has stopped.
    ///
    /// # Errors
    /// When the durable half cannot be read back: a bug.
    pub fn crash(&self) -> Result<Self, StoreError> {
        self.crash_keeping(0)
    }

    /// As [`crash`](Self::crash), but the first `unsynced` appends that were written and not synced happen to survive.
    /// An append that is torn in the middle is cut at the next open, so each survives whole or not at all.
    ///
    /// # Errors
    /// As for [`crash`](Self::crash).
    pub fn crash_keeping(&self, unsynced: usize) -> Result<Self, StoreError> {
        let mut state = self.lock();
        let log = state.take_log(unsynced);
        state.stop("the process died");
        drop(state);
        self.wake_all();
        Ok(Self::over(
            State::replay(log, &self.policy)?,
            Arc::clone(&self.policy),
        ))
    }

    /// How far the durable log goes; none once the store has stopped.
    #[must_use]
    pub fn reach(&self) -> Option<Position> {
        Some(self.alive().ok()?.rows.head())
    }

    /// What is durable after a position, whole entries, and up to where that is; none once the store has stopped.
    #[must_use]
    pub fn kept_after(&self, after: Position) -> Option<(Vec<Kept>, Position)> {
        let state = self.alive().ok()?;
        let index = state.log.partition_point(|logged| logged.last() <= after);
        let kept = state.log.iter().skip(index).flat_map(Logged::kept);
        Some((kept.collect(), state.rows.head()))
    }

    /// How many appends are written and not synced.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.lock().unsynced()
    }

    /// The next sync fails, and with it the store.
    pub fn fail_next_sync(&self) {
        self.lock().faults.sync_fails = true;
    }

    /// Fills the disk, or frees it.
    pub fn fill_disk(&self, full: bool) {
        self.lock().faults.full = full;
    }

    /// The queue to the disk is full, or has room again.
    pub fn overload(&self, overloaded: bool) {
        self.lock().faults.overloaded = overloaded;
    }

    /// Whether the body of a message is sealed.
    #[must_use]
    pub fn keeps_body(&self, message: &MessageId) -> bool {
        let owner = message.to_string();
        let state = self.lock();
        state.sealed.keys().any(|(of, _)| *of == owner)
    }

    /// How much is sealed of an order.
    #[must_use]
    pub fn sealed_of(&self, order: OrderId) -> usize {
        let owner = order.to_string();
        let state = self.lock();
        state.sealed.keys().filter(|(of, _)| *of == owner).count()
    }
}
