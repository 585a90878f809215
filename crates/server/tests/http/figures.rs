//! `/metrics`: what it shows, to whom, and what can never be in it.

use issuance_server::{Code, Metrics, PublicOptions, ServeOptions};
use reqwest::StatusCode;

use crate::world::{HOST, World, problem, request, tokens};

/// The only test that installs a recorder: a process has one.
#[tokio::test]
async fn figures_without_a_person_in_them() {
    let metrics = Metrics::install().unwrap();
    assert!(Metrics::install().is_err(), "one recorder in a process");
    let options = PublicOptions {
        metrics: Some(metrics),
        ..PublicOptions::standard(tokens())
    };
    let world = World::with(options, ServeOptions::standard()).await;
    world.work();
    problem(
        world.get("/metrics").send().await.unwrap(),
        Code::Unauthenticated,
    )
    .await;

    let mut ids = Vec::new();
    for reference in ["r-1", "r-2", "capacity-1"] {
        let placed = world
            .post("/v1/orders")
            .bearer_auth(HOST)
            .json(&request(reference))
            .send()
            .await
            .unwrap();
        assert_eq!(placed.status(), StatusCode::CREATED);
        ids.push(
            placed.headers()["location"]
                .to_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned(),
        );
    }
    let mut text = String::new();
    for _ in 0..400 {
        text = world
            .get("/metrics")
            .bearer_auth(HOST)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let settled = text.contains("issuance_orders{state=\"active\"} 2")
            && text.contains("issuance_orders_needing_attention{reason=\"capacity\"} 1");
        if settled {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    for row in [
        "issuance_orders{state=\"active\"} 2\n",
        "issuance_orders_needing_attention{reason=\"capacity\"} 1\n",
        "issuance_ready 1\n",
        "issuance_calls_wait 0\n",
        "issuance_inbox_messages{standing=\"parked\"} 0\n",
        "issuance_provider_calls_per_finished_order ",
        "issuance_events_total{event=\"card_activated\"} 2\n",
        "issuance_http_requests_total{method=\"POST\",route=\"/v1/orders\",status=\"201\"} 3\n",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
    for secret in ["mina", "Okafor", "81230947", "r-1", HOST]
        .into_iter()
        .chain(ids.iter().map(String::as_str))
    {
        assert!(!text.contains(secret), "{secret}");
    }
}
