//! The door: tokens, headers, limits (contract §1).

use std::time::Duration;

use issuance_simulator::{Config, SUB_ACCOUNT};
use serde_json::json;

use crate::support::*;

const PRODUCTS: &str = "/v1/issuing/products?page_size=10&page_number=1";

#[tokio::test]
async fn a_new_token_ends_the_one_before() {
    let mut world = World::start().await;
    let old = world.token.clone();
    let other = world.mint("another").await;
    assert_eq!(
        world.get(PRODUCTS).await.0,
        200,
        "another client's token is another credential"
    );
    let new = world.mint("test").await;
    assert_eq!(
        world.get(PRODUCTS).await,
        (401, json!({"error": "token has expired"}))
    );
    for token in [new, other] {
        world.token = token;
        assert_eq!(world.get(PRODUCTS).await.0, 200);
    }
    world.simulator.advance(Duration::from_secs(30 * 60)).await;
    assert_eq!(world.get(PRODUCTS).await.0, 401);
    assert!(old.split('.').count() == 3);
}

#[tokio::test]
async fn bad_credentials_are_refused() {
    let world = World::start().await;
    assert_eq!(world.mint_as("bad", "bad").await.status(), 401);
    assert_eq!(world.mint_as("bad", "good").await.status(), 200);
    assert_eq!(world.mint_as("", "key").await.status(), 400);
}

#[tokio::test]
async fn a_bare_token_is_for_lenient_simulators_only() {
    for (strict, status) in [(true, 401), (false, 200)] {
        let mut world = World::with(Config { strict, ..quick() }).await;
        world.token = world.token.strip_prefix("Bearer ").unwrap().to_owned();
        assert_eq!(world.get(PRODUCTS).await.0, status);
    }
}

#[tokio::test]
async fn a_key_is_a_lower_case_uuid() {
    let world = World::start().await;
    for key in [
        String::new(),
        key().to_uppercase(),
        "order-7".into(),
        key().replace('-', ""),
    ] {
        let (status, body) = world.post_keyed("/v1/issuing/cards", &key, &simple()).await;
        assert_eq!(status, 400, "{key}");
        assert!(body["code"].is_number(), "{body}");
    }
    assert!(world.ledger().cards.is_empty());
}

#[tokio::test]
async fn an_account_is_known_or_refused_and_sees_its_own_cards_only() {
    let world = World::start().await;
    let list = async |account: &str| {
        let request = world
            .http
            .get(world.url("/v1/issuing/cards?page_size=10&page_number=1"))
            .header("x-auth-token", &world.token)
            .header("x-on-behalf-of", account);
        answer(request.send().await.unwrap()).await
    };
    let card = world.create(&simple()).await;
    assert_eq!(list(&SUB_ACCOUNT.to_string()).await.1["total_items"], 0);
    for account in ["", "nobody", card["card_id"].as_str().unwrap()] {
        let (status, body) = list(account).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("sub_account_not_found")),
            "{account}"
        );
    }
}

#[tokio::test]
async fn beyond_the_limit_comes_429_until_the_minute_is_over() {
    let world = World::with(Config {
        rate_limit_per_minute: Some(2),
        retry_after: true,
        ..quick()
    })
    .await;
    // A minute that has just begun cannot end within the next three calls.
    let into_minute = world.simulator.now().rem_euclid(60_000);
    world
        .simulator
        .advance(Duration::from_millis(60_000 - into_minute as u64))
        .await;
    assert_eq!(world.get(PRODUCTS).await.0, 200);
    assert_eq!(world.get(PRODUCTS).await.0, 200);
    let refused = world
        .http
        .get(world.url(PRODUCTS))
        .header("x-auth-token", &world.token)
        .send()
        .await
        .unwrap();
    assert!(
        refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            <= 60
    );
    let (status, body) = answer(refused).await;
    assert_eq!((status, &body["code"]), (429, &json!("too_many_requests")));
    assert!(body.get("type").is_none());
    world.simulator.advance(Duration::from_secs(60)).await;
    assert_eq!(world.get(PRODUCTS).await.0, 200);
}

#[tokio::test]
async fn a_route_nobody_has_is_404() {
    let world = World::start().await;
    assert_eq!(world.get("/v1/issuing/nothing").await.0, 404);
}
