//! Lists of orders, newest first, in short steps so that nobody waits long for the rows.

use std::sync::Arc;

use issuance_domain::{Order, OrderId};

use super::ground::Span;
use super::keys;
use super::rows::Rows;
use crate::error::StoreError;
use crate::query::{Page, Query};

/// Orders looked at in one step.
const STEP: usize = 256;
/// Orders looked at for one page; a filter that matches less often gets a short page and a cursor.
const LOOKED_AT_MAX: usize = 64 << 10;
/// Orders on one page.
const LIMIT_MAX: usize = 1_000;

/// Some candidates, newest first; none left when there are fewer than asked for.
pub(crate) type Candidates = Vec<Arc<Order>>;

/// A page, made of steps that look at candidates before a cursor, at most so many.
pub(crate) fn list(
    query: &Query,
    mut step: impl FnMut(Option<OrderId>, usize) -> Result<Candidates, StoreError>,
) -> Result<Page, StoreError> {
    let limit = query.limit.min(LIMIT_MAX);
    let mut page = Page::default();
    let (mut before, mut looked_at) = (query.before, 0);
    if limit == 0 {
        return Ok(page);
    }
    loop {
        let candidates = step(before, STEP)?;
        let last = candidates.len() < STEP;
        looked_at += candidates.len();
        for order in candidates {
            before = Some(order.id);
            if !query.matches(&order) {
                continue;
            }
            // One more than fits: there is a next page.
            if page.orders.len() == limit {
                page.next = page.orders.last().map(|order| order.id);
                return Ok(page);
            }
            page.orders.push(order);
        }
        if last {
            return Ok(page);
        }
        if looked_at >= LOOKED_AT_MAX {
            page.next = before;
            return Ok(page);
        }
    }
}

impl Rows {
    /// Orders before a cursor, newest first, among which all that match a query are.
    pub(crate) fn candidates(
        &self,
        query: &Query,
        before: Option<OrderId>,
        limit: usize,
    ) -> Result<Candidates, StoreError> {
        let span = Span::before(before.map(keys::order));
        let narrow = match query.state.as_deref() {
            _ if query.attention.is_some() => Some(self.attention.keys(&span, limit)?),
            // States that are never at rest.
            Some("requested" | "accepted" | "idv_pending") => Some(self.open.keys(&span, limit)?),
            _ => None,
        };
        let Some(narrow) = narrow else {
            let rows = self.orders.range(&span, limit)?;
            return Ok(rows
                .into_iter()
                .map(|(_, row)| Arc::clone(&row.order))
                .collect());
        };
        let mut orders = Vec::new();
        for key in narrow {
            let row = self.orders.get(&key)?;
            let row = row.ok_or_else(|| StoreError::Damaged {
                what: "an index row without its order".into(),
            })?;
            orders.push(Arc::clone(&row.order));
        }
        Ok(orders)
    }
}
