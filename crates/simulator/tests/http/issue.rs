//! The happy roads to a card, and the branches of the create answer (contract §2.2).

use std::time::Duration;

use issuance_simulator::{CardStatus, Config, product};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn a_one_step_card_becomes_active_and_says_so() {
    let receiver = Receiver::start().await;
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        ..quick()
    })
    .await;
    let card = world.create(&simple()).await;
    assert_eq!(card["card_status"], "PENDING");
    assert_eq!(card["order_status"], "PROCESSING");
    assert_eq!(card["verification_status"], "VERIFIED");
    assert_eq!(card["cardholder_created"], true);
    assert!(card["create_time"].as_str().unwrap().ends_with("+08:00"));

    let event = receiver.event("card.create.succeeded").await;
    assert_eq!(event["source_id"], card["card_order_id"]);
    assert_eq!(event["data"]["card_status"], "ACTIVE");
    assert_eq!(event["data"]["metadata"], json!({"order": "o-1"}));
    assert_eq!(event["data"]["card_available_balance"], "120.5");
    assert!(event["data"].get("card_order_id").is_none());

    let active = world.until(&card, "ACTIVE").await;
    assert_eq!(active["card_limit"], json!(120.5));
    assert_eq!(active["metadata"], json!({"order": "o-1"}));
    assert!(active.get("card_order_id").is_none());
    let (_, order) = world
        .get(&format!(
            "/v1/issuing/cards/{}/order",
            card["card_order_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (&order["order_type"], &order["order_status"]),
        (&json!("CREATE_CARD"), &json!("SUCCESS"))
    );
}

#[tokio::test]
async fn limits_come_as_numbers_or_strings() {
    let world = World::start().await;
    let mut body = simple();
    body["card_limit"] = "500.00".into();
    let card = world.until(&world.create(&body).await, "ACTIVE").await;
    assert_eq!(card["card_limit"], json!(500));
    assert_eq!(card["available_balance"], "500.00");
}

#[tokio::test]
async fn a_two_step_card_names_its_cardholder() {
    let world = World::start().await;
    let (status, holder) = world.post("/v1/issuing/cardholders", &person()).await;
    assert_eq!(
        (status, &holder["cardholder_status"]),
        (200, &json!("SUCCESS"))
    );
    let card = world
        .create(&json!({"card_product_id": product::SIMPLIFIED, "card_currency": "SGD", "cardholder_id": holder["cardholder_id"]}))
        .await;
    for absent in ["cardholder_id", "cardholder_created", "cardholder_status"] {
        assert!(card.get(absent).is_none(), "{absent}");
    }
    let active = world.until(&card, "ACTIVE").await;
    assert_eq!(
        active["cardholder"]["cardholder_id"],
        holder["cardholder_id"]
    );
    assert_eq!(active["cardholder"]["number_of_cards"], 1);
}

#[tokio::test]
async fn a_third_party_proof_verifies_at_once_and_only_once() {
    let world = World::start().await;
    let proof = json!({"method": "THIRD_PARTY", "kyc_proof": {"provider": "JUMIO", "reference_id": "ref-0123456789"}});
    let card = world.create(&enhanced(proof.clone())).await;
    assert_eq!(
        (&card["kyc_method"], &card["verification_status"]),
        (&json!("THIRD_PARTY"), &json!("VERIFIED"))
    );
    assert!(card["card_order_id"].is_string());
    world
        .refused(&enhanced(proof), "reference_id_duplicated")
        .await;
}

#[tokio::test]
async fn a_standard_product_is_reviewed_first() {
    let world = World::start().await;
    let mut person = person();
    person["nationality"] = "NG".into();
    person["date_of_birth"] = "1991-02-11".into();
    let card = world.create(&with_product(product::STANDARD, person)).await;
    assert_eq!(
        (&card["verification_status"], &card["cardholder_status"]),
        (&json!("UNDER_REVIEW"), &json!("PENDING"))
    );
    assert!(card["card_order_id"].is_string() && card.get("idv_verification_url").is_none());
    world.until(&card, "ACTIVE").await;
}

#[tokio::test]
async fn a_prepaid_card_is_loaded_from_the_balance() {
    let world = World::with(Config {
        issuing_balance: 200.into(),
        ..quick()
    })
    .await;
    world
        .create(&with_product(product::PREPAID, person()))
        .await;
    world
        .refused(
            &with_product(product::PREPAID, person()),
            "insufficient_balance",
        )
        .await;
}

#[tokio::test]
async fn a_cancel_has_two_phases_and_a_pending_card_has_none() {
    let receiver = Receiver::start().await;
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        ..quick()
    })
    .await;
    let idv = world.create(&redirect()).await;
    let path = |card: &Value| {
        format!(
            "/v1/issuing/cards/{}/status",
            card["card_id"].as_str().unwrap()
        )
    };
    let cancel = json!({"card_status": "CANCELLED", "update_reason": "rolled back"});
    let (status, refusal) = world.post(&path(&idv), &cancel).await;
    assert_eq!(
        (status, &refusal["code"]),
        (400, &json!("card_status_not_allowed"))
    );

    let card = world.create(&simple()).await;
    receiver.event("card.create.succeeded").await;
    let (_, order) = world.post(&path(&card), &cancel).await;
    assert_eq!(
        (&order["order_status"], &order["update_reason"]),
        (&json!("PENDING"), &json!("rolled back"))
    );
    let event = receiver.event("card.status.update.succeeded").await;
    assert_eq!(
        (&event["source_id"], &event["data"]["card_status"]),
        (&order["card_order_id"], &json!("PRE_CANCEL"))
    );

    world
        .control("/clock/advance", &json!({"seconds": 30 * 24 * 3600}))
        .await;
    let event = receiver.event("card.status.update.succeeded").await;
    assert_eq!(event["data"]["card_status"], "CANCELLED");
}

