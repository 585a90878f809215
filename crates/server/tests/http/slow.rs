//! Peers that take their time, and peers that are too many (reliability §0.4).

use std::time::Duration;

use issuance_server::{Access, Code, PublicOptions, ServeOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::raw::{drip, exchange, until_closed};
use crate::world::{World, body, problem, quick, request};

const HALF_HEAD: &[u8] = b"POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-";
const HEAD_OF_100: &[u8] =
    b"POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";
const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

async fn impatient() -> World {
    let options = PublicOptions {
        body_timeout: Duration::from_millis(500),
        handler_timeout: Duration::from_millis(1500),
        heartbeat: Duration::from_millis(50),
        ..PublicOptions::standard(Access::Open)
    };
    World::with(options, quick()).await
}

fn within(took: Duration, from: u64, to: u64) {
    let bounds = Duration::from_millis(from)..Duration::from_millis(to);
    assert!(bounds.contains(&took), "{took:?} is not within {bounds:?}");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let world = impatient().await;
    let (said, took) = exchange(world.public, b"").await;
    assert_eq!(said, "");
    within(took, 300, 3000);
}

#[tokio::test]
async fn half_a_head_is_closed() {
    let world = impatient().await;
    let (said, took) = exchange(world.public, HALF_HEAD).await;
    assert_eq!(said, "");
    within(took, 300, 3000);
}

#[tokio::test]
async fn a_dripping_head_is_closed_however_lively_it_is() {
    let world = impatient().await;
    let (said, took) = drip(world.public, b"GET /healthz HTTP/1.1\r\nx: ", b'a').await;
    assert_eq!(said, "");
    within(took, 300, 3000);
}

#[tokio::test]
async fn half_a_body_is_answered_and_closed() {
    let world = impatient().await;
    let half = [HEAD_OF_100, b"{\"reference\":"].concat();
    let (said, took) = exchange(world.public, &half).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(
        said.contains("connection: close") && said.contains("\"code\":\"body_timeout\""),
        "{said}"
    );
    within(took, 400, 3000);
}

#[tokio::test]
async fn a_dripping_body_is_answered_and_closed() {
    let world = impatient().await;
    let (said, took) = drip(world.public, HEAD_OF_100, b' ').await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    within(took, 400, 3000);
}

#[tokio::test]
async fn an_idle_connection_outlives_a_head_but_not_for_ever() {
    let limits = ServeOptions {
        idle_timeout: Duration::from_millis(900),
        ..quick()
    };
    let world = World::with(PublicOptions::standard(Access::Open), limits).await;
    let mut stream = TcpStream::connect(world.public).await.unwrap();
    let mut answer = [0; 4096];
    for _ in 0..2 {
        stream.write_all(GET).await.unwrap();
        let count = stream.read(&mut answer).await.unwrap();
        assert!(answer[..count].starts_with(b"HTTP/1.1 200 "));
        // Longer than a head may take, shorter than idleness.
        tokio::time::sleep(Duration::from_millis(550)).await;
    }
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_given_up() {
    let world = impatient().await;
    // Heads nobody waits for the answers of: enough to fill both sockets' buffers.
    let stream = TcpStream::connect(world.public).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let flood = GET.repeat(200);
    let gave_up = tokio::time::timeout(Duration::from_secs(30), async {
        while to.write_all(&flood).await.is_ok() {}
    });
    gave_up
        .await
        .expect("the server stops taking from a peer that takes nothing");
    let _ = from.read(&mut [0; 16]).await;
}

#[tokio::test]
async fn a_feed_outlives_every_limit_while_it_is_read() {
    let world = impatient().await;
    world.place("feed-1").await;
    let mut stream = TcpStream::connect(world.public).await.unwrap();
    stream
        .write_all(b"GET /v1/events HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let (mut said, mut chunk) = (String::new(), [0; 4096]);
    let reading = async {
        while said.matches(": alive").count() < 50 {
            let count = stream.read(&mut chunk).await.unwrap();
            assert_ne!(count, 0, "closed: {said}");
            said.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .unwrap();
    assert!(said.contains("event: order_requested"), "{said}");
}

#[tokio::test]
async fn one_connection_too_many_is_refused_at_once() {
    let limits = ServeOptions {
        max_connections: 2,
        ..ServeOptions::standard()
    };
    let world = World::with(PublicOptions::standard(Access::Open), limits).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(world.public).await.unwrap();
        stream.write_all(GET).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(stream);
    }
    let mut third = TcpStream::connect(world.public).await.unwrap();
    assert!(until_closed(&mut third).await.starts_with("HTTP/1.1 503 "));
    held.clear();
    // The slots come back.
    for _ in 0..200 {
        if let Ok(answer) = world.get("/healthz").send().await
            && answer.status().is_success()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no slot came back");
}

#[tokio::test]
async fn bodies_under_way_are_bounded_together() {
    let options = PublicOptions {
        max_body_bytes: 64 * 1024,
        body_timeout: Duration::from_millis(500),
        ..PublicOptions::standard(Access::Open)
    };
    let world = World::with(options, quick()).await;
    let head = b"POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 65000\r\n\r\n";
    let mut stuck = TcpStream::connect(world.public).await.unwrap();
    stuck.write_all(head).await.unwrap();
    let big = request(&"r".repeat(128)).to_string() + &" ".repeat(2000);
    let place = || {
        world
            .post("/v1/orders")
            .header("content-type", "application/json")
            .body(big.clone())
            .send()
    };
    let mut refused = false;
    for _ in 0..100 {
        let answer = place().await.unwrap();
        if answer.status() == Code::Overloaded.status() {
            problem(answer, Code::Overloaded).await;
            refused = true;
            break;
        }
    }
    assert!(refused, "no room beside a body that takes all of it");
    let webhook = world
        .post("/webhooks/uqpay")
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(
        webhook.status().as_u16(),
        401,
        "webhooks have room of their own"
    );
    assert!(until_closed(&mut stuck).await.starts_with("HTTP/1.1 408 "));
    assert!(
        place().await.unwrap().status().is_success(),
        "the room came back"
    );
}

#[tokio::test]
async fn ends_within_the_grace_whoever_is_connected() {
    let mut world = impatient().await;
    let mut idle = TcpStream::connect(world.public).await.unwrap();
    idle.write_all(GET).await.unwrap();
    let mut feed = TcpStream::connect(world.public).await.unwrap();
    feed.write_all(b"GET /v1/events HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 12];
    feed.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let mut stuck = TcpStream::connect(world.public).await.unwrap();
    stuck.write_all(HEAD_OF_100).await.unwrap();
    assert_eq!(
        body(world.get("/healthz").send().await.unwrap()).await["status"],
        "alive"
    );

    world.stop.cancel();
    for serving in world.serving.drain(..) {
        tokio::time::timeout(Duration::from_secs(5), serving)
            .await
            .expect("ends within the grace")
            .unwrap();
    }
    assert!(
        until_closed(&mut feed).await.ends_with("0\r\n\r\n"),
        "a feed ends as a whole answer"
    );
    assert!(
        TcpStream::connect(world.public).await.is_err(),
        "nobody listens any more"
    );
}
