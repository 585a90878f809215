//! What an entry of the log does to the rows. Live appends and a replay of the log make the same changes.

use std::sync::Arc;

use issuance_domain::{MessageId, Order};

use super::row::{Owed, Place};
use crate::message::{Message, Standing};

/// One atomic change.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Events of one order.
    Order(OrderChange),
    /// A webhook came in.
    Received(Message),
    /// A webhook was dealt with, without events.
    Settled {
        /// Which.
        id: MessageId,
        /// Where it stands now.
        standing: Standing,
    },
}

/// Events of one order, as the rows take them.
#[derive(Debug, Clone)]
pub(crate) struct OrderChange {
    /// The order after them.
    pub(crate) order: Arc<Order>,
    /// What it owes; none once nothing is to be done for it any more.
    pub(crate) owed: Option<Owed>,
    /// Where the events lie.
    pub(crate) places: Vec<Place>,
    /// The message they answer.
    pub(crate) settles: Option<MessageId>,
}
