//! What an order implies besides its events: the rows every store keeps beside the log, derived and never told apart
//! from a rebuild.

use std::sync::Arc;

use issuance_domain::{CorruptHistory, Event, Order, OrderId, Policy, Task, evolve, outbox};

use crate::message::{Alias, HostReference};

/// The rows of one order.
#[derive(Debug, Clone)]
pub struct Projection {
    /// The order itself.
    pub order: Arc<Order>,
    /// What it owes.
    pub tasks: Vec<Task>,
}

impl Projection {
    /// The rows of an order under a policy.
    #[must_use]
    pub fn of(order: Arc<Order>, policy: &Policy) -> Self {
        let tasks = outbox(&order, policy);
        Self { order, tasks }
    }

    /// The rows after more events.
    ///
    /// # Errors
    /// When an event cannot follow.
    pub fn after(
        id: OrderId,
        before: Option<&Order>,
        events: &[Event],
        policy: &Policy,
    ) -> Result<Option<Self>, CorruptHistory> {
        let mut order = before.cloned();
        for event in events {
            order = Some(evolve(id, order, event)?);
        }
        Ok(order.map(|order| Self::of(Arc::new(order), policy)))
    }

    /// By which names the order is found.
    #[must_use]
    pub fn aliases(&self) -> Vec<Alias> {
        Alias::of(&self.order.ids)
    }

    /// The host's name for it.
    #[must_use]
    pub fn reference(&self) -> HostReference {
        HostReference::of(&self.order.terms)
    }

    /// What it owes, as long as anything is still to be done for it.
    #[cfg(any(test, feature = "testing", feature = "embedded"))]
    pub(crate) fn owed(&self) -> Option<Arc<[Task]>> {
        self.is_open().then(|| self.tasks.as_slice().into())
    }

    /// Whether anything is still to be done for it: only these are kept at hand.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.order.state.is_terminal() || !self.tasks.is_empty()
    }
}
