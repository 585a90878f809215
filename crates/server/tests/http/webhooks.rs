//! Where the provider's webhooks come in: the answers of contract §5.8.

use hmac::{Hmac, KeyInit, Mac};
use issuance::store::{Standing, Store};
use issuance::{Clock, SystemClock};
use issuance_server::{Access, PublicOptions, ServeOptions};
use reqwest::StatusCode;
use sha2::Sha512;

use crate::world::{WEBHOOK_SECRET, World};

fn seconds() -> i64 {
    SystemClock.now().millis() / 1000
}

fn sign(body: &[u8], timestamp: &str) -> String {
    let mac = Hmac::<Sha512>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    hex::encode(
        mac.chain_update(body)
            .chain_update(timestamp)
            .finalize()
            .into_bytes(),
    )
}

fn event(id: &str, card: &str) -> Vec<u8> {
    format!(
        r#"{{"version":"V1.6.0","event_name":"ISSUING","event_type":"card.create.succeeded","event_id":"{id}",
        "source_id":"0c6f7f7e-52b1-4d3c-a1de-94b70c28e613","data":{{"card_id":"{card}","card_status":"ACTIVE"}}}}"#
    )
    .into_bytes()
}

const ID: &str = "5b0c6a52-4c6e-4a8e-9d0a-1f2e3d4c5b6a";

async fn world() -> World {
    World::with(
        PublicOptions::standard(Access::Open),
        ServeOptions::standard(),
    )
    .await
}

async fn deliver(world: &World, body: &[u8], timestamp: &str, signature: &str) -> StatusCode {
    let answer = world
        .post("/webhooks/uqpay")
        .header("x-wk-timestamp", timestamp)
        .header("x-wk-signature", signature)
        .body(body.to_vec())
        .send()
        .await
        .unwrap();
    let status = answer.status();
    assert_eq!(answer.text().await.unwrap(), "", "nothing but a status");
    status
}

async fn deliver_signed(world: &World, body: &[u8]) -> StatusCode {
    let timestamp = seconds().to_string();
    deliver(world, body, &timestamp, &sign(body, &timestamp)).await
}

#[tokio::test]
async fn stored_then_acknowledged_once_and_again() {
    let world = world().await;
    let body = event(ID, "3e9f0c1d-7a6b-4c5d-9e8f-0a1b2c3d4e5f");
    for _ in 0..3 {
        assert_eq!(deliver_signed(&world, &body).await, StatusCode::OK);
    }
    assert_eq!(world.store.pending_messages(10).await.unwrap().len(), 1);
    // The same id with another body: acknowledged, and kept for a person under a name of its own.
    let other = event(ID, "00000000-0000-4000-8000-000000000000");
    for _ in 0..3 {
        assert_eq!(deliver_signed(&world, &other).await, StatusCode::OK);
    }
    let pending = world.store.pending_messages(10).await.unwrap();
    assert_eq!(pending.len(), 2);
    assert_eq!(&*pending[1].event_type, "unreadable");
}

#[tokio::test]
async fn whoever_cannot_sign_is_told_one_thing() {
    let world = world().await;
    let body = event(ID, "3e9f0c1d-7a6b-4c5d-9e8f-0a1b2c3d4e5f");
    let now = seconds().to_string();
    let good = sign(&body, &now);
    let old = (seconds() - 1000).to_string();
    for (timestamp, signature) in [
        (now.as_str(), "".to_owned()),
        (&now, "zz".repeat(64)),
        (&now, sign(b"other", &now)),
        (&now, good[..126].to_owned()),
        (&old, sign(&body, &old)),
        ("-1", sign(&body, "-1")),
    ] {
        assert_eq!(
            deliver(&world, &body, timestamp, &signature).await,
            StatusCode::UNAUTHORIZED,
            "{signature}"
        );
    }
    let without = world
        .post("/webhooks/uqpay")
        .body(body.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(without.status(), StatusCode::UNAUTHORIZED);
    let twice = world
        .post("/webhooks/uqpay")
        .header("x-wk-timestamp", &now)
        .header("x-wk-signature", &good)
        .header("x-wk-signature", &good)
        .body(body.clone());
    assert_eq!(
        twice.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    assert!(world.store.pending_messages(10).await.unwrap().is_empty());
    assert_eq!(
        deliver(&world, &body, &now, &good.to_uppercase()).await,
        StatusCode::OK
    );
}

#[tokio::test]
async fn too_large_is_not_even_verified() {
    let world = world().await;
    let body = vec![b' '; 256 * 1024 + 1];
    assert_eq!(
        deliver_signed(&world, &body).await,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let fits = vec![b' '; 256 * 1024];
    assert_eq!(
        deliver(&world, &fits, "1", "").await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn what_cannot_be_stored_is_asked_for_again() {
    let world = world().await;
    let body = event(ID, "3e9f0c1d-7a6b-4c5d-9e8f-0a1b2c3d4e5f");
    world.store.fill_disk(true);
    assert_eq!(
        deliver_signed(&world, &body).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    world.store.fill_disk(false);
    assert_eq!(deliver_signed(&world, &body).await, StatusCode::OK);
}

#[tokio::test]
async fn genuine_but_unreadable_is_kept_for_a_person() {
    let world = World::start().await;
    assert_eq!(
        deliver_signed(&world, b"{\"a\":1,\"a\":2}").await,
        StatusCode::OK
    );
    let mut kept = Vec::new();
    for _ in 0..200 {
        kept = world.engine.unsettled_messages(10).await.unwrap();
        if !kept.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(
        matches!(kept.as_slice(), [(_, Standing::Quarantined { .. })]),
        "{kept:?}"
    );
}

#[tokio::test]
async fn the_host_says_how_large_a_delivery_may_be() {
    let options = PublicOptions {
        max_webhook_bytes: 100,
        ..PublicOptions::standard(Access::Open)
    };
    let world = World::with(options, ServeOptions::standard()).await;
    let refused = deliver(&world, &[b' '; 101], "1", "").await;
    assert_eq!(refused, StatusCode::PAYLOAD_TOO_LARGE);
    let looked_at = deliver(&world, &[b' '; 100], "1", "").await;
    assert_eq!(looked_at, StatusCode::UNAUTHORIZED);
}
