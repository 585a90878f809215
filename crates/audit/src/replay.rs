//! Time travel: the book of orders as it was at a position or a moment.

use std::collections::{BTreeMap, HashSet};

use issuance_domain::{Order, OrderId, Timestamp, evolve};

use crate::error::AuditError;
use crate::log::{Log, event_of, order_of, time_of};
use crate::place::Place;
use crate::tally::Tally;

/// Up to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All of it.
    End,
    /// This event included.
    Position(u64),
    /// What had been recorded by then. The clock may have been set back in between, so each order is cut at its own
    /// first later event: what is shown of an order is always a beginning of its story.
    Time(Timestamp),
}

/// All orders as they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    /// By id, oldest first.
    pub orders: BTreeMap<OrderId, Order>,
    /// The last event taken in; 0 when there was none.
    pub through: u64,
}

impl Book {
    /// How many stand where.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.orders.values().for_each(|order| tally.add(order));
        tally
    }
}

impl Log {
    /// The book of orders as it was. Every line read on the way is verified.
    ///
    /// # Errors
    /// When the log is not as written, or an event cannot be read or does not follow.
    pub fn replay(&self, until: Until) -> Result<Book, AuditError> {
        // An order leaves its place to be folded and comes back to it: the tree of places is not rebuilt each time.
        let mut orders: BTreeMap<OrderId, Option<Order>> = BTreeMap::new();
        let mut through = 0;
        let mut cut_off = HashSet::new();
        for record in self.records() {
            let record = record?;
            if matches!(until, Until::Position(last) if record.position > last) {
                break;
            }
            let Some(id) = order_of(&record)? else {
                continue;
            };
            if let Until::Time(moment) = until
                && (cut_off.contains(&id) || time_of(&record)? > moment)
            {
                cut_off.insert(id);
                continue;
            }
            let recorded = event_of(&record, id)?;
            let corrupt = |source| AuditError::Corrupt {
                place: Place::of(&record),
                order: id,
                source,
            };
            let place = orders.entry(id).or_default();
            *place = Some(evolve(id, place.take(), &recorded.event).map_err(corrupt)?);
            through = record.position;
        }
        let orders = orders.into_iter();
        let orders = orders
            .filter_map(|(id, order)| Some((id, order?)))
            .collect();
        Ok(Book { orders, through })
    }
}
