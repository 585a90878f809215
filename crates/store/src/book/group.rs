//! Judges changes that wait to become durable together: each against the rows and against those judged before it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use issuance_domain::planted::{self, Bug};
use issuance_domain::{MessageId, Order, OrderId, Version};

use super::rows::Rows;
use crate::body_digest::differ;
use crate::error::{AppendError, StoreError};
use crate::message::{Alias, HostReference, Message, Receipt, Standing};
use crate::store::Append;

/// What a group in the making has taken in so far.
#[derive(Debug, Default)]
pub(crate) struct Group {
    versions: HashMap<OrderId, Version>,
    references: HashMap<HostReference, OrderId>,
    /// Orders as its appends leave them, for the names they are known by.
    orders: Vec<Arc<Order>>,
    /// Digests of messages received.
    received: HashMap<MessageId, Box<str>>,
    settled: HashSet<MessageId>,
    /// The group before it, while that is not in the rows yet.
    earlier: Option<Arc<Self>>,
}

/// What settling a message comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marked {
    /// A record is to be written.
    Written,
    /// It stands so already, or an order is known for what was to be parked.
    Unchanged,
}

impl Group {
    /// A group that follows one which is still on its way to the disk.
    #[cfg(feature = "embedded")]
    pub(crate) fn after(earlier: Arc<Self>) -> Self {
        Self {
            earlier: Some(earlier),
            ..Self::default()
        }
    }

    /// Nothing more goes in; what came before it will be in the rows when the next asks.
    #[cfg(feature = "embedded")]
    pub(crate) fn whole(self) -> Arc<Self> {
        Arc::new(Self {
            earlier: None,
            ..self
        })
    }

    /// This group and the one before it.
    fn waiting(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.earlier.as_deref())
    }

    /// Whether an order of this group is known by a name.
    fn is_known(&self, alias: &Alias) -> bool {
        self.orders.iter().any(|order| alias.names(order))
    }

    fn is_settled(&self, message: &MessageId) -> bool {
        self.waiting().any(|group| group.settled.contains(message))
    }

    /// The digest of a message that is not in the rows yet.
    fn digest(&self, message: &MessageId) -> Option<&str> {
        self.waiting()
            .find_map(|group| group.received.get(message))
            .map(|digest| &**digest)
    }

    /// Takes an append of so many events in, or says why not.
    pub(crate) fn append(
        &mut self,
        rows: &Rows,
        append: &Append,
        events: u64,
    ) -> Result<(), AppendError> {
        let order = &append.projection.order;
        if events == 0 || order.id != append.order || order.version.0 != append.expected.0 + events
        {
            let what = format!(
                "an append to order {} whose rows do not follow from its events",
                append.order
            );
            return Err(StoreError::Damaged { what }.into());
        }
        let order_alias = Alias::Order(append.order);
        let actual = match self
            .waiting()
            .find_map(|group| group.versions.get(&append.order))
        {
            Some(version) => *version,
            // What is said to be new is looked for where all orders are, and mostly is new.
            None if append.expected == Version::NONE && !rows.is_known(&order_alias)? => {
                Version::NONE
            }
            None => rows
                .order(append.order)?
                .map_or(Version::NONE, |row| row.order.version),
        };
        if actual != append.expected && !planted::is(Bug::NoFencing) {
            return Err(AppendError::Conflict {
                expected: append.expected,
                actual,
            });
        }
        if append.expected == Version::NONE {
            let reference = append.projection.reference();
            let taken = match self
                .waiting()
                .find_map(|group| group.references.get(&reference))
            {
                Some(order) => Some(*order),
                None => rows.find_reference(&reference)?,
            };
            if let Some(order) = taken {
                return Err(AppendError::ReferenceTaken { order });
            }
        }
        if let Some(message) = &append.settles {
            self.check_unsettled(rows, message)?;
            self.settled.insert(message.clone());
        }
        if append.expected == Version::NONE {
            self.references
                .insert(append.projection.reference(), append.order);
        }
        self.versions.insert(append.order, order.version);
        self.orders.push(Arc::clone(order));
        Ok(())
    }

    fn check_unsettled(&self, rows: &Rows, message: &MessageId) -> Result<(), AppendError> {
        if self.is_settled(message) {
            return Err(AppendError::AlreadySettled);
        }
        match rows.message(message)?.map(|row| row.standing.clone()) {
            Some(Standing::Settled { .. }) => Err(AppendError::AlreadySettled),
            Some(Standing::Pending | Standing::Parked | Standing::Quarantined { .. }) => Ok(()),
            None if self.digest(message).is_some() => Ok(()),
            None => Err(unknown(message).into()),
        }
    }

    /// Takes a message in, or says that it was there before.
    pub(crate) fn receive(
        &mut self,
        rows: &Rows,
        message: &Message,
    ) -> Result<Receipt, StoreError> {
        let before = match self.digest(&message.id) {
            Some(digest) => Some(Box::from(digest)),
            None => rows.message(&message.id)?.map(|row| row.digest.clone()),
        };
        Ok(match before {
            None => {
                self.received
                    .insert(message.id.clone(), message.body_digest.clone());
                Receipt::Stored
            }
            Some(_) if planted::is(Bug::MessageTwice) => Receipt::Stored,
            Some(digest) if differ(&digest, &message.body_digest) => Receipt::Forged,
            Some(_) => Receipt::Repeat,
        })
    }

    /// Whether a message is of an order whose data is to go: what is sealed with it is not kept, since what the erasure
    /// looks through was there when it was asked for.
    pub(crate) fn is_of_erased(&self, rows: &Rows, message: &Message) -> Result<bool, StoreError> {
        for alias in &message.aliases {
            let Alias::Order(id) = alias else { continue };
            let judged = |group: &'_ Self| {
                let latest = group.orders.iter().rev().find(|order| order.id == *id);
                latest.map(|order| order.erasure.is_some())
            };
            let asked = match self.waiting().find_map(judged) {
                Some(asked) => asked,
                None => rows
                    .order(*id)?
                    .is_some_and(|row| row.order.erasure.is_some()),
            };
            if asked && !planted::is(Bug::KeptAfterErasure) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a new standing in. What is to be parked although an order is known for it stays pending: the order learned
    /// the name while the message was looked at.
    pub(crate) fn settle(
        &mut self,
        rows: &Rows,
        id: &MessageId,
        standing: &Standing,
    ) -> Result<Marked, StoreError> {
        let Some(row) = rows.message(id)? else {
            return Err(unknown(id));
        };
        if self.is_settled(id)
            || matches!(row.standing, Standing::Settled { .. })
            || row.standing == *standing
        {
            return Ok(Marked::Unchanged);
        }
        if *standing == Standing::Parked {
            for alias in row.message.iter().flat_map(|message| &message.aliases) {
                if self.waiting().any(|group| group.is_known(alias)) || rows.is_known(alias)? {
                    return Ok(Marked::Unchanged);
                }
            }
        }
        if matches!(standing, Standing::Settled { .. }) {
            self.settled.insert(id.clone());
        }
        Ok(Marked::Written)
    }
}

fn unknown(message: &MessageId) -> StoreError {
    StoreError::Damaged {
        what: format!("the inbox: it holds no message {message}"),
    }
}
