//! The webhook door of the running binary: a flood, and bodies full of secrets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use issuance::{Clock as _, SystemClock};
use serde_json::{Value, json};
use sha2::Sha512;
use support::{SECRET, TOKEN, order, serve, simulate};
use tokio::process::Child;

const MIB: u64 = 1 << 20;
/// Largest body the door reads, and what all bodies under way may hold together.
const LARGEST: u64 = MIB / 4;
const ROOM: u64 = 64 * MIB;

fn now() -> i64 {
    SystemClock.now().millis() / 1000
}

fn sign(body: &[u8], timestamp: &str) -> String {
    let mac = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap();
    let mac = mac.chain_update(body).chain_update(timestamp).finalize();
    hex::encode(mac.into_bytes())
}

async fn deliver(client: &reqwest::Client, server: &str, body: Vec<u8>, signature: &str) -> u16 {
    let timestamp = now().to_string();
    let signature = match signature {
        "" => sign(&body, &timestamp),
        given => given.to_owned(),
    };
    let sent = client
        .post(format!("{server}/webhooks/uqpay"))
        .header("x-wk-timestamp", timestamp)
        .header("x-wk-signature", signature)
        .body(body);
    sent.send().await.unwrap().status().as_u16()
}

fn event(name: &str, data: &Value) -> Vec<u8> {
    let (id, source) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let event = json!({
        "version": "V1.6.0", "event_name": "ISSUING", "event_type": name, "event_id": id, "source_id": source, "data": data,
    });
    event.to_string().into_bytes()
}

/// Of no order here, about two kilobytes.
fn genuine() -> Vec<u8> {
    let data = json!({ "card_id": uuid::Uuid::new_v4(), "card_status": "ACTIVE", "metadata": { "elsewhere": "x".repeat(1_500) } });
    event("card.create.succeeded", &data)
}

