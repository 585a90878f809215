//! The operators' side: who may do what, what is stuck, and the acts that free it.

use issuance_server::{Access, Code, PublicOptions, ServeOptions};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{APPROVER, HOST, OPERATOR, VIEWER, World, body, problem};

const NOBODY: &str = "nobody-token-0123456789abcdef01234567";

/// Every admin route, and whether it changes something.
fn routes(id: &str) -> Vec<(Method, String, bool)> {
    let mut routes = vec![
        (Method::GET, "/attention".to_owned(), false),
        (Method::GET, "/orders".to_owned(), false),
        (Method::GET, format!("/orders/{id}"), false),
        (Method::GET, "/inbox".to_owned(), false),
        (Method::GET, "/health".to_owned(), false),
        (Method::GET, "/vault/compaction".to_owned(), false),
        (Method::POST, "/vault/compaction".to_owned(), true),
    ];
    for action in [
        "retry_now",
        "resubmit",
        "look_up_now",
        "refresh_idv_link",
        "fail",
        "cancel",
        "pause",
        "resume",
        "note",
        "resolve_discrepancy",
        "erase_personal_data",
    ] {
        routes.push((Method::POST, format!("/orders/{id}/actions/{action}"), true));
    }
    routes
}

#[tokio::test]
async fn every_route_knows_who_may() {
    let world = World::with(
        PublicOptions::standard(Access::Open),
        ServeOptions::standard(),
    )
    .await;
    let id = world.place("r-1").await;
    let why = json!({ "reason": "route table" });
    for (method, path, changes) in routes(&id) {
        let ask = async |token| {
            world
                .admin(method.clone(), &path, token)
                .json(&why)
                .send()
                .await
                .unwrap()
        };
        for token in [NOBODY, HOST] {
            problem(ask(token).await, Code::Unauthenticated).await;
        }
        for token in [VIEWER, APPROVER] {
            if changes {
                problem(ask(token).await, Code::Forbidden).await;
            } else {
                assert_eq!(ask(token).await.status(), StatusCode::OK, "{path}");
            }
        }
        let status = ask(OPERATOR).await.status();
        assert!(
            ![
                StatusCode::UNAUTHORIZED,
                StatusCode::FORBIDDEN,
                StatusCode::NOT_FOUND
            ]
            .contains(&status),
            "{path}"
        );
    }
    // Whoever approves is not whoever acts.
    let approve = format!("/orders/{id}/actions/approve_resubmit");
    for (token, code) in [
        (NOBODY, Code::Unauthenticated),
        (VIEWER, Code::Forbidden),
        (OPERATOR, Code::Forbidden),
    ] {
        let asked = world.admin(Method::POST, &approve, token).json(&why);
        problem(asked.send().await.unwrap(), code).await;
    }
    let asked = world.admin(Method::POST, &approve, APPROVER).json(&why);
    problem(asked.send().await.unwrap(), Code::ActionNotPossible).await;
    // What does not exist says so only to those who may look.
    for path in ["/nothing", "/orders/x/actions/explode", ""] {
        problem(
            world.admin(Method::GET, path, NOBODY).send().await.unwrap(),
            Code::Unauthenticated,
        )
        .await;
    }
    problem(
        world
            .admin(Method::GET, "/nothing", VIEWER)
            .send()
            .await
            .unwrap(),
        Code::NotFound,
    )
    .await;
    problem(
        world
            .admin(Method::DELETE, "/orders", VIEWER)
            .send()
            .await
            .unwrap(),
        Code::MethodNotAllowed,
    )
    .await;
    let bare = world
        .http
        .get(format!("http://{}/admin/v1/orders", world.admin))
        .send()
        .await
        .unwrap();
    problem(bare, Code::Unauthenticated).await;
}

