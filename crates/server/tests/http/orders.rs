//! Orders, as a host sees them.

use std::collections::HashSet;

use issuance_server::{Access, Code, PublicOptions, ServeOptions};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::provider::LINK;
use crate::world::{OPERATOR, World, body, problem, request};

async fn idle() -> World {
    World::with(
        PublicOptions::standard(Access::Open),
        ServeOptions::standard(),
    )
    .await
}

#[tokio::test]
async fn placing_twice_is_one_order() {
    let world = idle().await;
    let first = world
        .post("/v1/orders")
        .json(&request("r-1"))
        .send()
        .await
        .unwrap();
    assert_eq!(first.status(), StatusCode::CREATED);
    assert_eq!(first.headers()["etag"], "\"1\"");
    let location = first.headers()["location"].to_str().unwrap().to_owned();
    let placed = body(first).await;
    assert_eq!(placed["state"], "requested");
    assert_eq!(placed["next_step"]["action"], "submit");
    assert_eq!(
        body(world.get(&location).send().await.unwrap()).await["id"],
        placed["id"]
    );

    let again = world
        .post("/v1/orders")
        .json(&request("r-1"))
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(again.headers()["location"], location.as_str());
    assert_eq!(body(again).await["id"], placed["id"]);

    let mut other = request("r-1");
    other["cardholder"]["fields"]["email"] = json!("someone.else@mail.example");
    let refused = problem(
        world.post("/v1/orders").json(&other).send().await.unwrap(),
        Code::ReferenceTaken,
    )
    .await;
    assert_eq!(refused["order_id"], placed["id"]);
}

#[tokio::test]
async fn the_idempotency_key_is_the_reference() {
    let world = idle().await;
    let mut bare = request("x");
    bare.as_object_mut().unwrap().remove("reference");
    let whole = request("key-1");
    let keyed = |key: &str, json| {
        world
            .post("/v1/orders")
            .header("idempotency-key", key)
            .json(json)
    };
    let stood_in = keyed("key-1", &bare).send().await.unwrap();
    assert_eq!(stood_in.status(), StatusCode::CREATED);
    assert_eq!(body(stood_in).await["reference"], "key-1");
    assert_eq!(
        keyed("key-1", &whole).send().await.unwrap().status(),
        StatusCode::OK
    );
    problem(
        keyed("key-2", &whole).send().await.unwrap(),
        Code::ReferenceMismatch,
    )
    .await;
    problem(
        keyed("not a key", &whole).send().await.unwrap(),
        Code::InvalidHeader,
    )
    .await;
    let refused = problem(
        world.post("/v1/orders").json(&bare).send().await.unwrap(),
        Code::InvalidJson,
    )
    .await;
    assert_eq!(
        refused["errors"],
        json!([{ "path": "reference", "problem": "missing" }])
    );
}

#[tokio::test]
async fn every_missing_path_is_named() {
    let world = idle().await;
    let mut poor = request("r-1");
    poor["cardholder"]["fields"] = json!({ "email": "mina.okafor@mail.example" });
    poor["currency"] = json!("EUR");
    let refused = problem(
        world.post("/v1/orders").json(&poor).send().await.unwrap(),
        Code::RequestUnfit,
    )
    .await;
    let paths: HashSet<_> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["path"].as_str().unwrap())
        .collect();
    for path in [
        "currency",
        "cardholder.first_name",
        "cardholder.last_name",
        "cardholder.phone_number",
    ] {
        assert!(paths.contains(path), "{path}: {refused}");
    }
    assert!(!refused.to_string().contains("mina"), "{refused}");

    let mut unknown = request("r-1");
    unknown["product_id"] = json!("nowhere");
    problem(
        world
            .post("/v1/orders")
            .json(&unknown)
            .send()
            .await
            .unwrap(),
        Code::RequestUnfit,
    )
    .await;
    unknown["product_id"] = json!("unreachable");
    let later = world
        .post("/v1/orders")
        .json(&unknown)
        .send()
        .await
        .unwrap();
    assert!(later.headers().contains_key("retry-after"));
    problem(later, Code::ProductsUnavailable).await;
}

