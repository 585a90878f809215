//! Orders, events and messages to load a store with. All of it follows from a number, so that a verifier knows what must
//! be there.

use std::path::Path;
use std::sync::Arc;

use issuance_domain::{
    CardStatus, Event, EventBody, Order, OrderId, Policy, ProviderIds, Source, Timestamp, Version,
};
use issuance_store::vault::{Keyring, MasterKey};
use issuance_store::{Alias, Append, Field, Limits, Message, Options, Past, Projection, Sealing};
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Every so many orders bring a value too large for a vault record: a sealed file.
const LARGE_EVERY: u64 = 16;
const LARGE_BYTES: usize = 100 << 10;

/// How a victim opens its store, and whoever verifies it too.
pub(crate) fn options(dir: &Path, segment_bytes: u64) -> Options {
    Options {
        dir: dir.into(),
        keys: Arc::new(Keyring::new("durability", MasterKey::new([7; 32]))),
        policy: Policy::standard(),
        limits: Limits {
            segment_bytes,
            vault_file_bytes: segment_bytes,
            // Small, so that sled is opened again and again under load.
            index_unnoted_bytes: 256 << 10,
            ..Limits::default()
        },
        past: Past::default(),
    }
}

/// The order of a number. Later numbers are later orders.
pub(crate) fn id(number: u64) -> OrderId {
    OrderId(Uuid::from_u128(
        0x0199_0000_0000_7000_8000_0000_0000_0000 + (u128::from(number) << 16),
    ))
}

/// The number of an order.
pub(crate) fn number_of(id: OrderId) -> u64 {
    ((id.0.as_u128() - 0x0199_0000_0000_7000_8000_0000_0000_0000) >> 16) as u64
}

pub(crate) fn at() -> Timestamp {
    Timestamp::from_millis(1_760_000_000_000)
}

pub(crate) fn requested(number: u64) -> EventBody {
    // As the log has it, so that a field the domain adds needs no word here.
    let body = json!({ "name": "order_requested", "body": { "personal_digest": "00", "terms": {
        "reference": format!("r-{number}"), "product_id": "product-1", "currency": "USD",
        "usage": issuance_domain::Usage::Normal, "kyc": "none",
    } } });
    serde_json::from_value(body).unwrap()
}

fn card(number: u64) -> issuance_domain::CardId {
    format!("card-{number}").parse().unwrap()
}

pub(crate) fn accepted(number: u64) -> EventBody {
    EventBody::OrderAccepted {
        ids: ProviderIds {
            card: Some(card(number)),
            ..ProviderIds::default()
        },
        under_review: false,
        source: Source::LookUp,
    }
}

pub(crate) fn activated(number: u64) -> EventBody {
    EventBody::CardActivated {
        card: card(number),
        status: CardStatus::Active,
        source: Source::LookUp,
    }
}

/// An event that fits any state.
pub(crate) fn noticed() -> EventBody {
    EventBody::HostNotified {
        through: Version(0),
    }
}

/// The next append of an order.
pub(crate) fn follow(id: OrderId, before: Option<&Order>, bodies: Vec<EventBody>) -> Append {
    let events: Vec<Event> = bodies
        .into_iter()
        .map(|body| Event { at: at(), body })
        .collect();
    let projection = Projection::after(id, before, &events, &Policy::standard())
        .unwrap()
        .unwrap();
    Append {
        order: id,
        expected: before.map_or(Version::NONE, |order| order.version),
        events,
        projection,
        sealed: Vec::new(),
        settles: None,
    }
}

/// The first append of an order, with its personal data.
pub(crate) fn place(number: u64) -> Append {
    let mut append = follow(id(number), None, vec![requested(number)]);
    append.sealed = vec![Sealing {
        field: Field::Request,
        plaintext: personal(number).into(),
    }];
    append
}

/// What is sealed of an order.
pub(crate) fn personal(number: u64) -> Vec<u8> {
    let word = format!("personal data of order {number}; ");
    if number.is_multiple_of(LARGE_EVERY) {
        word.repeat(LARGE_BYTES / word.len()).into_bytes()
    } else {
        word.repeat(8).into_bytes()
    }
}

pub(crate) fn message(number: u64) -> Message {
    Message {
        id: format!("m-{number}").parse().unwrap(),
        event_type: "card.create.succeeded".into(),
        received_at: at(),
        aliases: vec![Alias::Card(card(number))],
        body_digest: format!("digest of {number}").into(),
        content: RawValue::from_string(format!("{{\"said\":{number}}}")).unwrap(),
    }
}
