//! What lies under the rows in memory: rows made durable earlier, or nothing.

use std::fmt;
use std::ops::Bound;

use crate::error::StoreError;

/// The kinds of rows, each with its own key space. The numbers are part of the index's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TableId {
    /// Order id → order row.
    Orders = 1,
    /// Order id, first version → places of older events.
    History = 2,
    /// Order id → what it owes; only of orders for which something is still to be done.
    Open = 3,
    /// Order id: a person should look.
    Attention = 4,
    /// Alias, order id.
    Aliases = 5,
    /// Host's reference → order id.
    References = 6,
    /// Message id → message row.
    Messages = 7,
    /// Standing, position → message id; only what is not settled.
    Inbox = 8,
    /// Alias, position → message id; only what is parked.
    Parked = 9,
}

/// A stretch of keys of one table and the direction to walk it.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) from: Bound<Vec<u8>>,
    pub(crate) to: Bound<Vec<u8>>,
    /// From the last key to the first.
    pub(crate) descending: bool,
}

impl Span {
    /// Every key, first to last.
    pub(crate) fn all() -> Self {
        Self {
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            descending: false,
        }
    }

    /// Every key that starts so, first to last. The prefix ends in a separator, so its last byte can grow.
    pub(crate) fn prefix(prefix: Vec<u8>) -> Self {
        let mut end = prefix.clone();
        if let Some(last) = end.last_mut() {
            *last = last.saturating_add(1);
        }
        Self {
            from: Bound::Included(prefix),
            to: Bound::Excluded(end),
            descending: false,
        }
    }

    /// Every key before this one, last to first.
    pub(crate) fn before(key: Option<Vec<u8>>) -> Self {
        Self {
            from: Bound::Unbounded,
            to: key.map_or(Bound::Unbounded, Bound::Excluded),
            descending: true,
        }
    }
}

/// Keys and encoded rows, in the order of a span.
pub(crate) type Entries<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + 'a>;

/// Rows made durable earlier.
pub(crate) trait Ground: Send + Sync + fmt::Debug {
    /// One row.
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Rows in order.
    fn range(&self, table: TableId, span: &Span) -> Entries<'_>;
}

/// Rows nobody can tell just now: every read is refused, and soon is not.
#[cfg(feature = "embedded")]
#[derive(Debug)]
pub(super) struct Withheld;

#[cfg(feature = "embedded")]
impl Ground for Withheld {
    fn get(&self, _: TableId, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::Overloaded)
    }

    fn range(&self, _: TableId, _: &Span) -> Entries<'_> {
        Box::new(std::iter::once(Err(StoreError::Overloaded)))
    }
}

/// No ground: all rows are in memory.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub(crate) struct Nothing;

#[cfg(any(test, feature = "testing"))]
impl Ground for Nothing {
    fn get(&self, _: TableId, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn range(&self, _: TableId, _: &Span) -> Entries<'_> {
        Box::new(std::iter::empty())
    }
}