#[tokio::test]
async fn a_store_that_cannot_is_never_a_success() {
    let world = idle().await;
    world.store.overload(true);
    let refused = world
        .post("/v1/orders")
        .json(&request("r-1"))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    problem(refused, Code::Overloaded).await;
    world.store.overload(false);
    world.store.fill_disk(true);
    problem(
        world
            .post("/v1/orders")
            .json(&request("r-1"))
            .send()
            .await
            .unwrap(),
        Code::StorageFull,
    )
    .await;
    world.store.fill_disk(false);
    world.place("r-1").await;
    world.store.fail_next_sync();
    let stopped = world
        .post("/v1/orders")
        .json(&request("r-2"))
        .send()
        .await
        .unwrap();
    problem(stopped, Code::StorageStopped).await;
    assert_eq!(
        world.get("/readyz").send().await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        world.get("/healthz").send().await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn pages_hold_every_order_once() {
    let world = idle().await;
    let mut placed = HashSet::new();
    for number in 0..7 {
        placed.insert(world.place(&format!("r-{number}")).await);
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/orders?limit=3&state=requested".to_owned());
    loop {
        let page = body(world.get(&path).send().await.unwrap()).await;
        seen.extend(
            page["orders"]
                .as_array()
                .unwrap()
                .iter()
                .map(|order| order["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/orders?limit=3&state=requested&cursor={cursor}");
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), placed);

    let of = async |query: &str| {
        let page = body(
            world
                .get(&format!("/v1/orders?{query}"))
                .send()
                .await
                .unwrap(),
        )
        .await;
        page["orders"].as_array().unwrap().len()
    };
    assert_eq!(of("reference=r-3").await, 1);
    assert_eq!(of("reference=r-3&state=active").await, 0);
    assert_eq!(of("reference=r-3&account=other").await, 0);
    assert_eq!(of("product=product-1").await, 7);
    assert_eq!(of("attention=any").await, 0);
    assert_eq!(of("account=other").await, 0);
}

#[tokio::test]
async fn a_card_comes_out_and_its_story_names_the_evidence() {
    let world = World::start().await;
    let id = world.place("r-1").await;
    let order = world.until_state(&id, "active").await;
    assert_eq!(order["card_id"], format!("card-{id}"));
    let story = body(
        world
            .get(&format!("/v1/orders/{id}/events"))
            .send()
            .await
            .unwrap(),
    )
    .await;
    let events = story["events"].as_array().unwrap();
    assert_eq!(events[0]["name"], "order_requested");
    let activated = events
        .iter()
        .find(|event| event["name"] == "card_activated")
        .unwrap();
    assert_eq!(activated["data"]["card_status"], "ACTIVE");
    assert!(activated["data"]["evidence"]["from"].is_string());
    for event in events {
        let text = event.to_string();
        assert!(
            !text.contains("digest") && !text.contains("\"key\""),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_link_shows_in_one_place_only() {
    let world = World::start().await;
    let id = world.place("idv-1").await;
    let order = world.until_state(&id, "idv_pending").await;
    assert_eq!(order["idv"]["link_available"], true);
    let answer = world
        .get(&format!("/v1/orders/{id}/idv-link"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let link = body(answer).await;
    assert_eq!(link["url"], LINK);
    assert_eq!(link["expires_at"], order["idv"]["expires_at"]);
    for path in [
        format!("/v1/orders/{id}"),
        format!("/v1/orders/{id}/events"),
        "/v1/orders".to_owned(),
    ] {
        let text = world.get(&path).send().await.unwrap().text().await.unwrap();
        assert!(!text.contains("idv.example.test"), "{path}: {text}");
        assert!(
            !text.contains("mina") && !text.contains("Okafor"),
            "{path}: {text}"
        );
    }
    let other = world.place("r-1").await;
    world.until_state(&other, "active").await;
    let none = world
        .get(&format!("/v1/orders/{other}/idv-link"))
        .send()
        .await
        .unwrap();
    problem(none, Code::IdvLinkNotAvailable).await;
}

#[tokio::test]
async fn a_host_can_cancel() {
    let world = idle().await;
    let id = world.place("r-1").await;
    let path = format!("/v1/orders/{id}/cancel");
    problem(
        world
            .post(&path)
            .json(&json!({ "why": "no" }))
            .send()
            .await
            .unwrap(),
        Code::InvalidJson,
    )
    .await;
    let answer = world.post(&path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let order = body(answer).await;
    assert_eq!(order["state"], "failed");
    assert_eq!(order["failure"]["kind"], "cancelled");
    assert_eq!(order["failure"]["who_must_act"], "nobody");
    let again = world.post(&path).json(&json!({})).send().await.unwrap();
    assert_eq!(
        (again.status(), &body(again).await["version"]),
        (StatusCode::OK, &order["version"]),
        "already so"
    );

    let ended = world.place("r-2").await;
    let fail = format!("/orders/{ended}/actions/fail");
    let act = world
        .admin(Method::POST, &fail, OPERATOR)
        .json(&json!({ "reason": "x" }))
        .send()
        .await
        .unwrap();
    assert_eq!(act.status(), StatusCode::OK);
    let late = world
        .post(&format!("/v1/orders/{ended}/cancel"))
        .send()
        .await
        .unwrap();
    problem(late, Code::ActionNotPossible).await;
}
