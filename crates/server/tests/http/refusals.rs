//! What is refused, and how: framing, routes, methods, bodies, credentials.

use issuance_server::{Access, Code, PublicOptions, ServeOptions};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::raw::exchange;
use crate::world::{HOST, OPERATOR, World, body, problem, request, tokens};

#[tokio::test]
async fn what_can_be_framed_in_two_ways_is_refused_and_closed() {
    let world = World::start().await;
    let smuggled = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    for fields in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "content-length: 0\r\ncontent-length: 0",
        "content-length: 0\r\n content-length: 35",
        "content-length: +0",
    ] {
        let bytes = format!(
            "POST /webhooks/uqpay HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n0\r\n\r\n{smuggled}"
        );
        let (said, _) = exchange(world.public, bytes.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{fields:?}: {said}");
        assert_eq!(
            said.matches("HTTP/1.1 ").count(),
            1,
            "nothing after it is served: {said}"
        );
    }
    let (said, _) = exchange(world.public, b"GET /healthz HTTP/1.1\nhost: a\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
}

#[tokio::test]
async fn chunks_are_taken_but_nothing_after_them() {
    let world = World::start().await;
    let text = request("chunked-1").to_string();
    let (one, two) = text.split_at(20);
    let bytes = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: a\r\n\r\n",
        one.len(),
        two.len()
    );
    let (said, _) = exchange(world.public, bytes.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 201 "), "{said}");
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let world = World::start().await;
    let text = request("pipelined-1").to_string();
    let bytes = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}\
         GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /no HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        text.len()
    );
    let (said, _) = exchange(world.public, bytes.as_bytes()).await;
    let statuses: Vec<_> = said
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses, ["201", "200", "404"], "{said}");
}

#[tokio::test]
async fn heads_are_bounded() {
    let world = World::start().await;
    let long = format!(
        "GET /healthz HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "a".repeat(17 * 1024)
    );
    let many = format!(
        "GET /healthz HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "x: a\r\n".repeat(70)
    );
    for bytes in [long, many] {
        let (said, _) = exchange(world.public, bytes.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }
    let (said, _) = exchange(world.public, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!said.contains(" 200 "), "HTTP/1 only: {said}");
}

#[tokio::test]
async fn no_route_and_no_method_are_problems_too() {
    let world = World::start().await;
    problem(world.get("/nothing").send().await.unwrap(), Code::NotFound).await;
    let answer = world
        .http
        .delete(format!("http://{}/v1/orders", world.public))
        .send()
        .await
        .unwrap();
    let allow = answer.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    problem(answer, Code::MethodNotAllowed).await;
    for id in ["x", "%00", "..%2f", "01920000-0000-7000-8000-000000000001"] {
        problem(
            world.get(&format!("/v1/orders/{id}")).send().await.unwrap(),
            Code::OrderNotFound,
        )
        .await;
    }
    let explained = body(world.get(Code::OrderNotFound.uri()).send().await.unwrap()).await;
    assert_eq!(explained["title"], Code::OrderNotFound.title());
}

#[tokio::test]
async fn the_request_id_comes_back_if_it_can_stand_in_a_log() {
    let world = World::start().await;
    let echoed = world
        .get("/healthz")
        .header("x-request-id", "host-7.a_B")
        .send()
        .await
        .unwrap();
    assert_eq!(echoed.headers()["x-request-id"], "host-7.a_B");
    for unfit in ["a b", "a\tb", &"a".repeat(65), ""] {
        let answer = world
            .get("/healthz")
            .header("x-request-id", unfit)
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.headers()["x-request-id"].to_str().unwrap().len(),
            36,
            "{unfit:?}"
        );
    }
}

#[tokio::test]
async fn bodies_are_judged_before_anything_is_placed() {
    let options = PublicOptions {
        max_order_bytes: 2048,
        ..PublicOptions::standard(Access::Open)
    };
    let world = World::with(options, ServeOptions::standard()).await;
    let text = request("r-1").to_string();
    let plain = world
        .post("/v1/orders")
        .header("content-type", "text/plain")
        .body(text.clone());
    problem(plain.send().await.unwrap(), Code::UnsupportedMediaType).await;

    let mut stranger = request("r-1");
    stranger["surprise"] = json!("sEcReT");
    let refused = problem(
        world
            .post("/v1/orders")
            .json(&stranger)
            .send()
            .await
            .unwrap(),
        Code::InvalidJson,
    )
    .await;
    assert_eq!(refused["errors"][0]["path"], "surprise");
    assert!(!refused.to_string().contains("sEcReT"));

    let long = "x".repeat(4096);
    let declared = world
        .post("/v1/orders")
        .header("content-type", "application/json")
        .body(long.clone());
    problem(declared.send().await.unwrap(), Code::BodyTooLarge).await;
    let chunked = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         1000\r\n{long}\r\n0\r\n\r\n"
    );
    let (said, _) = exchange(world.public, chunked.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    assert_eq!(
        world.engine.head().await.unwrap().0,
        0,
        "nothing was placed"
    );
}

#[tokio::test]
async fn unknown_query_parameters_are_refused() {
    let world = World::start().await;
    for query in [
        "stat=active",
        "state=done",
        "limit=0",
        "limit=201",
        "cursor=x",
        "state=active&state=failed",
        "after=1",
    ] {
        let answer = world
            .get(&format!("/v1/orders?{query}"))
            .send()
            .await
            .unwrap();
        problem(answer, Code::InvalidQuery).await;
    }
    for query in ["after=-1", "after=x", "from=1"] {
        problem(
            world
                .get(&format!("/v1/events?{query}"))
                .send()
                .await
                .unwrap(),
            Code::InvalidQuery,
        )
        .await;
    }
}

#[tokio::test]
async fn hosts_need_a_token_and_webhooks_and_health_do_not() {
    let world = World::with(PublicOptions::standard(tokens()), ServeOptions::standard()).await;
    let id = "01920000-0000-7000-8000-000000000001";
    let guarded = [
        (Method::GET, "/v1/orders".to_owned()),
        (Method::POST, "/v1/orders".to_owned()),
        (Method::GET, format!("/v1/orders/{id}")),
        (Method::GET, format!("/v1/orders/{id}/events")),
        (Method::GET, format!("/v1/orders/{id}/idv-link")),
        (Method::POST, format!("/v1/orders/{id}/cancel")),
        (Method::GET, "/v1/events".to_owned()),
    ];
    for (method, path) in guarded {
        let url = format!("http://{}{path}", world.public);
        for token in [None, Some(OPERATOR), Some("x")] {
            let asked = world.http.request(method.clone(), &url);
            let asked = match token {
                Some(token) => asked.bearer_auth(token),
                None => asked,
            };
            let answer = asked.send().await.unwrap();
            assert_eq!(
                answer.headers()["www-authenticate"],
                "Bearer",
                "{method} {path}"
            );
            problem(answer, Code::Unauthenticated).await;
        }
        let allowed = world
            .http
            .request(method.clone(), &url)
            .bearer_auth(HOST)
            .send()
            .await
            .unwrap();
        assert_ne!(
            allowed.status(),
            StatusCode::UNAUTHORIZED,
            "{method} {path}"
        );
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            world.get(path).send().await.unwrap().status(),
            StatusCode::OK,
            "{path}"
        );
    }
}
