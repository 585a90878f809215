//! What can come to the webhook door (F-046 to F-066), signed by the provider's rule or by nobody.

use std::time::Duration;

use futures_util::future::join_all;
use issuance::domain::{Discrepancy, FailureKind, OperatorAct, OperatorAction, Order};
use issuance::store::{Receipt, Standing};
use issuance_audit::Invariant;
use issuance_simulator::{Endpoint, Fault};
use issuance_tests::requests::{request, simple};
use issuance_tests::world::{World, policy};
use serde_json::json;
use std::sync::Arc;

use super::support::{
    CREATE, count, deliver, event, eventually, failure, ids, judge, judge_one_key, names, place,
    world,
};

pub(super) const STRANGER: &str = "0c6f7f7e-52b1-4d3c-a1de-94b70c28e613";

/// An order that is accepted and stays so: no webhook of the simulator, no card of its own.
pub(super) async fn accepted(world: &World, number: u32) -> Arc<Order> {
    world.fault(number, None, Fault::NeverActivates);
    let id = place(world, simple(number)).await;
    world.until_state(id, "accepted").await
}

pub(super) async fn standings(world: &World) -> Vec<Standing> {
    let unsettled = world.engine.unsettled_messages(1_000).await.unwrap();
    unsettled
        .into_iter()
        .map(|(_, standing)| standing)
        .collect()
}

#[tokio::test]
async fn f_046_a_message_before_the_answer_waits_for_its_order() {
    let world = world().await;
    // Nothing in it but the provider's own names, and they are not known yet: only the answer will tell them.
    world.fault(
        1,
        None,
        Fault::WebhookPatch {
            merge: json!({ "data": { "metadata": null, "cardholder": null } }),
        },
    );
    world.fault(1, Some(1), Fault::WebhookEarly);
    world.fault_at(1, Some(1), CREATE, Fault::LostAfterEffect);
    let id = place(&world, simple(1)).await;
    eventually("parked", async || {
        standings(&world).await == [Standing::Parked]
    })
    .await;
    assert_eq!(
        world.engine.order(id).await.unwrap().unwrap().state.name(),
        "requested"
    );
    world.until_state(id, "active").await;
    eventually("settled", async || standings(&world).await.is_empty()).await;
    judge_one_key(&world.engine, &world.simulator, id).await;
}

#[tokio::test]
async fn f_047_the_same_delivery_many_times_at_once_is_one() {
    let world = world().await;
    // The test speaks for the provider, whose card is not active.
    world.makes_untrue(Invariant::S18);
    let order = accepted(&world, 1).await;
    let (card, card_order) = ids(&order);
    let message = event(
        "card.create.succeeded",
        &card_order,
        &json!({ "card_id": card, "card_status": "ACTIVE" }),
    );
    let receipts = join_all((0..16).map(|_| deliver(&world.engine, &message))).await;
    let stored = receipts
        .iter()
        .filter(|receipt| matches!(receipt, Ok(Receipt::Stored)))
        .count();
    let repeats = receipts
        .iter()
        .filter(|receipt| matches!(receipt, Ok(Receipt::Repeat)))
        .count();
    assert_eq!((stored, repeats), (1, 15));
    world.until_state(order.id, "active").await;
    assert_eq!(
        count(&names(&world.engine, order.id).await, "card_activated"),
        1
    );
    // From the provider itself, too.
    world.fault(2, None, Fault::WebhookDuplicate { copies: 5 });
    let second = place(&world, simple(2)).await;
    world.until_state(second, "active").await;
    let sent = async || {
        let deliveries = world.simulator.ledger_without_requests().deliveries;
        deliveries
            .iter()
            .filter(|delivery| {
                delivery
                    .attempts
                    .iter()
                    .any(|tried| tried.status == Some(200))
            })
            .count()
            >= 6
    };
    eventually("delivered six times", sent).await;
    assert_eq!(
        count(&names(&world.engine, second).await, "card_activated"),
        1
    );
}

