//! Unknown is not failed (design §1.4): whatever is lost, the provider's own ledger shows one card for each order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use issuance::domain::{
    AttentionReason, By, CardStatus, Discrepancy, EventBody, FailureKind, Generation, OperatorAct,
    OperatorAction, Order, OrderId, Phase, Policy, Purpose, SilenceCause, State,
};
use issuance_simulator::{Config, Endpoint, ErrorAnswer, Fault, IdvOutcome, product};
use issuance_store::SimulatedStore;
use issuance_tests::requests::{person, request, simple, with_idv};
use issuance_tests::world::{World, policy};
use serde_json::json;

const CREATE: Option<Endpoint> = Some(Endpoint::CreateCard);

/// Keys that grow old in a moment, and proof within seconds.
fn hasty() -> Policy {
    let millis = Duration::from_millis;
    Policy {
        key_safe_age: millis(1_000),
        absence_scan_gap: millis(700),
        capacity_retry: millis(1_000),
        cancel_retry: millis(300),
        late_look_up_first: millis(700),
        ..policy()
    }
}

async fn world(policy: Policy) -> World {
    World::with(
        Arc::new(SimulatedStore::new(policy.clone())),
        Config::default(),
        policy,
    )
    .await
}

fn failure(order: &Order) -> Option<FailureKind> {
    match &order.state {
        State::Failed { failure, .. } => Some(failure.kind),
        _ => None,
    }
}

fn server_error(http_status: u16) -> ErrorAnswer {
    serde_json::from_value(json!({ "status": http_status })).unwrap()
}

fn is_expired(order: &Order) -> bool {
    order
        .submission(Purpose::CreateCard)
        .is_some_and(|owed| matches!(owed.phase, Phase::Expired { .. }))
}

async fn story(world: &World, id: OrderId) -> Vec<EventBody> {
    world
        .engine
        .history(id)
        .await
        .unwrap()
        .into_iter()
        .map(|record| record.event.body)
        .collect()
}

async fn names(world: &World, id: OrderId) -> Vec<&'static str> {
    story(world, id).await.iter().map(EventBody::name).collect()
}

/// One card for the order, and one body for each key of all.
fn judge(world: &World, id: OrderId, cards: usize) {
    assert_eq!(world.cards_of(id), cards, "cards of {id}");
    let mut bodies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for asked in world.simulator.ledger().requests {
        if let Some(key) = asked.idempotency_key {
            bodies.entry(key).or_default().insert(asked.body_sha256);
        }
    }
    assert!(
        bodies.values().all(|bodies| bodies.len() == 1),
        "one key, one body: {bodies:?}"
    );
}

fn act(action: OperatorAction) -> OperatorAct {
    OperatorAct {
        actor: "ada".into(),
        reason: "a test".into(),
        action,
    }
}

#[tokio::test]
async fn contract_6_5_lost_until_the_key_is_old_then_proved_absent_and_sent_anew() {
    let world = world(hasty()).await;
    world.fault_at(1, None, CREATE, Fault::LostBeforeEffect);
    let id = world.engine.place(simple(1)).await.unwrap().order.id;
    world.until(id, "given up", is_expired).await;
    world.simulator.clear_faults();
    world.until_state(id, "active").await;
    let names = names(&world, id).await;
    let at = |name| names.iter().position(|event| *event == name).expect(name);
    assert!(at("key_expired") < at("absence_observed"));
    assert!(at("absence_observed") < at("absence_proved"));
    assert!(at("absence_proved") < at("resubmission_owed"));
    judge(&world, id, 1);
}

/// How many keys its create call had.
async fn keys(world: &World, id: OrderId) -> usize {
    let key = |event| match event {
        EventBody::SubmissionStarted { key, .. } => Some(key.to_string()),
        _ => None,
    };
    let keys: std::collections::BTreeSet<_> =
        story(world, id).await.into_iter().filter_map(key).collect();
    keys.len()
}

#[tokio::test]
async fn contract_6_5_where_money_is_loaded_a_person_decides_with_the_proof() {
    let world = world(hasty()).await;
    world.fault_at(1, None, CREATE, Fault::LostBeforeEffect);
    let asked = request(
        1,
        json!({ "product_id": product::PREPAID, "limit": "5.00" }),
    );
    let id = world.engine.place(asked).await.unwrap().order.id;
    world.until(id, "given up", is_expired).await;
    let too_early = world
        .engine
        .operate(id, act(OperatorAction::Resubmit), None)
        .await;
    assert!(too_early.is_err(), "without a proof");
    world.simulator.clear_faults();
    let called = |order: &Order| order.attention.as_ref().map(|called| called.reason.clone());
    let proved = |order: &Order| called(order) == Some(AttentionReason::AbsenceProved);
    world.until(id, "proved absent", proved).await;
    judge(&world, id, 0);
    world
        .engine
        .operate(id, act(OperatorAction::Resubmit), None)
        .await
        .unwrap();
    // One person asked; whoever asked cannot approve, and until somebody else does nothing is sent.
    let approve = async |actor: &str| {
        let seen = world.engine.order(id).await.unwrap().unwrap().version;
        let act = OperatorAct {
            actor: actor.into(),
            ..act(OperatorAction::ApproveResubmit)
        };
        world.engine.operate(id, act, Some(seen)).await
    };
    assert!(approve("ada").await.is_err(), "by oneself");
    assert_eq!(keys(&world, id).await, 1);
    judge(&world, id, 0);
    approve("bob").await.unwrap();
    let order = world.until_state(id, "active").await;
    assert_eq!(order.attention, None);
    judge(&world, id, 1);
}

