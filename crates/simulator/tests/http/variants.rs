//! Contract §8: one meaning, many forms. Each test collects forms over many cards of one seed.

use std::collections::BTreeSet;

use issuance_simulator::{CardStatus, Config, Variants};
use serde_json::{Value, json};

use crate::support::*;

const CARDS: usize = 60;

fn varied() -> Config {
    Config {
        variants: Variants::BySeed,
        ..quick()
    }
}

/// What kind of JSON a member is, or the member itself if it is short text.
fn form(view: &Value, name: &str) -> String {
    match view.get(name) {
        None => "absent".into(),
        Some(Value::String(text)) if text.len() < 12 => format!("{text:?}"),
        Some(Value::String(_)) => "text".into(),
        Some(Value::Number(_)) => "number".into(),
        Some(Value::Object(members)) if members.is_empty() => "{}".into(),
        Some(Value::Object(_)) => "object".into(),
        Some(other) => other.to_string(),
    }
}

fn forms(views: &[Value], name: &str) -> BTreeSet<String> {
    views.iter().map(|view| form(view, name)).collect()
}

fn set<const N: usize>(forms: [&str; N]) -> BTreeSet<String> {
    forms.map(str::to_owned).into()
}

/// A card request without metadata for every second card.
fn request(number: usize) -> Value {
    let mut body = simple();
    if number % 2 == 1 {
        body["metadata"] = json!({});
    }
    body
}

async fn create(world: &World) -> Vec<(u16, Value)> {
    let mut answers = Vec::new();
    for number in 0..CARDS {
        let (status, answer) = world.post("/v1/issuing/cards", &request(number)).await;
        assert!((200..300).contains(&status), "{answer}");
        answers.push((status, answer));
    }
    // Past the read-after-write lag and every end.
    world
        .simulator
        .advance(std::time::Duration::from_secs(60))
        .await;
    answers
}

