//! Identity verification by link (contract §7).

use std::time::Duration;

use issuance_simulator::{CardStatus, Config, IdvOutcome};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::*;

async fn world() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        ..quick()
    })
    .await;
    (world, receiver)
}

fn holder(card: &Value) -> String {
    format!("/idv/{}", card["cardholder_id"].as_str().unwrap())
}

#[tokio::test]
async fn the_answer_is_short_and_a_pass_activates() {
    let (world, receiver) = world().await;
    let card = world.create(&redirect()).await;
    for absent in [
        "card_order_id",
        "order_status",
        "create_time",
        "cardholder_created",
    ] {
        assert!(card.get(absent).is_none(), "{absent}");
    }
    assert_eq!(card["cardholder_status"], "INCOMPLETE");
    assert_eq!(card["verification_status"], "ACTION_REQUIRED");
    world.simulator.advance(Duration::from_secs(3600)).await;
    assert_eq!(
        world.status_of(&card),
        CardStatus::Pending,
        "nobody has acted"
    );

    assert_eq!(
        world
            .control(&holder(&card), &json!({"outcome": "pass"}))
            .await
            .0,
        200
    );
    let kyc = receiver.event("cardholder.kyc.status_changed").await;
    assert_eq!(kyc["source_id"], card["cardholder_id"]);
    assert_eq!(
        (
            &kyc["data"]["cardholder_status"],
            &kyc["data"]["idv_status"]
        ),
        (&json!("SUCCESS"), &json!("PASSED"))
    );
    let created = receiver.event("card.create.succeeded").await;
    assert_eq!(created["data"]["card_id"], card["card_id"]);
    assert_eq!(
        world
            .control(&holder(&card), &json!({"outcome": "fail"}))
            .await
            .0,
        409,
        "it is over"
    );
}

#[tokio::test]
async fn a_failed_person_fails_the_card() {
    let (world, receiver) = world().await;
    let card = world.create(&redirect()).await;
    world
        .control(&holder(&card), &json!({"outcome": "fail"}))
        .await;
    let kyc = receiver.event("cardholder.kyc.status_changed").await;
    assert_eq!(kyc["data"]["cardholder_status"], "FAILED");
    assert!(!kyc["data"]["reason"].as_str().unwrap().is_empty());
    receiver.event("card.create.failed").await;
    assert_eq!(world.status_of(&card), CardStatus::Failed);
}

#[tokio::test]
async fn the_page_does_what_the_buttons_say() {
    let (world, receiver) = world().await;
    let card = world.create(&redirect()).await;
    let link = card["idv_verification_url"].as_str().unwrap();
    let page = world.http.get(link).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("?outcome=pass"));
    let choose = async |outcome: &str| {
        world
            .http
            .post(format!("{link}?outcome={outcome}"))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(choose("leave").await, 200);
    assert_eq!(world.status_of(&card), CardStatus::Pending);
    assert_eq!(choose("pass").await, 200);
    receiver.event("cardholder.kyc.status_changed").await;
    receiver.event("card.create.succeeded").await;
    assert_eq!(choose("pass").await, 410);
}

#[tokio::test]
async fn an_expired_link_says_nothing_and_refuses_but_can_be_renewed() {
    let (world, receiver) = world().await;
    let card = world.create(&redirect()).await;
    world
        .simulator
        .advance(Duration::from_secs(24 * 3600 + 1))
        .await;
    assert_eq!(
        world
            .control(&holder(&card), &json!({"outcome": "pass"}))
            .await
            .0,
        409
    );
    assert_eq!(world.status_of(&card), CardStatus::Pending);
    assert_eq!(receiver.arrived().await, 0, "no event tells of an expiry");

    let world = World {
        token: world.mint("test").await,
        ..world
    };
    let path = format!(
        "/v1/issuing/cardholders/{}",
        card["cardholder_id"].as_str().unwrap()
    );
    let (status, renewed) = world
        .post(
            &path,
            &json!({"kyc_verification": {"method": "SUMSUB_REDIRECT"}}),
        )
        .await;
    assert_eq!(status, 200, "{renewed}");
    assert_ne!(
        renewed["idv_verification_url"],
        card["idv_verification_url"]
    );
    receiver.event("cardholder.updated").await;
    let (_, read) = world.get(&path).await;
    assert_eq!(
        read["idv_verification_url"],
        renewed["idv_verification_url"]
    );
    let old = world
        .http
        .get(card["idv_verification_url"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(old.status(), 410, "the old link was replaced");
    world
        .control(&holder(&card), &json!({"outcome": "pass"}))
        .await;
    receiver.event("cardholder.kyc.status_changed").await;
    receiver.event("card.create.succeeded").await;
}

#[tokio::test]
async fn a_verdict_may_come_after_the_link_has_ended() {
    let (world, receiver) = world().await;
    let card = world.create(&redirect()).await;
    let id: Uuid = card["cardholder_id"].as_str().unwrap().parse().unwrap();
    world
        .simulator
        .act_on_idv(id, IdvOutcome::Submit)
        .await
        .unwrap();
    let kyc = receiver.event("cardholder.kyc.status_changed").await;
    assert_eq!(kyc["data"]["cardholder_status"], "PENDING");
    world
        .simulator
        .advance(Duration::from_secs(3 * 24 * 3600))
        .await;
    world
        .simulator
        .act_on_idv(id, IdvOutcome::Pass)
        .await
        .unwrap();
    receiver.event("cardholder.kyc.status_changed").await;
    receiver.event("card.create.succeeded").await;
}

#[tokio::test]
async fn links_can_point_elsewhere() {
    let world = World::with(Config {
        idv_link_base: Some("https://idv.example/verify/".into()),
        ..quick()
    })
    .await;
    let card = world.create(&redirect()).await;
    assert!(
        card["idv_verification_url"]
            .as_str()
            .unwrap()
            .starts_with("https://idv.example/verify/")
    );
}