#[tokio::test]
async fn f_026_every_answer_and_webhook_lost_and_the_key_old_the_card_is_found_by_search() {
    let world = world(hasty()).await;
    world.fault_at(1, None, CREATE, Fault::LostAfterEffect);
    world.fault(1, None, Fault::WebhookDrop);
    let id = world.engine.place(simple(1)).await.unwrap().order.id;
    world.until_state(id, "active").await;
    let names = names(&world, id).await;
    assert!(
        names.contains(&"key_expired") && !names.contains(&"resubmission_owed"),
        "{names:?}"
    );
    judge(&world, id, 1);
}

#[tokio::test]
async fn f_033_the_same_server_error_again_and_again_is_searched_behind() {
    let world = world(policy()).await;
    world.fault_at(1, None, CREATE, Fault::ErrorAfterEffect(server_error(502)));
    world.fault(1, None, Fault::WebhookDrop);
    let id = world.engine.place(simple(1)).await.unwrap().order.id;
    world.until_state(id, "active").await;
    assert!(
        !names(&world, id).await.contains(&"key_expired"),
        "long before the key was old"
    );
    let errors = story(&world, id).await.into_iter().filter(|event| {
        matches!(
            event,
            EventBody::SubmissionUnanswered {
                cause: SilenceCause::ServerError { .. },
                ..
            }
        )
    });
    assert_eq!(errors.count(), 5);
    judge(&world, id, 1);
}

#[tokio::test]
async fn f_034_a_cardholder_of_our_own_left_behind_is_gone_on_with() {
    let world = world(policy()).await;
    world.fault(1, Some(1), Fault::OrphanCardholder(server_error(500)));
    world.fault(2, Some(1), Fault::OrphanCardholder(server_error(500)));
    world.fault(
        2,
        None,
        Fault::IdvPerson {
            outcome: IdvOutcome::Pass,
            after_ms: 200,
        },
    );
    let plain = world.engine.place(simple(1)).await.unwrap().order.id;
    let checked = world.engine.place(with_idv(2)).await.unwrap().order.id;
    for (id, number) in [(plain, 1), (checked, 2)] {
        let order = world.until_state(id, "active").await;
        assert_eq!(
            story(&world, id)
                .await
                .iter()
                .filter(|event| event.name() == "leftover_found")
                .count(),
            1
        );
        let email = format!("holder{number}@mail.example");
        let people: Vec<_> = world
            .simulator
            .ledger()
            .cardholders
            .into_iter()
            .filter(|person| person.email == email)
            .collect();
        assert_eq!(people.len(), 1, "one cardholder (S2)");
        let ours = order.ids.cardholder.as_ref().map(ToString::to_string);
        assert_eq!(ours, Some(people[0].cardholder_id.to_string()));
        judge(&world, id, 1);
    }
}

#[tokio::test]
async fn f_034_somebody_elses_email_fails_the_order_with_evidence() {
    let world = world(policy()).await;
    let first = world.engine.place(simple(1)).await.unwrap().order.id;
    world.until_state(first, "active").await;
    world.fault_at(2, Some(1), CREATE, Fault::LostBeforeEffect);
    let mut fields = person(2);
    fields["email"] = person(1)["email"].clone();
    fields["last_name"] = json!("Abara");
    let theirs = request(
        2,
        json!({ "cardholder": { "type": "new", "fields": fields } }),
    );
    let second = world.engine.place(theirs).await.unwrap().order.id;
    let order = world.until_state(second, "failed").await;
    assert_eq!(failure(&order), Some(FailureKind::Duplicate));
    let story = story(&world, second).await;
    assert!(
        matches!(&story[..], [.., EventBody::OrderFailed { source: Some(source), .. }] if source.is_read()),
        "{story:#?}"
    );
    judge(&world, first, 1);
    judge(&world, second, 0);
}

#[tokio::test]
async fn contract_9_1_an_empty_pool_is_tried_again_and_its_orders_go_together() {
    let world = world(hasty()).await;
    let empty = json!({ "type": "card_error", "code": "insufficient_sub_bin", "message": "no card is left" });
    let answer = ErrorAnswer {
        body: Some(empty),
        ..server_error(400)
    };
    for number in 1..=5 {
        world.fault_at(
            number,
            None,
            CREATE,
            Fault::ErrorBeforeEffect(answer.clone()),
        );
    }
    let mut ids = Vec::new();
    for number in 1..=5 {
        ids.push(world.engine.place(simple(number)).await.unwrap().order.id);
    }
    let is_parked = |order: &Order| {
        let called = order.attention.as_ref();
        called.is_some_and(|called| matches!(called.reason, AttentionReason::Capacity { .. }))
    };
    world.until(ids[0], "parked", is_parked).await;
    world.simulator.clear_faults();
    for id in ids {
        let order = world.until_state(id, "active").await;
        assert_eq!(order.attention, None);
        judge(&world, id, 1);
    }
}

