//! The roads an order can take, each with canaries on it, and every place from which something can be read.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::World;

/// What was placed.
pub(crate) struct Placed {
    /// Orders, all of them ended.
    pub(crate) ids: Vec<String>,
    /// The identity-check link, as its own route gave it while it was wanted.
    pub(crate) link: String,
}

/// Walks them all.
pub(crate) async fn walk(world: &World) -> Placed {
    let get = |name| world.planted.get(name);
    // Every answer has more in it than was asked for, and the token is one of ours.
    let card = json!({
        "card_number": get("PAN"), "pan_token": get("PAN token"), "cvv": get("CVV and more"),
        "cardholder": { "email": get("e-mail"), "first_name": get("first name"), "last_name": get("last name") },
    });
    let echo = world.planted.echoed();
    // It does not count with the provider; when it ends, the next one does.
    let soon = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 4;
    let token = json!({ "auth_token": get("provider's token"), "expired_at": soon });
    let road = |road: &str| json!({ "metadata": { "road": road }, "endpoint": "create_card" });
    let message = format!(
        "{} of {} is not what we want",
        get("e-mail"),
        get("last name")
    );
    world
        .control(
            "faults",
            &json!([
                { "match": { "endpoint": "token" }, "fault": { "kind": "answer_patch", "merge": token }, "times": 1 },
                { "match": { "metadata": { "road": "checked" }, "endpoint": "create_card" },
                  "fault": { "kind": "answer_patch", "merge": { "idv_verification_url": get("identity-check link") } } },
                { "match": road("echoed"), "fault": { "kind": "error_before_effect", "status": 500, "body": echo }, "times": 1 },
                { "match": road("echoed"), "fault": { "kind": "error_before_effect", "status": 502, "body": format!("<html>{echo}</html>") }, "times": 1 },
                { "match": road("echoed"), "fault": { "kind": "error_before_effect", "status": 503, "body": { "code": "api_error", "message": message } }, "times": 1 },
                { "match": road("echoed"), "fault": { "kind": "truncated_answer" }, "times": 1 },
                { "match": { "endpoint": "create_card" }, "fault": { "kind": "answer_patch", "merge": card } },
                { "match": { "endpoint": "get_card" }, "fault": { "kind": "answer_patch", "merge": card } },
                { "match": { "metadata": { "road": "failing" } }, "fault": { "kind": "card_fails", "failure_code": "BIN_CLOSED" } },
                { "match": { "event": "card.create.succeeded" }, "fault": { "kind": "webhook_patch", "merge": { "data": card } } },
            ]),
        )
        .await;

    let mut ids = Vec::new();
    for (order, state) in [
        (world.planted.happy(), "active"),
        (world.planted.duplicate(), "failed"),
        (world.planted.proven(), "active"),
        (world.planted.failing(), "failed"),
        (world.planted.echoed(), "active"),
    ] {
        let id = world.place(&order).await;
        world.until(&id, state).await;
        ids.push(id);
    }
    // Refused for good, in words about the person.
    let refusal = json!({ "type": "card_error", "code": "invalid_request", "message": message });
    let fault = json!({ "kind": "error_before_effect", "status": 400, "body": refusal });
    world
        .control(
            "faults",
            &json!({ "id": "refusal", "match": road("refused-there"), "fault": fault }),
        )
        .await;
    let mut order = world.planted.echoed();
    order["reference"] = "refused-there".into();
    order["metadata"]["road"] = "refused-there".into();
    let id = world.place(&order).await;
    world.until(&id, "failed").await;
    ids.push(id);

    let (checked, link) = identity_check(world).await;
    ids.push(checked);
    refusals(world).await;
    webhooks(world, &ids[0]).await;
    Placed { ids, link }
}

