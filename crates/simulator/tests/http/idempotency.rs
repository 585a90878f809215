//! One key, one request, one answer (contract §6.4).

use std::time::Duration;

use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_replay_answers_the_same_card_and_makes_none() {
    let world = World::start().await;
    let (key, body) = (key(), simple());
    let first = world.post_keyed("/v1/issuing/cards", &key, &body).await;
    let second = world.post_keyed("/v1/issuing/cards", &key, &body).await;
    assert_eq!(first, second);
    let ledger = world.ledger();
    assert_eq!(ledger.cards.len(), 1);
    let creates: Vec<_> = ledger
        .requests
        .iter()
        .filter(|r| r.idempotency_key.as_ref() == Some(&key))
        .collect();
    assert_eq!(
        creates
            .iter()
            .map(|r| (r.effect, r.replayed))
            .collect::<Vec<_>>(),
        [(true, false), (false, true)]
    );
    assert_eq!(creates[0].card_id, Some(ledger.cards[0].card_id));
    assert_eq!(creates[0].body_sha256, creates[1].body_sha256);
}

#[tokio::test]
async fn a_key_with_another_body_or_path_is_refused() {
    let world = World::start().await;
    let key = key();
    world.post_keyed("/v1/issuing/cards", &key, &simple()).await;
    for (path, body) in [
        ("/v1/issuing/cards", simple()),
        ("/v1/issuing/cardholders", person()),
    ] {
        let (status, answer) = world.post_keyed(path, &key, &body).await;
        assert_eq!(
            (status, &answer["type"]),
            (400, &json!("idempotency_error")),
            "{path}"
        );
    }
    assert_eq!(world.ledger().cards.len(), 1);
}

#[tokio::test]
async fn a_business_failure_is_kept_under_its_key() {
    let world = World::start().await;
    let taken = simple();
    world.create(&taken).await;
    let key = key();
    let first = world.post_keyed("/v1/issuing/cards", &key, &taken).await;
    assert_eq!(first.1["code"], "email_duplicated");
    assert_eq!(
        world.post_keyed("/v1/issuing/cards", &key, &taken).await,
        first
    );
    assert!(world.ledger().requests.last().unwrap().replayed);
}

#[tokio::test]
async fn a_key_is_forgotten_after_24_hours() {
    let world = World::start().await;
    let (key, body) = (key(), json!({"card_product_id": "none"}));
    world.post_keyed("/v1/issuing/cards", &key, &body).await;
    world
        .simulator
        .advance(Duration::from_secs(24 * 3600))
        .await;
    let world = World {
        token: world.mint("test").await,
        ..world
    };
    let (status, _) = world.post_keyed("/v1/issuing/cards", &key, &simple()).await;
    assert_eq!(status, 200, "the key is new again");
}

#[tokio::test]
async fn a_repeat_while_the_first_runs_hears_processing() {
    let world = World::start().await;
    world.fault(rule(json!({"kind": "slow", "ms": 1500}))).await;
    let (key, body) = (key(), simple());
    let slow = world.post_keyed("/v1/issuing/cards", &key, &body);
    let repeat = async {
        // The repeat is sent once the first is known to run: until then it would be the first itself.
        while world.simulator.faults()[0].used == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        world.post_keyed("/v1/issuing/cards", &key, &body).await
    };
    let (first, repeat) = tokio::join!(slow, repeat);
    assert_eq!(repeat.0, 400);
    assert_eq!(repeat.1["code"], 200);
    assert_eq!(
        repeat.1["message"],
        "Request is processing, please try again later"
    );
    assert_eq!(first.0, 200);
    assert_eq!(
        world.post_keyed("/v1/issuing/cards", &key, &body).await,
        first
    );
    assert_eq!(world.ledger().cards.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_with_one_key_make_one_card() {
    let directory = tempfile::tempdir().unwrap();
    let config = issuance_simulator::Config {
        data: Some(directory.path().to_owned()),
        ..quick()
    };
    let world = std::sync::Arc::new(World::with(config).await);
    let (key, body) = (key(), simple());
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (world, key, body) = (std::sync::Arc::clone(&world), key.clone(), body.clone());
            tokio::spawn(async move { world.post_keyed("/v1/issuing/cards", &key, &body).await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    assert!(
        answers
            .iter()
            .all(|answer| *answer == answers[0] && answer.0 == 200)
    );
    let ledger = world.ledger();
    assert_eq!(ledger.cards.len(), 1);
    assert_eq!(
        ledger
            .requests
            .iter()
            .filter(|request| request.effect && request.card_id.is_some())
            .count(),
        1
    );
}
