//! Every kind of fault once: what the caller sees, and what really happened.

use issuance_simulator::{Answer, CardStatus, Config, DeliveryState};
use serde_json::{Value, json};

use crate::support::*;

const CARDS: &str = "/v1/issuing/cards";

async fn world() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        ..quick()
    })
    .await;
    (world, receiver)
}

/// Meets the fault with a create call, then repeats it with the same key, which must succeed.
async fn then_replayed(fault: Value) -> (World, reqwest::Result<reqwest::Response>, bool) {
    let world = World::start().await;
    world.fault(rule(fault)).await;
    let (key, body) = (key(), simple());
    let met = world.try_post(CARDS, &key, &body).await;
    let existed = !world.ledger().cards.is_empty();
    let (status, answer) = world.post_keyed(CARDS, &key, &body).await;
    assert_eq!(status, 200, "{answer}");
    let ledger = world.ledger();
    assert_eq!(ledger.cards.len(), 1);
    assert_eq!(answer["card_id"], ledger.cards[0].card_id.to_string());
    (world, met, existed)
}

#[tokio::test]
async fn an_answer_is_lost_after_the_effect() {
    let (world, met, existed) = then_replayed(json!({"kind": "lost_after_effect"})).await;
    assert!(met.is_err() && existed);
    let requests = world.ledger().requests;
    let cut = requests
        .iter()
        .find(|request| request.answer == Answer::Cut)
        .unwrap();
    assert!(cut.effect && cut.status == 200 && cut.fault.is_some());
}

#[tokio::test]
async fn a_request_is_lost_before_the_effect() {
    let (_, met, existed) = then_replayed(json!({"kind": "lost_before_effect"})).await;
    assert!(met.is_err() && !existed);
}

/// Whose body ends before the length it announced has not arrived, and is no request with another body.
#[tokio::test]
async fn half_a_request_is_none() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = World::start().await;
    let before = world.ledger().requests.len();
    let mut caller = tokio::net::TcpStream::connect(world.simulator.addr())
        .await
        .unwrap();
    let head = format!("POST /api{CARDS} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n");
    caller
        .write_all(format!("{head}{{").as_bytes())
        .await
        .unwrap();
    caller.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = caller.read_to_end(&mut answer).await;
    assert_eq!(String::from_utf8_lossy(&answer), "");
    assert_eq!(world.ledger().requests.len(), before);
}

#[tokio::test]
async fn an_error_comes_before_the_effect() {
    let html =
        json!({"kind": "error_before_effect", "status": 502, "body": "<html>Bad Gateway</html>"});
    let (_, met, existed) = then_replayed(html).await;
    let (status, body) = answer(met.unwrap()).await;
    assert_eq!((status, body), (502, json!("<html>Bad Gateway</html>")));
    assert!(!existed);

    let busy = json!({"kind": "error_before_effect", "status": 429, "retry_after": "7",
        "body": {"code": "too_many_requests", "message": "slow down"}});
    let (_, met, existed) = then_replayed(busy).await;
    assert_eq!(met.unwrap().headers()["retry-after"], "7");
    assert!(!existed);
}

#[tokio::test]
async fn a_business_error_of_the_script_is_kept_under_its_key() {
    let world = World::start().await;
    let error = json!({"type": "card_error", "code": "insufficient_sub_bin", "message": "empty"});
    world
        .fault(rule(
            json!({"kind": "error_before_effect", "status": 400, "body": error}),
        ))
        .await;
    let (key, body) = (key(), simple());
    let first = world.post_keyed(CARDS, &key, &body).await;
    assert_eq!(first, (400, error));
    assert_eq!(world.post_keyed(CARDS, &key, &body).await, first);
    world.create(&body).await;
}

#[tokio::test]
async fn an_error_comes_after_the_effect() {
    let (_, met, existed) = then_replayed(json!({"kind": "error_after_effect"})).await;
    let (status, body) = answer(met.unwrap()).await;
    assert_eq!((status, &body["type"]), (500, &json!("api_error")));
    assert!(existed);
}

#[tokio::test]
async fn an_answer_is_truncated() {
    let (_, met, existed) = then_replayed(json!({"kind": "truncated_answer"})).await;
    let met = met.unwrap();
    assert_eq!(met.status(), 200);
    assert!(met.bytes().await.is_err());
    assert!(existed);
}

#[tokio::test]
async fn an_answer_says_processing() {
    let (_, met, existed) = then_replayed(json!({"kind": "processing"})).await;
    let (status, body) = answer(met.unwrap()).await;
    assert_eq!((status, &body["code"]), (400, &json!(200)));
    assert!(!existed);
}

