//! All rows together, and how a durable change moves them.

use std::sync::Arc;

use issuance_domain::planted::{self, Bug};
use issuance_domain::{Order, OrderId, Timestamp};
use serde::{Deserialize, Serialize};

use super::change::{Change, OrderChange};
#[cfg(feature = "embedded")]
use super::ground::Withheld;
use super::ground::{Ground, TableId};
use super::keys;
#[cfg(feature = "embedded")]
use super::row::Row;
use super::row::{MessageRow, OrderRow, Owed, PLACES_MAX, Place, Places};
#[cfg(feature = "embedded")]
use super::table::Layer;
use super::table::Table;
use crate::error::StoreError;
use crate::message::{Alias, HostReference};
use crate::position::Position;
use crate::query::Counts;

/// The rows of a store.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(super) orders: Table<Arc<OrderRow>>,
    pub(super) history: Table<Places>,
    pub(super) open: Table<Owed>,
    pub(super) attention: Table<()>,
    pub(super) aliases: Table<()>,
    pub(super) references: Table<OrderId>,
    pub(super) messages: Table<Arc<MessageRow>>,
    pub(super) inbox: Table<issuance_domain::MessageId>,
    pub(super) parked: Table<issuance_domain::MessageId>,
    pub(super) totals: Totals,
    head: Position,
}

/// Sums over the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Records of the inbox in the log.
    pub(crate) inbox_records: u64,
    /// No settled message that is not forgotten was received earlier.
    pub(crate) oldest_settled: Option<Timestamp>,
}

/// Rows on their way to the ground.
#[cfg(feature = "embedded")]
#[derive(Debug, Clone)]
pub(crate) struct Frozen {
    orders: Arc<Layer<Arc<OrderRow>>>,
    history: Arc<Layer<Places>>,
    open: Arc<Layer<Owed>>,
    attention: Arc<Layer<()>>,
    aliases: Arc<Layer<()>>,
    references: Arc<Layer<OrderId>>,
    messages: Arc<Layer<Arc<MessageRow>>>,
    inbox: Arc<Layer<issuance_domain::MessageId>>,
    parked: Arc<Layer<issuance_domain::MessageId>>,
    pub(crate) totals: Totals,
}

impl Rows {
    /// Rows over a ground that reflects the log up to `head`; about `room` orders are kept at hand.
    pub(crate) fn new(
        ground: &Arc<dyn Ground>,
        totals: Totals,
        head: Position,
        room: usize,
    ) -> Self {
        let ground = || Arc::clone(ground);
        Self {
            orders: Table::new(TableId::Orders, ground(), room),
            history: Table::new(TableId::History, ground(), 0),
            open: Table::new(TableId::Open, ground(), 0),
            attention: Table::new(TableId::Attention, ground(), 0),
            aliases: Table::new(TableId::Aliases, ground(), 0),
            references: Table::new(TableId::References, ground(), 0),
            messages: Table::new(TableId::Messages, ground(), 0),
            inbox: Table::new(TableId::Inbox, ground(), 0),
            parked: Table::new(TableId::Parked, ground(), 0),
            totals,
            head,
        }
    }

    /// The log's place up to which changes are in.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// Takes a durable change whose records end at `position`.
    pub(crate) fn apply(&mut self, position: Position, change: Change) -> Result<(), StoreError> {
        match change {
            Change::Order(change) => self.apply_order(change)?,
            Change::Received(message) => self.received(position, message)?,
            Change::Settled { id, standing } => {
                self.totals.inbox_records += 1;
                self.stand(&id, standing)?;
            }
        }
        self.head = position;
        Ok(())
    }

    fn apply_order(&mut self, change: OrderChange) -> Result<(), StoreError> {
        let OrderChange {
            order,
            owed,
            places,
            settles,
        } = change;
        let (id, key) = (order.id, keys::order(order.id));
        // The first events of an order have nothing before them, which the ground need not be asked.
        let before = if order.version.0 == places.len() as u64 {
            None
        } else {
            self.orders.get(&key)?
        };
        self.count(before.as_deref().map(|row| &*row.order), &order);
        let known = before.as_deref().map(|row| &row.order.ids);
        if known != Some(&order.ids) {
            for alias in Alias::of(&order.ids) {
                if !before.as_deref().is_some_and(|row| alias.names(&row.order)) {
                    let lost = planted::is(Bug::CardNotIndexed) && matches!(alias, Alias::Card(_));
                    if !lost {
                        self.aliases.put(keys::alias(&alias, id), ());
                    }
                    self.unpark(&alias)?;
                }
            }
        }
        if before.is_none() {
            let reference = HostReference::of(&order.terms);
            self.references.put(reference.key().into_bytes(), id);
            self.unpark(&Alias::Order(id))?;
        }
        let open = owed.is_some();
        self.set_open(&key, before.as_deref().is_some_and(|row| row.open), owed);
        let was_noted = before
            .as_deref()
            .is_some_and(|row| row.order.attention.is_some());
        if was_noted != order.attention.is_some() {
            match was_noted {
                true => self.attention.remove(key.clone()),
                false => self.attention.add(key.clone(), ()),
            }
        }
        let places = self.add_places(&order, before.as_deref(), places);
        self.orders.put(
            key,
            Arc::new(OrderRow {
                order,
                open,
                places,
            }),
        );
        match settles {
            Some(message) => self.stand(
                &message,
                crate::message::Standing::Settled { order: Some(id) },
            ),
            None => Ok(()),
        }
    }

