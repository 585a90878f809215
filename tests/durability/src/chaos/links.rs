//! Every link of a round, and the configuration that leads the engine over them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::door;
use super::host::History;
use super::plan::Road;
use super::proxy::Link;
use crate::random::Random;
use crate::server::{Server, free_address};

#[derive(Debug)]
pub(super) struct Links {
    links: [(Road, Link); 4],
    /// Where the provider is to listen, behind its link.
    pub(super) provider: SocketAddr,
    /// Where operators go, past all links.
    pub(super) operators: String,
}

impl Links {
    /// Opens the host's door, the links, and writes the engine's configuration.
    pub(super) async fn lay(
        binary: &Path,
        work: &Path,
        data: &Path,
        history: &Arc<History>,
        seed: u64,
    ) -> (Self, Server) {
        let random = |road: Road| Random::new(seed, u64::MAX - 1 - road as u64);
        let (provider, operators) = (free_address(), free_address());
        let door = door::open(Arc::clone(history), Random::new(seed, u64::MAX - 16)).await;
        let to_provider = Link::to(provider, random(Road::EngineToProvider)).await;
        let to_host = Link::to(door, random(Road::EngineToHost)).await;
        let settings = settings(data, to_provider.address, to_host.address, operators);
        let server = Server::new(binary, work, "server", &settings);
        let webhooks = Link::to(server.address, random(Road::ProviderToEngine)).await;
        let orders = Link::to(server.address, random(Road::HostToEngine)).await;
        let links = Self {
            links: [
                (Road::EngineToProvider, to_provider),
                (Road::ProviderToEngine, webhooks),
                (Road::HostToEngine, orders),
                (Road::EngineToHost, to_host),
            ],
            provider,
            operators: format!("http://{operators}/admin/v1"),
        };
        (links, server)
    }

    pub(super) fn of(&self, road: Road) -> &Link {
        &self.links[road as usize].1
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().map(|(_, link)| link)
    }

    /// An address behind a link.
    pub(super) fn url(&self, road: Road, path: &str) -> String {
        format!("http://{}{path}", self.of(road).address)
    }
}

/// Waits so short that a round is over soon.
fn settings(data: &Path, provider: SocketAddr, host: SocketAddr, operators: SocketAddr) -> String {
    format!(
        r#"
environment = "local"
[provider]
base_url = "http://{provider}/api"
client_id = "durability"
connect_timeout = "1s"
timeout = "2s"
[store]
data_dir = "{}"
[policy]
call_deadline = "3s"
outcome_unknown_alarm = "5s"
look_up_first = "1s"
look_up_cap = "3s"
look_up_person_first = "1s"
activation_alarm = "20s"
failure_confirmation = "1s"
card_missing_grace = "5s"
idv_grace = "1s"
idv_renewals = 1
absence_scan_gap = "2s"
capacity_retry = "3s"
cancel_retry = "1s"
order_success_alarm = "10s"
late_look_ups = 2
late_look_up_first = "1s"
[limits]
task_deadline = "2500ms"
calls_per_minute = 100000
reconcile_every = "5s"
retry = {{ first = "200ms", cap = "2s", jitter = 0.3 }}
breaker = {{ first = "200ms", cap = "1s", jitter = 0.2 }}
[admin]
listen = "{operators}"
tokens = [
  {{ name = "ada", role = "operator", env = "ISSUANCE_OPERATOR_TOKEN" }},
  {{ name = "bo", role = "approver", env = "ISSUANCE_APPROVER_TOKEN" }},
]
[notify]
url = "http://{host}/notices"
secret_env = "ISSUANCE_NOTIFY_SECRET"
timeout = "2s"
[log]
filter = "warn"
"#,
        data.display()
    )
}
