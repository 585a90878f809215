//! Every road an order can take, end to end, on the simulated store and on the embedded one.

use std::sync::Arc;

use issuance::domain::{FailureKind, Order, State};
use issuance::store::vault::{Keyring, MasterKey};
use issuance::store::{EmbeddedStore, Limits, Options, Past};
use issuance_simulator::{Endpoint, Fault, IdvOutcome};
use issuance_store::SimulatedStore;
use issuance_tests::requests::{request, simple, with_idv};
use issuance_tests::world::{World, policy};
use serde_json::json;

async fn on_every_store(test: impl AsyncFn(World)) {
    test(World::start(Arc::new(SimulatedStore::new(policy()))).await).await;
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        dir: dir.path().join("data"),
        keys: Arc::new(Keyring::new("k1", MasterKey::new([7; 32]))),
        policy: policy(),
        limits: Limits::default(),
        past: Past::default(),
    };
    let (store, _) = EmbeddedStore::open(options).unwrap();
    test(World::start(Arc::new(store)).await).await;
}

fn failure(order: &Order) -> Option<FailureKind> {
    match &order.state {
        State::Failed { failure, .. } => Some(failure.kind),
        _ => None,
    }
}

#[tokio::test]
async fn one_step_on_every_store() {
    on_every_store(one_step).await;
}

async fn one_step(world: World) {
    let placed = world.engine.place(simple(1)).await.unwrap();
    assert!(placed.is_new);
    let order = world.until_state(placed.order.id, "active").await;
    assert!(
        order.ids.card.is_some()
            && order.ids.card_order.is_some()
            && order.ids.cardholder.is_some()
    );
    assert_eq!(world.cards_of(order.id), 1);
    // One create, no look-up, one mint, one product list: the happy path's whole cost.
    let calls: Vec<_> = world
        .simulator
        .ledger()
        .requests
        .iter()
        .map(|request| request.endpoint)
        .collect();
    assert_eq!(
        calls,
        [
            Endpoint::Token,
            Endpoint::ListProducts,
            Endpoint::CreateCard
        ]
    );
    // Asked again, it is the same order.
    let again = world.engine.place(simple(1)).await.unwrap();
    assert!(!again.is_new);
    assert_eq!(again.order.id, order.id);
    assert!(
        world
            .engine
            .place(request(1, json!({ "limit": "5.00" })))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn idv_passed_failed_and_renewed_on_every_store() {
    on_every_store(idv_passed_failed_and_renewed).await;
}

async fn idv_passed_failed_and_renewed(world: World) {
    let person = |outcome| Fault::IdvPerson {
        outcome,
        after_ms: 200,
    };
    world.fault(1, None, person(IdvOutcome::Pass));
    world.fault(2, None, person(IdvOutcome::Fail));
    world.fault(3, Some(1), Fault::IdvLinkTtl { seconds: 1 });
    world.fault(3, Some(1), person(IdvOutcome::Leave));
    world.fault(3, None, person(IdvOutcome::Pass));
    world.fault(4, None, Fault::IdvLinkTtl { seconds: 1 });
    let mut ids = Vec::new();
    for number in 1..=4 {
        ids.push(world.engine.place(with_idv(number)).await.unwrap().order.id);
    }
    world.until_state(ids[0], "active").await;
    let rejected = world.until_state(ids[1], "failed").await;
    assert_eq!(failure(&rejected), Some(FailureKind::KycRejected));
    let renewed = world.until_state(ids[2], "active").await;
    assert_eq!(renewed.renewals, 1);
    let expired = world.until_state(ids[3], "failed").await;
    assert_eq!(failure(&expired), Some(FailureKind::IdvExpired));
}

#[tokio::test]
async fn silence_is_not_failure_on_every_store() {
    on_every_store(silence_is_not_failure).await;
}

async fn silence_is_not_failure(world: World) {
    let create = Some(Endpoint::CreateCard);
    world.fault_at(1, Some(2), create, Fault::LostAfterEffect);
    world.fault_at(2, Some(1), create, Fault::LostBeforeEffect);
    world.fault_at(3, Some(1), create, Fault::TruncatedAnswer);
    world.fault(4, None, Fault::WebhookDrop);
    world.fault(5, Some(1), Fault::WebhookEarly);
    world.fault_at(5, Some(1), create, Fault::LostAfterEffect);
    world.fault(6, None, Fault::WebhookDuplicate { copies: 3 });
    let mut ids = Vec::new();
    for number in 1..=6 {
        ids.push(world.engine.place(simple(number)).await.unwrap().order.id);
    }
    for id in ids {
        world.until_state(id, "active").await;
        assert_eq!(world.cards_of(id), 1);
    }
}
