//! The same orders end the same on every road news can take: webhooks and look-ups, look-ups alone, webhooks alone
//! (L4). What else the engine must bear of the provider's side: strangers who mint, credentials that fail, cards nobody
//! ordered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use issuance::domain::{FailureKind, Order, OrderId, Policy, State, Timestamp};
use issuance::store::Store;
use issuance::{Clock, Difference, Engine, Finding, Proposal, SystemClock};
use issuance_simulator::{
    Config, Endpoint, ErrorAnswer, Fault, FaultMatch, FaultRule, IdvOutcome, Moment, WebhookTarget,
};
use issuance_store::SimulatedStore;
use issuance_tests::requests::{simple, with_idv};
use issuance_tests::world::{SECRET, World, client, client_of, limits, policy, verifier};
use serde_json::json;

async fn world() -> World {
    let store: Arc<dyn Store> = Arc::new(SimulatedStore::new(policy()));
    World::with(store, Config::default(), policy()).await
}

fn server_error() -> ErrorAnswer {
    serde_json::from_value(json!({ "status": 500 })).unwrap()
}

fn everywhere(world: &World, endpoint: Option<Endpoint>, fault: Fault) {
    let applies_to = FaultMatch {
        endpoint,
        ..FaultMatch::default()
    };
    let rule = FaultRule {
        id: String::new(),
        applies_to,
        fault,
        times: None,
        probability: None,
        used: 0,
    };
    world.simulator.add_faults([rule]);
}

fn end(order: &Order) -> (&'static str, Option<FailureKind>) {
    match &order.state {
        State::Failed { failure, .. } => (order.state.name(), Some(failure.kind)),
        state => (state.name(), None),
    }
}

/// Places twenty orders of every kind and waits until all have ended.
async fn twenty(world: &World) -> BTreeMap<u32, (&'static str, Option<FailureKind>)> {
    let mut ids: Vec<(u32, OrderId)> = Vec::new();
    for number in 1..=20 {
        let person = |outcome| Fault::IdvPerson {
            outcome,
            after_ms: 150,
        };
        let request = match number {
            11..=14 => {
                world.fault(number, None, person(IdvOutcome::Pass));
                with_idv(number)
            }
            15 | 16 => {
                world.fault(number, None, person(IdvOutcome::Fail));
                with_idv(number)
            }
            17 | 18 => {
                world.fault(
                    number,
                    None,
                    Fault::CardFails {
                        failure_code: Some("card_making_failed".into()),
                    },
                );
                simple(number)
            }
            19 => {
                world.fault_at(
                    number,
                    Some(2),
                    Some(Endpoint::CreateCard),
                    Fault::LostAfterEffect,
                );
                simple(number)
            }
            20 => {
                world.fault_at(
                    number,
                    Some(1),
                    Some(Endpoint::CreateCard),
                    Fault::Processing,
                );
                simple(number)
            }
            _ => simple(number),
        };
        ids.push((number, world.engine.place(request).await.unwrap().order.id));
    }
    let mut ends = BTreeMap::new();
    for (number, id) in ids {
        let order = world
            .until(id, "at its end", |order| order.state.is_terminal())
            .await;
        assert!(world.cards_of(id) <= 1, "{number}");
        ends.insert(number, end(&order));
    }
    ends
}

#[tokio::test]
async fn l4_the_same_orders_end_the_same_by_every_road() {
    let normal = twenty(&world().await).await;
    assert_eq!(normal.values().filter(|end| end.0 == "active").count(), 16);

    let without_webhooks = world().await;
    everywhere(&without_webhooks, None, Fault::WebhookDrop);
    assert_eq!(twenty(&without_webhooks).await, normal, "webhooks lost");

    let without_reads = world().await;
    for endpoint in [
        Endpoint::GetCard,
        Endpoint::ListCards,
        Endpoint::GetCardOrder,
        Endpoint::GetCardholder,
        Endpoint::ListCardholders,
    ] {
        everywhere(
            &without_reads,
            Some(endpoint),
            Fault::ErrorBeforeEffect(server_error()),
        );
    }
    assert_eq!(twenty(&without_reads).await, normal, "look-ups fail");
}

