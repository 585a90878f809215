//! The embedded store: journal, vault and index in one directory, owned by one process.
//!
//! - The *sequencer* thread takes everything that waits, judges it in order, and makes groups of it.
//! - The *committer* thread owns the journal. It writes a group, makes it durable with one sync, moves the rows in memory,
//!   and answers all. Meanwhile the next group is gathered.
//! - The *keeper* thread owns the vault, and makes the personal data of a group durable before the group's events.
//! - The *index* is those rows in sled, written behind by a thread of its own; every read sees memory first. It holds
//!   nothing the journal does not imply, so whatever is wrong with it, it is made anew.
//! - [`Store`](crate::Store) calls prepare on the caller's side what can be prepared there: bodies as JSON, personal
//!   data sealed.
//!
//! The first storage error stops the store for good; only a full disk is waited out.

mod answer;
mod behind;
mod committer;
mod index;
mod keeper;
mod noting;
mod open;
mod options;
mod orphans;
mod prepare;
mod read;
mod replay;
mod sequencer;
mod shared;
mod store;
mod tidy;
mod watch;
mod work;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::body_digest::BodyKey;
use crate::vault::Sealer;
use behind::Behind;
use shared::Shared;
use tidy::Tidying;
use work::Queue;

#[cfg(any(test, feature = "testing"))]
pub use index::{IndexHook, IndexStep};
pub use options::{EmbeddedReport, IndexReport, Limits, OpenError, Options, Past};

/// A store in one directory. Dropped without [`close`](crate::Store::close) it finishes what was handed to it and leaves
/// the index to catch up at the next open.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    sealer: Sealer,
    bodies: BodyKey,
    tidying: Tidying,
    queue: Arc<Queue>,
    behind: Arc<Behind>,
    threads: Arc<Threads>,
}

/// The threads of a store, until somebody waits for their end.
#[derive(Debug, Default)]
struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    fn add(&self, thread: JoinHandle<()>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(thread);
    }

    fn join(&self) {
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has stopped the store already.
            let _ = thread.join();
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.queue.end();
        self.threads.join();
    }
}
