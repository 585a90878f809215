//! F-078: the release binary is killed at any time, also while it opens, while hosts place orders over HTTP, the simulator
//! answers and webhooks flow. Nothing acknowledged is lost, no order gets two cards, and the chain verifies.

mod backups;
mod host;
mod judge;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use issuance_simulator::{
    Config, Endpoint, Fault, FaultMatch, FaultRule, Simulator, WebhookTarget,
};
use serde_json::Value;

use crate::random::Random;
use crate::server::{Server, WEBHOOK_SECRET};
use crate::verdict::Verdict;
use backups::Backups;
use host::Host;

const CALLERS: usize = 8;
/// Orders that may be placed in one life.
const ORDERS_PER_LIFE: usize = 40;
/// Lives between two looks at the log.
const JUDGED_EVERY: u64 = 10;
const OPENS_WITHIN: Duration = Duration::from_secs(60);
/// From the last kill until every order has come to its end.
const ENDS_WITHIN: Duration = Duration::from_secs(180);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program to kill: a release build of `issuance`.
    #[arg(long)]
    binary: PathBuf,
    #[arg(long, default_value_t = 20)]
    kills: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the data lies. A directory of its own is made in it.
    #[arg(long)]
    work: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Verdict {
    let columns = [
        "killed while",
        "kills",
        "orders acknowledged",
        "lost",
        "webhooks acknowledged",
        "lost",
        "cards",
        "duplicate cards",
        "events",
        "wrong",
    ];
    let mut verdict = Verdict::new("kill", &columns);
    if !args.binary.exists() {
        verdict.skip(format!("no program {}", args.binary.display()));
        return verdict;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(lives(args, &mut verdict));
    verdict
}

async fn lives(args: &Args, verdict: &mut Verdict) {
    let work = match &args.work {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let work = work.expect("a directory to work in");
    let config = Config {
        seed: args.seed,
        webhook_retry_unit: Duration::from_millis(100),
        faults: vec![lost_answers()],
        ..Config::default()
    };
    let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into())
        .await
        .expect("a simulator");
    let data = work.path().join("data");
    let settings = settings(&data, &simulator.api_base());
    let server = Server::new(&args.binary, work.path(), "server", &settings);
    simulator.set_webhook(Some(WebhookTarget {
        url: server.url("/webhooks/uqpay"),
        secret: Some(WEBHOOK_SECRET.into()),
    }));
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let host = Host::new(client.clone(), server.url("/v1/orders"));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| tokio::spawn(Arc::clone(&host).call()))
        .collect();

    let (mut open, mut load, mut events) = (0, 0, 0);
    let mut backups = Backups::new(&args.binary, &data, work.path());
    for life in 0..args.kills {
        let mut random = Random::new(args.seed, life);
        host.allow(ORDERS_PER_LIFE);
        let mut process = server.start();
        if life % 4 == 3 {
            tokio::time::sleep(random.millis(0..120)).await;
            open += 1;
        } else {
            if !server.is_ready(&mut process, &client, OPENS_WITHIN).await {
                verdict.violation(format!("life {life} did not open: {}", server.last_words()));
                break;
            }
            tokio::time::sleep(random.millis(10..800)).await;
            if life % 4 == 1 {
                backups.begin();
                tokio::time::sleep(random.millis(0..60)).await;
            }
            load += 1;
        }
        process.kill();
        backups.end(&format!("life {life}"), verdict);
        if life % JUDGED_EVERY == JUDGED_EVERY - 1 {
            // What was answered before the kill; callers have nobody to ask now.
            let known = host.acknowledged();
            events = judge::log(&data, &known, &format!("life {life}"), verdict);
        }
    }

    verdict.note(backups.sum());
    let mut process = server.start();
    if !server.is_ready(&mut process, &client, OPENS_WITHIN).await {
        verdict.violation(format!(
            "the last life did not open: {}",
            server.last_words()
        ));
        return;
    }
    host.end();
    for caller in callers {
        let _ = caller.await;
    }
    // The same directory on another port, as if somebody started it twice.
    let second = Server::new(&args.binary, work.path(), "second", &settings);
    if second.start().wait(Duration::from_secs(20)) != Some(false) {
        verdict.violation("a second process was let into the data directory");
    }
    let shown = ends(&client, &server, verdict).await;
    if !process.terminate(Duration::from_secs(30)) {
        verdict.violation("the last life did not end well when it was told to");
    }
    let ledger = simulator.ledger();
    let known = host.acknowledged();
    host.contradictions()
        .into_iter()
        .for_each(|what| verdict.violation(what));
    let judged = judge::end(&data, &known, &shown, &ledger, verdict);
    events = events.max(judged.events);
    verdict.row([
        "load / open".into(),
        format!("{load} / {open}"),
        known.len().to_string(),
        judged.lost.to_string(),
        judged.webhooks.to_string(),
        judged.webhooks_lost.to_string(),
        ledger.cards.len().to_string(),
        judged.duplicates.to_string(),
        events.to_string(),
        judged.wrong.to_string(),
    ]);
    simulator.shutdown().await;
}

/// Waits short enough that all is done soon after the last kill.
fn settings(data: &Path, api_base: &str) -> String {
    format!(
        r#"
environment = "local"
[provider]
base_url = "{api_base}"
client_id = "durability"
connect_timeout = "1s"
timeout = "2s"
[store]
data_dir = "{}"
[policy]
call_deadline = "3s"
look_up_first = "2s"
look_up_cap = "4s"
activation_alarm = "60s"
[limits]
task_deadline = "2500ms"
calls_per_minute = 100000
retry = {{ first = "200ms", cap = "2s", jitter = 0.3 }}
breaker = {{ first = "200ms", cap = "1s", jitter = 0.2 }}
[log]
filter = "warn"
"#,
        data.display()
    )
}

/// One in twenty answers to a create call never arrives, though the card is made.
fn lost_answers() -> FaultRule {
    FaultRule {
        id: "lost".into(),
        applies_to: FaultMatch {
            endpoint: Some(Endpoint::CreateCard),
            ..FaultMatch::default()
        },
        fault: Fault::LostAfterEffect,
        times: None,
        probability: Some(0.05),
        used: 0,
    }
}

/// Waits until no order has anything left to do, and reads all of them.
async fn ends(client: &reqwest::Client, server: &Server, verdict: &mut Verdict) -> Vec<Value> {
    let end = Instant::now() + ENDS_WITHIN;
    loop {
        let open = [
            server.orders(client, Some("requested")).await,
            server.orders(client, Some("accepted")).await,
        ];
        let open: usize = open.iter().map(Vec::len).sum();
        if open == 0 {
            return server.orders(client, None).await;
        }
        if Instant::now() > end {
            verdict.violation(format!("{open} orders have not come to an end"));
            return server.orders(client, None).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
