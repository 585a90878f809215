//! Lists and their pages (contract §1.7, §2.1, §2.4, §2.5).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn pages_cover_every_card_once() {
    let world = World::start().await;
    for _ in 0..23 {
        world.create(&simple()).await;
    }
    let mut seen = BTreeSet::new();
    for number in 1..=3 {
        let (_, page) = world
            .get(&format!(
                "/v1/issuing/cards?page_size=10&page_number={number}"
            ))
            .await;
        assert_eq!(
            (&page["total_items"], &page["total_pages"]),
            (&json!(23), &json!(3))
        );
        seen.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|card| card["card_id"].to_string()),
        );
    }
    assert_eq!(seen.len(), 23);
    let (_, beyond) = world
        .get("/v1/issuing/cards?page_size=10&page_number=4")
        .await;
    assert_eq!(beyond["data"], json!([]));
}

#[tokio::test]
async fn rows_write_metadata_and_limit_as_text() {
    let world = World::start().await;
    world.create(&simple()).await;
    let (_, page) = world
        .get("/v1/issuing/cards?page_size=10&page_number=1")
        .await;
    let row = &page["data"][0];
    assert_eq!(row["card_limit"], "120.50");
    let metadata: Value = serde_json::from_str(row["metadata"].as_str().unwrap()).unwrap();
    assert_eq!(metadata, json!({"order": "o-1"}));
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let world = World::start().await;
    let one = world.create(&simple()).await;
    let waiting = world.create(&redirect()).await;
    world.until(&one, "ACTIVE").await;
    let list = async |filter: &str| {
        world
            .get(&format!(
                "/v1/issuing/cards?page_size=10&page_number=1&{filter}"
            ))
            .await
            .1
    };
    assert_eq!(
        list("card_status=ACTIVE").await["data"][0]["card_id"],
        one["card_id"]
    );
    assert_eq!(
        list("card_status=PENDING").await["data"][0]["card_id"],
        waiting["card_id"]
    );
    assert_eq!(list("card_status=FROZEN").await["total_items"], 0);
    let of = format!(
        "cardholder_id={}",
        waiting["cardholder_id"].as_str().unwrap()
    );
    assert_eq!(list(&of).await["data"][0]["card_id"], waiting["card_id"]);
    assert_eq!(list("cardholder_id=nobody").await["total_items"], 0);
    let (_, people) = world
        .get("/v1/issuing/cardholders?page_size=10&page_number=1&cardholder_status=INCOMPLETE")
        .await;
    assert_eq!(people["data"][0]["cardholder_id"], waiting["cardholder_id"]);
    assert_eq!(people["total_items"], 1);
}

#[tokio::test]
async fn sizes_out_of_range_are_refused() {
    let world = World::start().await;
    for path in [
        "/v1/issuing/cards?page_size=101&page_number=1",
        "/v1/issuing/cards?page_size=0&page_number=1",
        "/v1/issuing/cards?page_size=10&page_number=0",
        "/v1/issuing/cards?page_size=ten&page_number=1",
        "/v1/issuing/products?page_size=9&page_number=1",
        "/v1/issuing/cardholders?page_size=9&page_number=1",
    ] {
        let (status, body) = world.get(path).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("invalid_parameter")),
            "{path}"
        );
    }
    assert_eq!(
        world
            .get("/v1/issuing/cards?page_size=1&page_number=1")
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn the_catalogue_shows_nested_fields() {
    let world = World::start().await;
    let (_, products) = world
        .get("/v1/issuing/products?page_size=10&page_number=1")
        .await;
    let rows = products["data"].as_array().unwrap();
    assert!(rows.len() >= 8);
    let enhanced = rows
        .iter()
        .find(|row| row["card_bin"] == "46651711")
        .unwrap();
    assert_eq!(enhanced["card_currency"], json!(["USD", "HKD"]));
    let kyc = enhanced["required_fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["name"] == "kyc_verification")
        .unwrap();
    assert_eq!(
        kyc["fields"][1]["fields"][1],
        json!({"name": "reference_id", "type": "string", "required": true})
    );
}
