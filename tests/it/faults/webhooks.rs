//! What can come to the webhook door (F-046 to F-066), signed by the provider's rule or by nobody.

use std::time::Duration;

use futures_util::future::join_all;
use issuance::WebhookError;
use issuance::domain::{Discrepancy, FailureKind, OperatorAct, OperatorAction, Order};
use issuance::store::{Receipt, Standing, StoreError};
use issuance_simulator::{Endpoint, Fault};
use issuance_store::SimulatedStore;
use issuance_tests::requests::simple;
use issuance_tests::world::{World, policy};
use serde_json::json;
use std::sync::Arc;

use super::mortal::{At, Death, Lives, brief};
use super::support::{
    CREATE, count, deliver, deliver_at, event, eventually, failure, ids, judge, judge_one_key,
    names, now, place, sign, world,
};

const STRANGER: &str = "0c6f7f7e-52b1-4d3c-a1de-94b70c28e613";

/// An order that is accepted and stays so: no webhook of the simulator, no card of its own.
async fn accepted(world: &World, number: u32) -> Arc<Order> {
    world.fault(number, None, Fault::NeverActivates);
    let id = place(world, simple(number)).await;
    world.until_state(id, "accepted").await
}

async fn standings(world: &World) -> Vec<Standing> {
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
        order.discrepancy,
        Some(Discrepancy::ActiveCardFailed),
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
    let late = |order: &Order| matches!(order.discrepancy, Some(Discrepancy::LateSuccess { .. }));
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
async fn f_051_what_nobody_with_our_secret_signed_leaves_no_trace() {
    let world = world().await;
    let order = accepted(&world, 1).await;
    let (card, card_order) = ids(&order);
    let message = event(
        "card.create.succeeded",
        &card_order,
        &json!({ "card_id": card, "card_status": "ACTIVE" }),
    );
    let (at, good) = (now().to_string(), sign(&message, &now().to_string()));
    let other = sign(b"{}", &at);
    let long = "0".repeat(100_000);
    for signature in [
        "",
        "00",
        &other,
        &good[1..],
        &"z".repeat(128),
        &"é".repeat(64),
        &long,
    ] {
        let verdict = world
            .engine
            .receive_webhook(&[signature.as_bytes()], &[at.as_bytes()], &message)
            .await;
        assert!(
            matches!(verdict, Err(WebhookError::Unverified)),
            "{signature:.40}"
        );
    }
    let good = sign(&message, &at);
    for (signatures, timestamps) in [
        (vec![], vec![at.as_bytes()]),
        (vec![good.as_bytes()], vec![]),
    ] {
        assert!(
            world
                .engine
                .receive_webhook(&signatures, &timestamps, &message)
                .await
                .is_err()
        );
    }
    let twice = [good.as_bytes(), good.as_bytes()];
    assert!(
        world
            .engine
            .receive_webhook(&twice, &[at.as_bytes()], &message)
            .await
            .is_err()
    );
    assert!(standings(&world).await.is_empty());
    let upper = good.to_uppercase();
    world
        .engine
        .receive_webhook(&[upper.as_bytes()], &[at.as_bytes()], &message)
        .await
        .unwrap();
    world.until_state(order.id, "active").await;
}

#[tokio::test]
async fn f_052_a_genuine_delivery_played_again_is_a_repeat() {
    let world = world().await;
    let order = accepted(&world, 1).await;
    let (card, card_order) = ids(&order);
    let message = event(
        "card.create.succeeded",
        &card_order,
        &json!({ "card_id": card, "card_status": "ACTIVE" }),
    );
    let at = now();
    assert_eq!(
        deliver_at(&world.engine, &message, at).await.unwrap(),
        Receipt::Stored
    );
    world.until_state(order.id, "active").await;
    let before = names(&world.engine, order.id).await;
    for at in [at, at + 1_000, at - 60_000] {
        assert_eq!(
            deliver_at(&world.engine, &message, at).await.unwrap(),
            Receipt::Repeat
        );
    }
    assert_eq!(names(&world.engine, order.id).await, before);
}

#[tokio::test]
async fn f_053_an_old_but_genuine_message_is_refused_and_makes_us_look() {
    let slow = Duration::from_secs(3_600);
    let policy = issuance::domain::Policy {
        look_up_first: slow,
        look_up_cap: slow,
        ..policy()
    };
    let world = super::support::with(issuance_simulator::Config::default(), policy).await;
    world.fault(1, None, Fault::WebhookDrop);
    let id = place(&world, simple(1)).await;
    let order = world.until_state(id, "accepted").await;
    let (card, card_order) = ids(&order);
    let is_made = async || {
        world.simulator.ledger_without_requests().cards[0]
            .history
            .len()
            > 1
    };
    eventually("made", is_made).await;
    let message = event(
        "card.create.succeeded",
        &card_order,
        &json!({ "card_id": card, "card_status": "ACTIVE" }),
    );
    let verdict = deliver_at(&world.engine, &message, now() - 1_000_000).await;
    assert!(matches!(verdict, Err(WebhookError::Stale)), "{verdict:?}");
    world.until_state(id, "active").await;
    let read = super::support::calls(&world.simulator, Endpoint::GetCard)
        + super::support::calls(&world.simulator, Endpoint::ListCards);
    assert!(read > 0, "by a look-up, not by the message");
}

#[tokio::test]
async fn f_058_dead_between_the_inbox_and_the_200_the_next_delivery_is_a_repeat() {
    let first = Lives::begin(brief(), Death::After, At::Message).await;
    let id = first.place(simple(1)).await;
    let data = json!({ "card_id": "c-1", "card_status": "PENDING", "metadata": { "issuance_order": id.to_string() } });
    let message = event("card.create.succeeded", "o-1", &data);
    assert!(deliver(&first.engine, &message).await.is_err(), "no 200");
    let next = first.again(Death::Before, At::Nothing);
    assert_eq!(
        deliver(&next.engine, &message).await.unwrap(),
        Receipt::Repeat
    );
}

#[tokio::test]
async fn f_059_what_is_not_durable_is_not_acknowledged() {
    let first = Lives::begin(brief(), Death::Unsynced, At::Message).await;
    let message = event(
        "card.create.succeeded",
        STRANGER,
        &json!({ "card_id": STRANGER, "card_status": "ACTIVE" }),
    );
    assert!(deliver(&first.engine, &message).await.is_err(), "no 200");
    let next = first.again(Death::Before, At::Nothing);
    assert_eq!(
        deliver(&next.engine, &message).await.unwrap(),
        Receipt::Stored
    );
}

#[tokio::test]
async fn f_060_a_store_that_cannot_never_acknowledges() {
    let store = Arc::new(SimulatedStore::new(policy()));
    let world = World::start(store.clone()).await;
    let order = accepted(&world, 1).await;
    let (card, card_order) = ids(&order);
    let message = event(
        "card.create.succeeded",
        &card_order,
        &json!({ "card_id": card, "card_status": "ACTIVE" }),
    );
    store.overload(true);
    let verdict = deliver(&world.engine, &message).await;
    assert!(
        matches!(verdict, Err(WebhookError::Store(StoreError::Overloaded))),
        "{verdict:?}"
    );
    store.overload(false);
    store.fill_disk(true);
    let verdict = deliver(&world.engine, &message).await;
    assert!(
        matches!(verdict, Err(WebhookError::Store(StoreError::DiskFull))),
        "{verdict:?}"
    );
    store.fill_disk(false);
    assert_eq!(
        deliver(&world.engine, &message).await.unwrap(),
        Receipt::Stored,
        "nothing of it was kept before"
    );
    world.until_state(order.id, "active").await;
}

#[tokio::test]
async fn f_063_events_and_versions_nobody_knows_are_acknowledged_and_change_nothing() {
    let world = world().await;
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
    eventually("parked", async || {
        standings(&world).await == [Standing::Parked, Standing::Parked]
    })
    .await;
    let news = names(&world.engine, order.id).await.split_off(before.len());
    assert!(news.is_empty(), "{news:?}");
}

#[tokio::test]
async fn f_065_a_flood_is_bounded_and_what_was_taken_is_kept() {
    let world = world().await;
    let messages: Vec<_> = (0..4_000)
        .map(|_| {
            event(
                "card.create.succeeded",
                STRANGER,
                &json!({ "card_id": STRANGER, "card_status": "ACTIVE" }),
            )
        })
        .collect();
    let at = now().to_string();
    let forged = sign(b"another body", &at);
    let (signatures, timestamps) = ([forged.as_bytes()], [at.as_bytes()]);
    let forgeries = join_all(
        messages
            .iter()
            .map(|body| world.engine.receive_webhook(&signatures, &timestamps, body)),
    );
    let (verdicts, forgeries) = futures_util::join!(
        join_all(messages.iter().map(|body| deliver(&world.engine, body))),
        forgeries
    );
    assert!(
        forgeries
            .iter()
            .all(|verdict| matches!(verdict, Err(WebhookError::Unverified)))
    );
    let stored = verdicts
        .iter()
        .filter(|verdict| matches!(verdict, Ok(Receipt::Stored)))
        .count();
    let full = verdicts
        .iter()
        .filter(|verdict| matches!(verdict, Err(WebhookError::Store(StoreError::Overloaded))))
        .count();
    assert_eq!(stored + full, messages.len());
    assert!(
        stored > 0 && full > 0,
        "{stored} taken, {full} told to come again"
    );
    eventually("all parked", async || {
        world.engine.unsettled_messages(5_000).await.unwrap().len() == stored
    })
    .await;
    // The provider comes again: what was taken is known, the rest is new.
    let mut again = 0;
    for body in &messages[..1_500] {
        again += usize::from(deliver(&world.engine, body).await.unwrap() == Receipt::Repeat);
    }
    assert_eq!(again, stored.min(1_500));
    let id = place(&world, simple(1)).await;
    world.until_state(id, "active").await;
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
