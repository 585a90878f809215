//! A node: the real engine on the surroundings of this world.

use std::sync::Arc;
use std::time::Duration;

use issuance::uqpay::webhook::{Verifier, WebhookSecret};
use issuance::uqpay::{BaseUrl, Client, Config as ClientConfig};
use issuance::{Engine, Limits};
use issuance_store::SimulatedStore;

use crate::clock::NodeClock;
use crate::disk::Disk;
use crate::env::Sim;
use crate::host::Ear;
use crate::options::Options;
use crate::provider::SECRET;
use crate::tasks::Life;
use crate::wire::Wire;

pub(crate) fn client_id(node: usize) -> String {
    format!("simulation-{node}")
}

#[expect(clippy::expect_used, reason = "fixed values that fit together")]
pub(crate) fn engine(
    sim: &Sim,
    life: Life,
    store: &Arc<SimulatedStore>,
    options: &Options,
) -> Engine {
    let wire = Wire {
        sim: sim.clone(),
        life,
    };
    let config = ClientConfig {
        base_url: BaseUrl::parse("https://provider.example/api", false).expect("a good base"),
        client_id: client_id(life.node),
        api_key: "simulation-key".to_owned().into(),
        on_behalf_of: None,
        connect_timeout: ClientConfig::CONNECT_TIMEOUT,
        total_timeout: ClientConfig::TOTAL_TIMEOUT,
        max_answer: ClientConfig::MAX_ANSWER,
    };
    let client = Client::over(Arc::new(wire), config).expect("good credentials");
    let secret = WebhookSecret {
        secret: SECRET.to_owned().into(),
        valid_until: None,
    };
    let verifier = Verifier::new(vec![secret], Duration::from_secs(300)).expect("a good secret");
    Engine::builder()
        .store(Arc::new(Disk {
            store: store.clone(),
            sim: sim.clone(),
            life,
        }))
        .uqpay(client)
        .notifier(Arc::new(Ear {
            sim: sim.clone(),
            life,
        }))
        .clock(Arc::new(NodeClock {
            sim: sim.clone(),
            node: life.node,
        }))
        .policy(options.policy.clone())
        .limits(Limits {
            calls_per_minute: options.calls_per_minute,
            search_pages: options.search_pages,
            ..Limits::standard()
        })
        .webhooks(verifier)
        .build()
        .expect("an engine of good parts")
}