async fn identity_check(world: &World) -> (String, String) {
    let id = world.place(&world.planted.checked()).await;
    world.until(&id, "idv_pending").await;
    // The one answer that has personal data in it: it is not kept for the search.
    let url = format!("{}/v1/orders/{id}/idv-link", world.server);
    let request = world
        .http
        .get(url)
        .bearer_auth(world.planted.get("host's token"));
    let answer = request.send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let link = answer["url"].as_str().expect("a link").to_owned();
    let ledger = world
        .http
        .get(format!("{}/ledger", world.simulator))
        .send()
        .await
        .unwrap();
    let ledger: Value = ledger.json().await.unwrap();
    let wanted = world.planted.get("e-mail of the second");
    let person = ledger["cardholders"]
        .as_array()
        .unwrap()
        .iter()
        .find(|person| person["email"] == wanted);
    let person = person.unwrap()["cardholder_id"]
        .as_str()
        .unwrap()
        .to_owned();
    world
        .control(&format!("idv/{person}"), &json!({ "outcome": "pass" }))
        .await;
    world.until(&id, "active").await;
    (id, link)
}

/// What is not taken must not be shown either.
async fn refusals(world: &World) {
    let url = format!("{}/v1/orders", world.server);
    for body in world.planted.refused() {
        let (status, answer) = world.ask(&url, Some(body.clone()), "host's token").await;
        assert!(status.is_client_error(), "{body}: {status} {answer}");
    }
    // The same reference with other content.
    let mut other = world.planted.proven();
    other["cardholder"] = world.planted.checked()["cardholder"].clone();
    let (status, _) = world
        .ask(&url, Some(other.to_string()), "host's token")
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _) = world.ask(&url, None, "wrong token").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = world
        .ask(
            &format!("{}/admin/v1/orders", world.admin),
            None,
            "host's token",
        )
        .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let act = format!("{}/admin/v1/orders/none/actions/note", world.admin);
    let body = json!({ "reason": 7, "note": world.planted.get("refused e-mail") });
    world
        .ask(&act, Some(body.to_string()), "operator's token")
        .await;
}

/// Webhooks that are read, that cannot be, that nobody knows, that hold secrets, and that are forged.
async fn webhooks(world: &World, known: &str) {
    let get = |name| world.planted.get(name);
    let event = |id: u8, kind: &str, data: Value| {
        json!({
            "version": "V1.6.0", "event_name": "ISSUING", "event_type": kind, "data": data,
            "event_id": format!("5b0c6a52-4c6e-4a8e-9d0a-1f2e3d4c5b{id:02x}"),
            "source_id": "0c6f7f7e-52b1-4d3c-a1de-94b70c28e613",
        })
        .to_string()
    };
    let person = json!({ "email": get("e-mail in an unreadable webhook"), "first_name": get("name in an unreadable webhook") });
    let nobody = json!({
        "card_id": "c0a1b2c3-0000-4000-8000-00000000000f", "card_status": "ACTIVE", "card_number": get("PAN"),
        "cardholder": { "first_name": get("name in a webhook of nobody's"), "email": get("refused e-mail") },
    });
    let card = "c0a1b2c3-0000-4000-8000-00000000000e";
    for (body, secret, status) in [
        (
            event(1, "card.create.succeeded", nobody),
            "webhook secret",
            200,
        ),
        (
            event(
                2,
                "card.3ds.otp",
                json!({ "card_id": card, "otp": get("one-time password") }),
            ),
            "webhook secret",
            200,
        ),
        (
            event(
                3,
                "card.activation.code",
                json!({ "card_id": card, "activation_code": get("activation code") }),
            ),
            "webhook secret",
            200,
        ),
        (
            json!({ "event_id": 7, "metadata": { "issuance_order": known }, "data": person })
                .to_string(),
            "webhook secret",
            200,
        ),
        (format!("{{\"torn\": {person}"), "old webhook secret", 200),
        (
            format!("{{\"torn\": \"otp {}\", {person}", get("one-time password")),
            "webhook secret",
            200,
        ),
        (
            event(
                4,
                "card.create.succeeded",
                json!({ "cardholder": { "first_name": get("name in a forged webhook") } }),
            ),
            "wrong token",
            401,
        ),
        (
            get("name in a forged webhook").to_owned(),
            "wrong token",
            401,
        ),
    ] {
        let answered = world.deliver(body.as_bytes(), secret).await;
        assert_eq!(answered.as_u16(), status, "{body}");
    }
    world.idle("parked_messages", 1).await;
    world.idle("quarantined_messages", 3).await;
}

