//! Answers, messages and records that are about another order (F-040): kept as evidence, applied to nobody.

use issuance::domain::{
    AttentionReason, Discrepancy, Mismatch, Order, OrderId, Policy, SilenceCause,
};
use issuance_simulator::{Config, Endpoint, Fault, product};
use issuance_tests::requests::simple;
use issuance_tests::world::{World, policy};
use serde_json::{Value, json};

use super::support::{
    CREATE, answer, count, deliver, event, eventually, fault_everywhere, ids, judge, judge_one_key,
    millis, names, place, silences, with, world,
};

/// By what the answers to its create call were another order's.
async fn mismatches(world: &World, id: OrderId) -> Vec<Mismatch> {
    let heard = silences(&world.engine, id).await;
    let mismatch = |cause| match cause {
        SilenceCause::Mismatched { mismatch, .. } => Some(mismatch),
        _ => None,
    };
    heard.into_iter().filter_map(mismatch).collect()
}

fn reason(order: &Order) -> Option<&AttentionReason> {
    order.attention.as_ref().map(|called| &called.reason)
}

#[tokio::test]
async fn f_040_an_answer_that_names_another_orders_card_is_not_adopted() {
    let world = world().await;
    let theirs = place(&world, simple(2)).await;
    let theirs = world.until_state(theirs, "active").await;
    let (card, card_order) = ids(&theirs);
    let mixed_up =
        json!({ "card_id": card, "card_order_id": card_order, "card_status": "PENDING" });
    let mixed_up = answer(json!({ "status": 201, "body": mixed_up }));
    world.fault_at(1, Some(1), CREATE, Fault::ErrorAfterEffect(mixed_up));
    world.fault(1, None, Fault::WebhookDrop);

    let id = place(&world, simple(1)).await;
    let order = world.until_state(id, "active").await;
    assert_eq!(
        mismatches(&world, id).await,
        [Mismatch::Owner { order: theirs.id }]
    );
    assert_ne!(
        order.ids.card, theirs.ids.card,
        "its own card was looked for and found"
    );
    assert_eq!(order.attention, None);
    judge_one_key(&world.engine, &world.simulator, id).await;
    let untouched = world.engine.order(theirs.id).await.unwrap().unwrap();
    assert_eq!(untouched, theirs);
}

#[tokio::test]
async fn f_040_an_answer_with_another_mark_product_or_currency_is_not_adopted() {
    let world = world().await;
    let stranger: OrderId = uuid::Uuid::new_v4().to_string().parse().unwrap();
    let cases = [
        (
            json!({ "metadata": { "issuance_order": stranger.to_string() } }),
            Mismatch::Mark {
                order: Some(stranger),
            },
        ),
        (
            json!({ "metadata": "{\"issuance_order\":\"saga-7\"}" }),
            Mismatch::Mark { order: None },
        ),
        (
            json!({ "card_product_id": product::STANDARD }),
            Mismatch::Product {
                said: product::STANDARD.to_string().parse().unwrap(),
            },
        ),
        (
            json!({ "card_currency": "SGD" }),
            Mismatch::Currency {
                said: "SGD".parse().unwrap(),
            },
        ),
    ];
    for (number, (merge, mismatch)) in (1..).zip(cases) {
        // The key keeps the answer, as a provider's cache would.
        world.fault_at(number, None, CREATE, Fault::AnswerPatch { merge });
        world.fault(number, None, Fault::WebhookDrop);
        let id = place(&world, simple(number)).await;
        world.until_state(id, "active").await;
        assert_eq!(mismatches(&world, id).await, [mismatch]);
        judge_one_key(&world.engine, &world.simulator, id).await;
    }
    // What is repeated as it was asked is no mismatch.
    let echo =
        json!({ "card_product_id": product::SIMPLIFIED, "card_currency": "usd", "metadata": {} });
    world.fault_at(9, None, CREATE, Fault::AnswerPatch { merge: echo });
    let id = place(&world, simple(9)).await;
    world.until_state(id, "active").await;
    assert_eq!(mismatches(&world, id).await, []);
}