#[tokio::test]
async fn an_authorization_is_spent_and_reversed() {
    let world = World::start().await;
    let card = world.until(&world.create(&simple()).await, "ACTIVE").await;
    let payment = json!({
        "card_id": card["card_id"], "transaction_amount": 20, "transaction_currency": "USD",
        "merchant_name": "Example", "merchant_category_code": "5734"
    });
    let (status, spent) = world
        .post("/v1/simulation/issuing/authorization", &payment)
        .await;
    assert_eq!(status, 200, "{spent}");
    assert_eq!(
        world.until(&card, "ACTIVE").await["available_balance"],
        "100.50"
    );
    let reversal = json!({"transaction_id": spent["transaction_id"]});
    assert_eq!(
        world
            .post("/v1/simulation/issuing/reversal", &reversal)
            .await
            .0,
        200
    );
    assert_eq!(
        world.until(&card, "ACTIVE").await["available_balance"],
        "120.50"
    );
    assert_eq!(
        world
            .post("/v1/simulation/issuing/reversal", &reversal)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn money_moves_by_orders_of_their_own() {
    let receiver = Receiver::start().await;
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        issuing_balance: 150.into(),
        ..quick()
    })
    .await;
    let card = world
        .create(&with_product(product::PREPAID, person()))
        .await;
    receiver.event("card.create.succeeded").await;
    let path = |what: &str| {
        format!(
            "/v1/issuing/cards/{}/{what}",
            card["card_id"].as_str().unwrap()
        )
    };
    let (status, body) = world.post(&path("recharge"), &json!({"amount": 30})).await;
    assert_eq!(
        (status, body["code"].as_str()),
        (400, Some("insufficient_balance")),
        "29.50 are left"
    );
    for (what, amount, event, kind, limit) in [
        (
            "recharge",
            "29.50",
            "card.recharge.succeeded",
            "CARD_RECHARGE",
            "150.00",
        ),
        (
            "withdraw",
            "50.00",
            "card.withdraw.succeeded",
            "CARD_WITHDRAW",
            "100.00",
        ),
    ] {
        let (status, order) = world.post(&path(what), &json!({"amount": amount})).await;
        assert_eq!(
            (status, order["order_status"].as_str()),
            (200, Some("PENDING"))
        );
        let id = order["card_order_id"].as_str().unwrap();
        assert_eq!(receiver.event(event).await["source_id"], id);
        let (_, order) = world.get(&format!("/v1/issuing/cards/{id}/order")).await;
        assert_eq!(
            (order["order_type"].as_str(), order["order_status"].as_str()),
            (Some(kind), Some("SUCCESS"))
        );
        let (_, card) = world
            .get(&format!(
                "/v1/issuing/cards/{}",
                card["card_id"].as_str().unwrap()
            ))
            .await;
        assert_eq!(card["available_balance"], limit);
    }
}

