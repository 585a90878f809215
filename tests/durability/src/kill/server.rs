//! The release binary: configured, started, killed, and told to stop.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::child::Running;

pub(super) const WEBHOOK_SECRET: &str = "whsec_durability_0123456789";
const VAULT_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// What it takes to start it, again and again.
#[derive(Debug, Clone)]
pub(super) struct Server {
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    pub(super) data: PathBuf,
    pub(super) address: SocketAddr,
}

impl Server {
    /// On a port that is free now; the same in every life, as the provider knows it.
    pub(super) fn new(binary: &Path, work: &Path, api_base: &str) -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
        Self::at(binary, work, api_base, "server", free.expect("a free port"))
    }

    /// The same directory on another port, as if somebody started it twice.
    pub(super) fn second(&self, work: &Path, api_base: &str) -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
        Self::at(
            &self.binary,
            work,
            api_base,
            "second",
            free.expect("a free port"),
        )
    }

    fn at(binary: &Path, work: &Path, api_base: &str, name: &str, address: SocketAddr) -> Self {
        let data = work.join("data");
        let config = work.join(format!("{name}.toml"));
        // Waits short enough that all is done soon after the last kill.
        let text = format!(
            r#"
environment = "local"
[provider]
base_url = "{api_base}"
client_id = "durability"
connect_timeout = "1s"
timeout = "2s"
[webhooks]
secrets = [{{ env = "DURABILITY_WEBHOOK_SECRET" }}]
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
[server]
listen = "{address}"
allow_anonymous_loopback = true
grace = "10s"
[log]
filter = "warn"
"#,
            data.display()
        );
        std::fs::write(&config, text).expect("a configuration");
        Self {
            binary: binary.into(),
            config,
            log: work.join(format!("{name}.log")),
            data,
            address,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn start(&self) -> Running {
        let log = File::options()
            .append(true)
            .create(true)
            .open(&self.log)
            .unwrap();
        let mut command = Command::new(&self.binary);
        command
            .args(["serve", "--config"])
            .arg(&self.config)
            .env("UQPAY_API_KEY", "durability-key")
            .env("DURABILITY_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .env("ISSUANCE_VAULT_KEY", VAULT_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Running::start(command)
    }

    /// Whether it answers before it ends or the time is over.
    pub(super) async fn is_ready(
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
    pub(super) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}