#[tokio::test]
async fn l7_hundreds_of_calls_and_a_stranger_who_mints_cost_one_mint_each() {
    let world = world().await;
    let stranger = client(&world.simulator);
    let mut orders = Vec::new();
    for number in 1..=200 {
        orders.push(world.engine.place(simple(number)).await.unwrap().order.id);
        if number % 50 == 0 {
            stranger
                .mint_token("2026-10-03T09:00:00Z".parse().unwrap())
                .await
                .unwrap();
        }
    }
    for id in orders {
        world.until_state(id, "active").await;
        assert_eq!(world.cards_of(id), 1);
    }
    let token = world.engine.health().await.token.unwrap();
    assert!(token.generation <= 1 + 4, "{token:?}");
    let mints = world
        .simulator
        .ledger()
        .requests
        .iter()
        .filter(|asked| asked.endpoint == Endpoint::Token)
        .count();
    assert_eq!(mints as u64, token.generation + 4);
    assert_eq!(token.is_contested, token.evictions >= 3, "{token:?}");
}

#[tokio::test]
async fn f_031_credentials_that_fail_stop_all_calls_and_fail_no_order() {
    let world = world().await;
    let first = world.engine.place(simple(1)).await.unwrap().order.id;
    world.until_state(first, "active").await;
    let answer = json!({ "status": 401, "body": { "type": "authentication_error", "code": "unauthorized", "message": "no" } });
    let refused = Fault::ErrorBeforeEffect(serde_json::from_value(answer).unwrap());
    everywhere(&world, Some(Endpoint::Token), refused.clone());
    everywhere(&world, Some(Endpoint::CreateCard), refused);
    let mut orders = Vec::new();
    for number in 2..=30 {
        orders.push(world.engine.place(simple(number)).await.unwrap().order.id);
    }
    let mut open = None;
    for _ in 0..200 {
        open = world.engine.health().await.breaker;
        if open.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(open.is_some(), "one breaker for all");
    tokio::time::sleep(Duration::from_secs(1)).await;
    for id in &orders {
        let order = world.engine.order(*id).await.unwrap().unwrap();
        assert_eq!(order.state.name(), "requested");
    }
    let creates = world
        .simulator
        .ledger()
        .requests
        .iter()
        .filter(|asked| asked.endpoint == Endpoint::CreateCard)
        .count();
    assert!(
        creates < 1 + 64 + 20,
        "{creates} calls with credentials that fail"
    );
    world.simulator.clear_faults();
    for id in orders {
        world.until_state(id, "active").await;
    }
}

#[tokio::test]
async fn reconciliation_finds_what_differs_and_touches_no_card_it_cannot_explain() {
    let world = world().await;
    world.shares_its_provider();
    let known = world.engine.place(simple(1)).await.unwrap().order.id;
    world.until_state(known, "active").await;
    let clean = world.engine.reconcile().await.unwrap().unwrap();
    assert!(clean.complete && clean.differences.is_empty(), "{clean:?}");
    assert_eq!((clean.orders, clean.cards), (1, 1));

    // Another engine on an empty log sees the first one's card. Webhooks do not reach it, and it looks up late.
    let late = Policy {
        look_up_first: Duration::from_secs(60),
        ..policy()
    };
    let other = Engine::builder()
        .store(Arc::new(SimulatedStore::new(late.clone())))
        .uqpay(client_of(&world.simulator, "another"))
        .policy(late)
        .limits(limits())
        .build()
        .unwrap();
    let running = other.clone();
    tokio::spawn(async move { running.run().await });
    let found = other.reconcile().await.unwrap().unwrap();
    let [finding] = found.differences.as_slice() else {
        panic!("{found:?}")
    };
    assert!(
        matches!(finding.difference, Difference::NoSuchOrder { .. }),
        "{finding:?}"
    );
    assert_eq!((finding.proposal, finding.applied), (Proposal::Ask, false));

    // Only the lists tell it that its own order's card is there.
    let silent = other.place(simple(2)).await.unwrap().order.id;
    for _ in 0..200 {
        let found = other.reconcile().await.unwrap().unwrap();
        let differs =
            |finding: &&Finding| matches!(finding.difference, Difference::StateDiffers { .. });
        if let Some(finding) = found.differences.iter().find(differs) {
            assert!(finding.applied && finding.proposal == Proposal::Learn);
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(
        other.order(silent).await.unwrap().unwrap().state.name(),
        "active"
    );
    assert_eq!(world.cards_of(silent), 1);
    let again = other.reconcile().await.unwrap().unwrap();
    assert_eq!(again.total, 1, "only the card it cannot explain: {again:?}");
    let stranger = world.engine.order(known).await.unwrap().unwrap();
    assert_eq!(stranger.state.name(), "active");
}

/// A clock an hour ahead.
#[derive(Debug)]
struct Ahead;

#[async_trait::async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(Duration::from_secs(3_600))
    }

    async fn sleep(&self, wait: Duration) {
        SystemClock.sleep(wait).await;
    }

    fn jitter(&self) -> f64 {
        SystemClock.jitter()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        SystemClock.fill_random(bytes);
    }
}

async fn receive(
    axum::extract::State(engine): axum::extract::State<Engine>,
    headers: axum::http::HeaderMap,
    body: axum::body::Bytes,
) -> axum::http::StatusCode {
    let of = |name: &str| {
        headers
            .get(name)
            .map(|value| value.as_bytes())
            .unwrap_or_default()
    };
    let (signature, time) = (of("x-wk-signature"), of("x-wk-timestamp"));
    match engine.receive_webhook(&[signature], &[time], &body).await {
        Ok(_) => axum::http::StatusCode::OK,
        Err(_) => axum::http::StatusCode::UNAUTHORIZED,
    }
}

#[tokio::test]
async fn f_053_f_054_old_news_is_a_hint_and_much_of_it_says_that_our_clock_is_wrong() {
    // Far look-ups: without the hints, the orders would wait for a minute.
    let late = Policy {
        look_up_first: Duration::from_secs(60),
        ..policy()
    };
    let world = world().await;
    world.shares_its_provider();
    let engine = Engine::builder()
        .store(Arc::new(SimulatedStore::new(late.clone())))
        .uqpay(client_of(&world.simulator, "another"))
        .policy(late)
        .limits(limits())
        .clock(Arc::new(Ahead))
        .webhooks(verifier())
        .build()
        .unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = axum::Router::new()
        .route("/", axum::routing::post(receive))
        .with_state(engine.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    world.simulator.set_webhook(Some(WebhookTarget {
        url,
        secret: Some(SECRET.into()),
    }));
    let running = engine.clone();
    tokio::spawn(async move { running.run().await });
    // One after the other: what is signed within one millisecond counts once.
    for number in 1..=5 {
        let id = engine.place(simple(number)).await.unwrap().order.id;
        for _ in 0..400 {
            if engine.order(id).await.unwrap().unwrap().state.name() == "active" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let story = engine.history(id).await.unwrap();
        let has = |name: &str| {
            story
                .iter()
                .any(|recorded| recorded.event.body.name() == name)
        };
        assert!(
            has("look_up_requested") && has("card_activated"),
            "{story:#?}"
        );
    }
    let health = engine.health().await;
    let ahead = health
        .webhooks
        .unwrap()
        .clock_ahead_millis
        .expect("a clock that is wrong is said");
    assert!((3_500_000..3_700_000).contains(&ahead), "{ahead}");
    assert!(
        engine.unsettled_messages(10).await.unwrap().is_empty(),
        "nothing of them is kept"
    );
}

#[tokio::test]
async fn look_ups_of_many_orders_go_by_pages() {
    let world = world().await;
    everywhere(&world, None, Fault::WebhookDrop);
    // As far away as a provider is.
    for endpoint in [Endpoint::GetCard, Endpoint::ListCards] {
        let when = Moment::After;
        everywhere(&world, Some(endpoint), Fault::Slow { ms: 100, when });
    }
    let mut orders = Vec::new();
    for number in 1..=150 {
        orders.push(world.engine.place(simple(number)).await.unwrap().order.id);
    }
    for id in orders {
        world.until_state(id, "active").await;
    }
    let asked = world.simulator.ledger().requests;
    let reads = asked
        .iter()
        .filter(|asked| matches!(asked.endpoint, Endpoint::GetCard | Endpoint::ListCards))
        .count();
    let pages = asked
        .iter()
        .filter(|asked| asked.endpoint == Endpoint::ListCards)
        .count();
    assert!(
        pages > 0 && reads < 150,
        "{reads} reads, {pages} of them pages"
    );
}
