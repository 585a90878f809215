//! `docs/refusals.md` is what comes of every row of contract §6.3 when the provider really answers so: each row is played
//! by the simulator to the client and to the whole engine, and what a host and an operator read is written down. Run with
//! `UPDATE_DOCS=1` to write the page.

mod rows;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use issuance::domain::{Order, OrderId, Policy, State};
use issuance::uqpay::{Answer, Body, Class, KeyUse};
use issuance::{Clock, Engine, SystemClock};
use issuance_server::OrderView;
use issuance_simulator::{Config, Endpoint, Fault, FaultMatch, FaultRule, Simulator, product};
use issuance_store::SimulatedStore;
use issuance_tests::requests::{person, simple};
use issuance_tests::world::{World, client_of, policy};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::faults::support::{count, judge, keys, names, silences, story};

use rows::{CONTRACT, Does, Row, rows};

/// A line of the page.
struct Line {
    signal: &'static str,
    status: String,
    class: String,
    key: &'static str,
    course: String,
    who: String,
    another: &'static str,
    host: String,
    operator: String,
}

/// Worlds at once.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_6_3_every_signal_ends_as_the_page_says() {
    let lines: Vec<Line> = futures_util::stream::iter(rows())
        .map(play)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let page = page(&lines);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/refusals.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (is, says)) in (1..).zip(page.lines().zip(written.lines())) {
        assert_eq!(
            is, says,
            "line {line}: docs/refusals.md is not what happens: UPDATE_DOCS=1"
        );
    }
    assert_eq!(
        page.len(),
        written.len(),
        "docs/refusals.md is not what happens: UPDATE_DOCS=1"
    );
}

#[test]
fn contract_6_3_no_row_is_left_out() {
    let played: Vec<_> = rows().iter().map(|row| row.signal).collect();
    assert_eq!(played, CONTRACT);
    // A code that the client knows by itself has its row, and the other way round.
    let codes = CONTRACT
        .iter()
        .filter_map(|signal| signal.split('`').nth(1));
    for code in codes.filter(|code| *code != "api_error") {
        assert!(Class::of_code(code).is_some(), "{code}");
    }
}

async fn play(row: Row) -> Line {
    let policy = Policy {
        capacity_retry: Duration::from_millis(2_500),
        // Shorter than the client's patience, so that it comes before the end of a call that nobody answers.
        outcome_unknown_alarm: Duration::from_millis(800),
        card_missing_grace: Duration::from_millis(900),
        activation_alarm: Duration::from_secs(60),
        ..policy()
    };
    let store = Arc::new(SimulatedStore::new(policy.clone()));
    let mut world = World::with(store, Config::default(), policy).await;
    let told = direct(&world, &row).await;
    if matches!(row.does, Does::IsGone) {
        // The products are known by then.
        world.engine.place(simple(2)).await.unwrap();
        let address = world.simulator.addr();
        let elsewhere = Simulator::start(Config::default(), ([127, 0, 0, 1], 0).into());
        let gone = std::mem::replace(&mut world.simulator, elsewhere.await.unwrap());
        gone.shutdown().await;
        world.forgets_its_provider();
        let id = world.engine.place(simple(1)).await.unwrap().order.id;
        let seen = seen(&world.engine, id, usize::MAX).await;
        // Its ids are none that were given out before.
        let another = Config {
            seed: 2,
            ..Config::default()
        };
        world.simulator = Simulator::start(another, address).await.unwrap();
        return finish(&world, row.signal, told, seen).await;
    }
    let id = world.engine.place(simple(1)).await.unwrap().order.id;
    let seen = seen(&world.engine, id, 2).await;
    world.simulator.clear_faults();
    finish(&world, row.signal, told, seen).await
}

/// An order when the row has shown all it does to it.
struct Seen {
    order: Arc<Order>,
    breaker: Option<String>,
    pool: bool,
    limited: bool,
    actions: Vec<&'static str>,
}