#[tokio::test]
async fn f_048_the_order_of_messages_decides_nothing() {
    let slow = Duration::from_secs(3_600);
    let world = super::support::with(
        issuance_simulator::Config::default(),
        issuance::domain::Policy {
            look_up_first: slow,
            look_up_cap: slow,
            ..policy()
        },
    )
    .await;
    // Failed, then succeeded: neither is believed, the provider's record is.
    world.fault(1, None, Fault::WebhookDrop);
    let id = place(&world, simple(1)).await;
    let first = world.until_state(id, "accepted").await;
    let (card, card_order) = ids(&first);
    eventually("made", async || {
        world.simulator.ledger_without_requests().cards[0]
            .history
            .len()
            > 1
    })
    .await;
    deliver(
        &world.engine,
        &event(
            "card.create.failed",
            &card_order,
            &json!({ "card_id": card }),
        ),
    )
    .await
    .unwrap();
    let active = json!({ "card_id": card, "card_status": "ACTIVE" });
    deliver(
        &world.engine,
        &event("card.create.succeeded", &card_order, &active),
    )
    .await
    .unwrap();
    let order = world.until_state(id, "active").await;
    assert_eq!(
        order.discrepancies,
        [Discrepancy::ActiveCardFailed],
        "and the contradiction is shown"
    );
    // Succeeded, then failed, then an update older than both: active stays active, the contradiction is read.
    let second = place(&world, simple(2)).await;
    let second = world.until_state(second, "active").await;
    let (card, card_order) = ids(&second);
    let before = world.simulator.ledger().requests.len();
    deliver(
        &world.engine,
        &event(
            "card.create.failed",
            &card_order,
            &json!({ "card_id": card }),
        ),
    )
    .await
    .unwrap();
    let old = json!({ "card_id": card, "card_status": "PENDING" });
    deliver(
        &world.engine,
        &event("card.create.succeeded", &card_order, &old),
    )
    .await
    .unwrap();
    eventually("read", async || {
        world.simulator.ledger().requests.len() > before
    })
    .await;
    eventually("settled", async || standings(&world).await.is_empty()).await;
    assert_eq!(
        world
            .engine
            .order(second.id)
            .await
            .unwrap()
            .unwrap()
            .state
            .name(),
        "active"
    );
    for id in [first.id, second.id] {
        judge(&world.simulator, id, 1);
    }
}

#[tokio::test]
async fn f_049_a_success_long_after_the_end_is_shown_and_changes_no_state() {
    let world = world().await;
    let order = accepted(&world, 1).await;
    let act = OperatorAct {
        actor: "ada".into(),
        reason: "a test".into(),
        action: OperatorAction::Fail,
    };
    world.engine.operate(order.id, act, None).await.unwrap();
    world.until_state(order.id, "failed").await;
    let (card, card_order) = ids(&order);
    let message = event(
        "card.create.succeeded",
        &card_order,
        &json!({ "card_id": card, "card_status": "ACTIVE" }),
    );
    for _ in 0..3 {
        deliver(&world.engine, &message).await.unwrap();
    }
    let late = |order: &Order| matches!(order.discrepancies[..], [Discrepancy::LateSuccess { .. }]);
    let order = world.until(order.id, "contradicted", late).await;
    assert_eq!(failure(&order), Some(FailureKind::OperatorFailed));
    assert_eq!(
        count(&names(&world.engine, order.id).await, "discrepancy_noted"),
        1
    );
}

#[tokio::test]
async fn f_050_without_a_single_message_every_order_ends_the_same() {
    let world = world().await;
    world.simulator.set_webhook(None);
    let good = place(&world, simple(1)).await;
    world.fault(
        2,
        None,
        Fault::CardFails {
            failure_code: Some("card_creation_failed".into()),
        },
    );
    let bad = place(&world, simple(2)).await;
    world.until_state(good, "active").await;
    let order = world.until_state(bad, "failed").await;
    assert_eq!(failure(&order), Some(FailureKind::CreationFailed));
    judge_one_key(&world.engine, &world.simulator, good).await;
}

#[tokio::test]
async fn f_063_events_and_versions_nobody_knows_are_acknowledged_and_change_nothing() {
    let world = world().await;
    // The test speaks for the provider, whose card is not active.
    world.makes_untrue(Invariant::S18);
    let order = accepted(&world, 1).await;
    let (card, card_order) = ids(&order);
    let before = names(&world.engine, order.id).await;
    for event_type in [
        "card.create.teleported",
        "issuing.fee.card",
        "CARD_CREATE",
        "x".repeat(50).as_str(),
    ] {
        let message = event(
            event_type,
            &card_order,
            &json!({ "card_id": card, "card_status": "ACTIVE" }),
        );
        let receipt = deliver(&world.engine, &message).await;
        assert!(
            matches!(receipt, Ok(Receipt::Stored)),
            "{event_type}: {receipt:?}"
        );
    }
    eventually("settled", async || {
        standings(&world)
            .await
            .iter()
            .all(|standing| matches!(standing, Standing::Quarantined { .. }))
    })
    .await;
    let decided = |names: &[&str]| {
        names.iter().any(|name| {
            matches!(
                *name,
                "card_activated" | "order_failed" | "failure_reported"
            )
        })
    };
    let after = names(&world.engine, order.id).await;
    assert!(!decided(&after), "{before:?} {after:?}");
    // A newer version of a known event is that event.
    let message = event(
        "card.create.succeeded",
        &card_order,
        &json!({ "card_id": card, "card_status": "ACTIVE" }),
    );
    let newer = String::from_utf8(message)
        .unwrap()
        .replace("V1.6.0", "V1.7.0");
    deliver(&world.engine, newer.as_bytes()).await.unwrap();
    world.until_state(order.id, "active").await;
}

