//! What a client must be told; nothing has a hidden default.

use std::time::Duration;

use secrecy::SecretString;

use super::BaseUrl;
use crate::AccountId;

/// Everything a client is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the provider is.
    pub base_url: BaseUrl,
    /// `x-client-id`.
    pub client_id: String,
    /// `x-api-key`.
    pub api_key: SecretString,
    /// Sub-account that calls are made for unless they name another; `None` is the master account.
    pub on_behalf_of: Option<AccountId>,
    /// Longest wait for a connection; see [`Config::CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// Longest whole call, body included; see [`Config::TOTAL_TIMEOUT`].
    pub total_timeout: Duration,
    /// Largest answer read, in bytes; see [`Config::MAX_ANSWER`].
    pub max_answer: usize,
}

impl Config {
    /// A usual connect timeout.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// A usual total timeout: what the provider's SDKs use (contract §7).
    pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
    /// A usual answer limit: 1 MiB (reliability F-027).
    pub const MAX_ANSWER: usize = 1 << 20;
}
