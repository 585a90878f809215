//! What the cases share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use issuance::domain::{
    CardRequest, EventBody, FailureKind, Order, OrderId, Policy, Purpose, SilenceCause, State,
};
use issuance::store::Receipt;
use issuance::{Clock, Engine, SystemClock, WebhookError};
use issuance_simulator::{Config, Endpoint, ErrorAnswer, Fault, FaultMatch, FaultRule, Running};
use issuance_store::SimulatedStore;
use issuance_tests::world::{SECRET, World, policy};
use serde_json::{Value, json};
use sha2::Sha512;

pub(crate) const CREATE: Option<Endpoint> = Some(Endpoint::CreateCard);

pub(crate) async fn world() -> World {
    with(Config::default(), policy()).await
}

pub(crate) async fn with(config: Config, policy: Policy) -> World {
    World::with(
        Arc::new(SimulatedStore::new(policy.clone())),
        config,
        policy,
    )
    .await
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An error answer in the simulator's words.
pub(crate) fn answer(value: Value) -> ErrorAnswer {
    serde_json::from_value(value).expect("an answer")
}

/// A fault for every call of an endpoint.
pub(crate) fn fault_everywhere(
    simulator: &Running,
    endpoint: Endpoint,
    times: Option<u32>,
    fault: Fault,
) {
    let applies_to = FaultMatch {
        endpoint: Some(endpoint),
        ..FaultMatch::default()
    };
    simulator.add_faults([FaultRule {
        id: String::new(),
        applies_to,
        fault,
        times,
        probability: None,
        used: 0,
    }]);
}

pub(crate) async fn place(world: &World, request: CardRequest) -> OrderId {
    world.engine.place(request).await.unwrap().order.id
}

pub(crate) async fn story(engine: &Engine, id: OrderId) -> Vec<EventBody> {
    engine
        .history(id)
        .await
        .unwrap()
        .into_iter()
        .map(|record| record.event.body)
        .collect()
}

pub(crate) async fn names(engine: &Engine, id: OrderId) -> Vec<&'static str> {
    story(engine, id)
        .await
        .iter()
        .map(EventBody::name)
        .collect()
}

pub(crate) fn count(names: &[&str], name: &str) -> usize {
    names.iter().filter(|event| **event == name).count()
}

/// Every silence the order heard, in order.
pub(crate) async fn silences(engine: &Engine, id: OrderId) -> Vec<SilenceCause> {
    let story = story(engine, id).await;
    let cause = |event| match event {
        EventBody::SubmissionUnanswered { cause, .. } => Some(cause),
        _ => None,
    };
    story.into_iter().filter_map(cause).collect()
}

/// Every key under which the order's create call was recorded.
pub(crate) async fn keys(engine: &Engine, id: OrderId) -> BTreeSet<String> {
    let key = |event| match event {
        EventBody::SubmissionStarted {
            purpose: Purpose::CreateCard,
            key,
            ..
        } => Some(key.to_string()),
        _ => None,
    };
    story(engine, id)
        .await
        .into_iter()
        .filter_map(key)
        .collect()
}

pub(crate) fn failure(order: &Order) -> Option<FailureKind> {
    match &order.state {
        State::Failed { failure, .. } => Some(failure.kind),
        _ => None,
    }
}

/// How many cards the order has, and one body for each key of all.
pub(crate) fn judge(simulator: &Running, id: OrderId, cards: usize) {
    let ledger = simulator.ledger();
    let made = ledger
        .cards_by_metadata("issuance_order")
        .get(&id.to_string())
        .map_or(0, Vec::len);
    assert_eq!(made, cards, "cards of {id}");
    let mut bodies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for asked in &ledger.requests {
        if let Some(key) = &asked.idempotency_key {
            bodies.entry(key).or_default().insert(&asked.body_sha256);
        }
    }
    assert!(
        bodies.values().all(|bodies| bodies.len() == 1),
        "one key, one body: {bodies:?}"
    );
}

/// One card, made under the only key the order ever had.
pub(crate) async fn judge_one_key(engine: &Engine, simulator: &Running, id: OrderId) {
    judge(simulator, id, 1);
    assert_eq!(keys(engine, id).await.len(), 1, "one key for {id}");
}

/// How often an endpoint was called.
pub(crate) fn calls(simulator: &Running, endpoint: Endpoint) -> usize {
    simulator
        .ledger()
        .requests
        .iter()
        .filter(|request| request.endpoint == endpoint)
        .count()
}

/// The provider's signature by its rule: HMAC-SHA-512 over the body and the timestamp header's text (contract §5.6).
pub(crate) fn sign(body: &[u8], timestamp: &str) -> String {
    let mac = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap();
    hex::encode(
        mac.chain_update(body)
            .chain_update(timestamp)
            .finalize()
            .into_bytes(),
    )
}

pub(crate) fn now() -> i64 {
    SystemClock.now().millis()
}

/// Delivers a body as signed at a moment.
pub(crate) async fn deliver_at(
    engine: &Engine,
    body: &[u8],
    millis: i64,
) -> Result<Receipt, WebhookError> {
    let timestamp = millis.to_string();
    let signature = sign(body, &timestamp);
    engine
        .receive_webhook(&[signature.as_bytes()], &[timestamp.as_bytes()], body)
        .await
}

pub(crate) async fn deliver(engine: &Engine, body: &[u8]) -> Result<Receipt, WebhookError> {
    deliver_at(engine, body, now()).await
}

/// An event's body.
pub(crate) fn event(event_type: &str, source: &str, data: &Value) -> Vec<u8> {
    let envelope = json!({
        "version": "V1.6.0", "event_name": "ISSUING", "event_type": event_type,
        "event_id": uuid::Uuid::new_v4().to_string(), "source_id": source, "data": data,
    });
    envelope.to_string().into_bytes()
}

/// The names the provider knows an accepted order by: card and card order.
pub(crate) fn ids(order: &Order) -> (String, String) {
    let card = order.ids.card.as_ref().expect("a card id").to_string();
    let card_order = order
        .ids
        .card_order
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    (card, card_order)
}

/// Waits for something about the simulator or an engine, not long.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(millis(20)).await;
    }
    panic!("never {what}");
}