#[tokio::test]
async fn a_card_is_updated_by_an_order_of_its_own() {
    let world = World::start().await;
    let card = world.create(&simple()).await;
    world.until(&card, "ACTIVE").await;
    let path = format!("/v1/issuing/cards/{}", card["card_id"].as_str().unwrap());
    let changes = json!({"metadata": {"order": "o-2"}, "card_limit": "90.00"});
    let (status, order) = world.post(&path, &changes).await;
    assert_eq!(
        (status, order["order_status"].as_str()),
        (200, Some("PENDING"))
    );
    let id = order["card_order_id"].as_str().unwrap();
    let (_, order) = world.get(&format!("/v1/issuing/cards/{id}/order")).await;
    assert_eq!(order["order_type"], "CARD_UPDATE");
    let (_, card) = world.get(&path).await;
    assert_eq!(
        (&card["metadata"]["order"], &card["card_limit"]),
        (&json!("o-2"), &json!(90))
    );
    let (status, _) = world
        .post(&path, &json!({"metadata": {"order": "x".repeat(3200)}}))
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn somebody_else_changes_a_card_and_a_webhook_tells() {
    let receiver = Receiver::start().await;
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        ..quick()
    })
    .await;
    let card = world.create(&simple()).await;
    receiver.event("card.create.succeeded").await;
    let id = card["card_id"].as_str().unwrap();
    let path = format!("/cards/{id}");
    for status in ["FROZEN", "ACTIVE", "BLOCKED"] {
        let (answered, _) = world.control(&path, &json!({"card_status": status})).await;
        assert_eq!(answered, 200);
        let event = receiver.event("card.status.update.succeeded").await;
        assert_eq!(
            (&event["data"]["card_status"], &event["data"]["card_id"]),
            (&json!(status), &card["card_id"])
        );
    }

    // What the provider has blocked its caller cannot change (contract §2.7), nor can anybody cancel it.
    let cancel = json!({"card_status": "CANCELLED", "update_reason": "rolled back"});
    let (_, refusal) = world
        .post(&format!("/v1/issuing/cards/{id}/status"), &cancel)
        .await;
    assert_eq!(refusal["code"], "card_status_not_allowed");
    let to = |status: &str| json!({ "card_status": status });
    assert_eq!(world.control(&path, &to("PRE_CANCEL")).await.0, 409);
    assert_eq!(world.control(&path, &to("ACTIVE")).await.0, 200);
    assert_eq!(world.control(&path, &to("PRE_CANCEL")).await.0, 200);
    assert_eq!(world.status_of(&card), CardStatus::PreCancel);
    assert_eq!(world.control(&path, &to("ACTIVE")).await.0, 409);
    world
        .simulator
        .advance(Duration::from_secs(31 * 86_400))
        .await;
    assert_eq!(world.status_of(&card), CardStatus::Cancelled);
    assert_eq!(world.control(&path, &to("FAILED")).await.0, 409);
    let unknown = format!("/cards/{}", uuid::Uuid::nil());
    assert_eq!(world.control(&unknown, &to("FROZEN")).await.0, 404);
}
