//! How many orders stand where.

use std::collections::BTreeMap;

use issuance_domain::Order;
use serde::Serialize;

/// Counts of orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// All of them.
    pub orders: u64,
    /// By state name.
    pub states: BTreeMap<&'static str, u64>,
    /// Those a person should look at, by reason.
    pub attention: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, order: &Order) {
        self.orders += 1;
        *self.states.entry(order.state.name()).or_default() += 1;
        if let Some(attention) = &order.attention {
            *self.attention.entry(attention.reason.name()).or_default() += 1;
        }
    }
}
