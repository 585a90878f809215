//! Questions about single orders.

use std::sync::Arc;

use issuance_domain::OrderId;

use super::ground::Span;
use super::keys;
#[cfg(feature = "embedded")]
use super::row::Owed;
use super::row::{OrderRow, Place};
use super::rows::{Rows, Totals};
use crate::error::StoreError;
use crate::message::{Alias, HostReference};

/// Orders a shared cardholder brings up at most.
const FOUND_MAX: usize = 10_000;

impl Rows {
    /// An order's row.
    pub(crate) fn order(&self, id: OrderId) -> Result<Option<Arc<OrderRow>>, StoreError> {
        self.orders.get(&keys::order(id))
    }

    /// Orders known by a name.
    pub(crate) fn find(&self, alias: &Alias) -> Result<Vec<OrderId>, StoreError> {
        if let Alias::Order(id) = alias {
            return Ok(Vec::from_iter(
                self.orders.contains(&keys::order(*id))?.then_some(*id),
            ));
        }
        let found = self
            .aliases
            .range(&Span::prefix(keys::alias_prefix(alias)), FOUND_MAX)?;
        Ok(found
            .iter()
            .filter_map(|(key, ())| keys::aliased(key))
            .collect())
    }

    /// Whether any order is known by a name.
    pub(crate) fn is_known(&self, alias: &Alias) -> Result<bool, StoreError> {
        match alias {
            Alias::Order(id) => self.orders.contains(&keys::order(*id)),
            Alias::CardOrder(_) | Alias::Card(_) | Alias::Cardholder(_) => Ok(!self
                .aliases
                .range(&Span::prefix(keys::alias_prefix(alias)), 1)?
                .is_empty()),
        }
    }

    /// The order a host calls by this name.
    pub(crate) fn find_reference(
        &self,
        reference: &HostReference,
    ) -> Result<Option<OrderId>, StoreError> {
        self.references.get(reference.key().as_bytes())
    }

    /// Where all events of an order lie, oldest first.
    pub(crate) fn places(&self, id: OrderId) -> Result<Vec<Place>, StoreError> {
        let Some(row) = self.order(id)? else {
            return Ok(Vec::new());
        };
        let older = Span {
            from: std::ops::Bound::Included(keys::history(id, 0)),
            to: std::ops::Bound::Included(keys::history(id, u64::MAX)),
            descending: false,
        };
        let older = self.history.range(&older, usize::MAX)?;
        Ok(older
            .into_iter()
            .flat_map(|(_, places)| places.0)
            .chain(row.places.0.iter().copied())
            .collect())
    }

    /// Sums over the rows.
    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Up to `limit` open orders after one, in order, and what they owe.
    #[cfg(feature = "embedded")]
    pub(crate) fn open_after(
        &self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<(OrderId, Owed)>, StoreError> {
        let found = self.open.range(&after_key(after), limit)?.into_iter();
        Ok(found
            .filter_map(|(key, owed)| Some((keys::order_of(&key)?, owed)))
            .collect())
    }

    /// Up to `limit` orders after one, in order.
    #[cfg(feature = "embedded")]
    pub(crate) fn orders_after(
        &self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<Arc<OrderRow>>, StoreError> {
        Ok(self
            .orders
            .range(&after_key(after), limit)?
            .into_iter()
            .map(|(_, row)| row)
            .collect())
    }
}

#[cfg(feature = "embedded")]
fn after_key(after: Option<OrderId>) -> Span {
    Span {
        from: after.map_or(std::ops::Bound::Unbounded, |id| {
            std::ops::Bound::Excluded(keys::order(id))
        }),
        ..Span::all()
    }
}