/// Calls turned away that show how it goes on; when nobody is there, the breaker must.
async fn seen(engine: &Engine, id: OrderId, enough: usize) -> Seen {
    for _ in 0..800 {
        let order = engine.order(id).await.unwrap().unwrap();
        let health = engine.health().await;
        let turned_away = silences(engine, id)
            .await
            .iter()
            .filter(|cause| !cause.maybe_sent())
            .count();
        if order.state.is_terminal()
            || order.attention.is_some()
            || health.breaker.is_some()
            || turned_away >= enough
        {
            let actions = engine.allowed_actions(&order);
            return Seen {
                actions: actions.iter().map(|action| action.name()).collect(),
                order,
                breaker: health.breaker.map(|(why, _)| why),
                limited: health.budget.closed_until.is_some(),
                pool: !health.pools.is_empty(),
            };
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("nothing came of it: {:#?}", story(engine, id).await);
}

/// The provider is well again: where the order ends, and what the page says of the row.
async fn finish(
    world: &World,
    signal: &'static str,
    told: (String, String, &'static str),
    seen: Seen,
) -> Line {
    let id = seen.order.id;
    let (status, class, key) = told;
    let reason = seen
        .order
        .attention
        .as_ref()
        .map(|called| called.reason.name());
    let stays = matches!(seen.order.state, State::Failed { .. }) || reason == Some("key_conflict");
    let end = if stays {
        // Long enough for whatever would be sent again.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let calls = names(&world.engine, id).await;
        assert_eq!(
            count(&calls, "submission_started"),
            1,
            "{signal}: {calls:?}"
        );
        judge(&world.simulator, id, 0);
        String::new()
    } else {
        world.until_state(id, "active").await;
        judge(&world.simulator, id, 1);
        match keys(&world.engine, id).await.len() {
            1 => "; then active under the same key".to_owned(),
            2 => "; then active under a new key".to_owned(),
            more => panic!("{signal}: {more} keys"),
        }
    };
    let found = names(&world.engine, id).await.contains(&"leftover_found");
    let view = serde_json::to_value(OrderView::of(&seen.order, &[])).unwrap();
    let failure = &view["failure"];
    let who = match (failure["who_must_act"].as_str(), reason, &seen.breaker) {
        (Some(who), _, _) => who.to_owned(),
        (None, Some("outcome_unknown"), _) => "nobody; the operator if it lasts".to_owned(),
        (None, Some(_), _) | (None, None, Some(_)) => "operator".to_owned(),
        (None, None, None) => "nobody".to_owned(),
    };
    Line {
        signal,
        status,
        class,
        key,
        course: format!("{}{end}", course(&seen, reason, found)),
        who,
        another: match failure["new_order_could_succeed"].as_bool() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "this one goes on",
        },
        host: host(&view),
        operator: operator(&view, &seen),
    }
}

/// What the engine did, by what stands in its log and its breakers.
fn course(seen: &Seen, reason: Option<&str>, found: bool) -> &'static str {
    match (&seen.order.state, reason) {
        (State::Failed { .. }, None) => "ends the order",
        (State::Failed { .. }, Some(_)) => "ends the order and shows it",
        (State::Active { .. }, _) if found => "finds its own leftover and goes on with that person",
        (_, Some("key_conflict")) => "sends nothing more by itself",
        (_, Some("capacity")) if seen.pool => {
            "keeps the order; one of its product at a time asks again"
        }
        (_, Some("card_not_found")) => "reads again, and shows it when it stays so",
        (_, _) if seen.breaker.is_some() => "stops all calls, lets one through from time to time",
        (_, Some("outcome_unknown")) => "asks again after a growing wait, and shows it if it lasts",
        (_, None) if seen.limited => "waits as told, all calls alike",
        (_, None) => "mints a new token, once for each generation; asks again after a growing wait",
        (_, Some(other)) => panic!("{other}"),
    }
}

fn host(view: &Value) -> String {
    let failure = &view["failure"];
    let mut said = format!("`{}`", view["state"].as_str().unwrap());
    if let Some(meaning) = failure["meaning"].as_str() {
        write!(said, ": {meaning}{}", coded(failure)).unwrap();
    }
    let missing: Vec<_> = failure["missing_fields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !missing.is_empty() {
        write!(said, "; missing: {}", missing.join(", ")).unwrap();
    }
    said
}

fn operator(view: &Value, seen: &Seen) -> String {
    let attention = &view["attention"];
    let mut said = Vec::new();
    if let Some(reason) = attention["reason"].as_str() {
        let meaning = attention["meaning"].as_str().unwrap();
        // These two can always be done.
        let actions: Vec<_> = seen
            .actions
            .iter()
            .filter(|action| !matches!(**action, "note" | "pause"))
            .copied()
            .collect();
        said.push(format!(
            "`{reason}`: {meaning}{}. Can: {}",
            coded(attention),
            actions.join(", ")
        ));
    }
    if let Some(why) = &seen.breaker {
        said.push(format!("breaker: {why}"));
    }
    if said.is_empty() {
        "–".to_owned()
    } else {
        said.join("<br>")
    }
}

fn coded(said: &Value) -> String {
    match (said["code"].as_str(), said["code_meaning"].as_str()) {
        (Some(code), Some(meaning)) => format!(" (`{code}`: {meaning})"),
        (Some(code), None) => format!(" (`{code}`)"),
        (None, _) => String::new(),
    }
}

fn page(lines: &[Line]) -> String {
    let mut page = String::from(
        "# What the provider can refuse, and what comes of it\n\n\
         Every signal of the provider contract's §6.3, played by the simulator to the client and to the whole engine; a\n\
         test compares this page with what happened, and `UPDATE_DOCS=1 cargo nextest run -p issuance-tests -E\n\
         'test(contract_6_3)'` writes it anew. *Class* and *key* are the client's reading of the one answer: a *new* key for\n\
         what is settled, the *same* for what is not, *none* where only a person may go on. *The engine* is what it did\n\
         while the provider kept answering so, and what came of the order when it stopped. What host and operator read are\n\
         the words the server and `issuance orders` show; `note` and `pause` can always be done besides.\n\n\
         Codes in quotation marks are texts of the message. Where the contract knows no code (balance, quota, product,\n\
         region), the row was played with one in the provider's manner.\n\n\
         | signal | HTTP | class | key | the engine | who must act | a new order could succeed | the host reads | the operator reads |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let Line {
            signal,
            status,
            class,
            key,
            course,
            who,
            another,
            host,
            operator,
        } = line;
        writeln!(
            page,
            "| {signal} | {status} | {class} | {key} | {course} | {who} | {another} | {host} | {operator} |"
        )
        .unwrap();
    }
    page
}

