//! The binary as a team runs it: a local provider, a server that is killed and started again, bulk orders, an operator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

const ORDERS: usize = 200;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const SECRET: &str = "whsec_serve_test_0123456789";

/// Ends with the test, whatever happens.
struct Running(tokio::process::Child, Value);

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command
        .env("UQPAY_CLIENT_ID", "tests")
        .env("UQPAY_API_KEY", "tests-key")
        .env("UQPAY_WEBHOOK_SECRET", SECRET)
        .env("ISSUANCE_VAULT_KEY", "a5".repeat(32))
        .env("OPERATOR_TOKEN", TOKEN)
        .env("ISSUANCE_ADMIN_TOKEN", TOKEN);
    command
}

/// Starts one that goes on, and reads its first line, which says where it listens.
async fn start(args: &[&str]) -> Running {
    let mut command = tokio::process::Command::from(binary());
    command
        .arg("--json")
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(Duration::from_secs(20), lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    Running(child, serde_json::from_str(&first).unwrap())
}

fn run(args: &[&str]) -> Output {
    binary().args(args).output().unwrap()
}

fn write_orders(file: &Path) {
    let mut file = std::fs::File::create(file).unwrap();
    for number in 0..ORDERS {
        let line = json!({
            "reference": format!("bulk-{number}"),
            "product_id": "6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8",
            "currency": "USD",
            "cardholder": { "type": "new", "fields": {
                "email": format!("bulk{number}@mail.example"), "first_name": "Mina", "last_name": "Okafor",
                "country_code": "SG", "phone_number": format!("8{number:07}"),
            } },
        });
        writeln!(file, "{line}").unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

async fn get(url: &str) -> Value {
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn bulk_orders_survive_a_kill_and_nothing_is_placed_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (orders, config) = (
        dir.path().join("orders.jsonl"),
        dir.path().join("issuance.toml"),
    );
    write_orders(&orders);
    let door = free_port();
    let webhook = format!("http://127.0.0.1:{door}/webhooks/uqpay");
    let simulate = [
        "simulate",
        "--listen",
        "127.0.0.1:0",
        "--webhook-url",
        &webhook,
        "--webhook-secret-env",
        "UQPAY_WEBHOOK_SECRET",
    ];
    let simulator = start(&simulate).await;
    let api = simulator.1["api_base"].as_str().unwrap().to_owned();
    let text = format!(
        "environment = \"local\"\n[provider]\nbase_url = \"{api}\"\nconnect_timeout = \"1s\"\ntimeout = \"2s\"\n[store]\ndata_dir = \"{}\"\n\
         [limits]\ncalls_per_minute = 10000\ntask_deadline = \"3s\"\n\
         [policy]\nlook_up_first = \"2s\"\ncall_deadline = \"4s\"\n\
         [server]\nlisten = \"127.0.0.1:{door}\"\nallow_anonymous_loopback = true\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntokens = [{{ name = \"tester\", role = \"operator\", env = \"OPERATOR_TOKEN\" }}]\n",
        dir.path().join("data").display(),
    );
    std::fs::write(&config, text).unwrap();
    let (config, orders) = (config.to_str().unwrap(), orders.to_str().unwrap());
    assert!(
        run(&["config", "check", "--config", config])
            .status
            .success()
    );

    let mut serving = start(&["serve", "--config", config]).await;
    let server = serving.1["server"].as_str().unwrap().to_owned();
    let mut issuing = tokio::process::Command::from(binary());
    issuing
        .args(["issue", orders, "--server", &server])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut issuing = issuing.spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    serving.0.start_kill().unwrap();
    serving.0.wait().await.unwrap();
    let mut serving = start(&["serve", "--config", config]).await;
    // The bulk placer retries by itself, or gives up; run again it finishes either way.
    issuing.wait().await.unwrap();
    let finished = run(&["--json", "issue", orders, "--server", &server]);
    assert!(
        finished.status.success(),
        "{}",
        String::from_utf8_lossy(&finished.stderr)
    );

    let admin = serving.1["admin"].as_str().unwrap().to_owned();
    let active = || get_counts(&server);
    for _ in 0..200 {
        if active().await >= ORDERS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(active().await, ORDERS);
    let ledger = get(&format!("{}/_sim/ledger", api.trim_end_matches("/api"))).await;
    assert_eq!(
        ledger["cards"].as_array().unwrap().len(),
        ORDERS,
        "one card for each order"
    );

    let listed = run(&[
        "--json", "orders", "--server", &admin, "list", "--state", "active",
    ]);
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let shown = run(&["orders", "--server", &admin, "show", "bulk-7"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("card_activated"));
    assert_eq!(
        run(&["orders", "--server", &admin, "show", "no-such-order"])
            .status
            .code(),
        Some(3)
    );

    let said = |output: Output| {
        let (out, error) = (output.stdout, output.stderr);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&error)
        );
        String::from_utf8(out).unwrap()
    };
    let erase = ["erase", "bulk-7", "--reason", "asked to", "--now"];
    said(run(&[&erase[..], &["--server", &admin]].concat()));
    let shown = said(run(&["orders", "--server", &admin, "show", "bulk-7"]));
    assert!(
        shown.contains("erased at") && shown.contains("personal_data_erased"),
        "{shown}"
    );
    let again = run(&[&erase[..], &["--server", &admin]].concat());
    assert_eq!(again.status.code(), Some(4), "{again:?}");
    let rekeyed = said(run(&["--json", "rekey", "--server", &admin]));
    assert!(
        rekeyed.contains("\"resealed\": 0") || rekeyed.contains("\"resealed\":0"),
        "{rekeyed}"
    );

    terminate(&serving.0);
    assert!(
        serving.0.wait().await.unwrap().success(),
        "ends in order when asked to"
    );
    let offline = ["--offline", "--config", config];
    let erase = ["erase", "bulk-8", "--reason", "asked to", "--actor", "ada"];
    said(run(&[&erase[..], &offline].concat()));
    let again = run(&[&erase[..], &offline].concat());
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let rekeyed = binary()
        .env("ISSUANCE_OLD_KEY", "a5".repeat(32))
        .env("ISSUANCE_VAULT_KEY", "b7".repeat(32))
        .env("ISSUANCE__STORE__VAULT_KEY_NAME", "k2")
        .env(
            "ISSUANCE__STORE__OLD_VAULT_KEYS",
            "[{ name = \"k1\", env = \"ISSUANCE_OLD_KEY\" }]",
        )
        .arg("rekey")
        .args(offline)
        .output();
    let rekeyed = said(rekeyed.unwrap());
    assert!(rekeyed.contains("no other key is needed"), "{rekeyed}");
    assert!(
        rekeyed.starts_with(&format!("{} ", ORDERS - 2)),
        "{rekeyed}"
    );
    let data = dir.path().join("data");
    let verified = run(&["--json", "audit", "verify", data.to_str().unwrap()]);
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
    let checked = run(&[
        "--json",
        "audit",
        "check",
        data.to_str().unwrap(),
        "--config",
        config,
        "--ledger",
        &format!("{}/_sim/ledger", api.trim_end_matches("/api")),
        "--clocks",
        "2",
        "--at-rest",
    ]);
    let said: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert!(checked.status.success(), "{said:#}");
    for invariant in [
        "S1", "S2", "S6", "S7", "S9", "S18", "S20", "S30", "L1", "L2", "L3", "X5",
    ] {
        let all = said["judgements"].as_array().unwrap();
        let found = all
            .iter()
            .find(|judged| judged["invariant"] == invariant)
            .unwrap();
        let judged = ["held", "not_judged"].contains(&found["outcome"].as_str().unwrap());
        assert!(
            judged && (invariant == "S30" || found["outcome"] == "held"),
            "{found}"
        );
    }
    // A card that no order of this log explains.
    let strangers = dir.path().join("cards.json");
    std::fs::write(
        &strangers,
        json!([{ "card_id": "card-1", "metadata": { "issuance_order": "01920000-0000-7000-8000-000000000001" } }]).to_string(),
    )
    .unwrap();
    let checked = run(&[
        "audit",
        "check",
        data.to_str().unwrap(),
        "--ledger",
        strangers.to_str().unwrap(),
    ]);
    assert_eq!(checked.status.code(), Some(1));
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(
        said.contains("S6 (intent before effect) is violated"),
        "{said}"
    );
    let exported = dir.path().join("export.jsonl");
    let export = run(&[
        "audit",
        "export",
        data.to_str().unwrap(),
        "--out",
        exported.to_str().unwrap(),
    ]);
    assert!(
        export.status.success(),
        "{}",
        String::from_utf8_lossy(&export.stderr)
    );
    assert!(std::fs::read_to_string(&exported).unwrap().lines().count() > ORDERS * 4);
}

/// Active orders, by the public list.
async fn get_counts(server: &str) -> usize {
    let mut count = 0;
    let mut cursor = String::new();
    loop {
        let page = get(&format!(
            "{server}/v1/orders?state=active&limit=200{cursor}"
        ))
        .await;
        count += page["orders"].as_array().unwrap().len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return count,
        }
    }
}

fn terminate(child: &tokio::process::Child) {
    let id = child.id().unwrap().to_string();
    let killed: std::io::Result<Child> = Command::new("kill").args(["-TERM", &id]).spawn();
    assert!(killed.unwrap().wait().unwrap().success());
}
