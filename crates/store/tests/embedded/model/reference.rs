//! The reference: what a store is, in maps and lists, without a disk. It folds with the domain, which is not on trial here.

use std::collections::BTreeMap;

use issuance_domain::{Event, Order, OrderId, Policy, TaskId, Timestamp, evolve, outbox};
use issuance_store::{Append, Message, Receipt, Standing};

#[derive(Debug, Clone, Default)]
pub(super) struct Reference {
    pub(super) events: BTreeMap<OrderId, Vec<Event>>,
    /// Oldest first.
    pub(super) messages: Vec<(Message, Standing)>,
    pub(super) sealed: BTreeMap<OrderId, Vec<u8>>,
    /// Events and records of the inbox together.
    pub(super) head: u64,
}

impl Reference {
    pub(super) fn order(&self, id: OrderId) -> Option<Order> {
        let events = self.events.get(&id)?;
        let fold = |order, event| Some(evolve(id, order, event).expect("events that follow"));
        events.iter().fold(None, fold)
    }

    pub(super) fn tasks(&self, id: OrderId) -> BTreeMap<TaskId, Timestamp> {
        let owed = self
            .order(id)
            .map(|order| outbox(&order, &Policy::standard()));
        let owed = owed.into_iter().flatten();
        owed.map(|task| (task.id, task.due)).collect()
    }

    /// The order's version and the log's end, or why it is refused.
    pub(super) fn append(&mut self, append: &Append) -> Result<(u64, u64), &'static str> {
        let before = self.events.get(&append.order).map_or(0, Vec::len) as u64;
        if before != append.expected.0 {
            return Err("conflict");
        }
        let reference = &append.projection.order.terms.reference;
        let holds = |id: &OrderId| {
            self.order(*id)
                .is_some_and(|it| it.terms.reference == *reference)
        };
        if before == 0 && self.events.keys().any(holds) {
            return Err("reference taken");
        }
        if let Some(id) = &append.settles {
            let message = self.messages.iter_mut().find(|(it, _)| it.id == *id);
            match message {
                None => return Err("damaged"),
                Some((_, Standing::Settled { .. })) => return Err("already settled"),
                Some((_, standing)) => {
                    *standing = Standing::Settled {
                        order: Some(append.order),
                    }
                }
            }
        }
        self.events
            .entry(append.order)
            .or_default()
            .extend(append.events.iter().cloned());
        self.head += append.events.len() as u64;
        for sealing in &append.sealed {
            self.sealed.insert(append.order, sealing.plaintext.to_vec());
        }
        let order = self.order(append.order).expect("an order with events");
        // Who is known now is no longer waited for.
        for (message, standing) in &mut self.messages {
            let known = message.aliases.iter().any(|alias| alias.names(&order));
            if *standing == Standing::Parked && known {
                *standing = Standing::Pending;
            }
        }
        Ok((order.version.0, self.head))
    }

    pub(super) fn receive(&mut self, message: &Message) -> Receipt {
        match self.messages.iter().find(|(it, _)| it.id == message.id) {
            Some((it, _)) if it.body_digest == message.body_digest => Receipt::Repeat,
            Some(_) => Receipt::Forged,
            None => {
                self.messages.push((message.clone(), Standing::Pending));
                self.head += 1;
                Receipt::Stored
            }
        }
    }

    /// Refused when there is no such message.
    pub(super) fn settle(&mut self, message: &Message, to: &Standing) -> Result<(), &'static str> {
        let named = |id: &OrderId| {
            let order = self.order(*id);
            order.is_some_and(|order| message.aliases.iter().any(|alias| alias.names(&order)))
        };
        let known = self.events.keys().any(named);
        let (_, standing) = self
            .messages
            .iter_mut()
            .find(|(it, _)| it.id == message.id)
            .ok_or("damaged")?;
        let stays = matches!(standing, Standing::Settled { .. })
            || standing == to
            || *to == Standing::Parked && known;
        if !stays {
            *standing = to.clone();
            self.head += 1;
        }
        Ok(())
    }
}