/// What the client alone makes of the answer: status, class, key. Leaves the row's faults in force.
async fn direct(world: &World, row: &Row) -> (String, String, &'static str) {
    let everywhere = |endpoint, fault: Fault, times| FaultRule {
        id: String::new(),
        applies_to: FaultMatch {
            endpoint: Some(endpoint),
            ..FaultMatch::default()
        },
        fault,
        times,
        probability: None,
        used: 0,
    };
    let fault = |value: Value| serde_json::from_value::<Fault>(value).unwrap();
    let error = |status: u16, body: Value| {
        fault(json!({ "kind": "error_before_effect", "status": status, "body": body }))
    };
    match &row.does {
        Does::Create(value) => {
            let rule = everywhere(Endpoint::CreateCard, fault(value.clone()), None);
            // Neither message nor search may end what the row is about.
            let silent = everywhere(Endpoint::CreateCard, Fault::WebhookDrop, None);
            let list = everywhere(Endpoint::ListCards, error(500, Value::Null), None);
            world.simulator.add_faults([rule, silent, list]);
        }
        Does::LeavesCardholder => {
            let server_error = serde_json::from_value(json!({ "status": 500 })).unwrap();
            let fault = Fault::OrphanCardholder(server_error);
            let rule = everywhere(Endpoint::CreateCard, fault, Some(1));
            world.simulator.add_faults([rule]);
            return known("email_duplicated");
        }
        Does::ForgetsCard => {
            let body = json!({ "type": "card_error", "code": "card_not_found", "message": "card not found or deactivated" });
            let rule = everywhere(Endpoint::GetCard, error(400, body), None);
            let nothing = json!({ "total_pages": 0, "total_items": 0, "data": [] });
            let list = everywhere(Endpoint::ListCards, error(200, nothing), None);
            let silent = everywhere(Endpoint::GetCard, Fault::WebhookDrop, None);
            world.simulator.add_faults([rule, list, silent]);
            return known("card_not_found");
        }
        Does::IsGone => return ("–".into(), "not sent".into(), "same"),
    }
    let client = client_of(&world.simulator, "page");
    let now = SystemClock.now().to_string().parse().unwrap();
    let token = client.mint_token(now).await.unwrap();
    let body = json!({
        "card_product_id": product::SIMPLIFIED, "card_currency": "USD", "cardholder_required_fields": person(9_999),
    });
    let body = Body::from_bytes(body.to_string().into_bytes());
    match client.create_card(&token, Uuid::new_v4(), &body).await {
        Answer::Refused(refusal) => {
            let class = refusal.class();
            (
                refusal.status.to_string(),
                class.name().into(),
                key(class.key_use()),
            )
        }
        Answer::Unknown(unknown) => (
            unknown
                .status
                .map_or_else(|| "–".to_owned(), |status| status.to_string()),
            format!("unknown: {}", unknown.cause),
            "same",
        ),
        other => panic!("{}: {other:?}", row.signal),
    }
}

fn known(code: &str) -> (String, String, &'static str) {
    let class = Class::of_code(code).unwrap();
    ("400".into(), class.name().into(), key(class.key_use()))
}

fn key(key: KeyUse) -> &'static str {
    match key {
        KeyUse::Same => "same",
        KeyUse::New => "new",
        KeyUse::Hold => "none",
    }
}