/// Reads every route and runs every command that shows something, on a running server.
pub(crate) async fn look_at_everything(world: &World, placed: &Placed) {
    world.feed().await;
    for path in [
        "/v1/orders",
        "/metrics",
        "/healthz",
        "/readyz",
        "/problems/unauthorized",
    ] {
        world.get(path).await;
    }
    let admin = [
        "attention",
        "orders",
        "inbox",
        "health",
        "reconciliation",
        "vault/compaction",
    ];
    for path in admin {
        let url = format!("{}/admin/v1/{path}", world.admin);
        assert_eq!(
            world.ask(&url, None, "operator's token").await.0,
            StatusCode::OK,
            "{path}"
        );
    }
    for id in &placed.ids {
        world.get(&format!("/v1/orders/{id}")).await;
        world.get(&format!("/v1/orders/{id}/events")).await;
        let url = format!("{}/admin/v1/orders/{id}", world.admin);
        world.ask(&url, None, "operator's token").await;
        for json in [&[][..], &["--json"]] {
            world.must(&[&["orders", "--server", &world.admin, "show", id], json].concat());
        }
    }
    world.must(&["orders", "--server", &world.admin, "list"]);
    world.must(&["--json", "orders", "--server", &world.admin, "list"]);
    world.must(&["reconcile", "--server", &world.admin]);
    let erased_while_open = [
        "erase",
        "no-such-order",
        "--reason",
        "r",
        "--server",
        &world.admin,
    ];
    assert!(!world.run(&erased_while_open));
}

/// Runs every command that reads a data directory.
pub(crate) fn read_offline(world: &World, placed: &Placed) {
    let (data, config) = (world.data(), world.config());
    let (data, config) = (data.to_str().unwrap(), config.to_str().unwrap());
    let out = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let salvaged = out("salvaged");
    for args in [
        &["config", "check", "--config", config][..],
        &["--json", "config", "check", "--config", config],
        &["audit", "verify", data],
        &["--json", "audit", "verify", data],
        &["audit", "replay", data],
        &["--json", "audit", "replay", data],
        &["audit", "export", data, "--out", &out("export.jsonl")],
        &[
            "audit",
            "export",
            data,
            "--out",
            &out("export.csv"),
            "--format",
            "csv",
        ],
        &["audit", "salvage", data, "--to", &salvaged],
        &["rekey", "--offline", "--config", config],
    ] {
        world.must(args);
    }
    // Whatever it comes to, it must not show anybody.
    world.run(&["audit", "check", data, "--config", config]);
    for id in &placed.ids {
        world.run(&["audit", "replay", data, "--order", id]);
    }
}

/// Erases everything that is kept of anybody, and has it taken off the disk.
pub(crate) async fn erase(world: &World, placed: &Placed) {
    let server = ["--server", &world.admin];
    let list = ["inbox", "--server", &world.admin, "list"];
    let inbox = format!("{}/admin/v1/inbox", world.admin);
    let (_, inbox) = world.ask(&inbox, None, "operator's token").await;
    let quarantined = |message: &&Value| message["standing"] == "quarantined";
    // One names an order, and ends with it.
    let nobodys = |message: &&Value| message["names"] == json!([]);
    let messages = inbox["messages"].as_array().unwrap().iter();
    for message in messages.filter(quarantined).filter(nobodys) {
        let id = message["event_id"].as_str().unwrap();
        let dismiss = [&list[..3], &["dismiss", id, "--reason", "seen"]].concat();
        world.must(&dismiss);
        assert!(!world.run(&dismiss), "twice");
    }
    world.must(&list);
    world.idle("quarantined_messages", 1).await;
    for id in &placed.ids {
        let erase = ["erase", id, "--reason", "asked to", "--now"];
        world.must(&[&erase[..], &server].concat());
    }
    world.idle("quarantined_messages", 0).await;
}
