//! Definite refusals of the create call (contract §6.3): the code, and that nothing was left behind.

use issuance_simulator::product;
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn every_gap_is_named_by_its_path() {
    let world = World::start().await;
    let mut body = redirect();
    body["cardholder_required_fields"]["residential_address"] = json!({"country": "SG"});
    body["cardholder_required_fields"]["last_name"] = "".into();
    let refusal = world.refused(&body, "cardholder_incomplete_fields").await;
    assert_eq!(
        refusal["missing_fields"],
        json!([
            "last_name",
            "residential_address.city",
            "residential_address.line1"
        ])
    );
    let neither = json!({"card_product_id": product::SIMPLIFIED, "card_currency": "USD"});
    world.refused(&neither, "cardholder_missing_info").await;
    assert!(world.ledger().cardholders.is_empty());
}

#[tokio::test]
async fn email_and_phone_belong_to_one_person() {
    let world = World::start().await;
    let first = simple();
    world.create(&first).await;
    let mut same_email = simple();
    same_email["cardholder_required_fields"]["email"] =
        first["cardholder_required_fields"]["email"]
            .as_str()
            .unwrap()
            .to_uppercase()
            .into();
    world.refused(&same_email, "email_duplicated").await;
    let mut same_phone = simple();
    let phone = first["cardholder_required_fields"]["phone_number"]
        .as_str()
        .unwrap();
    same_phone["cardholder_required_fields"]["phone_number"] = format!("+65{phone}").into();
    world.refused(&same_phone, "phone_number_duplicated").await;
    assert_eq!(world.ledger().cardholders.len(), 1);
}

#[tokio::test]
async fn products_refuse_what_they_do_not_offer() {
    let world = World::start().await;
    world
        .refused(
            &with_product(product::DISABLED, person()),
            "card_product_disabled",
        )
        .await;
    world
        .refused(
            &with_product(product::EMPTY_POOL, person()),
            "insufficient_sub_bin",
        )
        .await;
    world
        .refused(
            &with_product(product::PREPAID.to_string().parse().unwrap(), json!({})),
            "cardholder_incomplete_fields",
        )
        .await;
    let cases = [
        ("card_currency", json!("EUR")),
        ("card_limit", json!(-1)),
        ("card_limit", json!(1.005)),
        (
            "card_product_id",
            json!("6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c9"),
        ),
        ("name_on_card", json!("A NAME OF TWENTY-SEVEN CHARS")),
        ("usage_type", json!("ONE_TIME")),
        (
            "spending_controls",
            json!([{"amount": 5, "interval": "DAILY"}]),
        ),
        (
            "risk_controls",
            json!({"allowed_mcc": ["5734"], "blocked_mcc": ["5735"]}),
        ),
        ("metadata", json!({"long": "x".repeat(3200)})),
        ("card_limit", json!({})),
    ];
    for (member, value) in cases {
        let mut body = simple();
        body[member] = value;
        world.refused(&body, "invalid_parameter").await;
    }
    let mut limitless = with_product(product::LIMIT_REQUIRED, person());
    limitless["card_limit"] = json!(0);
    world.refused(&limitless, "invalid_parameter").await;
    limitless["card_limit"] = json!("0.01");
    world.create(&limitless).await;
}

#[tokio::test]
async fn people_are_checked() {
    let world = World::start().await;
    let with = |member: &str, value: serde_json::Value| {
        let mut body = simple();
        body["cardholder_required_fields"][member] = value;
        body
    };
    world
        .refused(&with("phone_number", json!("12")), "invalid_phone_number")
        .await;
    world
        .refused(&with("first_name", json!("R2D2")), "invalid_parameter")
        .await;
    world
        .refused(&with("gender", json!(1)), "invalid_parameter")
        .await;
    world
        .refused(&with("email", json!("nobody")), "invalid_parameter")
        .await;
    world
        .refused(&with("country_code", json!("SGP")), "invalid_parameter")
        .await;
    world
        .refused(
            &with("date_of_birth", json!("11.02.1991")),
            "invalid_parameter",
        )
        .await;
    world
        .refused(
            &with("kyc_verification", json!({"method": "PIGEON"})),
            "invalid_parameter",
        )
        .await;
    let identity = json!({"type": "ID_CARD", "number": "S1", "front_file": "aGk="});
    let refusal = world
        .refused(&with("identity", identity), "cardholder_incomplete_fields")
        .await;
    assert_eq!(refusal["missing_fields"], json!(["identity.back_file"]));
    let mut foreign = person();
    foreign["nationality"] = "KP".into();
    foreign["residential_address"] = json!({"country": "JP", "city": "Tokyo", "line1": "1"});
    world
        .refused(
            &with_product(product::REGIONAL, foreign.clone()),
            "region_not_supported",
        )
        .await;
    foreign["nationality"] = "JP".into();
    world
        .create(&with_product(product::REGIONAL, foreign))
        .await;
}

#[tokio::test]
async fn a_known_cardholder_must_suffice_for_the_product() {
    let world = World::start().await;
    let (_, holder) = world.post("/v1/issuing/cardholders", &person()).await;
    let mut body = json!({"card_product_id": product::ENHANCED, "card_currency": "USD", "cardholder_id": holder["cardholder_id"]});
    let refusal = world.refused(&body, "kyc_insufficient").await;
    assert_eq!(refusal["missing_fields"][0]["name"], "residential_address");
    body["cardholder_required_fields"] = json!({
        "residential_address": {"country": "SG", "city": "Singapore", "line1": "1"},
        "kyc_verification": {"method": "SUMSUB_REDIRECT"}
    });
    assert_eq!(
        world.create(&body).await["verification_status"],
        "ACTION_REQUIRED"
    );
    body["cardholder_id"] = key().into();
    world.refused(&body, "cardholder_not_found").await;
}

#[tokio::test]
async fn unknown_things_are_not_found() {
    let world = World::start().await;
    for (path, code) in [
        (format!("/v1/issuing/cards/{}", key()), "card_not_found"),
        ("/v1/issuing/cards/nonsense".into(), "card_not_found"),
        (
            format!("/v1/issuing/cards/{}/order", key()),
            "card_order_not_found",
        ),
        (
            format!("/v1/issuing/cardholders/{}", key()),
            "cardholder_not_found",
        ),
    ] {
        let (status, body) = world.get(&path).await;
        assert_eq!((status, body["code"].as_str()), (400, Some(code)), "{path}");
    }
}

#[tokio::test]
async fn members_nobody_knows_are_ignored() {
    let world = World::start().await;
    let mut body = simple();
    body["colour"] = json!({"of": "money"});
    body["cardholder_required_fields"]["nickname"] = "Mi".into();
    world.create(&body).await;
}
