//! Lists of orders: what can be asked and what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use issuance_domain::{Account, Order, OrderId, ProductId};
use serde::{Deserialize, Serialize};

/// Which orders, newest first.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only this state, by [`issuance_domain::State::name`].
    pub state: Option<String>,
    /// Only orders a person should look at.
    pub attention: Option<AttentionFilter>,
    /// Only this account.
    pub account: Option<Account>,
    /// Only this product.
    pub product: Option<ProductId>,
    /// Only orders older than this one: the cursor of the page before.
    pub before: Option<OrderId>,
    /// At most this many; stores cut it at 1,000.
    pub limit: usize,
}

/// Which of the orders a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttentionFilter {
    /// All of them.
    Any,
    /// Those with this reason, by [`issuance_domain::AttentionReason::name`].
    Reason(String),
}

impl Query {
    /// Whether an order matches everything but the cursor.
    #[must_use]
    pub fn matches(&self, order: &Order) -> bool {
        let attention = order
            .attention
            .as_ref()
            .map(|attention| attention.reason.name());
        self.state
            .as_ref()
            .is_none_or(|state| state == order.state.name())
            && self
                .account
                .as_ref()
                .is_none_or(|account| order.terms.account.as_ref() == Some(account))
            && self
                .product
                .as_ref()
                .is_none_or(|product| order.terms.product_id == *product)
            && match &self.attention {
                None => true,
                Some(AttentionFilter::Any) => attention.is_some(),
                Some(AttentionFilter::Reason(reason)) => attention == Some(reason),
            }
    }
}

/// Orders, and where to go on.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Newest first.
    pub orders: Vec<Arc<Order>>,
    /// Pass as `before` for the next page; none when this was the last.
    pub next: Option<OrderId>,
}

/// How many orders stand where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// By state name.
    pub states: BTreeMap<String, u64>,
    /// By attention reason name.
    pub attention: BTreeMap<String, u64>,
    /// Messages that await a decision.
    pub pending_messages: u64,
    /// Messages no order is known for.
    pub parked_messages: u64,
    /// Messages a person should look at.
    pub quarantined_messages: u64,
    /// Tasks owed.
    pub tasks: u64,
}