    /// What an order owes changed without an event of it: the policy is another.
    #[cfg(feature = "embedded")]
    pub(crate) fn reopen(&mut self, row: &OrderRow, owed: Option<Owed>) {
        let (key, open) = (keys::order(row.order.id), owed.is_some());
        self.set_open(&key, row.open, owed);
        if row.open != open {
            let row = OrderRow {
                open,
                ..row.clone()
            };
            self.orders.put(key, Arc::new(row));
        }
    }

    fn set_open(&mut self, key: &[u8], was_open: bool, owed: Option<Owed>) {
        match (was_open, owed) {
            (false, Some(owed)) => self.open.add(key.to_vec(), owed),
            (true, Some(owed)) => self.open.put(key.to_vec(), owed),
            (true, None) => self.open.remove(key.to_vec()),
            (false, None) => {}
        }
    }

    /// The newest places stay with the order; a full row's worth of older ones gets a row of its own.
    fn add_places(&mut self, order: &Order, before: Option<&OrderRow>, new: Vec<Place>) -> Places {
        let older = before.map_or(&[][..], |row| &row.places.0);
        let mut first = order.version.0 + 1 - (older.len() + new.len()) as u64;
        let mut places = Vec::with_capacity(older.len() + new.len());
        places.extend_from_slice(older);
        places.extend(new);
        while places.len() > PLACES_MAX {
            let newer = places.split_off(PLACES_MAX);
            self.history
                .put(keys::history(order.id, first), Places(places));
            first += PLACES_MAX as u64;
            places = newer;
        }
        Places(places)
    }

    fn count(&mut self, before: Option<&Order>, after: &Order) {
        let Counts {
            states, attention, ..
        } = &mut self.totals.counts;
        let reason = |order: &Order| {
            order
                .attention
                .as_ref()
                .map(|attention| attention.reason.name())
        };
        if before.map(|order| order.state.name()) != Some(after.state.name()) {
            shift(
                states,
                before.map(|order| order.state.name()),
                Some(after.state.name()),
            );
        }
        if before.and_then(reason) != reason(after) {
            shift(attention, before.and_then(reason), reason(after));
        }
    }
}

fn shift(
    counts: &mut std::collections::BTreeMap<String, u64>,
    from: Option<&str>,
    to: Option<&str>,
) {
    if let Some(count) = from.and_then(|name| counts.get_mut(name)) {
        *count = count.saturating_sub(1);
    }
    counts.retain(|_, count| *count > 0);
    match to.map(|name| (name, counts.get_mut(name))) {
        Some((_, Some(count))) => *count += 1,
        Some((name, None)) => drop(counts.insert(name.to_owned(), 1)),
        None => {}
    }
}

#[cfg(feature = "embedded")]
impl Rows {
    /// Gives up all rows, and answers nothing until others come in their place: a change of them ended in the middle.
    pub(crate) fn withhold(&mut self) {
        let nobody: Arc<dyn Ground> = Arc::new(Withheld);
        *self = Self::new(&nobody, self.totals.clone(), self.head, 0);
    }

    /// How many rows wait for the ground.
    pub(crate) fn fresh(&self) -> usize {
        self.orders.fresh()
            + self.history.fresh()
            + self.open.fresh()
            + self.attention.fresh()
            + self.aliases.fresh()
            + self.references.fresh()
            + self.messages.fresh()
            + self.inbox.fresh()
            + self.parked.fresh()
    }

    /// Takes what waits; it stays readable until [`Rows::thaw`], which must come before the next freeze.
    pub(crate) fn freeze(&mut self) -> Frozen {
        Frozen {
            orders: self.orders.freeze(),
            history: self.history.freeze(),
            open: self.open.freeze(),
            attention: self.attention.freeze(),
            aliases: self.aliases.freeze(),
            references: self.references.freeze(),
            messages: self.messages.freeze(),
            inbox: self.inbox.freeze(),
            parked: self.parked.freeze(),
            totals: self.totals.clone(),
        }
    }

    /// What was frozen is on the ground. Returns rows that are no longer kept, for the caller to drop where nobody waits.
    #[must_use]
    pub(crate) fn thaw(&mut self) -> impl Sized + use<> {
        (
            (self.orders.thaw(), self.history.thaw(), self.open.thaw()),
            (
                self.attention.thaw(),
                self.aliases.thaw(),
                self.references.thaw(),
            ),
            (self.messages.thaw(), self.inbox.thaw(), self.parked.thaw()),
        )
    }
}

#[cfg(feature = "embedded")]
impl Frozen {
    /// Hands every row to `write`: table, key, and its bytes, or none where it was removed.
    pub(crate) fn each<E: From<serde_json::Error>>(
        &self,
        mut write: impl FnMut(TableId, &[u8], Option<Vec<u8>>) -> Result<(), E>,
    ) -> Result<(), E> {
        fn layer<V: Row, E: From<serde_json::Error>>(
            table: TableId,
            layer: &Layer<V>,
            write: &mut impl FnMut(TableId, &[u8], Option<Vec<u8>>) -> Result<(), E>,
        ) -> Result<(), E> {
            layer.iter().try_for_each(|(key, row)| {
                write(table, key, row.as_ref().map(Row::encode).transpose()?)
            })
        }
        layer(TableId::Orders, &self.orders, &mut write)?;
        layer(TableId::History, &self.history, &mut write)?;
        layer(TableId::Open, &self.open, &mut write)?;
        layer(TableId::Attention, &self.attention, &mut write)?;
        layer(TableId::Aliases, &self.aliases, &mut write)?;
        layer(TableId::References, &self.references, &mut write)?;
        layer(TableId::Messages, &self.messages, &mut write)?;
        layer(TableId::Inbox, &self.inbox, &mut write)?;
        layer(TableId::Parked, &self.parked, &mut write)
    }
}
