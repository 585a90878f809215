//! A store in memory with a durable and a volatile half, for tests and simulation. It obeys the rules of the embedded
//! store by sharing them, runs under any executor without a thread or a timer, and does the same thing every time.
//!
//! An append is written at once and becomes durable when its future is polled again: appends made in between by others
//! are one group with it. A crash keeps what was made durable, and of the rest as many atomic appends as the test says.

mod faults;
mod log;
mod state;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use issuance_domain::Policy;

use crate::error::StoreError;
use crate::signal::Signal;
use state::State;

pub use log::Kept;

/// A store in memory that can crash.
#[derive(Debug)]
pub struct SimulatedStore {
    state: Mutex<State>,
    policy: Arc<Policy>,
    grown: Signal,
    tasks: Signal,
    messages: Signal,
}

impl SimulatedStore {
    /// An empty store under a policy.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self::over(State::empty(), Arc::new(policy))
    }

    fn over(state: State, policy: Arc<Policy>) -> Self {
        let state = Mutex::new(state);
        Self {
            state,
            policy,
            grown: Signal::default(),
            tasks: Signal::default(),
            messages: Signal::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, unless the store has stopped.
    fn alive(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.lock();
        match &state.stopped {
            Some(error) => Err(error.clone()),
            None => Ok(state),
        }
    }

    fn wake_all(&self) {
        self.grown.raise();
        self.tasks.raise();
        self.messages.raise();
    }
}
