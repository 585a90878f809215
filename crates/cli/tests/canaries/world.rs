//! The false provider, the server and the host it tells, as processes and sockets; and everything they were heard to say.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Client;
use serde_json::Value;
use sha2::Sha512;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::planted::Planted;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) planted: Planted,
    pub(crate) http: Client,
    pub(crate) simulator: String,
    pub(crate) server: String,
    pub(crate) admin: String,
    pub(crate) heard: Heard,
    processes: Vec<Child>,
}

/// What came out, and where.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Said>>>);

/// Where, and what.
type Said = (String, Vec<u8>);

impl Heard {
    pub(crate) fn note(&self, place: impl Into<String>, text: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().push((place.into(), text.into()));
    }

    pub(crate) fn all(&self) -> Vec<Said> {
        self.0.lock().unwrap().clone()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let (dir, planted, heard) = (
            tempfile::tempdir().unwrap(),
            Planted::new(),
            Heard::default(),
        );
        let door = free_port();
        let webhook = format!("http://127.0.0.1:{door}/webhooks/uqpay");
        let mut world = Self {
            dir,
            planted,
            http: Client::builder().timeout(PATIENCE).build().unwrap(),
            simulator: String::new(),
            server: String::new(),
            admin: String::new(),
            heard: heard.clone(),
            processes: Vec::new(),
        };
        let simulate = [
            "simulate",
            "--listen",
            "127.0.0.1:0",
            "--webhook-url",
            &webhook,
        ];
        let secret = ["--webhook-secret-env", "UQPAY_WEBHOOK_SECRET"];
        let first = world
            .spawn("simulator", &[&simulate[..], &secret].concat())
            .await;
        let api = first["api_base"].as_str().unwrap().to_owned();
        world.simulator = first["controls"].as_str().unwrap().to_owned();
        let notices = host(
            heard,
            world.planted.get("words of the host's answer").into(),
        )
        .await;
        let config = format!(
            r#"environment = "local"
[provider]
base_url = "{api}"
connect_timeout = "1s"
timeout = "2s"
[webhooks]
secrets = [{{ env = "UQPAY_WEBHOOK_SECRET" }}, {{ env = "OLD_WEBHOOK_SECRET" }}]
[store]
data_dir = "{data}"
[limits]
calls_per_minute = 10000
task_deadline = "3s"
compact_every = "0s"
[limits.retry]
first = "100ms"
cap = "200ms"
[limits.breaker]
first = "100ms"
cap = "200ms"
[policy]
look_up_first = "1s"
look_up_cap = "1s"
call_deadline = "4s"
failure_confirmation = "1s"
[server]
listen = "127.0.0.1:{door}"
tokens = [{{ name = "shop", env = "HOST_TOKEN" }}]
[admin]
listen = "127.0.0.1:0"
tokens = [{{ name = "ada", role = "operator", env = "OPERATOR_TOKEN" }}]
[notify]
url = "{notices}"
secret_env = "NOTICE_SECRET"
"#,
            data = world.data().display()
        );
        std::fs::write(world.config(), config).unwrap();
        world.serve().await;
        world
    }

    pub(crate) async fn serve(&mut self) {
        let config = self.config();
        let args = ["serve", "--config", config.to_str().unwrap()];
        let first = self.spawn("server", &args).await;
        self.server = first["server"].as_str().unwrap().to_owned();
        self.admin = first["admin"].as_str().unwrap().to_owned();
    }

    /// Ends the newest process in order.
    pub(crate) async fn stop(&mut self) {
        let mut child = self.processes.pop().unwrap();
        let id = child.id().unwrap().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        assert!(ended.unwrap().unwrap().success());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("issuance.toml")
    }

    /// Every log line of the processes.
    pub(crate) fn logs(&self) -> PathBuf {
        let logs = self.path("logs");
        std::fs::create_dir_all(&logs).unwrap();
        logs
    }

