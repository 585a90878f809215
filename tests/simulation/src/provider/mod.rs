//! The false provider of a world: how it is set up, whom it knows, and what it does wrong.

mod faults;
mod mixups;
mod moves;
mod refusals;

use std::time::Duration;

use issuance_simulator::{Config, Fault, FaultMatch, FaultRule, Variants, WebhookTarget};
use uuid::Uuid;

use crate::env::Env;
use crate::faults::Family;
use crate::host;
use crate::options::Options;

pub(crate) use faults::{About, fault};
pub(crate) use moves::{cancelled_meanwhile, move_card, moves};

/// What the provider signs its messages with.
pub(crate) const SECRET: &str = "whsec_simulation_0123456789";

pub(crate) fn config(options: &Options) -> Config {
    Config {
        seed: options.seed,
        webhook: Some(WebhookTarget {
            url: "https://host.example/webhooks/uqpay".into(),
            secret: Some(SECRET.into()),
        }),
        variants: if options.rate(Family::Variants) > 0.0 {
            Variants::BySeed
        } else {
            Variants::Off
        },
        processing_delay: Duration::from_millis(options.processing),
        review_delay: Duration::from_millis(options.processing.saturating_mul(20)),
        idv_link_lifetime: Duration::from_secs(options.link_life),
        idv_link_base: Some("https://idv.example/".into()),
        rate_limit_per_minute: Some(options.calls_per_minute),
        token_limit_per_minute: Some(60),
        ..Config::default()
    }
}

/// One of the few persons of hosts that make them first. Several orders may be for the same one.
pub(crate) fn known_person(env: &mut Env, details: u64) -> Option<Uuid> {
    let (number, now) = (details % 3, env.now);
    if let Some(id) = env.people.get(&number) {
        return Some(*id);
    }
    let id = env.provider.add_person(&host::known_person(number), now)?;
    env.people.insert(number, id);
    Some(id)
}

/// What the provider does with one order, come what may.
pub(crate) fn traits(env: &mut Env, number: usize) {
    let metadata: serde_json::Map<_, _> = [("test".to_owned(), number.to_string().into())]
        .into_iter()
        .collect();
    let mut rule = |fault| {
        env.provider.add_fault(FaultRule {
            id: String::new(),
            applies_to: FaultMatch {
                metadata: metadata.clone(),
                ..FaultMatch::default()
            },
            fault,
            times: None,
            probability: None,
            used: 0,
        });
    };
    let faults = [
        (
            Family::CardFails,
            Fault::CardFails {
                failure_code: Some("CARD_CREATION_FAILED".into()),
            },
        ),
        (Family::NeverActive, Fault::NeverActivates),
        (Family::ActiveAtOnce, Fault::ActiveAtOnce),
        (Family::WebhookEarly, Fault::WebhookEarly),
    ];
    let mut chosen = Vec::new();
    for (family, fault) in faults {
        if env.faults.draw(family).is_some() {
            chosen.push((family, fault));
        }
    }
    for (family, fault) in chosen {
        env.coverage.family(family);
        rule(fault);
    }
    if let Some(details) = env.faults.draw(Family::MixUp) {
        env.coverage.family(Family::MixUp);
        env.provider.add_fault(FaultRule {
            id: String::new(),
            applies_to: FaultMatch {
                metadata: metadata.clone(),
                event: Some("card.create.succeeded".into()),
                ..FaultMatch::default()
            },
            fault: mixups::message(details),
            times: Some(1 + u32::from(details & 64 != 0)),
            probability: None,
            used: 0,
        });
    }
    if let Some(details) = env.faults.draw(Family::Strange) {
        env.coverage.family(Family::Strange);
        env.provider.add_fault(FaultRule {
            id: String::new(),
            applies_to: FaultMatch {
                metadata: metadata.clone(),
                ..FaultMatch::default()
            },
            fault: mixups::strange_message(details),
            times: Some(1 + u32::from(details & 64 != 0)),
            probability: None,
            used: 0,
        });
    }
    if let Some(details) = env.faults.draw(Family::CancelInVain) {
        env.coverage.family(Family::CancelInVain);
        let (fault, times) = in_vain(details);
        env.provider.add_fault(FaultRule {
            id: String::new(),
            applies_to: FaultMatch {
                metadata: metadata.clone(),
                ..FaultMatch::default()
            },
            fault,
            times: Some(times),
            probability: None,
            used: 0,
        });
    }
    if env.faults.draw(Family::Leftover).is_some() {
        env.coverage.family(Family::Leftover);
        env.provider.add_fault(FaultRule {
            id: String::new(),
            applies_to: FaultMatch {
                metadata,
                ..FaultMatch::default()
            },
            fault: Fault::OrphanCardholder(issuance_simulator::ErrorAnswer {
                status: 500,
                body: None,
                retry_after: None,
                cached: Some(false),
            }),
            times: Some(1),
            probability: None,
            used: 0,
        });
    }
}

/// Cancels that come to nothing: as many as are tried anew and more, and one order's in four in silence.
fn in_vain(details: u64) -> (Fault, u32) {
    let silent = details & 0x300 == 0x300;
    let times = u32::try_from(1 + details % 6).unwrap_or(1);
    (Fault::CancelFails { silent }, times)
}
