//! A simulator with a data directory is the world outside: it does not forget.

use std::path::Path;
use std::time::Duration;

use issuance_simulator::{CardStatus, Config, DeliveryState};
use serde_json::json;

use crate::support::*;

fn kept(directory: &Path) -> Config {
    Config {
        data: Some(directory.to_owned()),
        ..quick()
    }
}

#[tokio::test]
async fn a_restart_remembers_everything() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with(Config {
        processing_delay: Duration::from_secs(3600),
        ..kept(directory.path())
    })
    .await;
    world.fault(json!({"id": "one", "match": {"endpoint": "create_card"}, "fault": {"kind": "lost_after_effect"}, "times": 1})).await;
    let (key, body) = (key(), simple());
    assert!(
        world
            .try_post("/v1/issuing/cards", &key, &body)
            .await
            .is_err()
    );
    let idv = world.create(&redirect()).await;
    world.simulator.advance(Duration::from_secs(60)).await;
    let token = world.token.clone();
    let before = world.ledger();
    world.simulator.shutdown().await;

    let world = World {
        token,
        ..World::with(kept(directory.path())).await
    };
    assert_eq!(
        world
            .get("/v1/issuing/cards?page_size=10&page_number=1")
            .await
            .0,
        401,
        "the start minted anew"
    );
    let world = World {
        token: world.mint("test").await,
        ..world
    };
    let after = world.ledger();
    assert_eq!(after.cards.len(), 2);
    assert_eq!(after.cards[0].card_id, before.cards[0].card_id);
    assert!(after.now >= before.now, "the clock stays advanced");
    assert_eq!(world.simulator.faults()[0].used, 1);
    assert!(after.requests.len() > before.requests.len());

    let (status, replay) = world.post_keyed("/v1/issuing/cards", &key, &body).await;
    assert_eq!(
        (status, replay["card_id"].as_str()),
        (200, Some(before.cards[0].card_id.to_string().as_str()))
    );
    world.refused(&body, "email_duplicated").await;
    let other = world.create(&simple()).await;
    assert!(
        before
            .cards
            .iter()
            .all(|card| other["card_id"] != card.card_id.to_string()),
        "no id is handed out twice"
    );

    world.simulator.advance(Duration::from_secs(3600)).await;
    assert_eq!(
        world.status_of(&replay),
        CardStatus::Active,
        "its timer went on"
    );
    let link = before
        .cardholders
        .iter()
        .find(|h| idv["cardholder_id"] == h.cardholder_id.to_string())
        .unwrap();
    let token = link
        .idv_verification_url
        .as_ref()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let page = format!(
        "http://{}/_sim/idv/page/{token}?outcome=pass",
        world.simulator.addr()
    );
    assert_eq!(world.http.post(page).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_undelivered_webhook_survives() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = issuance_simulator::WebhookTarget {
        url: "http://127.0.0.1:9/hook".into(),
        secret: None,
    };
    let world = World::with(Config {
        webhook: Some(nobody),
        ..kept(directory.path())
    })
    .await;
    let card = world.create(&simple()).await;
    world.until(&card, "ACTIVE").await;
    assert_eq!(world.ledger().deliveries[0].state, DeliveryState::Waiting);
    let event_id = world.ledger().deliveries[0].event_id;
    world.simulator.shutdown().await;

    let receiver = Receiver::start().await;
    let _world = World::with(Config {
        webhook: Some(receiver.target()),
        ..kept(directory.path())
    })
    .await;
    assert_eq!(
        receiver.event("card.create.succeeded").await["event_id"],
        event_id.to_string()
    );
}

/// What was answered is in the file even if the process is never told to stop.
#[tokio::test]
async fn what_was_answered_is_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with(kept(directory.path())).await;
    let card = world.create(&simple()).await;
    let copy = tempfile::tempdir().unwrap();
    let file = "simulator.lines";
    std::fs::copy(directory.path().join(file), copy.path().join(file)).unwrap();
    let again = World::with(kept(copy.path())).await;
    again.until(&card, "ACTIVE").await;
}

#[tokio::test]
async fn a_file_that_is_mostly_past_is_rewritten_at_start_and_nothing_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("simulator.lines");
    // Else the links would hold the port.
    let kept = || Config {
        idv_link_base: Some("https://idv.example/".into()),
        ..kept(directory.path())
    };
    let world = World::with(kept()).await;
    let (key, body) = (key(), simple());
    let (_, first) = world.post_keyed("/v1/issuing/cards", &key, &body).await;
    world.until(&first, "ACTIVE").await;
    let proof = json!({"provider": "SUMSUB", "reference_id": "reference-0001"});
    let proven = enhanced(json!({"method": "THIRD_PARTY", "kyc_proof": proof}));
    world.create(&proven).await;
    let waiting = world.create(&redirect()).await;
    // A link that was replaced, and so is in no row any more.
    let old = waiting["idv_verification_url"].as_str().unwrap();
    let old = old.rsplit('/').next().unwrap();
    let holder = waiting["cardholder_id"].as_str().unwrap();
    let renewal = json!({"kyc_verification": {"method": "SUMSUB_REDIRECT"}});
    world
        .post(&format!("/v1/issuing/cardholders/{holder}"), &renewal)
        .await;
    let page = async |world: &World| {
        let url = format!("http://{}/_sim/idv/page/{old}", world.simulator.addr());
        let page = world.http.get(url).send().await.unwrap();
        page.text().await.unwrap()
    };
    let replaced = page(&world).await;
    world
        .fault(
            json!({"id": "never", "match": {"email": "nobody"}, "fault": {"kind": "processing"}}),
        )
        .await;
    for _ in 0..500 {
        world.simulator.advance(Duration::from_secs(1)).await;
    }
    let mut before = world.ledger();
    world.simulator.shutdown().await;
    let long = std::fs::metadata(&file).unwrap().len();

    for start in 1..=2 {
        let world = World::with(kept()).await;
        let short = std::fs::metadata(&file).unwrap().len();
        assert!(short < long / 2, "start {start}: {short} of {long}");
        let mut after = world.ledger();
        // Starting minted a token.
        after.requests.truncate(before.requests.len());
        (before.now, after.now) = (0, 0);
        let (was, is) = (
            serde_json::to_value(&before).unwrap(),
            serde_json::to_value(&after).unwrap(),
        );
        for (part, was) in was.as_object().unwrap() {
            assert_eq!(&is[part], was, "start {start}: {part}");
        }
        let again = world.post_keyed("/v1/issuing/cards", &key, &body).await;
        assert_eq!(again, (200, first.clone()));
        world.refused(&body, "email_duplicated").await;
        world
            .refused(
                &enhanced(json!({"method": "THIRD_PARTY", "kyc_proof": proof})),
                "reference_id_duplicated",
            )
            .await;
        assert_eq!(page(&world).await, replaced);
        assert_eq!(world.simulator.faults()[0].id, "never");
        let listed = world
            .get("/v1/issuing/cards?page_size=10&page_number=1")
            .await
            .1;
        assert_eq!(listed["data"][0]["card_id"], waiting["card_id"]);
        before = world.ledger();
        world.simulator.shutdown().await;
    }
}