#[tokio::test]
async fn what_is_stuck_is_shown_with_what_frees_it() {
    let world = World::start().await;
    let fine = world.place("r-1").await;
    world.until_state(&fine, "active").await;
    // From the first refusal on, the product's other orders wait behind its breaker.
    let id = world.place("capacity-1").await;
    world
        .until(&id, |order| order["attention"]["reason"] == "capacity")
        .await;
    let mut list = json!(null);
    for _ in 0..200 {
        list = body(
            world
                .admin(Method::GET, "/attention", VIEWER)
                .send()
                .await
                .unwrap(),
        )
        .await;
        if list["groups"][0]["count"] == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(list["groups"].as_array().unwrap().len(), 1, "{list}");
    let group = &list["groups"][0];
    assert_eq!(
        (&group["reason"], &group["count"]),
        (&json!("capacity"), &json!(1))
    );
    let shown = &group["orders"][0];
    assert_eq!(shown["order"]["id"], id);
    assert_eq!(shown["order"]["attention"]["code"], "insufficient_sub_bin");
    let actions = shown["allowed_actions"].as_array().unwrap();
    assert!(
        actions.contains(&json!("retry_now")) && actions.contains(&json!("fail")),
        "{actions:?}"
    );

    let detail = body(
        world
            .admin(Method::GET, &format!("/orders/{id}"), VIEWER)
            .send()
            .await
            .unwrap(),
    )
    .await;
    let timeline = detail["timeline"].as_array().unwrap();
    assert_eq!(timeline[0]["name"], "order_requested");
    let refused = timeline
        .iter()
        .find(|entry| entry["name"] == "submission_refused")
        .unwrap();
    assert_eq!(refused["body"]["refusal"]["code"], "insufficient_sub_bin");
    assert_eq!(refused["body"]["source"]["from"], "answer");
    assert!(!detail.to_string().contains("Okafor"));
    let health = body(
        world
            .admin(Method::GET, "/health", VIEWER)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(health["ready"], true);
    assert_eq!(health["counts"]["attention"]["capacity"], 1);
}

#[tokio::test]
async fn an_act_names_who_why_and_on_what() {
    let world = World::with(
        PublicOptions::standard(Access::Open),
        ServeOptions::standard(),
    )
    .await;
    let id = world.place("r-1").await;
    let path = format!("/orders/{id}/actions/fail");
    let act = |json| world.admin(Method::POST, &path, OPERATOR).json(&json);

    for (unfit, at) in [
        (json!({}), "reason"),
        (json!({ "reason": " " }), "reason"),
        (json!({ "reason": "a\u{1b}[2Jb" }), "reason"),
        (json!({ "reason": "x".repeat(1001) }), "reason"),
        (json!({ "reason": "x", "dry_run": true }), "dry_run"),
    ] {
        let refused = problem(act(unfit).send().await.unwrap(), Code::InvalidJson).await;
        assert_eq!(refused["errors"][0]["path"], at);
    }
    let stale = act(json!({ "reason": "x", "expected_version": 7 }))
        .send()
        .await
        .unwrap();
    assert_eq!(problem(stale, Code::StaleVersion).await["version"], 1);
    let stale = act(json!({ "reason": "x" }))
        .header("if-match", "\"9\"")
        .send()
        .await
        .unwrap();
    problem(stale, Code::StaleVersion).await;
    let odd = act(json!({ "reason": "x" }))
        .header("if-match", "9")
        .send()
        .await
        .unwrap();
    problem(odd, Code::InvalidHeader).await;
    let both = act(json!({ "reason": "x", "expected_version": 1 }))
        .header("if-match", "\"2\"")
        .send()
        .await
        .unwrap();
    problem(both, Code::InvalidJson).await;
    assert_eq!(
        world.engine.head().await.unwrap().0,
        1,
        "nothing happened yet"
    );

    let shown = world
        .admin(Method::GET, &format!("/orders/{id}"), OPERATOR)
        .send()
        .await
        .unwrap();
    let tag = shown.headers()["etag"].clone();
    let done = act(json!({ "reason": "customer withdrew" }))
        .header("if-match", tag)
        .send()
        .await
        .unwrap();
    assert_eq!(done.status(), StatusCode::OK);
    let done = body(done).await;
    assert_eq!(done["events"], json!(["operator_acted", "order_failed"]));
    assert_eq!(done["order"]["failure"]["kind"], "operator_failed");

    let detail = body(
        world
            .admin(Method::GET, &format!("/orders/{id}"), VIEWER)
            .send()
            .await
            .unwrap(),
    )
    .await;
    let acted = &detail["timeline"][1]["body"]["act"];
    assert_eq!(
        (&acted["actor"], &acted["reason"]),
        (&json!("olaf"), &json!("customer withdrew"))
    );
    let told = world
        .get(&format!("/v1/orders/{id}/events"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        !told.contains("olaf") && !told.contains("withdrew"),
        "an operator's words are not the host's"
    );
    problem(
        act(json!({ "reason": "again" })).send().await.unwrap(),
        Code::ActionNotPossible,
    )
    .await;
    let nobody = "/orders/01920000-0000-7000-8000-000000000001/actions/note";
    let none = world
        .admin(Method::POST, nobody, OPERATOR)
        .json(&json!({ "reason": "x" }))
        .send()
        .await
        .unwrap();
    problem(none, Code::OrderNotFound).await;
    let unknown = world.admin(
        Method::POST,
        &format!("/orders/{id}/actions/explode"),
        OPERATOR,
    );
    problem(
        unknown
            .json(&json!({ "reason": "x" }))
            .send()
            .await
            .unwrap(),
        Code::NotFound,
    )
    .await;
}

#[tokio::test]
async fn a_persons_data_ends_and_the_order_stays() {
    let world = World::start().await;
    let id = world.place("idv-1").await;
    world.until_state(&id, "idv_pending").await;
    let erase = format!("/orders/{id}/actions/erase_personal_data");
    let ask = async || {
        let why = json!({ "reason": "they asked us to" });
        let asked = world.admin(Method::POST, &erase, OPERATOR).json(&why);
        asked.send().await.unwrap()
    };
    let refused = problem(ask().await, Code::ActionNotPossible).await;
    assert!(!refused.to_string().contains("Okafor"));

    let id = world.place("r-1").await;
    world.until_state(&id, "active").await;
    let erase = format!("/orders/{id}/actions/erase_personal_data");
    let show = async || {
        let path = format!("/orders/{id}");
        body(
            world
                .admin(Method::GET, &path, VIEWER)
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    let kept = show().await;
    assert_eq!(
        kept["order"]["personal_data"],
        json!({ "state": "kept", "by": null, "at": null })
    );
    let why = json!({ "reason": "they asked us to", "expected_version": kept["order"]["version"] });
    let asked = world.admin(Method::POST, &erase, OPERATOR).json(&why);
    let erased = body(asked.send().await.unwrap()).await;
    assert_eq!(
        erased["events"],
        json!([
            "operator_acted",
            "erasure_requested",
            "personal_data_erased"
        ])
    );
    assert_eq!(erased["order"]["personal_data"]["state"], "erased");
    assert_eq!(erased["order"]["state"], "active");
    let detail = show().await;
    let timeline = detail["timeline"].as_array().unwrap();
    let [acted, requested, done] = timeline.last_chunk().unwrap();
    assert_eq!(acted["body"]["act"]["actor"], "olaf");
    assert_eq!(requested["body"]["by"], "operator");
    assert_eq!(done["body"]["requested"], requested["version"]);
    let again = world
        .admin(Method::POST, &erase, OPERATOR)
        .json(&json!({ "reason": "x" }));
    problem(again.send().await.unwrap(), Code::ActionNotPossible).await;

    let path = "/vault/compaction";
    let asked = world.admin(Method::POST, path, OPERATOR).json(&json!({}));
    let asked = asked.send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::ACCEPTED);
    let run = body(asked).await["run"].as_u64().unwrap();
    let mut last = json!(null);
    for _ in 0..500 {
        last =
            body(world.admin(Method::GET, path, VIEWER).send().await.unwrap()).await["last"].take();
        if last["run"].as_u64() >= Some(run) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(
        (&last["problem"], &last["skipped"]),
        (&json!(null), &json!([]))
    );
    // The same reference is still the same order.
    let same = world.post("/v1/orders").json(&crate::world::request("r-1"));
    let same = same.send().await.unwrap();
    assert_eq!(body(same).await["id"], id);
}
