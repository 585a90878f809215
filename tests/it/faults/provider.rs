//! What the provider's API can do to a call (F-025 to F-044).

use issuance::domain::{
    AttentionReason, CardRequest, Discrepancy, FailureKind, Order, Policy, SilenceCause, State,
};
use issuance::{Clock, Engine, SystemClock};
use issuance_simulator::{Config, Endpoint, Fault, Simulator};
use issuance_store::SimulatedStore;
use issuance_tests::requests::{request, simple};
use issuance_tests::world::{client, limits, policy};
use serde_json::json;
use std::sync::Arc;

use super::support::{
    CREATE, answer, calls, count, deliver, event, eventually, failure, fault_everywhere, judge,
    judge_one_key, keys, millis, names, place, silences, with, world,
};

#[tokio::test]
async fn f_025_a_provider_that_cannot_be_reached_was_sent_nothing() {
    let simulator = Simulator::start(Config::default(), ([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    let (address, client) = (simulator.addr(), client(&simulator));
    let engine = Engine::builder()
        .store(Arc::new(SimulatedStore::new(policy())))
        .uqpay(client)
        .policy(policy())
        .limits(limits())
        .build()
        .unwrap();
    let running = engine.clone();
    tokio::spawn(async move { running.run().await });
    // The products are known; then the provider is gone.
    engine.place(simple(1)).await.unwrap();
    simulator.shutdown().await;
    let id = engine.place(simple(2)).await.unwrap().order.id;
    eventually("told that nobody can be reached", async || {
        engine.health().await.breaker.is_some()
    })
    .await;
    let order = engine.order(id).await.unwrap().unwrap();
    assert!(
        matches!(&order.state, State::Requested { submission } if !submission.maybe_sent),
        "{order:#?}"
    );
    let simulator = Simulator::start(Config::default(), address).await.unwrap();
    eventually("active", async || {
        engine.order(id).await.unwrap().unwrap().state.name() == "active"
    })
    .await;
    judge_one_key(&engine, &simulator, id).await;
    assert!(engine.health().await.breaker.is_none());
}

#[tokio::test]
async fn f_026_no_answer_in_time_is_asked_again_under_the_same_key() {
    let world = world().await;
    world.fault_at(
        1,
        Some(1),
        CREATE,
        Fault::Slow {
            ms: 2_000,
            when: issuance_simulator::Moment::After,
        },
    );
    world.fault(1, None, Fault::WebhookDrop);
    let id = place(&world, simple(1)).await;
    world.until_state(id, "active").await;
    assert_eq!(silences(&world.engine, id).await, [SilenceCause::TimedOut]);
    judge_one_key(&world.engine, &world.simulator, id).await;
}

#[tokio::test]
async fn f_027_an_answer_nobody_can_read_is_unknown_and_never_failed() {
    let world = world().await;
    let odd = [
        json!({ "status": 200, "body": "<html>welcome to the proxy</html>" }),
        json!({ "status": 502, "body": "<html>bad gateway</html>" }),
        json!({ "status": 201, "body": [] }),
        json!({ "status": 200, "body": null }),
        json!({ "status": 200, "body": { "card_id": 7, "card_status": "PENDING" } }),
        json!({ "status": 200, "body": { "card_status": "PENDING", "order_status": "PROCESSING" } }),
        json!({ "status": 200, "body": "" }),
        json!({ "status": 200, "body": { "card_id": "x".repeat(3_000_000) } }),
        json!({ "status": 200, "body": "[".repeat(200_000) }),
    ];
    let mut orders = Vec::new();
    for (number, odd) in (1..).zip(odd) {
        world.fault_at(
            number,
            Some(1),
            CREATE,
            Fault::ErrorAfterEffect(answer(odd)),
        );
        world.fault(number, None, Fault::WebhookDrop);
        orders.push(place(&world, simple(number)).await);
    }
    world.fault_at(99, Some(1), CREATE, Fault::TruncatedAnswer);
    world.fault(99, None, Fault::WebhookDrop);
    orders.push(place(&world, simple(99)).await);
    for id in orders {
        world.until_state(id, "active").await;
        assert_eq!(silences(&world.engine, id).await.len(), 1);
        judge_one_key(&world.engine, &world.simulator, id).await;
    }
}

#[tokio::test]
async fn f_032_too_many_calls_make_orders_wait_and_none_fail() {
    let world = world().await;
    // Without a wait we can read, the next minute of the provider's is waited for: the executor's tests have the time.
    let waits = ["0", "1", "Wed, 21 Oct 2015 07:28:00 GMT"];
    let mut orders = Vec::new();
    for (number, wait) in (1..).zip(waits) {
        let refusal = json!({
            "status": 429, "body": { "code": "too_many_requests", "message": "slow down" }, "retry_after": wait,
        });
        world.fault_at(
            number,
            Some(1),
            CREATE,
            Fault::ErrorBeforeEffect(answer(refusal)),
        );
        orders.push(place(&world, simple(number)).await);
    }
    for id in orders {
        let order = world.until_state(id, "active").await;
        assert_eq!(
            silences(&world.engine, id).await,
            [SilenceCause::RateLimited]
        );
        assert!(
            order.updated_at.since(order.placed_at) >= millis(900),
            "waited a second at least"
        );
        judge_one_key(&world.engine, &world.simulator, id).await;
    }
}

#[tokio::test]
async fn f_035_a_corrected_request_has_a_key_of_its_own() {
    let world = world().await;
    let wrong = json!({ "type": "cardholder_error", "code": "invalid_phone_number", "message": "no such number" });
    let refusal = answer(json!({ "status": 400, "body": wrong, "cached": true }));
    world.fault_at(1, Some(1), CREATE, Fault::ErrorBeforeEffect(refusal));
    let refused = place(&world, simple(1)).await;
    let order = world.until_state(refused, "failed").await;
    assert_eq!(failure(&order), Some(FailureKind::Refused));
    let mut corrected = serde_json::to_value(issuance_tests::requests::person(1)).unwrap();
    corrected["phone_number"] = json!("81230947");
    let again: CardRequest = request(
        1,
        json!({
            "reference": "ref-1-corrected", "cardholder": { "type": "new", "fields": corrected },
        }),
    );
    let second = place(&world, again).await;
    world.until_state(second, "active").await;
    judge(&world.simulator, refused, 0);
    judge_one_key(&world.engine, &world.simulator, second).await;
    assert!(
        keys(&world.engine, refused)
            .await
            .is_disjoint(&keys(&world.engine, second).await)
    );

    // Refused for want of capacity, the order itself goes on under a new key.
    let empty = json!({ "type": "card_error", "code": "insufficient_sub_bin", "message": "no card is left" });
    let policy = Policy {
        capacity_retry: millis(300),
        ..policy()
    };
    let world = with(Config::default(), policy).await;
    let refusal = answer(json!({ "status": 400, "body": empty, "cached": true }));
    world.fault_at(3, Some(1), CREATE, Fault::ErrorBeforeEffect(refusal));
    let third = place(&world, simple(3)).await;
    world.until_state(third, "active").await;
    assert_eq!(keys(&world.engine, third).await.len(), 2);
    judge(&world.simulator, third, 1);
}

#[tokio::test]
async fn f_036_while_the_first_call_still_runs_the_key_stays() {
    let world = world().await;
    world.fault_at(1, Some(2), CREATE, Fault::Processing);
    // The true thing: the effect takes longer than our patience, and the repeat meets it under way.
    world.fault_at(
        2,
        Some(1),
        CREATE,
        Fault::Slow {
            ms: 1_900,
            when: issuance_simulator::Moment::Before,
        },
    );
    world.fault(2, None, Fault::WebhookDrop);
    let conflict = json!({ "status": 409, "cached": false, "body": { "type": "conflict_error", "code": "conflict", "message": "again" } });
    world.fault_at(
        3,
        Some(2),
        CREATE,
        Fault::ErrorBeforeEffect(answer(conflict)),
    );
    let first = place(&world, simple(1)).await;
    let second = place(&world, simple(2)).await;
    let third = place(&world, simple(3)).await;
    for id in [first, second, third] {
        world.until_state(id, "active").await;
        judge_one_key(&world.engine, &world.simulator, id).await;
    }
    assert_eq!(
        silences(&world.engine, first).await,
        [SilenceCause::Processing, SilenceCause::Processing]
    );
    let heard = silences(&world.engine, second).await;
    assert_eq!(
        heard[..2],
        [SilenceCause::TimedOut, SilenceCause::Processing],
        "{heard:?}"
    );
}

#[tokio::test]
async fn f_039_their_own_500_is_repeated_under_the_same_key() {
    let world = world().await;
    world.fault_at(
        1,
        Some(2),
        CREATE,
        Fault::ErrorBeforeEffect(answer(json!({ "status": 500 }))),
    );
    let id = place(&world, simple(1)).await;
    world.until_state(id, "active").await;
    let error = SilenceCause::ServerError { http_status: 500 };
    assert_eq!(silences(&world.engine, id).await, [error.clone(), error]);
    judge_one_key(&world.engine, &world.simulator, id).await;
}

#[tokio::test]
async fn f_040_a_card_of_another_name_in_the_replay_calls_a_person() {
    let world = world().await;
    let other = "11111111-2222-4333-8444-555555555555";
    world.fault_at(1, Some(1), CREATE, Fault::LostAfterEffect);
    let mixed_up = json!({ "status": 201, "body": { "card_id": other, "card_status": "PENDING" } });
    world.fault_at(1, None, CREATE, Fault::ErrorBeforeEffect(answer(mixed_up)));
    world.fault(1, None, Fault::WebhookDrop);
    let id = place(&world, simple(1)).await;
    world.until_state(id, "accepted").await;
    let card = world.simulator.ledger().cards[0].clone();
    let data = json!({
        "card_id": card.card_id, "card_status": "ACTIVE", "metadata": { "issuance_order": id.to_string() },
    });
    deliver(
        &world.engine,
        &event(
            "card.create.succeeded",
            &card.card_order_id.to_string(),
            &data,
        ),
    )
    .await
    .unwrap();
    let contradicted =
        |order: &Order| matches!(order.discrepancies[..], [Discrepancy::SecondCard { .. }]);
    let order = world.until(id, "contradicted", contradicted).await;
    assert_ne!(order.state.name(), "active");
    assert!(
        matches!(&order.attention, Some(called) if called.reason == AttentionReason::Discrepancy),
        "{order:#?}"
    );
    judge(&world.simulator, id, 1);
}

#[tokio::test]
async fn f_041_words_forms_and_gaps_nobody_documented_are_survived() {
    let world = world().await;
    let patches = [
        (CREATE, json!({ "card_status": "NEW_THING" })),
        (
            CREATE,
            json!({ "card_status": "pending", "order_status": "processing", "cardholder_status": "success" }),
        ),
        (
            CREATE,
            json!({ "card_status": null, "order_status": null, "cardholder_id": null, "create_time": null }),
        ),
        (
            CREATE,
            json!({ "card_limit": "2100.02", "verification_status": "SOMETHING_ELSE", "extra": [1, { "a": null }] }),
        ),
        (
            CREATE,
            json!({ "create_time": "yesterday", "cardholder_created": "yes", "message": 7 }),
        ),
        (Some(Endpoint::GetCard), json!({ "card_status": "active" })),
        (
            Some(Endpoint::GetCard),
            json!({ "card_limit": "many", "available_balance": 2100.02, "metadata": "{\"a\":" }),
        ),
        (
            Some(Endpoint::GetCardOrder),
            json!({ "order_type": "CREATE_CARD", "order_status": "NEW_THING" }),
        ),
    ];
    let mut orders = Vec::new();
    for (number, (endpoint, merge)) in (1..).zip(patches) {
        world.fault_at(number, None, endpoint, Fault::AnswerPatch { merge });
        world.fault(number, None, Fault::WebhookDrop);
        orders.push(place(&world, simple(number)).await);
    }
    for id in orders {
        world.until_state(id, "active").await;
        judge_one_key(&world.engine, &world.simulator, id).await;
    }
}

#[tokio::test]
async fn f_041_an_unknown_status_that_stays_is_shown_and_decides_nothing() {
    let world = world().await;
    world.fault_at(
        1,
        None,
        Some(Endpoint::GetCard),
        Fault::AnswerPatch {
            merge: json!({ "card_status": "NEW_THING" }),
        },
    );
    world.fault(1, None, Fault::WebhookDrop);
    let id = place(&world, simple(1)).await;
    let shown = |order: &Order| {
        let called = order.attention.as_ref().map(|called| &called.reason);
        matches!(called, Some(AttentionReason::UnknownWord { word, .. }) if **word == *"NEW_THING")
    };
    let order = world.until(id, "shown", shown).await;
    assert_eq!(order.state.name(), "accepted");
    world.simulator.clear_faults();
    let order = world.until_state(id, "active").await;
    assert_eq!(order.attention, None);
}

#[tokio::test]
async fn contract_9_3_a_look_up_that_fails_changes_nothing() {
    // No alarm of time, and no page of the list, which answers many look-ups at once, may help out.
    let patient = Policy {
        activation_alarm: millis(60_000),
        ..policy()
    };
    let world = with(Config::default(), patient).await;
    fault_everywhere(
        &world.simulator,
        Endpoint::ListCards,
        None,
        Fault::ErrorBeforeEffect(answer(json!({ "status": 500 }))),
    );
    let faults = [
        Fault::LostBeforeEffect,
        Fault::TruncatedAnswer,
        Fault::ErrorBeforeEffect(answer(json!({ "status": 500 }))),
        Fault::ErrorBeforeEffect(answer(
            json!({ "status": 401, "body": { "error": "token has expired" } }),
        )),
        Fault::ErrorAfterEffect(answer(json!({ "status": 200, "body": "<html>" }))),
    ];
    let mut orders = Vec::new();
    for (number, fault) in (1..).zip(faults) {
        world.fault(number, None, Fault::WebhookDrop);
        for endpoint in [Endpoint::GetCard, Endpoint::GetCardOrder] {
            world.fault_at(number, None, Some(endpoint), fault.clone());
        }
        orders.push(place(&world, simple(number)).await);
    }
    eventually("looked up ten times", async || {
        let reads =
            [Endpoint::GetCard, Endpoint::ListCards].map(|kind| calls(&world.simulator, kind));
        reads.iter().sum::<usize>() >= 10
    })
    .await;
    for id in &orders {
        let order = world.engine.order(*id).await.unwrap().unwrap();
        assert_eq!((order.state.name(), &order.attention), ("accepted", &None));
    }
    world.simulator.clear_faults();
    for id in orders {
        world.until_state(id, "active").await;
        judge_one_key(&world.engine, &world.simulator, id).await;
    }
}

#[tokio::test]
async fn f_044_a_slow_provider_holds_up_nobody_else() {
    let world = world().await;
    fault_everywhere(
        &world.simulator,
        Endpoint::CreateCard,
        None,
        Fault::Slow {
            ms: 1_900,
            when: issuance_simulator::Moment::Before,
        },
    );
    let mut orders = Vec::new();
    for number in 1..=100 {
        orders.push(place(&world, simple(number)).await);
    }
    eventually("busy", async || {
        calls(&world.simulator, Endpoint::CreateCard) > 0
    })
    .await;
    // Every place for a submission is taken; webhooks, reads, lists and new orders are as quick as ever.
    let started = SystemClock.now();
    let message = event(
        "card.create.succeeded",
        "0c6f7f7e-52b1-4d3c-a1de-94b70c28e613",
        &json!({ "card_id": "c-1" }),
    );
    deliver(&world.engine, &message).await.unwrap();
    orders.push(place(&world, simple(101)).await);
    assert!(world.engine.health().await.ready);
    assert!(
        SystemClock.now().since(started) < millis(900),
        "not behind the slow calls"
    );
    world.simulator.clear_faults();
    for id in orders {
        world.until_state(id, "active").await;
        judge(&world.simulator, id, 1);
        assert_eq!(count(&names(&world.engine, id).await, "order_accepted"), 1);
    }
}
