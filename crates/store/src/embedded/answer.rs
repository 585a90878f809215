//! The answers callers wait for.

use tokio::sync::oneshot;

use super::work::Job;
use crate::error::{AppendError, StoreError};
use crate::message::Receipt;
use crate::store::Appended;

/// An answer and who waits for it.
#[derive(Debug)]
pub(super) enum Answer {
    Append(
        oneshot::Sender<Result<Appended, AppendError>>,
        Result<Appended, AppendError>,
    ),
    Receive(
        oneshot::Sender<Result<Receipt, StoreError>>,
        Result<Receipt, StoreError>,
    ),
    Settle(
        oneshot::Sender<Result<(), StoreError>>,
        Result<(), StoreError>,
    ),
}

impl Answer {
    /// Whoever no longer waits does not hear it; what was done stays done.
    pub(super) fn send(self) {
        match self {
            Self::Append(sender, answer) => drop(sender.send(answer)),
            Self::Receive(sender, answer) => drop(sender.send(answer)),
            Self::Settle(sender, answer) => drop(sender.send(answer)),
        }
    }

    /// Whatever it was to be, the group it rests on did not become durable.
    pub(super) fn fail(self, error: &StoreError) {
        match self {
            Self::Append(sender, _) => Self::Append(sender, Err(error.clone().into())).send(),
            Self::Receive(sender, _) => Self::Receive(sender, Err(error.clone())).send(),
            Self::Settle(sender, _) => Self::Settle(sender, Err(error.clone())).send(),
        }
    }
}

impl Job {
    /// Tells its caller that nothing came of it.
    pub(super) fn fail(self, error: &StoreError) {
        match self {
            Self::Append(_, sender) => Answer::Append(sender, Err(error.clone().into())).send(),
            Self::Receive(_, sender) => Answer::Receive(sender, Err(error.clone())).send(),
            Self::Settle(_, _, sender) => Answer::Settle(sender, Err(error.clone())).send(),
        }
    }
}