#[tokio::test]
async fn a_slow_effect_happens_although_the_caller_hung_up() {
    let world = World::start().await;
    world.fault(rule(json!({"kind": "slow", "ms": 150}))).await;
    let (key, body) = (key(), simple());
    let request = world
        .http
        .post(world.url(CARDS))
        .header("x-auth-token", &world.token)
        .header("x-idempotency-key", &key)
        .body(body.to_string());
    assert!(
        request
            .timeout(std::time::Duration::from_millis(50))
            .send()
            .await
            .unwrap_err()
            .is_timeout()
    );
    for _ in 0..1000 {
        if !world.ledger().cards.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(world.post_keyed(CARDS, &key, &body).await.0, 200);
    assert_eq!(world.ledger().cards.len(), 1);
}

#[tokio::test]
async fn a_slow_answer_comes_after_the_effect() {
    let (_, met, existed) = then_replayed(json!({"kind": "slow", "ms": 30, "when": "after"})).await;
    assert_eq!(met.unwrap().status(), 200);
    assert!(existed);
}

#[tokio::test]
async fn an_answer_is_patched_and_replayed_patched() {
    let world = World::start().await;
    world.fault(rule(json!({"kind": "answer_patch", "merge": {"card_order_id": null, "card_status": "DREAMING"}}))).await;
    let (key, body) = (key(), simple());
    let first = world.post_keyed(CARDS, &key, &body).await;
    assert_eq!(first.1["card_status"], "DREAMING");
    assert!(first.1.get("card_order_id").is_none() && first.1["card_id"].is_string());
    assert_eq!(world.post_keyed(CARDS, &key, &body).await, first);
}

#[tokio::test]
async fn a_card_is_active_at_once() {
    let (world, receiver) = world().await;
    world.fault(rule(json!({"kind": "active_at_once"}))).await;
    let card = world.create(&simple()).await;
    assert_eq!(
        (&card["card_status"], &card["order_status"]),
        (&json!("ACTIVE"), &json!("SUCCESS"))
    );
    receiver.event("card.create.succeeded").await;
}

#[tokio::test]
async fn a_card_fails_and_says_why() {
    let (world, receiver) = world().await;
    world.fault(json!({"match": {"metadata": {"order": "o-1"}}, "fault": {"kind": "card_fails", "failure_code": "BIN_OUT"}})).await;
    let card = world.create(&simple()).await;
    let event = receiver.event("card.create.failed").await;
    assert_eq!(
        (&event["source_id"], &event["data"]["failure_code"]),
        (&card["card_order_id"], &json!("BIN_OUT"))
    );
    let (_, order) = world
        .get(&format!(
            "{CARDS}/{}/order",
            card["card_order_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (&order["order_status"], &order["failure_code"]),
        (&json!("FAILED"), &json!("BIN_OUT"))
    );
}

#[tokio::test]
async fn a_cancel_is_taken_and_comes_to_nothing_aloud_or_in_silence() {
    let (world, receiver) = world().await;
    world.fault(json!({"id": "in-vain", "match": {"metadata": {"order": "o-1"}}, "fault": {"kind": "cancel_fails"}, "times": 1})).await;
    world.fault(json!({"id": "silently", "match": {"metadata": {"order": "o-1"}}, "fault": {"kind": "cancel_fails", "silent": true}, "times": 1})).await;
    let card = world.create(&simple()).await;
    receiver.event("card.create.succeeded").await;
    let path = format!("{CARDS}/{}", card["card_id"].as_str().unwrap());
    let cancel = json!({"card_status": "CANCELLED", "update_reason": "rolled back"});
    for (told, end) in [(true, "FAILED"), (false, "PENDING")] {
        let (status, taken) = world.post(&format!("{path}/status"), &cancel).await;
        assert_eq!((status, &taken["order_status"]), (200, &json!("PENDING")));
        if told {
            let event = receiver.event("card.status.update.failed").await;
            assert_eq!(
                (&event["source_id"], &event["data"]["card_status"]),
                (&taken["card_order_id"], &json!("ACTIVE"))
            );
        }
        let order = taken["card_order_id"].as_str().unwrap();
        let (_, order) = world.get(&format!("{CARDS}/{order}/order")).await;
        assert_eq!(order["order_status"], end);
        assert_eq!(world.get(&path).await.1["card_status"], "ACTIVE");
    }
    // The third is carried out: what comes next is about it, and nothing came of the silent one.
    world.post(&format!("{path}/status"), &cancel).await;
    let event = receiver.event("card.status.update.succeeded").await;
    assert_eq!(event["data"]["card_status"], "PRE_CANCEL");
}

#[tokio::test]
async fn a_card_stays_pending_for_ever() {
    let (world, receiver) = world().await;
    world.fault(rule(json!({"kind": "never_activates"}))).await;
    let stuck = world.create(&simple()).await;
    world.create(&simple()).await;
    receiver.event("card.create.succeeded").await;
    world
        .simulator
        .advance(std::time::Duration::from_secs(90 * 24 * 3600))
        .await;
    assert_eq!(world.status_of(&stuck), CardStatus::Pending);
}

#[tokio::test]
async fn a_cardholder_is_left_behind() {
    let world = World::start().await;
    world
        .fault(rule(json!({"kind": "orphan_cardholder"})))
        .await;
    let body = simple();
    let (status, _) = world.post(CARDS, &body).await;
    assert_eq!(status, 500);
    let ledger = world.ledger();
    assert_eq!((ledger.cards.len(), ledger.cardholders.len()), (0, 1));
    assert!(ledger.requests.last().unwrap().effect);
    world.refused(&body, "email_duplicated").await;
}

#[tokio::test]
async fn idv_links_expire_early_and_people_act_by_themselves() {
    let (world, receiver) = world().await;
    world.fault(json!([
        {"match": {"metadata": {"order": "o-1"}}, "fault": {"kind": "idv_link_ttl", "seconds": 1}, "times": 1},
        {"match": {"metadata": {"order": "o-1"}}, "fault": {"kind": "idv_person", "outcome": "pass", "after_ms": 60_000}}
    ])).await;
    let card = world.create(&redirect()).await;
    world
        .simulator
        .advance(std::time::Duration::from_secs(61))
        .await;
    assert_eq!(
        world.status_of(&card),
        CardStatus::Pending,
        "the person came too late"
    );
    let path = format!(
        "/v1/issuing/cardholders/{}",
        card["cardholder_id"].as_str().unwrap()
    );
    world
        .post(
            &path,
            &json!({"kyc_verification": {"method": "SUMSUB_REDIRECT"}}),
        )
        .await;
    receiver.event("cardholder.updated").await;
    world
        .simulator
        .advance(std::time::Duration::from_secs(61))
        .await;
    receiver.event("cardholder.kyc.status_changed").await;
    receiver.event("card.create.succeeded").await;
}

#[tokio::test]
async fn a_webhook_comes_twice_with_one_event_id() {
    let (world, receiver) = world().await;
    world
        .fault(json!({"fault": {"kind": "webhook_duplicate", "copies": 1}, "times": 1}))
        .await;
    world.create(&simple()).await;
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!(first.body, second.body);
}

#[tokio::test]
async fn a_webhook_comes_before_the_answer() {
    let (world, receiver) = world().await;
    world.fault(rule(json!({"kind": "webhook_early"}))).await;
    let card = world.create(&simple()).await;
    assert_eq!(receiver.arrived().await, 1, "it was there first");
    assert_eq!(card["card_status"], "PENDING");
    assert_eq!(world.status_of(&card), CardStatus::Active);
}

#[tokio::test]
async fn a_webhook_comes_late() {
    let (world, receiver) = world().await;
    world.fault(json!({"match": {"event": "card.create.succeeded"}, "fault": {"kind": "webhook_late", "ms": 600_000}})).await;
    let card = world.create(&simple()).await;
    world.until(&card, "ACTIVE").await;
    assert_eq!(receiver.arrived().await, 0);
    world
        .simulator
        .advance(std::time::Duration::from_secs(600))
        .await;
    receiver.event("card.create.succeeded").await;
}

#[tokio::test]
async fn a_webhook_is_dropped() {
    let (world, receiver) = world().await;
    world
        .fault(json!({"fault": {"kind": "webhook_drop"}, "times": 1}))
        .await;
    let dropped = world.create(&simple()).await;
    world.until(&dropped, "ACTIVE").await;
    let told = world.create(&simple()).await;
    assert_eq!(
        receiver.event("card.create.succeeded").await["source_id"],
        told["card_order_id"]
    );
    assert_eq!(world.ledger().deliveries[0].state, DeliveryState::Dropped);
}

#[tokio::test]
async fn a_webhook_is_patched_before_it_is_signed() {
    let (world, receiver) = world().await;
    world
        .fault(
            json!({"fault": {"kind": "webhook_patch", "merge": {"source_id": null, "data": null}}}),
        )
        .await;
    world.create(&simple()).await;
    let event = receiver.event("card.create.succeeded").await;
    assert!(event.get("source_id").is_none() && event.get("data").is_none());
}

#[tokio::test]
async fn rules_are_listed_with_their_counters_and_can_be_cleared() {
    let world = World::start().await;
    world.fault(rule(json!({"kind": "processing"}))).await;
    world.post(CARDS, &simple()).await;
    assert_eq!(world.simulator.faults()[0].used, 1);
    assert_eq!(
        world
            .control("/faults", &json!({"fault": {"kind": "gremlins"}}))
            .await
            .0,
        400
    );
    let url = format!("http://{}/_sim/faults", world.simulator.addr());
    assert_eq!(world.http.delete(url).send().await.unwrap().status(), 204);
    assert!(world.simulator.faults().is_empty());
}