#[tokio::test]
async fn f_040_while_nothing_can_be_looked_up_the_order_waits_under_its_only_key() {
    let policy = Policy {
        look_up_cap: millis(400),
        ..policy()
    };
    let world = with(Config::default(), policy).await;
    let lists = Fault::ErrorBeforeEffect(answer(json!({ "status": 500 })));
    fault_everywhere(&world.simulator, Endpoint::ListCards, None, lists);
    let merge = json!({ "card_currency": "SGD" });
    world.fault_at(1, None, CREATE, Fault::AnswerPatch { merge });
    world.fault(1, None, Fault::WebhookDrop);
    let id = place(&world, simple(1)).await;
    eventually("answered three times alike", async || {
        mismatches(&world, id).await.len() >= 3
    })
    .await;
    let order = world.engine.order(id).await.unwrap().unwrap();
    assert_eq!(order.state.name(), "requested");
    let mismatch = Mismatch::Currency {
        said: "SGD".parse().unwrap(),
    };
    assert_eq!(
        reason(&order),
        Some(&AttentionReason::AnswerMismatched { mismatch })
    );
    assert!(order.ids.is_empty());
    assert_eq!(
        count(&names(&world.engine, id).await, "attention_raised"),
        1,
        "one call, however often it is answered"
    );
    judge_one_key(&world.engine, &world.simulator, id).await;
    // The lists are back: it finds its card, and nobody has to look any more.
    world.simulator.clear_faults();
    let order = world.until_state(id, "active").await;
    assert_eq!(order.attention, None);
    judge_one_key(&world.engine, &world.simulator, id).await;
}

/// An order that is accepted, whose own messages and reads say nothing new.
async fn accepted(world: &World, number: u32) -> std::sync::Arc<Order> {
    world.fault(number, None, Fault::NeverActivates);
    let id = place(world, simple(number)).await;
    world.until_state(id, "accepted").await
}

async fn doubted(world: &World, id: OrderId, mismatch: &Mismatch) -> std::sync::Arc<Order> {
    let doubted = |order: &Order| matches!(&order.discrepancies[..], [.., Discrepancy::Mismatched { mismatch: by, .. }] if by == mismatch);
    world.until(id, "doubted", doubted).await
}

#[tokio::test]
async fn f_040_a_message_about_our_card_with_anothers_mark_activates_nothing() {
    let world = world().await;
    let (ours, theirs) = (accepted(&world, 1).await, accepted(&world, 2).await);
    let (card, card_order) = ids(&ours);
    let message = |mark: Value| {
        let data = json!({ "card_id": card, "card_status": "ACTIVE", "metadata": { "issuance_order": mark } });
        event("card.create.succeeded", &card_order, &data)
    };
    // Of an order that is not in this log: the card is known, the mark is not.
    let stranger: OrderId = uuid::Uuid::new_v4().to_string().parse().unwrap();
    deliver(&world.engine, &message(json!(stranger.to_string())))
        .await
        .unwrap();
    let mismatch = Mismatch::Mark {
        order: Some(stranger),
    };
    let order = doubted(&world, ours.id, &mismatch).await;
    assert_eq!((order.state.name(), &order.ids), ("accepted", &ours.ids));
    // Of another order of ours: it is that one's message, and the card is not its card.
    deliver(&world.engine, &message(json!(theirs.id.to_string())))
        .await
        .unwrap();
    let mismatch = Mismatch::Owner { order: ours.id };
    let order = doubted(&world, theirs.id, &mismatch).await;
    assert_eq!((order.state.name(), &order.ids), ("accepted", &theirs.ids));
    for id in [ours.id, theirs.id] {
        judge(&world.simulator, id, 1);
    }
}

#[tokio::test]
async fn f_040_a_record_with_anothers_mark_activates_nothing_and_is_shown() {
    let world = world().await;
    let stranger: OrderId = uuid::Uuid::new_v4().to_string().parse().unwrap();
    let merge = json!({ "metadata": { "issuance_order": stranger.to_string() } });
    for endpoint in [Endpoint::GetCard, Endpoint::ListCards] {
        let merge = merge.clone();
        world.fault_at(1, None, Some(endpoint), Fault::AnswerPatch { merge });
    }
    world.fault(1, None, Fault::WebhookDrop);
    let id = place(&world, simple(1)).await;
    let mismatch = Mismatch::Mark {
        order: Some(stranger),
    };
    let order = doubted(&world, id, &mismatch).await;
    assert_eq!(order.state.name(), "accepted");
    assert_eq!(reason(&order), Some(&AttentionReason::Discrepancy));
    judge(&world.simulator, id, 1);
}
