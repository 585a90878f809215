//! F-081 on the running binary: files that may not grow. Writes answer 503, reads go on, nothing ends, and when there is
//! room again it writes again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

mod support;

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use support::{TOKEN, order, serve, simulate};
use tokio::process::Child;

/// What an operator is told of the store.
async fn trouble(admin: &str) -> Value {
    let health = reqwest::Client::new()
        .get(format!("{admin}/admin/v1/health"))
        .bearer_auth(TOKEN);
    let health: Value = health.send().await.unwrap().json().await.unwrap();
    assert_eq!(health["ready"], true);
    health["store_problem"].clone()
}

async fn place(server: &str, number: usize) -> u16 {
    let placed = reqwest::Client::new()
        .post(format!("{server}/v1/orders"))
        .header("idempotency-key", format!("order-{number}"))
        .json(&order(number));
    placed.send().await.unwrap().status().as_u16()
}

fn limit_files(child: &Child, bytes: Option<u64>) {
    let id = Pid::from_raw(child.id().unwrap() as i32);
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(id, Resource::Fsize, limit).unwrap();
}

fn largest(dir: &Path) -> u64 {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .max()
        .unwrap()
}

#[tokio::test]
async fn files_that_may_not_grow_refuse_writes_and_end_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (_simulator, provider) = simulate().await;
    let (mut child, server, admin) = serve(dir.path(), &provider, None, "warn").await;
    for number in 0..5 {
        let status = place(&server, number).await;
        assert!((200..300).contains(&status), "{status}");
    }
    assert_eq!(trouble(&admin).await, Value::Null);
    limit_files(
        &child,
        Some(largest(&dir.path().join("data/journal")) + 300),
    );
    let mut refused = 0;
    for number in 5..30 {
        match place(&server, number).await {
            503 => refused += 1,
            status => assert!((200..300).contains(&status), "{status}"),
        }
    }
    assert!(refused > 20, "{refused}");
    let told = trouble(&admin).await;
    assert!(told.as_str().unwrap().contains("no room"), "{told}");
    let listed = reqwest::get(format!("{server}/v1/orders?limit=200"))
        .await
        .unwrap();
    assert!(listed.status().is_success());
    let listed: Value = listed.json().await.unwrap();
    let count = listed["orders"].as_array().unwrap().len();
    assert!((5..10).contains(&count), "{count}");
    assert!(
        reqwest::get(format!("{server}/healthz"))
            .await
            .unwrap()
            .status()
            .is_success()
    );
    assert!(child.try_wait().unwrap().is_none(), "it is still there");

    limit_files(&child, None);
    // The index may be mending itself for a second.
    let mut status = 0;
    for _ in 0..100 {
        status = place(&server, 29).await;
        if status != 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!((200..300).contains(&status), "{status}");
    // Orders are taken before the index is whole again; its next try comes within seconds.
    let mut told = Value::Null;
    for _ in 0..100 {
        told = trouble(&admin).await;
        if told.is_null() {
            break;
        }
        assert!(told.as_str().unwrap().contains("index"), "{told}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(told, Value::Null);
    child.kill().await.unwrap();
    let data = dir.path().join("data");
    let verified = std::process::Command::new(env!("CARGO_BIN_EXE_issuance"))
        .args(["audit", "verify", data.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
}
