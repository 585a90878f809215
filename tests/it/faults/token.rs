//! Tokens that end early or are not to be had (F-028 to F-031).

use std::sync::Arc;

use futures_util::future::join_all;
use issuance::{Clock, SystemClock};
use issuance_simulator::{Config, Endpoint, Fault};
use issuance_store::SimulatedStore;
use issuance_tests::requests::simple;
use issuance_tests::world::{Hands, World, client, policy};
use serde_json::json;

use super::support::{
    answer, calls, eventually, fault_everywhere, judge, judge_one_key, millis, place, world,
};

#[tokio::test]
async fn f_028_a_token_that_a_stranger_ended_is_minted_again_once() {
    let world = world().await;
    let first = place(&world, simple(1)).await;
    world.until_state(first, "active").await;
    let now = SystemClock.now().to_string().parse().unwrap();
    client(&world.simulator).mint_token(now).await.unwrap();
    let mut orders = Vec::new();
    for number in 2..=30 {
        world.fault(number, None, Fault::WebhookDrop);
        orders.push(place(&world, simple(number)).await);
    }
    for id in orders {
        world.until_state(id, "active").await;
        judge_one_key(&world.engine, &world.simulator, id).await;
    }
    assert_eq!(
        calls(&world.simulator, Endpoint::Token),
        3,
        "ours, the stranger's, and one more of ours"
    );
    // Replays of refused calls, too, are calls.
    let asked = world.simulator.ledger().requests.len() - 1;
    let spent = world.engine.health().await.budget.spent;
    assert_eq!(usize::try_from(spent).unwrap(), asked);
}

#[tokio::test]
async fn f_030_a_token_that_cannot_be_renewed_serves_until_its_end() {
    let clock = Arc::new(Hands::default());
    let store = Arc::new(SimulatedStore::new(policy()));
    let world = World::by(clock.clone(), store, Config::default(), policy()).await;
    let first = place(&world, simple(1)).await;
    world.until_state(first, "active").await;
    fault_everywhere(
        &world.simulator,
        Endpoint::Token,
        None,
        Fault::ErrorBeforeEffect(answer(json!({ "status": 500 }))),
    );
    // In the last minutes of its half hour.
    clock.set_by(26 * 60);
    let second = place(&world, simple(2)).await;
    world.until_state(second, "active").await;
    judge_one_key(&world.engine, &world.simulator, second).await;
    assert!(calls(&world.simulator, Endpoint::Token) > 1, "it tried");
}

#[tokio::test]
async fn f_030_a_token_the_provider_calls_expired_is_minted_again() {
    let world = world().await;
    let first = place(&world, simple(1)).await;
    world.until_state(first, "active").await;
    // Their clock is half an hour ahead of ours all of a sudden.
    world
        .simulator
        .advance(std::time::Duration::from_secs(1_860))
        .await;
    world.fault(2, None, Fault::WebhookDrop);
    let second = place(&world, simple(2)).await;
    world.until_state(second, "active").await;
    judge_one_key(&world.engine, &world.simulator, second).await;
    assert_eq!(calls(&world.simulator, Endpoint::Token), 2);
}

#[tokio::test]
async fn f_029_tokens_refused_for_long_are_told_apart_from_a_provider_out_of_reach() {
    let world = world().await;
    let first = place(&world, simple(1)).await;
    world.until_state(first, "active").await;
    let expired = answer(json!({ "status": 401, "body": { "error": "token has expired" } }));
    fault_everywhere(
        &world.simulator,
        Endpoint::CreateCard,
        None,
        Fault::ErrorBeforeEffect(expired),
    );
    let mut orders = Vec::new();
    for number in 2..=8 {
        orders.push(place(&world, simple(number)).await);
    }
    let mut why = None;
    eventually("the breaker is open", async || {
        why = world.engine.health().await.breaker;
        why.is_some()
    })
    .await;
    let (reason, _) = why.unwrap();
    assert!(reason.contains("token"), "{reason}");
    world.simulator.clear_faults();
    for id in orders {
        world.until_state(id, "active").await;
        judge_one_key(&world.engine, &world.simulator, id).await;
    }
}

#[tokio::test]
async fn f_031_no_token_fails_no_order() {
    let refusals = [
        json!({ "status": 429, "body": { "code": "too_many_requests", "message": "slow down" }, "retry_after": "1" }),
        json!({ "status": 500 }),
        json!({ "status": 400, "body": { "code": "invalid_request", "message": "Invalid client id" } }),
        json!({ "status": 401, "body": { "error": "IP not allowed" } }),
    ];
    join_all(refusals.into_iter().map(no_token)).await;
}

async fn no_token(refusal: serde_json::Value) {
    let world = world().await;
    let known = place(&world, simple(100)).await;
    world.until_state(known, "active").await;
    // Somebody else minted, so ours is dead, and no new one is to be had.
    client(&world.simulator)
        .mint_token(SystemClock.now().to_string().parse().unwrap())
        .await
        .unwrap();
    let before = calls(&world.simulator, Endpoint::Token);
    fault_everywhere(
        &world.simulator,
        Endpoint::Token,
        None,
        Fault::ErrorBeforeEffect(answer(refusal.clone())),
    );
    let mut orders = Vec::new();
    for number in 1..=5 {
        orders.push(place(&world, simple(number)).await);
    }
    eventually("refused", async || {
        calls(&world.simulator, Endpoint::Token) > before
    })
    .await;
    tokio::time::sleep(millis(100)).await;
    for id in &orders {
        let order = world.engine.order(*id).await.unwrap().unwrap();
        assert_eq!(
            (order.state.name(), &order.attention),
            ("requested", &None),
            "{refusal}"
        );
    }
    for id in &orders {
        judge(&world.simulator, *id, 0);
    }
    assert!(
        calls(&world.simulator, Endpoint::Token) - before <= 5,
        "waited between mints: {refusal}"
    );
    world.simulator.clear_faults();
    for id in orders {
        world.until_state(id, "active").await;
        judge_one_key(&world.engine, &world.simulator, id).await;
    }
}