#[tokio::test]
async fn f_064_a_message_about_a_strangers_card_is_kept_and_applied_to_nobody() {
    let world = world().await;
    let order = accepted(&world, 1).await;
    let before = names(&world.engine, order.id).await;
    let data = json!({ "card_id": STRANGER, "card_status": "ACTIVE", "metadata": { "issuance_order": STRANGER } });
    deliver(
        &world.engine,
        &event("card.create.succeeded", STRANGER, &data),
    )
    .await
    .unwrap();
    let person =
        json!({ "cardholder_id": STRANGER, "cardholder_status": "FAILED", "idv_status": "FAILED" });
    deliver(
        &world.engine,
        &event("cardholder.kyc.status_changed", STRANGER, &person),
    )
    .await
    .unwrap();
    // Somebody else's system, under the same account: its cards bear its own metadata.
    let theirs =
        json!({ "card_id": STRANGER, "card_status": "ACTIVE", "metadata": { "saga": "7" } });
    let theirs = event("card.create.succeeded", STRANGER, &theirs);
    deliver(&world.engine, &theirs).await.unwrap();
    let why = |why: &str| Standing::Quarantined { why: why.into() };
    let expected = [
        why("it is about a card of an order that is not in this log"),
        // A person may be one of ours whose name is still to come.
        Standing::Parked,
        why("it is about a card with another system's metadata"),
    ];
    eventually("kept with its reason", async || {
        standings(&world).await == expected
    })
    .await;
    let news = names(&world.engine, order.id).await.split_off(before.len());
    assert!(news.is_empty(), "{news:?}");
}

/// Found by simulation (seed 0x4343): the person is of two orders, and one of them had not heard of its card yet.
#[tokio::test]
async fn f_040_a_card_is_never_known_by_its_person_alone() {
    let world = world().await;
    // Its create call never arrives: it knows a person, and no card.
    world.fault_at(1, None, CREATE, Fault::LostBeforeEffect);
    let existing = json!({ "type": "existing", "cardholder_id": STRANGER });
    let id = place(&world, request(1, json!({ "cardholder": existing }))).await;
    let data = json!({
        "card_id": uuid::Uuid::new_v4(), "card_status": "ACTIVE", "cardholder": { "cardholder_id": STRANGER },
    });
    let message = event("card.create.succeeded", STRANGER, &data);
    deliver(&world.engine, &message).await.unwrap();
    eventually(
        "parked until a card of ours is known by its name",
        async || standings(&world).await == [Standing::Parked],
    )
    .await;
    let order = world.engine.order(id).await.unwrap().unwrap();
    assert_eq!((order.state.name(), &order.ids.card), ("requested", &None));
}

#[tokio::test]
async fn f_064_a_test_event_that_names_our_card_is_kept_and_not_applied() {
    let world = world().await;
    // The test speaks for the provider, whose card is not active.
    world.makes_untrue(Invariant::S18);
    let order = accepted(&world, 1).await;
    let before = names(&world.engine, order.id).await;
    let (card, card_order) = ids(&order);
    let data = json!({ "card_id": card, "card_status": "ACTIVE" });
    let real = event("card.create.succeeded", &card_order, &data);
    let real = String::from_utf8(real).unwrap();
    deliver(&world.engine, real.replace("ISSUING", "TEST").as_bytes())
        .await
        .unwrap();
    eventually("kept with its reason", async || {
        let standings = standings(&world).await;
        matches!(standings.as_slice(), [Standing::Quarantined { why }] if why.contains("ISSUING"))
    })
    .await;
    let news = names(&world.engine, order.id).await.split_off(before.len());
    assert!(news.is_empty(), "{news:?}");
    // As the provider words it, in whatever case.
    let id = uuid::Uuid::new_v4().to_string();
    let mut real: serde_json::Value = serde_json::from_str(&real).unwrap();
    real["event_id"] = json!(id);
    real["event_name"] = json!("issuing");
    deliver(&world.engine, real.to_string().as_bytes())
        .await
        .unwrap();
    world.until_state(order.id, "active").await;
}

#[tokio::test]
async fn f_066_created_says_the_message_pending_says_the_record_and_the_record_is_asked_again() {
    let world = world().await;
    world.fault(
        1,
        None,
        Fault::WebhookPatch {
            merge: json!({ "data": { "card_status": null } }),
        },
    );
    let pending =
        |endpoint, merge| world.fault_at(1, None, Some(endpoint), Fault::AnswerPatch { merge });
    pending(Endpoint::GetCard, json!({ "card_status": "PENDING" }));
    let id = place(&world, simple(1)).await;
    let read_twice = async || super::support::calls(&world.simulator, Endpoint::GetCard) >= 2;
    eventually("read again", read_twice).await;
    let order = world.engine.order(id).await.unwrap().unwrap();
    assert_eq!(
        order.state.name(),
        "accepted",
        "the record has the last word"
    );
    world.simulator.clear_faults();
    world.until_state(id, "active").await;
    judge_one_key(&world.engine, &world.simulator, id).await;
}
