//! A cancel the provider takes and then cannot carry out, told by `card.status.update.failed` (contract §5.3, §9.2).

use std::collections::BTreeSet;

use issuance::domain::{
    AttentionReason, EventBody, OperatorAct, OperatorAction, Order, OrderId, Policy, Purpose,
};
use issuance_simulator::{Config, Endpoint, Fault};
use issuance_tests::requests::simple;
use issuance_tests::world::{World, policy};
use serde_json::{Value, json};

use super::support::{
    answer, calls, deliver, event, eventually, ids, judge, millis, place, story, with,
};

/// The provider takes so many cancels and does nothing.
fn takes_and_does_nothing(world: &World, order: &Order, times: u32) {
    let (card, _) = ids(order);
    let card_order_id = uuid::Uuid::new_v4();
    let taken =
        json!({ "card_id": card, "card_order_id": card_order_id, "order_status": "PENDING" });
    let taken = answer(json!({ "status": 200, "body": taken }));
    let endpoint = Some(Endpoint::UpdateCardStatus);
    world.fault_at(1, Some(times), endpoint, Fault::ErrorBeforeEffect(taken));
}

/// The provider's message about a cancel, once that was taken: about an order of its own, and the card.
async fn refuse(world: &World, order: &Order, taken: usize) {
    eventually("taken", async || {
        answered(&story(&world.engine, order.id).await) >= taken
    })
    .await;
    let (card, _) = ids(order);
    let data: Value =
        json!({ "card_id": card, "card_status": "ACTIVE", "update_reason": "not now" });
    let body = event(
        "card.status.update.failed",
        &uuid::Uuid::new_v4().to_string(),
        &data,
    );
    deliver(&world.engine, &body).await.unwrap();
}

fn answered(story: &[EventBody]) -> usize {
    let taken = |event: &&EventBody| {
        matches!(
            event,
            EventBody::SubmissionAnswered {
                purpose: Purpose::CancelCard,
                ..
            }
        )
    };
    story.iter().filter(taken).count()
}

async fn cancel_keys(world: &World, id: OrderId) -> BTreeSet<String> {
    let key = |event| match event {
        EventBody::SubmissionStarted {
            purpose: Purpose::CancelCard,
            key,
            ..
        } => Some(key.to_string()),
        _ => None,
    };
    let story = story(&world.engine, id).await;
    story.into_iter().filter_map(key).collect()
}

fn is_cancelled(order: &Order) -> bool {
    order
        .compensation
        .as_ref()
        .is_some_and(|cancel| cancel.done && cancel.ended.is_some())
}

#[tokio::test]
async fn contract_9_2_a_cancel_refused_by_a_message_is_sent_under_a_new_key() {
    let policy = Policy {
        cancel_retry: millis(200),
        ..policy()
    };
    let world = with(Config::default(), policy).await;
    let id = place(&world, simple(1)).await;
    let order = world.until_state(id, "active").await;
    takes_and_does_nothing(&world, &order, 1);
    world.engine.cancel(id).await.unwrap();
    refuse(&world, &order, 1).await;
    let order = world.until(id, "cancelled", is_cancelled).await;
    assert_eq!((order.state.name(), &order.attention), ("active", &None));
    assert_eq!(
        cancel_keys(&world, id).await.len(),
        2,
        "a spent key is never sent again"
    );
    assert_eq!(calls(&world.simulator, Endpoint::UpdateCardStatus), 2);
    judge(&world.simulator, id, 1);
}

#[tokio::test]
async fn contract_9_2_a_cancel_refused_again_and_again_is_a_persons_who_can_try_once_more() {
    let policy = Policy {
        cancel_retry: millis(100),
        cancel_retries: 1,
        ..policy()
    };
    let world = with(Config::default(), policy).await;
    let id = place(&world, simple(1)).await;
    let order = world.until_state(id, "active").await;
    takes_and_does_nothing(&world, &order, 2);
    world.engine.cancel(id).await.unwrap();
    refuse(&world, &order, 1).await;
    refuse(&world, &order, 2).await;
    let called = |order: &Order| {
        let reason = order.attention.as_ref().map(|called| &called.reason);
        matches!(reason, Some(AttentionReason::CancelRefused { code }) if **code == *"card_status_update_failed")
    };
    let order = world.until(id, "a person's", called).await;
    assert_eq!(order.state.name(), "active");
    assert!(
        !is_cancelled(&order),
        "nobody says it is cancelled while it is not"
    );
    // The provider is asked no more by itself.
    tokio::time::sleep(millis(500)).await;
    assert_eq!(calls(&world.simulator, Endpoint::UpdateCardStatus), 2);
    let act = OperatorAct {
        actor: "ada".into(),
        reason: "the provider lifted its block".into(),
        action: OperatorAction::RetryNow,
    };
    world.engine.operate(id, act, None).await.unwrap();
    let order = world.until(id, "cancelled", is_cancelled).await;
    assert_eq!(order.attention, None);
    assert_eq!(cancel_keys(&world, id).await.len(), 3);
    judge(&world.simulator, id, 1);
}