async fn read(world: &World, path: &str) -> Value {
    let (status, body) = world.get(path).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn create_answers_come_in_every_form() {
    let world = World::with(varied()).await;
    let answers = create(&world).await;
    let codes: BTreeSet<_> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(codes, [200, 201].into());
    let bodies: Vec<_> = answers.into_iter().map(|(_, body)| body).collect();
    assert_eq!(
        forms(&bodies, "order_status"),
        set(["\"PENDING\"", "\"PROCESSING\"", "\"SUCCESS\""])
    );
    assert_eq!(
        forms(&bodies, "card_status"),
        set(["\"ACTIVE\"", "\"PENDING\""])
    );
    assert_eq!(forms(&bodies, "code"), set(["\"\"", "absent"]));
    for name in [
        "message",
        "create_time",
        "cardholder_created",
        "verification_status",
    ] {
        assert!(forms(&bodies, name).contains("absent"), "{name}");
        assert!(forms(&bodies, name).len() > 1, "{name}");
    }
    assert!(
        world
            .ledger()
            .cards
            .iter()
            .all(|card| card.status == CardStatus::Active)
    );
}

#[tokio::test]
async fn a_repeat_has_the_status_and_bytes_of_the_first_answer() {
    let world = World::with(varied()).await;
    for number in 0..8 {
        let (key, body) = (key(), request(number));
        let first = world.post_keyed("/v1/issuing/cards", &key, &body).await;
        assert_eq!(
            world.post_keyed("/v1/issuing/cards", &key, &body).await,
            first
        );
    }
}

#[tokio::test]
async fn cards_and_their_orders_are_read_in_every_form() {
    let world = World::with(varied()).await;
    let (mut cards, mut orders) = (Vec::new(), Vec::new());
    for (_, created) in create(&world).await {
        let id = created["card_id"].as_str().unwrap();
        cards.push(read(&world, &format!("/v1/issuing/cards/{id}")).await);
        let order = created["card_order_id"].as_str().unwrap();
        orders.push(read(&world, &format!("/v1/issuing/cards/{order}/order")).await);
    }
    let rows = read(&world, "/v1/issuing/cards?page_size=100&page_number=1").await;
    let rows = rows["data"].as_array().unwrap().clone();
    for views in [&cards, &rows] {
        assert_eq!(forms(views, "card_limit"), set(["\"120.50\"", "number"]));
        assert_eq!(
            forms(views, "metadata"),
            set(["\"\"", "\"{}\"", "absent", "null", "object", "text", "{}"])
        );
        assert_eq!(forms(views, "cardholder"), set(["object", "{}"]));
        assert_eq!(forms(views, "risk_controls"), set(["absent", "null", "{}"]));
        for name in [
            "spending_limits",
            "card_available_balance",
            "create_time",
            "card_currency",
        ] {
            assert!(forms(views, name).len() > 1, "{name}");
        }
    }
    let tells_order = |metadata: &Value| match metadata {
        Value::String(text) => text.contains("o-1"),
        other => other["order"] == "o-1",
    };
    for (number, card) in cards.iter().enumerate() {
        assert_eq!(
            tells_order(&card["metadata"]),
            number % 2 == 0,
            "what was told is never lost: {card}"
        );
    }
    assert_eq!(
        forms(&orders, "order_type"),
        set(["\"CARD_CREATE\"", "\"CREATE_CARD\""])
    );
    assert_eq!(
        forms(&orders, "amount"),
        set(["\"120.50\"", "absent", "number"])
    );
    assert_eq!(forms(&orders, "failure_code"), set(["\"\"", "absent"]));
}

#[tokio::test]
async fn pages_are_shuffled_and_complete() {
    let mut orders = BTreeSet::new();
    for seed in 1..=6 {
        let world = World::with(Config { seed, ..varied() }).await;
        let created: Vec<_> = create(&world)
            .await
            .into_iter()
            .map(|(_, card)| card["card_id"].as_str().unwrap().to_owned())
            .collect();
        let mut listed = Vec::new();
        for page in 1..=6 {
            let path = format!("/v1/issuing/cards?page_size=10&page_number={page}");
            let page = read(&world, &path).await;
            assert_eq!(page["total_items"], CARDS);
            listed.extend(
                page["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|card| card["card_id"].as_str().unwrap().to_owned()),
            );
        }
        let place = |id: &String| created.iter().position(|known| known == id).unwrap();
        let first_page: BTreeSet<_> = listed.iter().take(10).map(place).collect();
        orders.insert(match (first_page.first(), first_page.last()) {
            (Some(0), Some(9)) => "oldest first",
            (Some(50), Some(59)) => "newest first",
            _ => "by id",
        });
        let (listed, created): (BTreeSet<_>, BTreeSet<_>) =
            (listed.into_iter().collect(), created.into_iter().collect());
        assert_eq!(listed, created, "seed {seed}");
    }
    assert_eq!(orders, ["by id", "newest first", "oldest first"].into());
}

#[tokio::test]
async fn some_fresh_cards_cannot_be_read_for_a_moment() {
    let world = World::with(varied()).await;
    let mut unread = 0;
    for number in 0..30 {
        let (_, card) = world.post("/v1/issuing/cards", &request(number)).await;
        let path = format!("/v1/issuing/cards/{}", card["card_id"].as_str().unwrap());
        let (status, body) = world.get(&path).await;
        if status == 400 {
            assert_eq!(body["code"], "card_not_found");
            unread += 1;
            world
                .simulator
                .advance(std::time::Duration::from_secs(1))
                .await;
            read(&world, &path).await;
        }
    }
    assert!((1..25).contains(&unread), "{unread}");
}

#[tokio::test]
async fn webhooks_come_in_every_form_and_are_always_signed() {
    let receiver = Receiver::start().await;
    let world = World::with(Config {
        webhook: Some(receiver.target()),
        ..varied()
    })
    .await;
    create(&world).await;
    let (mut bodies, mut digits, mut dotted) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..CARDS {
        let delivered = receiver.next().await;
        digits.insert(delivered.headers["x-wk-timestamp"].len());
        assert_eq!(delivered.headers["x-wk-signature"].len(), 128);
        let body = delivered.json();
        for name in ["event_type", "event_name"] {
            if body[name] == "card.create.succeeded" {
                dotted.insert(name);
            }
        }
        bodies.push(body);
    }
    assert_eq!(digits, [10, 13].into());
    assert_eq!(dotted, ["event_name", "event_type"].into());
    assert!(forms(&bodies, "source_id").contains("absent"));
    let data: Vec<_> = bodies.iter().map(|body| body["data"].clone()).collect();
    assert_eq!(
        forms(&data, "card_status"),
        set(["\"ACTIVE\"", "\"active\""])
    );
    assert_eq!(forms(&data, "metadata").len(), 7);
    for (one, other) in [
        ("risk_control", "risk_controls"),
        ("spending_limits", "spending_controls"),
        ("card_available_balance", "available_balance"),
    ] {
        assert!(
            data.iter()
                .all(|data| data.get(one).is_some() != data.get(other).is_some()),
            "{one}"
        );
        assert!(forms(&data, one).contains("absent") && forms(&data, other).contains("absent"));
    }
}

#[tokio::test]
async fn who_must_verify_is_incomplete_or_pending_and_the_link_may_stand_elsewhere() {
    let world = World::with(varied()).await;
    let mut answers = Vec::new();
    for _ in 0..CARDS {
        let (_, answer) = world.post("/v1/issuing/cards", &redirect()).await;
        if answer.get("idv_verification_url").is_none() {
            let id = answer["cardholder_id"].as_str().unwrap();
            let holder = read(&world, &format!("/v1/issuing/cardholders/{id}")).await;
            assert!(holder["idv_verification_url"].is_string());
        }
        answers.push(answer);
    }
    assert_eq!(
        forms(&answers, "cardholder_status"),
        set(["\"INCOMPLETE\"", "\"PENDING\""])
    );
    assert!(forms(&answers, "idv_verification_url").contains("absent"));
}

#[tokio::test]
async fn missing_fields_are_names_or_objects() {
    let world = World::with(varied()).await;
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let mut body = simple();
        body["cardholder_required_fields"] = json!({"first_name": "Mina"});
        let answer = world.refused(&body, "cardholder_incomplete_fields").await;
        let missing = answer["missing_fields"].as_array().unwrap();
        assert_eq!(missing.len(), 4);
        seen.extend(missing.iter().map(Value::is_object));
    }
    assert_eq!(seen, [false, true].into());
}

#[tokio::test]
async fn variants_are_off_until_asked_for_and_the_same_for_one_seed() {
    // Ids are drawn in the order things happen; without timers that is the order of the calls.
    let untimed = Config {
        processing_delay: std::time::Duration::from_secs(3600),
        ..quick()
    };
    let world = World::with(untimed.clone()).await;
    let other = World::with(untimed).await;
    assert_eq!(
        world
            .control("/variants", &json!({"variants": "sometimes"}))
            .await
            .0,
        422
    );
    for world in [&world, &other] {
        let (status, now) = world
            .control("/variants", &json!({"variants": "by_seed"}))
            .await;
        assert_eq!((status, &now), (200, &json!({"variants": "by_seed"})));
    }
    let forms = async |world: &World| {
        let mut all = Vec::new();
        for (status, mut body) in create(world).await {
            body["create_time"] = body.get("create_time").is_some().into();
            all.push((status, body));
        }
        all
    };
    assert!(forms(&world).await == forms(&other).await);
    world
        .control("/variants", &json!({"variants": "off"}))
        .await;
    let card = world.create(&simple()).await;
    assert_eq!(card["order_status"], "PROCESSING");
}
