//! The shape of a configuration. What each key means stands beside its standard value, in `config/default.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use issuance::Limits;
use issuance::domain::{Account, Policy, Timestamp, duration};
use serde::Deserialize;

use crate::logging::Format;

/// All of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) environment: Environment,
    pub(crate) provider: Provider,
    pub(crate) webhooks: Webhooks,
    pub(crate) store: Store,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) server: Server,
    pub(crate) admin: Admin,
    pub(crate) notify: Notify,
    pub(crate) log: Log,
}

/// Where the money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Environment {
    /// A simulator on this machine.
    Local,
    /// UQPAY's sandbox.
    Sandbox,
    /// Real cards.
    Production,
}

impl Environment {
    /// The word in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    pub(crate) base_url: String,
    pub(crate) client_id: Option<String>,
    pub(crate) client_id_env: Option<String>,
    pub(crate) client_id_file: Option<PathBuf>,
    pub(crate) api_key_env: Option<String>,
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) on_behalf_of: Option<Account>,
    #[serde(with = "duration")]
    pub(crate) connect_timeout: Duration,
    #[serde(with = "duration")]
    pub(crate) timeout: Duration,
    pub(crate) max_answer: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhooks {
    #[serde(with = "duration")]
    pub(crate) tolerance: Duration,
    pub(crate) max_body: usize,
    pub(crate) secrets: Vec<WebhookSecret>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookSecret {
    pub(crate) env: Option<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) valid_until: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) data_dir: PathBuf,
    pub(crate) vault_key_env: Option<String>,
    pub(crate) vault_key_file: Option<PathBuf>,
    pub(crate) vault_key_name: String,
    pub(crate) old_vault_keys: Vec<OldVaultKey>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OldVaultKey {
    pub(crate) name: String,
    pub(crate) env: Option<String>,
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    pub(crate) tokens: Vec<ApiToken>,
    pub(crate) allow_anonymous_loopback: bool,
    pub(crate) max_connections: usize,
    #[serde(with = "duration")]
    pub(crate) header_timeout: Duration,
    #[serde(with = "duration")]
    pub(crate) idle_timeout: Duration,
    #[serde(with = "duration")]
    pub(crate) write_timeout: Duration,
    pub(crate) max_header_bytes: usize,
    pub(crate) max_header_fields: usize,
    #[serde(with = "duration")]
    pub(crate) grace: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiToken {
    pub(crate) name: String,
    pub(crate) sha256: Option<String>,
    pub(crate) env: Option<String>,
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    pub(crate) listen: SocketAddr,
    pub(crate) allow_public: bool,
    pub(crate) tokens: Vec<AdminToken>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminToken {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) sha256: Option<String>,
    pub(crate) env: Option<String>,
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notify {
    pub(crate) url: Option<String>,
    pub(crate) secret_env: Option<String>,
    pub(crate) secret_file: Option<PathBuf>,
    #[serde(with = "duration")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: Format,
    pub(crate) filter: String,
}
