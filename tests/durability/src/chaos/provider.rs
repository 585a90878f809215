//! The provider: `issuance simulate` as a process, which keeps its world through a kill.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Client;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::plan::{self, Plan};
use crate::child::Running;
use crate::server::WEBHOOK_SECRET;

const STARTS_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Provider {
    binary: std::path::PathBuf,
    arguments: Vec<String>,
    address: SocketAddr,
    process: Running,
}

impl Provider {
    pub(super) fn new(
        binary: &Path,
        work: &Path,
        seed: u64,
        address: SocketAddr,
        plan: &Plan,
        webhooks: &str,
    ) -> Self {
        let rules = work.join("faults.json");
        std::fs::write(&rules, Value::from(plan.rules()).to_string())
            .expect("the provider's faults");
        let mut arguments = vec![
            "simulate".to_owned(),
            format!("--listen={address}"),
            format!("--seed={seed}"),
            format!("--data={}", work.join("provider").display()),
            format!("--faults={}", rules.display()),
            format!("--webhook-url={webhooks}"),
            "--webhook-secret-env=UQPAY_WEBHOOK_SECRET".to_owned(),
            "--webhook-retry-unit=100".to_owned(),
        ];
        if plan.variants {
            arguments.push("--variants".into());
        }
        let process = start(binary, &arguments);
        Self {
            binary: binary.into(),
            arguments,
            address,
            process,
        }
    }

    pub(super) async fn kill(&mut self, down: Duration) {
        self.process.kill();
        sleep(down).await;
        self.process = start(&self.binary, &self.arguments);
    }

    pub(super) async fn pause(&self, lasts: Duration) {
        self.process.signal(Signal::STOP);
        sleep(lasts).await;
        self.process.signal(Signal::CONT);
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Whether it is there.
    pub(super) async fn is_up(&self, client: &Client) -> bool {
        let up = async {
            while client.get(self.url("/_sim/health")).send().await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(STARTS_WITHIN, up).await.is_ok()
    }

    /// No faults any more; people go on.
    pub(super) async fn heal(&self, client: &Client) -> Result<(), reqwest::Error> {
        let faults = self.url("/_sim/faults");
        client.delete(&faults).send().await?.error_for_status()?;
        let people = client.post(&faults).json(&json!(plan::people()));
        people.send().await?.error_for_status()?;
        Ok(())
    }

    /// How many cards it made.
    pub(super) async fn cards(&self, client: &Client) -> usize {
        let ledger = client.get(self.url("/_sim/ledger?requests=false")).send();
        let ledger: Option<Value> = match ledger.await {
            Ok(answer) => answer.json().await.ok(),
            Err(_) => None,
        };
        ledger
            .and_then(|ledger| Some(ledger["cards"].as_array()?.len()))
            .unwrap_or(0)
    }
}

fn start(binary: &Path, arguments: &[String]) -> Running {
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .env("UQPAY_WEBHOOK_SECRET", WEBHOOK_SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Running::start(command)
}
