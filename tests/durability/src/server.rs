//! The release binary as a process: configured, started, killed, and told to stop.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::child::Running;

pub(crate) const WEBHOOK_SECRET: &str = "whsec_durability_0123456789";
/// `whsec_` and base64, as notices want it.
pub(crate) const NOTIFY_SECRET: &str = "whsec_ZHVyYWJpbGl0eS1kdXJhYmlsaXR5LTAx";
pub(crate) const OPERATOR_TOKEN: &str = "durability-operator-0123456789-0123456789";
pub(crate) const APPROVER_TOKEN: &str = "durability-approver-0123456789-0123456789";
const VAULT_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// A loopback address that is free now; the same in every life of whoever gets it.
pub(crate) fn free_address() -> SocketAddr {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
    free.expect("a free port")
}

/// What it takes to start `issuance serve`, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    binary: PathBuf,
    pub(crate) config: PathBuf,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// `settings` is what goes over the standard configuration, but for the address hosts reach it at.
    pub(crate) fn new(binary: &Path, work: &Path, name: &str, settings: &str) -> Self {
        let address = free_address();
        let config = work.join(format!("{name}.toml"));
        let text = format!(
            "{settings}\n[server]\nlisten = \"{address}\"\nallow_anonymous_loopback = true\ngrace = \"10s\"\n"
        );
        std::fs::write(&config, text).expect("a configuration");
        Self {
            binary: binary.into(),
            config,
            log: work.join(format!("{name}.log")),
            address,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn start(&self) -> Running {
        let log = File::options()
            .append(true)
            .create(true)
            .open(&self.log)
            .unwrap();
        let mut command = self.command(["serve"]);
        command.stdout(Stdio::null()).stderr(log);
        Running::start(command)
    }

    /// The binary with its configuration and every secret of it.
    pub(crate) fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .env("UQPAY_API_KEY", "durability-key")
            .env("UQPAY_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .env("ISSUANCE_NOTIFY_SECRET", NOTIFY_SECRET)
            .env("ISSUANCE_VAULT_KEY", VAULT_KEY)
            .env("ISSUANCE_OPERATOR_TOKEN", OPERATOR_TOKEN)
            .env("ISSUANCE_APPROVER_TOKEN", APPROVER_TOKEN)
            .stdin(Stdio::null());
        command
    }

    /// Whether it answers before it ends or the time is over.
    pub(crate) async fn is_ready(
        &self,
        process: &mut Running,
        client: &reqwest::Client,
        timeout: Duration,
    ) -> bool {
        let end = Instant::now() + timeout;
        while Instant::now() < end && !process.has_ended() {
            if client.get(self.url("/healthz")).send().await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    /// The last lines it wrote.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }

    /// Every order it shows, or those in a state.
    pub(crate) async fn orders(&self, client: &reqwest::Client, state: Option<&str>) -> Vec<Value> {
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut url = self.url("/v1/orders?limit=200");
            if let Some(state) = state {
                url.push_str(&format!("&state={state}"));
            }
            if let Some(cursor) = &cursor {
                url.push_str(&format!("&cursor={cursor}"));
            }
            let page = client.get(url).send().await.expect("a page");
            let page: Value = page.json().await.expect("a page");
            found.extend(page["orders"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return found,
            }
        }
    }
}
