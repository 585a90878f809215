//! Orders, events and messages to try a store with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use issuance_domain::{
    AttentionReason, CardStatus, Event, EventBody, Order, OrderId, Policy, ProviderIds, Source,
    Task, Timestamp, Version,
};
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Subject;
use crate::error::AppendError;
use crate::message::{Alias, Message};
use crate::projection::Projection;
use crate::store::{Append, Appended, Field, Kind, Lease, LeaseAsk, Sealing, Store};

/// A subject with a few hands.
pub(super) struct World<S> {
    pub(super) subject: S,
    pub(super) policy: Policy,
    orders: AtomicU64,
}

/// Milliseconds after the beginning of the test.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_760_000_000_000 + millis)
}

impl<S: Subject> World<S> {
    pub(super) async fn start() -> Self {
        let policy = Policy::standard();
        Self {
            subject: S::start(policy.clone()).await,
            policy,
            orders: AtomicU64::new(1),
        }
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        self.subject.store()
    }

    /// The id of a new order, greater than those before.
    pub(super) fn id(&self) -> OrderId {
        let count = self.orders.fetch_add(1, Ordering::Relaxed);
        OrderId(Uuid::from_u128(
            0x0199_0000_0000_7000_8000_0000_0000_0000 + (u128::from(count) << 80),
        ))
    }

    /// An append of events to the order as it is now.
    pub(super) async fn prepare(
        &self,
        id: OrderId,
        events: Vec<EventBody>,
        now: Timestamp,
    ) -> Append {
        let before = self.store().order(id).await.unwrap();
        self.follow(id, before.as_deref(), events, now)
    }

    pub(super) fn follow(
        &self,
        id: OrderId,
        before: Option<&Order>,
        bodies: Vec<EventBody>,
        at: Timestamp,
    ) -> Append {
        let events: Vec<Event> = bodies.into_iter().map(|body| Event { at, body }).collect();
        let projection = Projection::after(id, before, &events, &self.policy)
            .unwrap()
            .unwrap();
        let expected = before.map_or(Version::NONE, |order| order.version);
        Append {
            order: id,
            expected,
            events,
            projection,
            sealed: Vec::new(),
            settles: None,
        }
    }

    pub(super) async fn append(
        &self,
        id: OrderId,
        events: Vec<EventBody>,
    ) -> Result<Appended, AppendError> {
        let append = self.prepare(id, events, at(0)).await;
        self.store().append(append).await
    }

    /// A new order whose reference is its id.
    pub(super) async fn place(&self) -> OrderId {
        let id = self.id();
        self.append(id, vec![requested(&id.to_string())])
            .await
            .unwrap();
        id
    }

    pub(super) async fn version(&self, id: OrderId) -> Version {
        self.store()
            .order(id)
            .await
            .unwrap()
            .map_or(Version::NONE, |order| order.version)
    }

    pub(super) async fn lease(
        &self,
        kind: Kind,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Vec<Lease> {
        self.store()
            .lease(LeaseAsk {
                kind,
                now,
                until,
                limit,
            })
            .await
            .unwrap()
    }

    pub(super) fn owed(&self, order: &Order) -> Vec<Task> {
        issuance_domain::outbox(order, &self.policy)
    }
}

pub(super) fn requested(reference: &str) -> EventBody {
    requested_of(reference, None, "product-1")
}

pub(super) fn requested_of(reference: &str, account: Option<&str>, product: &str) -> EventBody {
    // As the log has it, so that a field the domain adds needs no word here.
    let body = json!({ "name": "order_requested", "body": { "personal_digest": "00", "terms": {
        "reference": reference,
        "account": account,
        "product_id": product,
        "currency": "USD",
        "usage": issuance_domain::Usage::Normal,
        "kyc": "none",
    } } });
    serde_json::from_value(body).unwrap()
}

pub(super) fn ids(card: Option<&str>, cardholder: Option<&str>) -> ProviderIds {
    ProviderIds {
        card: card.map(|id| id.parse().unwrap()),
        card_order: None,
        cardholder: cardholder.map(|id| id.parse().unwrap()),
    }
}

pub(super) fn accepted(card: &str) -> EventBody {
    EventBody::OrderAccepted {
        ids: ids(Some(card), None),
        under_review: false,
        source: Source::LookUp,
    }
}

pub(super) fn learned(ids: ProviderIds) -> EventBody {
    EventBody::ProviderIdsLearned {
        ids,
        source: Source::LookUp,
    }
}

pub(super) fn activated(card: &str) -> EventBody {
    EventBody::CardActivated {
        card: card.parse().unwrap(),
        status: CardStatus::Active,
        source: Source::LookUp,
    }
}

pub(super) fn noticed(through: Version) -> EventBody {
    EventBody::HostNotified { through }
}

pub(super) fn attention() -> EventBody {
    EventBody::AttentionRaised {
        reason: AttentionReason::OutcomeUnknown,
    }
}

/// An event that fits any state and changes little.
pub(super) fn filler() -> EventBody {
    EventBody::HostNotified {
        through: Version(0),
    }
}

pub(super) fn message(id: &str, aliases: Vec<Alias>) -> Message {
    Message {
        id: id.parse().unwrap(),
        event_type: "card.create.succeeded".into(),
        received_at: at(0),
        aliases,
        body_digest: format!("digest of {id}").into(),
        // With breaks between its tokens, as nobody promised there are none.
        content: RawValue::from_string(format!("{{\n\t\"said\": \"{id}\\n\" }}")).unwrap(),
    }
}

pub(super) fn card(id: &str) -> Alias {
    Alias::Card(id.parse().unwrap())
}

pub(super) fn sealing(field: Field, text: &str) -> Sealing {
    Sealing {
        field,
        plaintext: Zeroizing::new(text.as_bytes().to_vec()),
    }
}

/// What must come, comes soon.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    let wait = Duration::from_secs(20);
    tokio::time::timeout(wait, future)
        .await
        .expect("a wait that should have ended")
}
