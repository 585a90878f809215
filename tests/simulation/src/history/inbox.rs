//! Messages: what was delivered, what we took, and what became of it.

use std::task::{Context, Poll, Waker};

use issuance_audit::Outside;
use issuance_domain::{MessageId, OrderId, Timestamp};
use issuance_store::{Alias, Message, Receipt, SimulatedStore, Standing, Store};
use serde_json::value::RawValue;

use super::History;
use crate::rng::hash;

impl History {
    /// The inbox took a message, or knew it.
    pub(crate) fn received(&mut self, message: &Message, receipt: Receipt) {
        self.search(None, || message.content.get().to_owned());
        let broken = self.watch.received(message, receipt);
        self.take(broken);
    }

    /// A message was put aside without an event.
    pub(crate) fn settled(&mut self, id: &MessageId, standing: &Standing) {
        let broken = self.watch.settled(id, standing);
        self.take(broken);
    }

    /// A message led to events.
    pub(crate) fn applied(&mut self, id: &MessageId, order: OrderId) {
        let broken = self.watch.applied(id, order);
        self.take(broken);
    }

    /// A try of a delivery begins. Its number.
    pub(crate) fn try_delivery(&mut self, number: u64, timestamp: &str) -> u64 {
        self.last_attempt += 1;
        self.attempts
            .insert(self.last_attempt, (number, timestamp.to_owned()));
        self.last_attempt
    }

    /// A try ends: its delivery and when it was signed; none when it ended before.
    pub(crate) fn end_try(&mut self, attempt: u64) -> Option<(u64, String)> {
        self.attempts.remove(&attempt)
    }

    /// We answered 200 to these bytes.
    pub(crate) fn acknowledged(&mut self, body: &str, forged: bool, now: i64) {
        if forged {
            return self.violate("S5", None, "a forged webhook was taken".into());
        }
        #[derive(serde::Deserialize)]
        struct Named<'a> {
            event_id: Option<String>,
            #[serde(borrow)]
            data: Option<&'a RawValue>,
        }
        // What cannot be read is kept under a name of our own.
        let bytes = hash(body);
        let named = serde_json::from_str::<Named<'_>>(body).ok();
        let begins =
            |body: &Named<'_>, with| body.data.is_some_and(|data| data.get().starts_with(with));
        let can_be_read = named.as_ref().filter(|body| !begins(body, '"'));
        let kept_as = can_be_read.and_then(|body| body.event_id.clone());
        self.bodies
            .entry(kept_as.unwrap_or_default())
            .or_default()
            .insert(bytes);
        let id = named
            .filter(|body| begins(body, '{'))
            .and_then(|body| body.event_id);
        self.checker.outside(&Outside::Delivered {
            message: id.as_deref().and_then(|id| id.parse().ok()),
            genuine: true,
            taken: true,
            at: Timestamp::from_millis(now),
        });
        self.acknowledged.extend(id);
    }

    /// A message that nobody can take as it is waits for a person; its body is sealed, unless it is of an order whose data
    /// is gone.
    pub(super) fn put_aside(&mut self, store: &SimulatedStore, message: &Message) {
        if &*message.event_type != "unreadable" {
            return;
        }
        self.unreadable.insert(message.id.clone());
        let order = message.aliases.iter().find_map(|alias| match alias {
            Alias::Order(order) => self.checker.order(*order),
            _ => None,
        });
        if let Some(order) =
            order.filter(|order| order.is_erased() && store.keeps_body(&message.id))
        {
            let (id, what) = (
                order.id,
                "a body that came after its erasure is kept".to_owned(),
            );
            self.violate("S21", Some(id), what);
        }
    }

    /// Whatever the provider signed and we acknowledged is kept: what came first under an id, and all else for a person.
    pub(super) fn judge_bodies(&mut self) {
        let others = self.bodies.iter().map(|(id, bodies)| match id.as_str() {
            "" => bodies.len(),
            _ => bodies.len() - 1,
        });
        let (others, kept) = (others.sum::<usize>(), self.unreadable.len());
        if others > kept {
            let what = format!(
                "{others} bodies were acknowledged beside the first of each id, and {kept} are kept"
            );
            self.violate("S4", None, what);
        }
    }
}

/// Whether the inbox knows a message: another of the same id is a forgery to it.
pub(super) fn is_known(store: &SimulatedStore, id: &str) -> bool {
    let (Ok(id), Ok(content)) = (id.parse(), serde_json::from_str("null")) else {
        return true;
    };
    let probe = Message {
        id,
        event_type: "probe".into(),
        received_at: Timestamp::from_millis(0),
        aliases: Vec::new(),
        body_digest: "probe".into(),
        content,
    };
    let mut receiving = Box::pin(store.receive(probe, None));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..8 {
        if let Poll::Ready(receipt) = receiving.as_mut().poll(&mut context) {
            return !matches!(receipt, Ok(Receipt::Stored));
        }
    }
    true
}
