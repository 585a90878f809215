//! The event feed: from a position, in order, nothing twice and nothing skipped.

use std::time::Duration;

use issuance_server::{Access, Code, PublicOptions, ServeOptions};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use crate::world::{World, body, problem};

/// Reads this many events of a feed: their ids and what they say.
async fn read(asked: RequestBuilder, count: usize) -> Vec<(u64, Value)> {
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (mut answer, mut text) = (answer, String::new());
    let reading = async {
        while text.matches("\n\n").count() < count {
            text.push_str(std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .expect("events come");
    text.split("\n\n")
        .filter(|event| event.contains("data: "))
        .map(|event| {
            let line = |name: &str| {
                event
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap()
                    .to_owned()
            };
            let data: Value = serde_json::from_str(&line("data: ")).unwrap();
            assert_eq!(data["name"], line("event: "));
            (line("id: ").parse().unwrap(), data)
        })
        .take(count)
        .collect()
}

#[tokio::test]
async fn resumes_where_a_client_was() {
    let world = World::start().await;
    let id = world.place("r-1").await;
    world.until_state(&id, "active").await;
    let all = body(
        world
            .get(&format!("/v1/orders/{id}/events"))
            .send()
            .await
            .unwrap(),
    )
    .await;
    let all = all["events"].as_array().unwrap();
    let from_start = read(world.get("/v1/events"), all.len()).await;
    assert!(
        from_start.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "in log order"
    );
    for ((position, event), known) in from_start.iter().zip(all) {
        assert_eq!(event, known);
        assert_eq!(known["position"], *position);
    }
    let second = from_start[1].0;
    let after = read(
        world.get(&format!("/v1/events?after={second}")),
        all.len() - 2,
    )
    .await;
    assert_eq!(after, from_start[2..]);
    // What the client saw last is newer than its address.
    let resumed = world
        .get("/v1/events?after=0")
        .header("last-event-id", second.to_string());
    assert_eq!(read(resumed, all.len() - 2).await, from_start[2..]);
}

#[tokio::test]
async fn waits_for_what_comes() {
    let world = World::with(
        PublicOptions::standard(Access::Open),
        ServeOptions::standard(),
    )
    .await;
    world.place("r-1").await;
    let reading = tokio::spawn(read(world.get("/v1/events"), 3));
    world.place("r-2").await;
    world.place("r-3").await;
    let seen: Vec<_> = reading
        .await
        .unwrap()
        .into_iter()
        .map(|(position, _)| position)
        .collect();
    assert_eq!(seen, [1, 2, 3]);
}

#[tokio::test]
async fn refuses_what_it_cannot_resume() {
    let world = World::with(
        PublicOptions::standard(Access::Open),
        ServeOptions::standard(),
    )
    .await;
    problem(
        world.get("/v1/events?after=1").send().await.unwrap(),
        Code::FeedAhead,
    )
    .await;
    let odd = world
        .get("/v1/events")
        .header("last-event-id", "abc")
        .send()
        .await
        .unwrap();
    problem(odd, Code::InvalidHeader).await;
}

#[tokio::test]
async fn feeds_are_bounded() {
    let options = PublicOptions {
        max_feeds: 1,
        ..PublicOptions::standard(Access::Open)
    };
    let world = World::with(options, ServeOptions::standard()).await;
    let first = world.get("/v1/events").send().await.unwrap();
    problem(
        world.get("/v1/events").send().await.unwrap(),
        Code::TooManyFeeds,
    )
    .await;
    drop(first);
    for _ in 0..200 {
        if world.get("/v1/events").send().await.unwrap().status() == StatusCode::OK {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the place of a feed that ended came never back");
}
