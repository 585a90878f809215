//! The binary under test: a local provider and a server, started as a team starts them.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const SECRET: &str = "whsec_binary_test_0123456789";

/// Starts one that goes on, and reads its first line, which says where it listens. What it logs goes to a file.
pub(crate) async fn start(args: &[&str], log: Option<&Path>, filter: &str) -> (Child, Value) {
    let stderr = log.map_or_else(Stdio::null, |path| {
        std::fs::File::create(path).unwrap().into()
    });
    let mut child = Command::new(env!("CARGO_BIN_EXE_issuance"))
        .env("UQPAY_CLIENT_ID", "tests")
        .env("UQPAY_API_KEY", "tests-key")
        .env("UQPAY_WEBHOOK_SECRET", SECRET)
        .env("ISSUANCE_VAULT_KEY", "a5".repeat(32))
        .env("OPERATOR_TOKEN", TOKEN)
        .env("RUST_LOG", filter)
        .arg("--json")
        .args(args)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    let first = serde_json::from_str(&first.unwrap().unwrap().unwrap()).unwrap();
    (child, first)
}

/// A local provider that sends no webhooks.
pub(crate) async fn simulate() -> (Child, String) {
    let (child, first) = start(&["simulate", "--listen", "127.0.0.1:0"], None, "warn").await;
    (child, first["api_base"].as_str().unwrap().to_owned())
}

/// A server in front of it, its public and its operators' address.
pub(crate) async fn serve(
    dir: &Path,
    provider: &str,
    log: Option<&Path>,
    filter: &str,
) -> (Child, String, String) {
    let config = dir.join("issuance.toml");
    let text = format!(
        "environment = \"local\"\n[provider]\nbase_url = \"{provider}\"\n[store]\ndata_dir = \"{}\"\n\
         [server]\nlisten = \"127.0.0.1:0\"\nallow_anonymous_loopback = true\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntokens = [{{ name = \"tester\", role = \"operator\", env = \"OPERATOR_TOKEN\" }}]\n",
        dir.join("data").display(),
    );
    std::fs::write(&config, text).unwrap();
    let args = ["serve", "--config", config.to_str().unwrap()];
    let (child, first) = start(&args, log, filter).await;
    let url = |name: &str| first[name].as_str().unwrap().to_owned();
    (child, url("server"), url("admin"))
}

/// An order of somebody of this number.
pub(crate) fn order(number: usize) -> Value {
    json!({
        "reference": format!("order-{number}"),
        "product_id": "6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8",
        "currency": "USD",
        "cardholder": { "type": "new", "fields": {
            "email": format!("person{number}@mail.example"), "first_name": "Mina", "last_name": "Okafor",
            "country_code": "SG", "phone_number": format!("8{number:07}"),
        } },
    })
}