    fn command(&self, args: &[&str]) -> Command {
        let secret = |name| self.planted.get(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command
            .args(args)
            .env("RUST_BACKTRACE", "full")
            .env("UQPAY_CLIENT_ID", secret("client id"))
            .env("UQPAY_API_KEY", secret("API key"))
            .env("UQPAY_WEBHOOK_SECRET", secret("webhook secret"))
            .env("OLD_WEBHOOK_SECRET", secret("old webhook secret"))
            .env("ISSUANCE_VAULT_KEY", secret("vault key"))
            .env("OPERATOR_TOKEN", secret("operator's token"))
            .env("ISSUANCE_ADMIN_TOKEN", secret("operator's token"))
            .env("HOST_TOKEN", secret("host's token"))
            .env("ISSUANCE_TOKEN", secret("host's token"))
            .env("NOTICE_SECRET", secret("notice secret"));
        command
    }

    /// Starts one that goes on, and reads its first line, which says where it listens.
    async fn spawn(&mut self, name: &str, args: &[&str]) -> Value {
        let log = self.logs().join(format!("{name}-{}", self.processes.len()));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut command = self.command(args);
        // The false provider's log is not ours to keep clean.
        let level = if name == "server" { "trace" } else { "off" };
        command
            .env("RUST_LOG", level)
            .arg("--json")
            .stderr(log)
            .stdout(Stdio::piped());
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        self.processes.push(child);
        serde_json::from_str(&first.unwrap().unwrap().unwrap()).unwrap()
    }

    /// Runs a command to its end, keeps what it said, and whether it succeeded.
    pub(crate) fn run(&self, args: &[&str]) -> bool {
        let output = self.command(args).env("RUST_LOG", "trace").output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.unwrap();
        let said = [stdout, stderr].concat();
        self.heard.note(args.join(" "), said);
        status.success()
    }

    /// As [`run`](Self::run), of one that must succeed.
    pub(crate) fn must(&self, args: &[&str]) {
        let done = self.run(args);
        let said = self.heard.all().pop().unwrap().1;
        assert!(done, "{args:?}: {}", String::from_utf8_lossy(&said));
    }

    /// Asks, as the host or as an operator, and keeps the answer with its head.
    pub(crate) async fn ask(
        &self,
        url: &str,
        post: Option<String>,
        token: &str,
    ) -> (StatusCode, Value) {
        let request = match post {
            Some(body) => self
                .http
                .post(url)
                .header("content-type", "application/json")
                .body(body),
            None => self.http.get(url),
        };
        let answer = request
            .bearer_auth(self.planted.get(token))
            .send()
            .await
            .unwrap();
        let (status, head) = (answer.status(), format!("{:?}", answer.headers()));
        let body = answer.bytes().await.unwrap();
        self.heard.note(url, [head.as_bytes(), &body].concat());
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ask(&format!("{}{path}", self.server), None, "host's token")
            .await
            .1
    }

    pub(crate) async fn place(&self, order: &Value) -> String {
        let url = format!("{}/v1/orders", self.server);
        for _ in 0..100 {
            let (status, answer) = self
                .ask(&url, Some(order.to_string()), "host's token")
                .await;
            if let Some(id) = answer["id"].as_str().filter(|_| status.is_success()) {
                return id.to_owned();
            }
            // The token that was planted does not count with the provider, which is to be found out first.
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{url} takes no order");
    }

    /// Reads the feed from its beginning until it falls silent.
    pub(crate) async fn feed(&self) {
        let url = format!("{}/v1/events", self.server);
        let request = self
            .http
            .get(&url)
            .bearer_auth(self.planted.get("host's token"));
        let mut answer = request.send().await.unwrap();
        let mut said = Vec::new();
        while let Ok(Ok(Some(chunk))) =
            tokio::time::timeout(Duration::from_secs(1), answer.chunk()).await
        {
            said.extend_from_slice(&chunk);
        }
        assert!(said.len() > 1_000, "{} bytes", said.len());
        self.heard.note(url, said);
    }

    /// Waits until an order is as wanted.
    pub(crate) async fn until(&self, id: &str, state: &str) {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.get(&format!("/v1/orders/{id}")).await;
            if last["state"] == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{id} is not {state}: {last:#}");
    }

    /// Waits until the inbox has so many messages standing somewhere.
    pub(crate) async fn idle(&self, standing: &str, count: u64) {
        let url = format!("{}/admin/v1/health", self.admin);
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.ask(&url, None, "operator's token").await.1;
            if last["counts"][standing] == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{standing} is not {count}: {last:#}");
    }

    /// Speaks to the simulator's controls.
    pub(crate) async fn control(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/{path}", self.simulator);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    /// Delivers a webhook signed with a secret.
    pub(crate) async fn deliver(&self, body: &[u8], secret: &str) -> StatusCode {
        let now = std::time::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_millis()
            .to_string();
        let mac = Hmac::<Sha512>::new_from_slice(self.planted.get(secret).as_bytes()).unwrap();
        let signature = mac
            .chain_update(body)
            .chain_update(&now)
            .finalize()
            .into_bytes();
        let answer = self
            .http
            .post(format!("{}/webhooks/uqpay", self.server))
            .header("x-wk-timestamp", now)
            .header("x-wk-signature", hex::encode(signature))
            .body(body.to_vec())
            .send()
            .await
            .unwrap();
        let status = answer.status();
        self.heard.note("webhooks", answer.bytes().await.unwrap());
        status
    }
}

/// A host that is told: it refuses the first notices with words of its own, then takes them all.
async fn host(heard: Heard, words: String) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}/notices", listener.local_addr().unwrap());
    let count = Arc::new(Mutex::new(0));
    let take = move |headers: HeaderMap, body: Bytes| async move {
        heard.note(
            "notices",
            [format!("{headers:?}").as_bytes(), &body].concat(),
        );
        let mut count = count.lock().unwrap();
        *count += 1;
        match *count {
            1..=3 => (StatusCode::INTERNAL_SERVER_ERROR, words),
            _ => (StatusCode::OK, String::new()),
        }
    };
    let router = Router::new().fallback(take);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A copy of a directory.
pub(crate) fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}
