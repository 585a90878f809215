//! Orders to put into a store, and a look at what it holds.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use issuance_domain::{
    CardStatus, Event, EventBody, Order, OrderId, Policy, ProviderIds, Source, Timestamp, Version,
};
use issuance_store::{
    Alias, Append, AppendError, Appended, EmbeddedReport, EmbeddedStore, Field, Message,
    Projection, Sealing, Standing, Store, StoreError,
};
use serde_json::value::RawValue;
use uuid::Uuid;

pub(crate) fn open(dir: &Path) -> (EmbeddedStore, EmbeddedReport) {
    EmbeddedStore::open(super::options(dir)).unwrap()
}

pub(crate) fn id(number: u64) -> OrderId {
    OrderId(Uuid::from_u128(
        0x0199_0000_0000_7000_8000_0000_0000_0000 + (u128::from(number) << 80),
    ))
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_760_000_000_000 + millis)
}

pub(crate) fn requested(number: u64) -> EventBody {
    let body = serde_json::json!({ "name": "order_requested", "body": { "personal_digest": "00", "terms": {
        "reference": format!("r-{number}"), "product_id": "product-1", "currency": "USD",
        "usage": issuance_domain::Usage::Normal, "kyc": "none",
    } } });
    serde_json::from_value(body).unwrap()
}

pub(crate) fn accepted(number: u64) -> EventBody {
    let card = Some(format!("card-{number}").parse().unwrap());
    let ids = ProviderIds {
        card,
        ..ProviderIds::default()
    };
    EventBody::OrderAccepted {
        ids,
        under_review: false,
        source: Source::LookUp,
    }
}

pub(crate) fn activated(number: u64) -> EventBody {
    let card = format!("card-{number}").parse().unwrap();
    EventBody::CardActivated {
        card,
        status: CardStatus::Active,
        source: Source::LookUp,
    }
}

pub(crate) fn noticed(through: u64) -> EventBody {
    EventBody::HostNotified {
        through: Version(through),
    }
}

pub(crate) fn follow(id: OrderId, before: Option<&Order>, bodies: Vec<EventBody>) -> Append {
    let events: Vec<Event> = bodies
        .into_iter()
        .map(|body| Event { at: at(0), body })
        .collect();
    let projection = Projection::after(id, before, &events, &Policy::standard())
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

pub(crate) async fn append(
    store: &dyn Store,
    id: OrderId,
    bodies: Vec<EventBody>,
) -> Result<Appended, AppendError> {
    let before = store.order(id).await?;
    store.append(follow(id, before.as_deref(), bodies)).await
}

pub(crate) fn sealing(text: &str) -> Sealing {
    Sealing {
        field: Field::Request,
        plaintext: text.as_bytes().to_vec().into(),
    }
}

pub(crate) fn message(number: u64) -> Message {
    Message {
        id: format!("m-{number}").parse().unwrap(),
        event_type: "card.create.succeeded".into(),
        received_at: at(0),
        aliases: vec![Alias::Card(format!("card-{number}").parse().unwrap())],
        body_digest: "digest".into(),
        content: RawValue::from_string("{\"said\":1}".into()).unwrap(),
    }
}

/// An order's first event, with what is sealed.
pub(crate) async fn place(store: &dyn Store, number: u64) -> Result<(), StoreError> {
    let mut first = follow(id(number), None, vec![requested(number)]);
    first.sealed = vec![sealing(&format!("sealed {number}"))];
    match store.append(first).await {
        Ok(_) => Ok(()),
        Err(AppendError::Store(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

/// Some of everything, for the orders of these numbers.
pub(crate) async fn fill(store: &dyn Store, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let id = id(number);
        place(store, number).await.unwrap();
        store.receive(message(number), None).await.unwrap();
        if number % 2 == 0 {
            store
                .settle(&message(number).id, Standing::Parked, at(1))
                .await
                .unwrap();
        }
        if number % 3 == 0 {
            append(store, id, vec![accepted(number), activated(number)])
                .await
                .unwrap();
        }
        if number % 5 == 0 {
            append(store, id, vec![noticed(0); 40]).await.unwrap();
        }
    }
}

/// Every order of these numbers with its history: what must be the same however often the store is opened.
pub(crate) async fn look(
    store: &dyn Store,
    numbers: std::ops::Range<u64>,
) -> BTreeMap<u64, (Order, usize)> {
    let mut found = BTreeMap::new();
    for number in numbers {
        let order = store.order(id(number)).await.unwrap().unwrap();
        let sealed = store
            .open_sealed(id(number), &Field::Request)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(sealed.to_vec(), format!("sealed {number}").into_bytes());
        let history = store.history(id(number)).await.unwrap().len();
        found.insert(number, (Arc::unwrap_or_clone(order), history));
    }
    found
}

/// The rows of a closed store's index.
pub(crate) fn rows(dir: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    rows_of(&dir.join("data/index"))
}

/// The rows of an index nobody has open.
pub(crate) fn rows_of(index: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let index = sled::Config::new()
        .path(index)
        .flush_every_ms(None)
        .open()
        .unwrap();
    index
        .iter()
        .map(|row| row.unwrap())
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

pub(crate) fn swap(from: &Path, to: &Path) {
    std::fs::remove_dir_all(to).unwrap();
    copy(from, to);
}
