//! The engine's errors → problems. What they say goes to the log, under the request's id; what the caller gets is a row
//! of the table.

use issuance::domain::{Problem as Misfit, Rejection};
use issuance::store::{HandleError, StoreError};
use issuance::{EngineError, PlaceError};

use crate::problem::{Code, FieldError, Problem};

/// Seconds a caller should wait when a moment will do.
const SHORTLY: u32 = 1;
/// Seconds when somebody has to act first.
const LATER: u32 = 30;

pub(crate) fn of_store(error: &StoreError) -> Problem {
    tracing::warn!(%error, "the store could not do what a request asked");
    match error {
        StoreError::Overloaded => Problem::from(Code::Overloaded).retry_after(SHORTLY),
        StoreError::NoKey { .. } => Problem::from(Code::Overloaded).retry_after(LATER),
        StoreError::Unconfirmed => Problem::from(Code::TimedOut).retry_after(SHORTLY),
        StoreError::DiskFull => Problem::from(Code::StorageFull).retry_after(LATER),
        StoreError::Stopped { .. } | StoreError::Closed => {
            Problem::from(Code::StorageStopped).retry_after(LATER)
        }
        StoreError::Damaged { .. } | StoreError::Unreadable(_) | StoreError::Corrupt { .. } => {
            Code::Internal.into()
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => of_store(&error),
            EngineError::Sealed => {
                tracing::error!(%error, "a request met sealed data nobody can read");
                Code::Internal.into()
            }
        }
    }
}

impl From<HandleError> for Problem {
    fn from(error: HandleError) -> Self {
        match error {
            HandleError::Rejected(rejection) => rejection.into(),
            HandleError::ReferenceTaken { order } => Self::from(Code::ReferenceTaken).about(order),
            HandleError::Store(error) => of_store(&error),
            HandleError::Contended { order } => Self::from(Code::Contended)
                .about(order)
                .retry_after(SHORTLY),
            HandleError::AlreadySettled => Code::Internal.into(),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Unfit { problems } => unfit(&problems),
            Rejection::Unknown { .. } => Code::OrderNotFound.into(),
            Rejection::CallInFlight { order } => Self::from(Code::CallInFlight)
                .about(order)
                .retry_after(SHORTLY),
            Rejection::StaleVersion { order, actual, .. } => Self::from(Code::StaleVersion)
                .about(order)
                .at_version(actual),
            Rejection::NotPossible { why, .. } => Self::from(Code::ActionNotPossible).because(why),
            Rejection::Exists { order }
            | Rejection::NoLongerOwed { order }
            | Rejection::ClockBehind { order, .. } => {
                Self::from(Code::ActionNotPossible).about(order)
            }
        }
    }
}

impl From<PlaceError> for Problem {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Unfit { problems } => unfit(&problems),
            PlaceError::ReferenceTaken { order } => Self::from(Code::ReferenceTaken).about(order),
            PlaceError::UnknownProduct(_) => {
                let error = FieldError::invalid(
                    "product_id",
                    "a product the provider lists for this account",
                );
                Self::with_errors(Code::RequestUnfit, vec![error])
            }
            PlaceError::ProductsUnavailable => {
                Self::from(Code::ProductsUnavailable).retry_after(SHORTLY)
            }
            PlaceError::Store(error) => of_store(&error),
            PlaceError::Unwritable => Code::Internal.into(),
        }
    }
}

fn unfit(problems: &[Misfit]) -> Problem {
    let errors = problems
        .iter()
        .map(|problem| match problem {
            Misfit::Missing { path } => FieldError::missing(path),
            Misfit::Invalid { path, rule } => FieldError::invalid(path, rule),
        })
        .collect();
    Problem::with_errors(Code::RequestUnfit, errors)
}
