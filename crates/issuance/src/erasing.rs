//! The end of personal data: on demand at once, by retention through the outbox, and off the disk by compaction.

use std::sync::{Mutex, MutexGuard, PoisonError};

use issuance_domain::{Command, OrderId, Timestamp};
use issuance_store::{Compacted, Decision, HandleError, Request, StoreError};

use crate::engine::Engine;

/// The compactions of this process.
#[derive(Debug, Default)]
pub(crate) struct Compacting {
    runs: Mutex<Runs>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Runs {
    begun: u64,
    /// The next one is asked for; with a change of keys or without.
    next: Option<bool>,
    last: Option<Compaction>,
}

/// One compaction, over.
#[derive(Debug, Clone)]
pub struct Compaction {
    /// Counts those of this process, from 1.
    pub run: u64,
    /// When it began: what was erased before then is what it removes.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What it came to.
    pub outcome: Result<Compacted, StoreError>,
}

impl Compacting {
    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Does what was just requested. If it cannot, the order still owes it, and a worker will.
    pub(crate) async fn erase_requested(
        &self,
        id: OrderId,
        mut requested: Decision,
    ) -> Result<Decision, HandleError> {
        let command = Request::new(id, Command::ErasePersonalData, self.now());
        match self.handler().handle(command).await {
            Ok(done) => {
                requested.events.extend(done.events);
                requested.order = done.order;
                requested.position = done.position.or(requested.position);
            }
            Err(error) => {
                tracing::warn!(order_id = %id, %error, "an erasure is recorded and not done yet; it will be tried again");
            }
        }
        Ok(requested)
    }

    /// Begins to remove what was erased from wherever it is stored, and does not wait for it. With `rekey` it also seals
    /// anew what another key than the current one sealed. The number of the run that covers all that was erased before
    /// this call: one may be under way, and then this is the next.
    pub fn start_compaction(&self, rekey: bool) -> u64 {
        let (run, is_new) = self.ask_for_compaction(rekey);
        if is_new {
            let engine = self.clone();
            tokio::spawn(async move { engine.compact_next().await });
        }
        run
    }

    /// The run that will do it, and whether somebody must begin it.
    fn ask_for_compaction(&self, rekey: bool) -> (u64, bool) {
        let mut runs = self.parts.compacting.runs();
        let is_new = runs.next.is_none();
        *runs.next.get_or_insert(false) |= rekey;
        (runs.begun + 1, is_new)
    }

    /// Whether one is under way or asked for.
    #[must_use]
    pub fn compaction_runs(&self) -> bool {
        let compacting = &self.parts.compacting;
        compacting.runs().next.is_some() || compacting.turn.try_lock().is_err()
    }

    /// The last one that ended; none since the process began.
    #[must_use]
    pub fn last_compaction(&self) -> Option<Compaction> {
        self.parts.compacting.runs().last.clone()
    }

    async fn compact_next(&self) {
        let compacting = &self.parts.compacting;
        let _turn = compacting.turn.lock().await;
        let (run, rekey) = {
            let mut runs = compacting.runs();
            runs.begun += 1;
            (runs.begun, runs.next.take().unwrap_or(false))
        };
        let began = self.now();
        let outcome = self.store().compact(rekey).await;
        match &outcome {
            Ok(done) if done.removed + done.resealed + done.unopened > 0 => {
                tracing::info!(
                    removed = done.removed,
                    resealed = done.resealed,
                    unopened = done.unopened,
                    "the vault was compacted"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the vault was not compacted"),
        }
        if let Ok(done) = &outcome
            && !done.skipped.is_empty()
        {
            tracing::error!(files = ?done.skipped, "damaged vault files were left as they are");
        }
        compacting.runs().last = Some(Compaction {
            run,
            began,
            ended: self.now(),
            outcome,
        });
    }

    pub(crate) async fn compact_by_schedule(&self) -> Result<(), StoreError> {
        let every = self.parts.compact_every;
        if every.is_zero() {
            self.stop.cancelled().await;
            return Ok(());
        }
        loop {
            // What a process before this one erased may still lie there. Done by whoever runs the engine, as all its work.
            if let (_, true) = self.ask_for_compaction(false) {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return Ok(()),
                    () = self.compact_next() => {}
                }
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                () = self.clock().sleep(every) => {}
            }
        }
    }
}
