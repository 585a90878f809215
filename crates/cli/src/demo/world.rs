//! The demo's world: simulator, engine, server, operators' listener and host, each on its own loopback port, all with
//! their memory in one data directory, so that a kill loses nothing.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use issuance::Clock as _;
use issuance::domain::Policy;
use issuance_server::NoticeSecret;
use issuance_simulator::{Config, FaultRule, Running, Simulator, WebhookTarget};
use secrecy::ExposeSecret as _;

use crate::config;
use crate::exit::{Exit, Failure};
use crate::serve::Serving;

use super::host::{self, Told};

/// The engine's credential; `config/demo.toml` says the same.
pub(crate) const CLIENT: &str = "demo";
/// What the demo lays over the standard configuration.
const SETTINGS: &str = include_str!("../../../../config/demo.toml");

pub(crate) struct World {
    /// The world outside.
    pub(crate) simulator: Running,
    /// The engine behind its listeners.
    pub(crate) serving: Serving,
    /// What the host was told.
    pub(crate) told: Told,
    /// What the orders live under.
    pub(crate) policy: Policy,
    /// Where everything is kept.
    pub(crate) data: PathBuf,
}

impl World {
    pub(crate) async fn start(data: PathBuf, faults: Vec<FaultRule>) -> Result<Self, Failure> {
        let secrets = Secrets::keep(&data)?;
        // The simulator must know where webhooks go before it remembers any that are due.
        let door = free_address()?;
        let simulator = Config {
            data: Some(data.join("simulator")),
            webhook: Some(WebhookTarget {
                url: format!("http://{door}/webhooks/uqpay"),
                secret: Some(secrets.webhook.clone()),
            }),
            faults,
            ..Config::default()
        };
        let simulator = Simulator::start(simulator, any_port())
            .await
            .map_err(|error| {
                Failure::new(Exit::Failed, "cannot start the simulator").because(&error)
            })?;
        let (notices, told) = host::listen(secrets.notify).await?;

        let file = data.join("engine.toml");
        let text = settings(&data, door, &simulator.api_base(), &notices);
        fs::write(&file, &text).map_err(unusable(&data))?;
        let variables = config::variables();
        let layers = [
            (Path::new("config/demo.toml"), SETTINGS),
            (file.as_path(), text.as_str()),
        ];
        let checked = config::layered(&layers, &variables)?.check(&variables)?;
        let policy = checked.engine.policy.clone();
        let serving = Serving::start(checked).await?;
        Ok(Self {
            simulator,
            serving,
            told,
            policy,
            data,
        })
    }

    /// Ends everything in order: nothing that was acknowledged is lost.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        let ended = self.serving.until(std::future::ready(())).await;
        self.simulator.shutdown().await;
        ended
    }
}

/// What stands in the data directory for whoever looks: the engine's configuration of this run.
fn settings(data: &Path, door: SocketAddr, api: &str, notices: &str) -> String {
    let secret = |name: &str| {
        toml::Value::from(
            data.join("secrets")
                .join(name)
                .to_string_lossy()
                .into_owned(),
        )
    };
    let store = toml::Value::from(data.join("store").to_string_lossy().into_owned());
    format!(
        "[provider]\nbase_url = \"{api}\"\napi_key_file = {}\n\n[webhooks]\nsecrets = [{{ file = {} }}]\n\n\
         [store]\ndata_dir = {store}\nvault_key_file = {}\n\n[server]\nlisten = \"{door}\"\n\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntokens = [{{ name = \"you\", role = \"operator\", file = {} }}]\n\n\
         [notify]\nurl = \"{notices}\"\nsecret_file = {}\n",
        secret("api-key"),
        secret("webhook"),
        secret("vault-key"),
        secret("admin-token"),
        secret("notify"),
    )
}

struct Secrets {
    webhook: String,
    notify: NoticeSecret,
}

impl Secrets {
    /// Made at the first start, kept in files of their own.
    fn keep(data: &Path) -> Result<Self, Failure> {
        let dir = data.join("secrets");
        fs::create_dir_all(&dir).map_err(unusable(data))?;
        for dir in [data, &dir] {
            fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(unusable(data))?;
        }
        let keep = |name: &str, make: &dyn Fn() -> String| {
            keep(&dir.join(name), make).map_err(unusable(data))
        };
        keep("api-key", &|| random_hex(16))?;
        keep("vault-key", &|| random_hex(32))?;
        keep("admin-token", &|| random_hex(32))?;
        Ok(Self {
            webhook: keep("webhook", &|| format!("whsec_{}", random_hex(24)))?,
            notify: NoticeSecret::read(&keep("notify", &new_notice_secret)?.into()).map_err(
                |error| {
                    Failure::new(Exit::Failed, "the demo's secret for notices was changed")
                        .because(&error)
                },
            )?,
        })
    }
}

fn keep(file: &Path, make: &dyn Fn() -> String) -> std::io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = make();
            let mut opened = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(file)?;
            opened.write_all(text.as_bytes())?;
            opened.sync_all()?;
            Ok(text)
        }
        read => read,
    }
}

fn new_notice_secret() -> String {
    let mut random = [0; 32];
    issuance::SystemClock.fill_random(&mut random);
    NoticeSecret::write(&random).expose_secret().to_owned()
}

fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    issuance::SystemClock.fill_random(&mut random);
    hex::encode(random)
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn free_address() -> Result<SocketAddr, Failure> {
    let bound = TcpListener::bind(any_port()).and_then(|listener| listener.local_addr());
    bound.map_err(|error| Failure::new(Exit::Failed, "no free loopback port").because(&error))
}

fn unusable(data: &Path) -> impl Fn(std::io::Error) -> Failure {
    let message = format!("cannot use data directory {}", data.display());
    move |error| Failure::new(Exit::Failed, &message).because(&error)
}
