//! Deliveries: signature, retries, names, acknowledgement (contract §5).

use std::sync::atomic::Ordering;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use issuance_simulator::{Config, DeliveryState, Naming, TimestampUnit};
use sha2::Sha512;

use crate::support::*;

fn signature_is_valid(delivered: &Delivered) -> bool {
    let mut mac = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(delivered.body.as_bytes());
    mac.update(delivered.headers["x-wk-timestamp"].as_bytes());
    mac.verify_slice(&hex::decode(&delivered.headers["x-wk-signature"]).unwrap())
        .is_ok()
}

#[tokio::test]
async fn deliveries_are_signed_with_thirteen_digits_or_ten() {
    for (unit, digits) in [
        (TimestampUnit::Milliseconds, 13),
        (TimestampUnit::Seconds, 10),
    ] {
        let receiver = Receiver::start().await;
        let world = World::with(Config {
            webhook: Some(receiver.target()),
            webhook_timestamp: unit,
            ..quick()
        })
        .await;
        world.create(&simple()).await;
        let delivered = receiver.next().await;
        assert!(signature_is_valid(&delivered));
        assert_eq!(delivered.headers["x-wk-timestamp"].len(), digits);
    }
}

#[tokio::test]
async fn without_a_secret_there_is_no_signature() {
    let receiver = Receiver::start().await;
    let world = World::start().await;
    world
        .control("/webhook", &serde_json::json!({"url": receiver.url}))
        .await;
    world.create(&simple()).await;
    assert!(!receiver.next().await.headers.contains_key("x-wk-signature"));
}

#[tokio::test]
async fn a_refused_delivery_is_tried_six_times_with_the_same_body() {
    let receiver = Receiver::start().await;
    receiver.status.store(503, Ordering::Relaxed);
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        ..quick()
    })
    .await;
    world.create(&simple()).await;
    let first = receiver.next().await;
    for _ in 0..5 {
        let again = receiver.next().await;
        assert_eq!(again.body, first.body);
        assert!(signature_is_valid(&again));
    }
    let deliveries = world.ledger().deliveries;
    let delivery = deliveries
        .iter()
        .find(|d| d.event_type == "card.create.succeeded")
        .unwrap();
    let waits: Vec<i64> = delivery
        .attempts
        .windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect();
    for (wait, planned) in waits.iter().zip([16, 32, 64, 128, 256]) {
        assert!(*wait >= planned, "{waits:?}");
    }
}

#[tokio::test]
async fn a_later_200_ends_the_retries_and_201_does_not_count() {
    let receiver = Receiver::start().await;
    receiver.status.store(201, Ordering::Relaxed);
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        ..quick()
    })
    .await;
    world.create(&simple()).await;
    receiver.next().await;
    receiver.status.store(200, Ordering::Relaxed);
    receiver.next().await;
    for _ in 0..1000 {
        if world.ledger().deliveries[0].state == DeliveryState::Delivered {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let delivery = &world.ledger().deliveries[0];
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert!(delivery.attempts.len() >= 2);
    assert_eq!(delivery.attempts[0].status, Some(201));
}

#[tokio::test]
async fn a_retry_can_keep_its_first_timestamp() {
    let receiver = Receiver::start().await;
    receiver.status.store(500, Ordering::Relaxed);
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        webhook_resign: false,
        ..quick()
    })
    .await;
    world.create(&simple()).await;
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!(
        first.headers["x-wk-timestamp"],
        second.headers["x-wk-timestamp"]
    );
    assert!(signature_is_valid(&second));
}

#[tokio::test]
async fn older_endpoints_hear_swapped_names() {
    let receiver = Receiver::start().await;
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        webhook_naming: Naming::Swapped,
        ..quick()
    })
    .await;
    world.create(&simple()).await;
    let event = receiver.next().await.json();
    assert_eq!(
        (&event["event_type"], &event["event_name"]),
        (&"ISSUING".into(), &"card.create.succeeded".into())
    );
    assert_eq!(event["version"], "V1.5.2");
}

#[tokio::test]
async fn advancing_the_clock_fires_what_became_due() {
    let receiver = Receiver::start().await;
    let config = Config {
        webhook: Some(receiver.target()),
        processing_delay: Duration::from_secs(3600),
        ..quick()
    };
    let world = World::with(config).await;
    let card = world.create(&simple()).await;
    let (status, clock) = world
        .control("/clock/advance", &serde_json::json!({"seconds": 3600}))
        .await;
    assert_eq!((status, &clock["advanced_seconds"]), (200, &3600.into()));
    assert_eq!(
        world.status_of(&card),
        issuance_simulator::CardStatus::Active
    );
    let delivered = receiver.next().await;
    let signed: i64 = delivered.headers["x-wk-timestamp"].parse().unwrap();
    assert!(
        signed < world.simulator.now() - 3_000_000,
        "signed by real time, so that receivers find it fresh"
    );
}