fn resident(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

/// Deliveries side by side; how many were answered how: 200, 401.
async fn flood(server: &str, count: usize) -> (usize, usize) {
    let (taken, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let client = reqwest::Client::new();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (server, client) = (server.to_owned(), client.clone());
        let (taken, refused) = (Arc::clone(&taken), Arc::clone(&refused));
        senders.spawn(async move {
            for number in 0..count / 32 {
                let (body, signature) = match number % 2 {
                    0 => (genuine(), String::new()),
                    _ => (vec![b' '; 32 << 10], "0".repeat(128)),
                };
                match deliver(&client, &server, body, &signature).await {
                    200 => taken.fetch_add(1, Ordering::Relaxed),
                    401 => refused.fetch_add(1, Ordering::Relaxed),
                    other => panic!("{other}"),
                };
            }
        });
    }
    senders.join_all().await;
    (
        taken.load(Ordering::Relaxed),
        refused.load(Ordering::Relaxed),
    )
}

/// Says how large its body will be, and does not send it.
fn hold(server: &str) -> TcpStream {
    let address = server.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /webhooks/uqpay HTTP/1.1\r\nhost: {address}\r\ncontent-length: {LARGEST}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// The status it was answered, if it was.
fn answered(stream: &mut TcpStream) -> Option<u16> {
    let mut head = [0; 12];
    stream.set_nonblocking(true).unwrap();
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head[9..]).unwrap().parse().ok()
}

async fn figure(server: &str, name: &str) -> u64 {
    let figures = reqwest::get(format!("{server}/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let line = figures.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_065_a_flood_at_the_real_door_is_bounded_counted_and_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let (_simulator, provider) = simulate().await;
    let (mut child, server, _) = serve(dir.path(), &provider, Some(&log), "info").await;
    flood(&server, 4_000).await;
    let warm = resident(&child);

    // As many bodies under way as there is room for: one more is refused, genuine or not.
    let mut held: Vec<_> = (0..ROOM / LARGEST + 40).map(|_| hold(&server)).collect();
    let mut refused = 0;
    for _ in 0..100 {
        let answers = held.iter_mut().filter_map(answered);
        refused += answers.inspect(|status| assert_eq!(*status, 503)).count();
        if refused >= 40 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(refused, 40);
    let client = reqwest::Client::new();
    assert_eq!(deliver(&client, &server, genuine(), "").await, 503);
    // Those inside send all but the last byte.
    let almost = vec![b' '; LARGEST as usize - 1];
    for stream in &mut held {
        stream.set_nonblocking(false).unwrap();
        // The refused ones are closed.
        let _ = stream.write_all(&almost);
    }
    let mut full = 0;
    for _ in 0..25 {
        full = full.max(resident(&child));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(held);
    let mut status = 503;
    for _ in 0..200 {
        status = deliver(&client, &server, genuine(), "").await;
        if status != 503 {
            break;
        }
        refused += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, 200);
    let counted = figure(&server, "issuance_webhooks_total{outcome=\"no_room\"}").await;
    assert_eq!(counted, refused as u64 + 1);

    let (taken, forged) = flood(&server, 16_000).await;
    assert_eq!((taken, forged), (8_000, 8_000));
    let after = resident(&child);
    assert!(full < warm + ROOM + 32 * MIB, "{full} after {warm}");
    // A third of a gigabyte came by meanwhile.
    assert!(after < full.max(warm + 48 * MIB), "{after} after {warm}");
    let log = std::fs::read_to_string(log).unwrap();
    // Not a line for each.
    assert!(log.lines().count() < 20, "{log}");
    assert!(child.try_wait().unwrap().is_none(), "it is still there");
    child.kill().await.unwrap();
}

/// Everything a file below this directory says.
fn on_disk(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(on_disk(&path));
        } else {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    bytes
}

/// Bodies that verify, each with secrets and a person in it: words of this many.
fn secrets() -> Vec<Vec<u8>> {
    let canary = |number: usize| format!("Quokka{number}Canary");
    let card = uuid::Uuid::new_v4();
    let person = json!({
        "first_name": canary(1), "last_name": canary(2), "email": format!("{}@mail.example", canary(3)),
        "phone_number": canary(4), "date_of_birth": canary(5), "residential_address": { "line1": canary(6) },
        "idv_verification_url": format!("https://idv.example/{}", canary(7)), "cardholder_id": uuid::Uuid::new_v4(),
        "cardholder_status": "PENDING",
    });
    let data = json!({
        "card_id": card, "card_status": "ACTIVE", "otp": canary(8), "code": canary(9), "activation_code": canary(10),
        "cvv": canary(11), "card_number": canary(12), "masked_card_number": canary(13), "pin": canary(14),
        "name_on_card": canary(15), "note": canary(16), "cardholder": person,
    });
    let mut bodies: Vec<_> = [
        "card.3ds.otp",
        "card.verification.otp",
        "card.activation.code",
        "CARD.3DS.OTP",
        "issuing.transaction.authorization",
        "card.create.succeeded",
        "card.create.failed",
        "card.status.update.failed",
        "nobody.knows.this",
    ]
    .iter()
    .map(|name| event(name, &data))
    .collect();
    bodies.push(event("cardholder.kyc.status_changed", &person));
    bodies.push(event("cardholder.updated", &person));
    // Nobody can read these: a member twice, cut off, no object, no id, no UTF-8.
    let otp = String::from_utf8(event("card.3ds.otp", &data)).unwrap();
    bodies.push(otp.replacen('{', "{\"otp\":1,\"otp\":2,", 1).into_bytes());
    bodies.push(otp[..otp.len() - 2].into());
    bodies.push(format!("[{otp}]").into_bytes());
    bodies.push(otp.replace("event_id", "no_id").into_bytes());
    bodies.push([otp.as_bytes(), b"\xff"].concat());
    bodies.push(format!("{{\"{0}\":1,\"{0}\":2}}", canary(17)).into_bytes());
    bodies.push(
        format!(
            "{{\"event_id\":\"{}\",\"event_type\":7}}",
            canary(18).repeat(20)
        )
        .into_bytes(),
    );
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_123_secrets_in_verified_webhooks_reach_no_log_no_journal_and_no_figure() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let (_simulator, provider) = simulate().await;
    let (mut child, server, admin) = serve(dir.path(), &provider, Some(&log), "trace").await;
    let client = reqwest::Client::new();
    let placed = client
        .post(format!("{server}/v1/orders"))
        .header("idempotency-key", "order-1")
        .json(&order(1));
    assert!(placed.send().await.unwrap().status().is_success());
    for body in secrets() {
        // Taken, taken again, played again long after, and by somebody without our secret.
        for _ in 0..2 {
            assert_eq!(
                deliver(&client, &server, body.clone(), "").await,
                200,
                "{}",
                String::from_utf8_lossy(&body)
            );
        }
        let old = (now() - 4_000).to_string();
        let late = client
            .post(format!("{server}/webhooks/uqpay"))
            .header("x-wk-timestamp", &old);
        let late = late
            .header("x-wk-signature", sign(&body, &old))
            .body(body.clone());
        assert_eq!(late.send().await.unwrap().status(), 401);
        assert_eq!(deliver(&client, &server, body, &"0".repeat(128)).await, 401);
    }
    let mut said = Vec::new();
    for url in ["metrics", "readyz", "v1/orders", "v1/orders?limit=1"] {
        let answer = client.get(format!("{server}/{url}")).send().await.unwrap();
        said.extend(answer.bytes().await.unwrap());
    }
    for url in ["health", "inbox", "orders"] {
        let answer = client
            .get(format!("{admin}/admin/v1/{url}"))
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
        said.extend(answer.bytes().await.unwrap());
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(child.id().unwrap() as i32).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    tokio::time::timeout(Duration::from_secs(20), child.wait())
        .await
        .unwrap()
        .unwrap();
    let logged = std::fs::read(log).unwrap();
    let stored = on_disk(&dir.path().join("data"));
    let holds = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    // What is looked through holds what it should.
    assert!(
        holds(&stored, b"card.3ds.otp")
            && holds(&logged, b"/webhooks/uqpay")
            && holds(&said, b"issuance_webhooks_total")
    );
    for (place, bytes) in [("log", &logged), ("data", &stored), ("answers", &said)] {
        let text = bytes.windows(6).position(|window| window == b"Quokka");
        assert_eq!(
            text.map(|at| String::from_utf8_lossy(&bytes[at..(at + 24).min(bytes.len())])),
            None,
            "in the {place}"
        );
    }
}
