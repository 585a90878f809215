//! What a simulator is started with.

use std::path::PathBuf;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

use crate::faults::FaultRule;
use crate::variants::Variants;

/// The sub-account that exists unless [`Config::sub_accounts`] says otherwise.
pub const SUB_ACCOUNT: Uuid = uuid!("5e1d3c7a-90b4-4f62-8d15-c7a2b6e4f038");

/// Where webhooks go.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookTarget {
    /// Receiver of the deliveries.
    pub url: String,
    /// Signing secret. Without one the signature header is left out (contract §5.6).
    #[serde(default)]
    pub secret: Option<String>,
}

impl std::fmt::Debug for WebhookTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookTarget")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Unit of the `x-wk-timestamp` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampUnit {
    /// Thirteen digits, as real deliveries have.
    Milliseconds,
    /// Ten digits, as the provider's pages show.
    Seconds,
}

/// Which of the two name members of a webhook holds the dotted name (contract §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `V1.6.0`: the dotted name is `event_type`.
    Current,
    /// `V1.5.2`: the dotted name is `event_name`.
    Swapped,
}

/// Everything a simulator can be told before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// Seed of every identifier and every decision by chance. Two simulators with one seed hand out the same
    /// identifiers: give a receiver that remembers `event_id`s a new seed for a new, empty simulator.
    pub seed: u64,
    /// Directory that keeps the world through a kill. `None`: memory only.
    pub data: Option<PathBuf>,
    /// Receiver of webhooks; can be set later.
    pub webhook: Option<WebhookTarget>,
    /// Refuse what the contract only discourages (bare token, upper-case key, odd page sizes).
    pub strict: bool,
    /// Answer and send webhooks in every documented form, chosen by the seed. Overrides `webhook_resign`,
    /// `webhook_timestamp` and `webhook_naming`; can be set later.
    pub variants: Variants,
    /// From an accepted order (or a passed review) to the card's end state.
    pub processing_delay: Duration,
    /// How long the review of a STANDARD cardholder takes.
    pub review_delay: Duration,
    /// How long an IDV link works (contract §7: about 24 h).
    pub idv_link_lifetime: Duration,
    /// Start of IDV links, to which the link's token is added. Default: this simulator's own page.
    pub idv_link_base: Option<String>,
    /// Life of an access token (contract §1.2: 30 minutes).
    pub token_lifetime: Duration,
    /// A new token ends every earlier one of the same client (contract §1.3).
    pub single_active_token: bool,
    /// Calls per client and calendar minute, without token calls.
    pub rate_limit_per_minute: Option<u32>,
    /// Token calls per client and calendar minute.
    pub token_limit_per_minute: Option<u32>,
    /// Send `Retry-After` with 429.
    pub retry_after: bool,
    /// Try a failed delivery again, five times (contract §5.8).
    pub webhook_retry: bool,
    /// Unit of the retry schedule 16, 32, 64, 128, 256.
    pub webhook_retry_unit: Duration,
    /// Sign each try anew; otherwise a retry carries the first try's timestamp.
    pub webhook_resign: bool,
    /// Unit of the signature's timestamp.
    pub webhook_timestamp: TimestampUnit,
    /// Naming version of the deliveries.
    pub webhook_naming: Naming,
    /// Deliveries in flight at once.
    pub webhook_concurrency: usize,
    /// Issuing balance of each account in each currency; SINGLE products draw on it.
    pub issuing_balance: Decimal,
    /// Accounts that `x-on-behalf-of` may name.
    pub sub_accounts: Vec<Uuid>,
    /// Requests and finished deliveries the ledger remembers, each.
    pub request_log_cap: usize,
    /// Connections served at once; more wait in the listen queue.
    pub max_connections: usize,
    /// Fault rules to begin with. A rule whose id the data directory already knows keeps its counter.
    pub faults: Vec<FaultRule>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            data: None,
            webhook: None,
            strict: true,
            variants: Variants::Off,
            processing_delay: Duration::from_millis(300),
            review_delay: Duration::from_secs(2),
            idv_link_lifetime: Duration::from_secs(24 * 3600),
            idv_link_base: None,
            token_lifetime: Duration::from_secs(30 * 60),
            single_active_token: true,
            rate_limit_per_minute: None,
            token_limit_per_minute: None,
            retry_after: false,
            webhook_retry: true,
            webhook_retry_unit: Duration::from_secs(1),
            webhook_resign: true,
            webhook_timestamp: TimestampUnit::Milliseconds,
            webhook_naming: Naming::Current,
            webhook_concurrency: 64,
            issuing_balance: Decimal::from(10_000_000),
            sub_accounts: vec![SUB_ACCOUNT],
            request_log_cap: 1_000_000,
            max_connections: 4096,
            faults: Vec::new(),
        }
    }
}
