//! Watches the thread that writes the index. sled has been seen to hang, and whoever waits for it would never hear why.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What the watched thread says of itself.
#[derive(Debug)]
pub(super) struct Watch {
    state: Mutex<State>,
    changed: Condvar,
    patience: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// Counts what was begun and what was done.
    turn: u64,
    /// How much is under way: one thing within another.
    busy: u32,
    ended: bool,
}

/// Something that must not take long is under way.
#[derive(Debug)]
pub(super) struct Busy<'a>(&'a Watch);

impl Watch {
    /// Nothing that is begun may take longer than `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            patience,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins something.
    pub(super) fn busy(&self) -> Busy<'_> {
        let mut state = self.lock();
        state.turn += 1;
        state.busy += 1;
        self.changed.notify_all();
        Busy(self)
    }

    /// Runs something on a thread of its own. None when it hangs: the thread is left behind then.
    pub(super) fn run<T: Send + 'static>(
        &self,
        name: &str,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Option<T>> {
        let (sender, done) = sync_channel(1);
        let spawned = thread::Builder::new().name(name.into());
        // Nobody listens any more when it took too long.
        spawned.spawn(move || drop(sender.send(run())))?;
        loop {
            let turn = self.lock().turn;
            match done.recv_timeout(self.patience) {
                Ok(done) => return Ok(Some(done)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("its thread panicked"));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let state = self.lock();
                    if state.busy > 0 && state.turn == turn {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The watched thread ends.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Waits for the end of the watched thread; false when it hangs.
    pub(super) fn ends(&self) -> bool {
        let mut state = self.lock();
        while !state.ended {
            if state.busy == 0 {
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let turn = state.turn;
            let same = |state: &mut State| !state.ended && state.busy > 0 && state.turn == turn;
            let waited = self.changed.wait_timeout_while(state, self.patience, same);
            let (after, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() {
                return false;
            }
            state = after;
        }
        true
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.turn += 1;
        state.busy -= 1;
        drop(state);
        self.0.changed.notify_all();
    }
}