#[tokio::test]
async fn contract_2_7_an_order_is_cancelled_in_every_state() {
    let config = Config {
        processing_delay: Duration::from_millis(1_000),
        ..Config::default()
    };
    let policy = hasty();
    let world = World::with(
        Arc::new(SimulatedStore::new(policy.clone())),
        config,
        policy,
    )
    .await;
    // Never arrived, and its key old; lost after effect; accepted; waiting for a person; active.
    world.fault_at(1, None, CREATE, Fault::LostBeforeEffect);
    world.fault_at(2, Some(1), CREATE, Fault::LostAfterEffect);
    world.fault(
        4,
        None,
        Fault::IdvPerson {
            outcome: IdvOutcome::Pass,
            after_ms: 1_500,
        },
    );
    let requests = [simple(1), simple(2), simple(3), with_idv(4), simple(5)];
    let reached = [
        "requested",
        "requested",
        "accepted",
        "idv_pending",
        "active",
    ];
    let mut ids = Vec::new();
    for (asked, state) in requests.into_iter().zip(reached) {
        let id = world.engine.place(asked).await.unwrap().order.id;
        let sent = |order: &Order| {
            order
                .submission(Purpose::CreateCard)
                .is_none_or(|owed| owed.maybe_sent)
        };
        world
            .until(id, state, |order| {
                order.state.name() == state && sent(order)
            })
            .await;
        world.engine.cancel(id).await.unwrap();
        ids.push(id);
    }
    for (id, cards) in ids.into_iter().zip([0, 1, 1, 1, 1]) {
        let over = |order: &Order| {
            order
                .compensation
                .as_ref()
                .is_some_and(|cancel| cancel.done)
        };
        let order = world.until(id, "cancelled", over).await;
        let cancel = order.compensation.as_ref().unwrap();
        assert_eq!(cancel.by, By::Host);
        if cards == 0 {
            assert_eq!(
                (failure(&order), &cancel.ended),
                (Some(FailureKind::Cancelled), &None)
            );
        } else {
            assert!(
                cancel.ended.as_ref().is_some_and(Order::cancel_is_complete),
                "{:?}",
                cancel.ended
            );
        }
        judge(&world, id, cards);
    }
}

#[tokio::test]
async fn s_19_failed_by_an_operator_a_late_success_is_found_without_a_webhook() {
    let config = Config {
        processing_delay: Duration::from_millis(1_200),
        ..Config::default()
    };
    let policy = hasty();
    let world = World::with(
        Arc::new(SimulatedStore::new(policy.clone())),
        config,
        policy,
    )
    .await;
    world.fault(1, None, Fault::WebhookDrop);
    let id = world.engine.place(simple(1)).await.unwrap().order.id;
    world.until_state(id, "accepted").await;
    world
        .engine
        .operate(id, act(OperatorAction::Fail), None)
        .await
        .unwrap();
    let found =
        |order: &Order| matches!(order.discrepancies[..], [Discrepancy::LateSuccess { .. }]);
    let order = world.until(id, "in contradiction", found).await;
    assert_eq!(failure(&order), Some(FailureKind::OperatorFailed));
    world
        .engine
        .operate(id, act(OperatorAction::Cancel), None)
        .await
        .unwrap();
    let over = |order: &Order| {
        order
            .compensation
            .as_ref()
            .is_some_and(|cancel| cancel.done)
    };
    let order = world.until(id, "cancelled", over).await;
    assert_eq!(
        order.compensation.as_ref().unwrap().ended,
        Some(CardStatus::PreCancel)
    );
    judge(&world, id, 1);
}

#[tokio::test]
async fn contract_6_4_a_new_generation_is_a_new_key() {
    let world = world(hasty()).await;
    world.fault_at(1, None, CREATE, Fault::LostBeforeEffect);
    let id = world.engine.place(simple(1)).await.unwrap().order.id;
    world.until(id, "given up", is_expired).await;
    world.simulator.clear_faults();
    world.until_state(id, "active").await;
    let mut keys = BTreeMap::new();
    for event in story(&world, id).await {
        if let EventBody::SubmissionStarted {
            purpose: Purpose::CreateCard,
            generation,
            key,
            ..
        } = event
        {
            keys.entry(generation)
                .or_insert_with(BTreeSet::new)
                .insert(key.to_string());
        }
    }
    assert_eq!(
        keys.keys().copied().collect::<Vec<_>>(),
        [Generation(1), Generation(2)]
    );
    assert!(
        keys.values().all(|keys| keys.len() == 1) && keys[&Generation(1)] != keys[&Generation(2)]
    );
}
