//! Who may come through the webhook door, how often, and what is kept (F-051 to F-065).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use issuance::WebhookError;
use issuance::store::{Receipt, Standing, StoreError};
use issuance_audit::Invariant;
use issuance_simulator::{Endpoint, Fault};
use issuance_store::{SimulatedStore, Store as _};
use issuance_tests::requests::simple;
use issuance_tests::world::{World, policy};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::mortal::{At, Death, Lives, brief};
use super::support::{deliver, deliver_at, event, eventually, ids, names, now, place, sign, world};
use super::webhooks::{STRANGER, accepted, standings};

#[tokio::test]
async fn f_051_what_nobody_with_our_secret_signed_leaves_no_trace() {
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
    // The test speaks for the provider, whose card is not active.
    world.makes_untrue(Invariant::S18);
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

/// The log is handed out, and what a person's data may be is soon tried: names, numbers, days of birth.
#[tokio::test]
async fn what_the_log_has_of_a_body_nobody_can_try() {
    let store = Arc::new(SimulatedStore::new(policy()));
    let world = World::start(store.clone()).await;
    let known = event(
        "card.create.succeeded",
        "order-of-nobody",
        &json!({ "card_id": "card-of-nobody" }),
    );
    let unreadable = b"{\"event_type\": 7, \"name\": \"Jo Example\"}".to_vec();
    for body in [&known, &unreadable] {
        assert_eq!(deliver(&world.engine, body).await.unwrap(), Receipt::Stored);
    }
    let mut kept = store.pending_messages(10).await.unwrap();
    let unsettled = store.unsettled_messages(10).await.unwrap();
    kept.extend(unsettled.into_iter().map(|(message, _)| message));
    assert!(kept.len() >= 2);
    let kept = serde_json::to_string(&kept).unwrap();
    for body in [&known, &unreadable] {
        let plain = hex::encode(Sha256::digest(body));
        assert!(!kept.contains(&plain), "{kept}");
    }
}

#[tokio::test]
async fn f_060_a_store_that_cannot_never_acknowledges() {
    let store = Arc::new(SimulatedStore::new(policy()));
    let world = World::start(store.clone()).await;
    // The test speaks for the provider, whose card is not active.
    world.makes_untrue(Invariant::S18);
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
async fn f_057_a_genuine_body_nobody_can_read_is_kept_for_a_person() {
    let world = world().await;
    let bodies: [Vec<u8>; 8] = [
        b"\xff\xfe{}".to_vec(),
        b"{\"event_id\":".to_vec(),
        b"[]".to_vec(),
        br#"{"event_id":"a","event_id":"b","event_type":"card.create.succeeded"}"#.to_vec(),
        [vec![b'['; 100_000], vec![b']'; 100_000]].concat(),
        [
            br#"{"data":"#.repeat(25_000),
            b"1".to_vec(),
            vec![b'}'; 25_000],
        ]
        .concat(),
        br#"{"event_id":"\ud800","event_type":"card.create.succeeded","data":{}}"#.to_vec(),
        b"{\"event_id\":\"a\0b\"}".to_vec(),
    ];
    for body in &bodies {
        assert_eq!(
            deliver(&world.engine, body).await.unwrap(),
            Receipt::Stored,
            "{:.60}",
            String::from_utf8_lossy(body)
        );
    }
    eventually("quarantined, all of them", async || {
        let quarantined = |standing: &Standing| matches!(standing, Standing::Quarantined { .. });
        standings(&world)
            .await
            .iter()
            .filter(|standing| quarantined(standing))
            .count()
            == bodies.len()
    })
    .await;
    let large = vec![b' '; 2_000_000];
    assert!(matches!(
        deliver(&world.engine, &large).await,
        Err(WebhookError::TooLarge)
    ));
    let id = place(&world, simple(1)).await;
    world.until_state(id, "active").await;
}

#[tokio::test]
async fn f_057_another_body_under_a_known_event_id_is_kept_for_a_person() {
    let world = world().await;
    // The test speaks for the provider, whose card is not active.
    world.makes_untrue(Invariant::S18);
    let order = accepted(&world, 1).await;
    let (card, card_order) = ids(&order);
    let active = json!({ "card_id": card, "card_status": "ACTIVE" });
    let first = event("card.create.succeeded", &card_order, &active);
    assert_eq!(
        deliver(&world.engine, &first).await.unwrap(),
        Receipt::Stored
    );
    world.until_state(order.id, "active").await;
    let before = names(&world.engine, order.id).await;
    let other = String::from_utf8(first).unwrap();
    let other = other.replace("card.create.succeeded", "card.create.failed");
    for _ in 0..3 {
        let receipt = deliver(&world.engine, other.as_bytes()).await.unwrap();
        assert_eq!(receipt, Receipt::Forged);
    }
    eventually("kept with its reason", async || {
        let standings = standings(&world).await;
        matches!(standings.as_slice(), [Standing::Quarantined { why }] if why.contains("another body"))
    })
    .await;
    assert_eq!(names(&world.engine, order.id).await, before);
}
