//! The end of personal data: requested, then done, each durable before the next.
//!
//! The store erases with the event that says so, and before that event is durable. Between the two a crash leaves data
//! that is gone and an order that still owes the step, which is then done again.

use crate::command::Context;
use crate::event::{By, EventBody};
use crate::order::Order;
use crate::outbox::retention_ends;

/// What may be erased: an open order needs its data for calls, and a card that is being cancelled the salt of its digests.
pub(super) fn request(order: &Order, by: By) -> Result<Vec<EventBody>, &'static str> {
    match &order.erasure {
        Some(erasure) if erasure.done_at.is_some() => Err("the data is erased already"),
        Some(_) => Err("it is requested already and done shortly"),
        None if !order.is_closed() => {
            Err("the order is open and may need its data; end it first, or wait for its end")
        }
        None => Ok(vec![EventBody::ErasureRequested { by }]),
    }
}

/// A stale task does nothing: what it was set for must still be due.
pub(super) fn step(order: &Order, context: &Context<'_>) -> Vec<EventBody> {
    let Some(erasure) = &order.erasure else {
        let due = retention_ends(order, context.policy).is_some_and(|due| due <= context.now);
        return due
            .then_some(EventBody::ErasureRequested { by: By::Policy })
            .into_iter()
            .collect();
    };
    let owed = erasure.done_at.is_none() && order.is_closed();
    owed.then_some(EventBody::PersonalDataErased {
        requested: erasure.requested,
    })
    .into_iter()
    .collect()
}
