//! The loop that leases what is due and performs it. One worker for each kind of task, so that what one kind waits for
//! does not hold up another.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, Stream};
use issuance_domain::{Command, Timestamp};
use issuance_store::{CommandHandler, Kind, Lease, LeaseAsk, Request, StoreError};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::retry::Retry;

/// Does one task.
#[async_trait]
pub trait Performer: Send + Sync + 'static {
    /// Which tasks it does.
    fn kind(&self) -> Kind;

    /// How many may be started now.
    fn gate(&self, now: Timestamp) -> Gate;

    /// Does one. What became of it is in the store when this returns.
    async fn perform(&self, lease: &Lease) -> Result<Done, StoreError>;
}

/// How many tasks may be started now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// At most this many.
    Open(usize),
    /// None before this time.
    Until(Timestamp),
}

/// What became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It is no longer owed, or is owed anew with its own time.
    Finished,
    /// It is owed again at this time.
    Later(Timestamp),
}

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Tasks at once.
    pub concurrency: usize,
    /// A claim's length, and the longest a task may take.
    pub deadline: Duration,
    /// After a panic, a deadline or a store that could not.
    pub retry: Retry,
}

/// Leases due tasks and performs them.
#[derive(Debug)]
pub struct Worker<P> {
    handler: CommandHandler,
    clock: Arc<dyn Clock>,
    performer: Arc<P>,
    options: WorkerOptions,
}

impl<P> Clone for Worker<P> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            clock: self.clock.clone(),
            performer: self.performer.clone(),
            options: self.options.clone(),
        }
    }
}

/// Tasks given up this often in a row are shown to a person (reliability F-075).
const TOLERATED: u32 = 3;

impl<P: Performer> Worker<P> {
    /// A worker behind the command handler.
    pub fn new(
        handler: CommandHandler,
        clock: Arc<dyn Clock>,
        performer: P,
        options: WorkerOptions,
    ) -> Self {
        Self {
            handler,
            clock,
            performer: Arc::new(performer),
            options,
        }
    }

    /// Works until told to stop; then finishes what it has begun. All of it is part of this future: who drops it ends
    /// everything under way, and no runtime is needed but the one that polls it.
    ///
    /// # Errors
    /// When the store has stopped for good.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut running = FuturesUnordered::new();
        while !stop.is_cancelled() {
            let free = self.options.concurrency.saturating_sub(running.len());
            match beside(&mut running, self.claim(free)).await {
                Ok(leases) if leases.is_empty() => {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        Some(()) = running.next() => {}
                        () = self.nap(free) => {}
                    }
                }
                Ok(leases) => running.extend(leases.into_iter().map(|lease| self.perform(lease))),
                Err(error) if error.is_transient() => {
                    beside(&mut running, self.clock.sleep(self.options.retry.first)).await
                }
                Err(error) => return Err(error),
            }
        }
        while running.next().await.is_some() {}
        Ok(())
    }

    /// Claims and performs what is due now, one after the other. How many that was.
    ///
    /// # Errors
    /// When the store could not.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let leases = self.claim(self.options.concurrency).await?;
        let count = leases.len();
        for lease in leases {
            self.finish(&lease, self.performer.perform(&lease).await)
                .await;
        }
        Ok(count)
    }

    async fn claim(&self, free: usize) -> Result<Vec<Lease>, StoreError> {
        let now = self.clock.now();
        let limit = match self.performer.gate(now) {
            Gate::Open(room) => room.min(free),
            Gate::Until(_) => 0,
        };
        if limit == 0 {
            return Ok(Vec::new());
        }
        // The claim outlasts the deadline, so that a task given up is never done twice at once.
        let until = now.after(self.options.deadline + self.options.deadline / 2);
        self.handler
            .store()
            .lease(LeaseAsk {
                kind: self.performer.kind(),
                now,
                until,
                limit,
            })
            .await
    }

    /// Sleeps until something may be due.
    async fn nap(&self, free: usize) {
        let now = self.clock.now();
        let longest = self.clock.longest_nap();
        if free == 0 {
            return self.clock.sleep(longest).await;
        }
        if let Gate::Until(opens) = self.performer.gate(now) {
            return self.clock.sleep(opens.since(now).min(longest)).await;
        }
        // Counted from here: a task that comes while the question is answered ends the nap, too.
        let sooner = self.handler.store().wait_for_tasks();
        let due = self
            .handler
            .store()
            .next_due(self.performer.kind())
            .await
            .ok()
            .flatten();
        let wait = due.map_or(longest, |due| due.since(now).min(longest));
        tokio::select! {
            biased;
            () = sooner => {}
            () = self.clock.sleep(wait) => {}
        }
    }

    async fn perform(&self, lease: Lease) {
        // A panic ends this task and nothing else.
        let task = AssertUnwindSafe(self.performer.perform(&lease)).catch_unwind();
        let ended = tokio::select! {
            biased;
            ended = task => ended.map_err(|_| "panicked"),
            () = self.clock.sleep(self.options.deadline) => Err("took too long"),
        };
        match ended {
            Ok(result) => self.finish(&lease, result).await,
            Err(how) => self.give_up(&lease, how).await,
        }
    }

    async fn finish(&self, lease: &Lease, result: Result<Done, StoreError>) {
        let due = match result {
            Ok(Done::Finished) => None,
            Ok(Done::Later(due)) => Some(due),
            Err(error) => {
                tracing::warn!(order_id = %lease.task.id.order, %error, "a task could not be done");
                Some(self.later(lease))
            }
        };
        self.release(lease, due).await;
    }

    async fn give_up(&self, lease: &Lease, how: &'static str) {
        let action = lease.task.id.action.name();
        tracing::error!(order_id = %lease.task.id.order, action, "a task {how}; it will be tried again");
        metrics::counter!("issuance_tasks_given_up_total", "action" => action).increment(1);
        if lease.tries + 1 >= TOLERATED {
            let command = Command::GiveUp {
                action: lease.task.id.action,
            };
            let request = Request::new(lease.task.id.order, command, self.clock.now());
            if let Err(error) = self.handler.handle(request).await {
                tracing::warn!(order_id = %lease.task.id.order, %error, "a task given up could not be shown");
            }
        }
        self.release(lease, Some(self.later(lease))).await;
    }

    fn later(&self, lease: &Lease) -> Timestamp {
        self.clock
            .now()
            .after(self.options.retry.delay(lease.tries, self.clock.jitter()))
    }

    async fn release(&self, lease: &Lease, due: Option<Timestamp>) {
        if let Err(error) = self.handler.store().release(lease, due).await {
            tracing::warn!(order_id = %lease.task.id.order, %error, "a claim could not be given back; it ends by itself");
        }
    }
}

/// Waits for `work` while what runs goes on.
async fn beside<T>(
    running: &mut (impl Stream<Item = ()> + Unpin),
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(()) = running.next() => {}
        }
    }
}
