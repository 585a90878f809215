//! The work: orders on the happy road, one append for each event, the first with a sealed kilobyte of personal data.

use std::path::Path;
use std::sync::Arc;

use issuance_domain::{
    Event, EventBody, IdempotencyKey, Order, OrderId, Policy, Purpose, Timestamp, Version,
};
use issuance_store::vault::{Keyring, MasterKey};
use issuance_store::{Append, EmbeddedStore, Field, Limits, Options, Past, Projection, Sealing};
use uuid::Uuid;

/// Events of a whole story.
pub(crate) const EVENTS: usize = 5;
const PERSONAL: usize = 1_024;

/// The events of an order, to be made that of any.
pub(crate) struct Story {
    events: Vec<EventBody>,
    policy: Policy,
}

impl Story {
    pub(crate) fn new() -> Self {
        let events = serde_json::json!([
            { "name": "order_requested", "body": {
                "personal_digest": "8c8a9c5d".repeat(8),
                "terms": {
                    "reference": "host-order", "product_id": "2f1c0a3e-0000-4000-8000-000000000000",
                    "currency": "USD", "limit": "120.50", "usage": "normal", "kyc": "none",
                },
            } },
            { "name": "submission_started", "body": {
                "purpose": "create_card", "generation": 1, "attempt": 1,
                "key": Uuid::nil(), "body_digest": "8c8a9c5d".repeat(8),
            } },
            { "name": "order_accepted", "body": {
                "ids": { "card": "card", "card_order": "card-order", "cardholder": "cardholder" },
                "under_review": false,
                "source": { "from": "answer", "purpose": "create_card", "generation": 1 },
            } },
            { "name": "card_activated", "body": {
                "card": "card", "status": "ACTIVE",
                "source": {
                    "from": "webhook", "event_id": "c81a4a9d-5d01-4f7e-9c39-000000000000",
                    "event_type": "card.create.succeeded",
                },
            } },
            { "name": "host_notified", "body": { "through": 4 } },
        ]);
        Self {
            events: serde_json::from_value(events).unwrap(),
            policy: Policy::standard(),
        }
    }

    /// The next append of an order.
    pub(crate) fn next(&self, number: u64, before: Option<&Order>) -> Append {
        let id = order_id(number);
        let expected = before.map_or(Version::NONE, |order| order.version);
        let at = Timestamp::from_millis(1_760_000_000_000 + number as i64);
        let body = self.body(id, expected.0 as usize);
        let events = vec![Event { at, body }];
        let projection = Projection::after(id, before, &events, &self.policy)
            .unwrap()
            .unwrap();
        let personal = Sealing {
            field: Field::Request,
            plaintext: vec![b'x'; PERSONAL].into(),
        };
        Append {
            order: id,
            expected,
            events,
            projection,
            sealed: Vec::from_iter(before.is_none().then_some(personal)),
            settles: None,
        }
    }

    fn body(&self, id: OrderId, step: usize) -> EventBody {
        let mut body = self.events[step].clone();
        match &mut body {
            EventBody::OrderRequested { terms, .. } => {
                terms.reference = id.to_string().parse().unwrap();
            }
            EventBody::SubmissionStarted {
                key, generation, ..
            } => *key = IdempotencyKey::derive(id, Purpose::CreateCard, *generation),
            EventBody::OrderAccepted { ids, .. } => {
                ids.card = Some(format!("card-{id}").parse().unwrap());
                ids.card_order = Some(format!("order-{id}").parse().unwrap());
                ids.cardholder = Some(format!("holder-{id}").parse().unwrap());
            }
            EventBody::CardActivated { card, .. } => *card = format!("card-{id}").parse().unwrap(),
            _ => {}
        }
        body
    }
}

/// As the engine's ids: time first, then what nobody can guess.
pub(crate) fn order_id(number: u64) -> OrderId {
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let millis = 1_760_000_000_000 + number / 20;
    OrderId(
        uuid::Builder::from_unix_timestamp_millis(
            millis,
            &[&scattered.to_be_bytes()[..], &[0, 0]]
                .concat()
                .try_into()
                .unwrap(),
        )
        .into_uuid(),
    )
}

pub(crate) fn options(dir: &Path) -> Options {
    Options {
        dir: dir.into(),
        keys: Arc::new(Keyring::new("bench", MasterKey::new([7; 32]))),
        policy: Policy::standard(),
        limits: Limits::default(),
        past: Past::default(),
    }
}

pub(crate) fn open(dir: &Path) -> Arc<EmbeddedStore> {
    Arc::new(EmbeddedStore::open(options(dir)).unwrap().0)
}

/// Bytes of the files in a directory.
pub(crate) fn size(dir: &Path) -> u64 {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}
