//! What must never happen, happened.

use std::fmt;

use issuance_domain::OrderId;

/// A broken invariant of reliability §3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: &'static str,
    /// Whose.
    pub order: Option<OrderId>,
    /// The facts that disagree.
    pub what: String,
}

impl Violation {
    pub(crate) fn of(invariant: &'static str, what: String) -> Self {
        Self {
            invariant,
            order: None,
            what,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.order {
            Some(order) => write!(
                f,
                "{} broken by order {order}: {}",
                self.invariant, self.what
            ),
            None => write!(f, "{} broken: {}", self.invariant, self.what),
        }
    }
}
