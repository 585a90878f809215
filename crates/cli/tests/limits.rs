//! F-081 on the running binary: files that may not grow. Writes answer 503, reads go on, nothing ends, and when there is
//! room again it writes again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Starts one that goes on, and reads its first line, which says where it listens.
async fn start(args: &[&str]) -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_issuance"))
        .env("UQPAY_CLIENT_ID", "tests")
        .env("UQPAY_API_KEY", "tests-key")
        .env("UQPAY_WEBHOOK_SECRET", "whsec_limits_test_0123456789")
        .env("ISSUANCE_VAULT_KEY", "a5".repeat(32))
        .env("OPERATOR_TOKEN", TOKEN)
        .arg("--json")
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    let first = serde_json::from_str(&first.unwrap().unwrap().unwrap()).unwrap();
    (child, first)
}

async fn serve(dir: &Path, provider: &str) -> (Child, String, String) {
    let config = dir.join("issuance.toml");
    let text = format!(
        "environment = \"local\"\n[provider]\nbase_url = \"{provider}\"\n[store]\ndata_dir = \"{}\"\n\
         [server]\nlisten = \"127.0.0.1:0\"\nallow_anonymous_loopback = true\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntokens = [{{ name = \"tester\", role = \"operator\", env = \"OPERATOR_TOKEN\" }}]\n",
        dir.join("data").display(),
    );
    std::fs::write(&config, text).unwrap();
    let (child, first) = start(&["serve", "--config", config.to_str().unwrap()]).await;
    let url = |name: &str| first[name].as_str().unwrap().to_owned();
    (child, url("server"), url("admin"))
}

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
    let order = json!({
        "reference": format!("limits-{number}"),
        "product_id": "6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8",
        "currency": "USD",
        "cardholder": { "type": "new", "fields": {
            "email": format!("limits{number}@mail.example"), "first_name": "Mina", "last_name": "Okafor",
            "country_code": "SG", "phone_number": format!("8{number:07}"),
        } },
    });
    let placed = reqwest::Client::new()
        .post(format!("{server}/v1/orders"))
        .header("idempotency-key", format!("limits-{number}"))
        .json(&order);
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
    let (_simulator, simulated) = start(&["simulate", "--listen", "127.0.0.1:0"]).await;
    let provider = simulated["api_base"].as_str().unwrap();
    let (mut child, server, admin) = serve(dir.path(), provider).await;
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
