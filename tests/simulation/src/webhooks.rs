//! Webhooks on their way to us, and everything that happens to them there.

use issuance::{Engine, WebhookError};
use issuance_simulator::LocalDelivery;

use crate::env::{Due, Env, Sim};
use crate::faults::Family;
use crate::provider;
use crate::rng::Rng;
use crate::wire::card_of;

/// One try of a delivery, or a copy of one.
pub(crate) struct Copy {
    delivery: LocalDelivery,
    /// Its try at the provider; copies of the network's own making have none.
    attempt: Option<u64>,
    /// It is no message of the provider's: whatever comes of it, it must not be taken.
    forged: bool,
}

/// The provider waits so long for an acknowledgement.
const PATIENCE: i64 = 5_000;

/// A signature is taken for so long; a second more is a rounding.
const WINDOW: i64 = 301_000;

/// When a delivery was signed: seconds or milliseconds.
fn signed_at(text: &str) -> i64 {
    let time: i64 = text.parse().unwrap_or(0);
    if text.len() > 10 { time } else { time * 1_000 }
}

/// Sends what is due at the provider.
pub(crate) fn pump(env: &mut Env) {
    let now = env.now;
    env.provider.pass(now);
    while let Some(delivery) = env.provider.next_delivery(now) {
        send(env, delivery);
    }
    let Env {
        history,
        provider: local,
        coverage,
        ..
    } = env;
    history.follow_provider(local, coverage);
    provider::moves(env);
    env.watch_provider();
}

fn send(env: &mut Env, delivery: LocalDelivery) {
    let attempt = env
        .history
        .try_delivery(delivery.number, &delivery.timestamp);
    env.after(
        PATIENCE,
        Due::Acked {
            attempt,
            status: None,
        },
    );
    if env.options.no_webhooks || env.draw(Family::WebhookLost).is_some() {
        return;
    }
    let mut wait = env.latency();
    if let Some(details) = env.draw(Family::WebhookLate) {
        wait += Rng::new(details).millis(1_000.0, 3.0 * 86_400_000.0);
    }
    if let Some(details) = env.draw(Family::WebhookAgain) {
        let mut rng = Rng::new(details);
        for _ in 0..=rng.below(3) {
            let later = rng.millis(1.0, 20.0 * 86_400_000.0);
            let copy = Copy {
                delivery: delivery.clone(),
                attempt: None,
                forged: false,
            };
            env.after(wait + later, Due::Webhook(Box::new(copy)));
        }
    }
    if let Some(details) = env.draw(Family::WebhookForged) {
        let copy = Copy {
            delivery: forge(&delivery, details),
            attempt: None,
            forged: true,
        };
        env.after(wait / 2, Due::Webhook(Box::new(copy)));
    }
    if let Some(details) = env.draw(Family::Garbled) {
        let later = Rng::new(details).millis(1.0, 3.0 * 86_400_000.0);
        let signed = ((env.now + wait + later) / 1_000).to_string();
        let garbled = garble(&delivery.body, details);
        let copy = Copy {
            delivery: LocalDelivery {
                number: delivery.number,
                signature: env.provider.sign(&garbled, &signed),
                body: garbled,
                timestamp: signed,
            },
            attempt: None,
            forged: false,
        };
        env.after(wait + later, Due::Webhook(Box::new(copy)));
    }
    let copy = Copy {
        delivery,
        attempt: Some(attempt),
        forged: false,
    };
    env.after(wait, Due::Webhook(Box::new(copy)));
}

/// Another body, another time, another signature, or none.
fn forge(genuine: &LocalDelivery, details: u64) -> LocalDelivery {
    let mut forged = genuine.clone();
    match details % 5 {
        0 => {
            forged.body = forged.body.replace("\"PENDING\"", "\"ACTIVE\"");
            forged.body.push(' ');
        }
        1 => forged.signature = None,
        2 => forged.signature = Some("00".repeat(64)),
        3 => {
            let last = forged.timestamp.pop().unwrap_or('0');
            forged.body.push(last);
        }
        _ => {
            let digit = forged.timestamp.pop();
            forged
                .timestamp
                .push(if digit == Some('1') { '2' } else { '1' });
        }
    }
    forged
}

/// The same id over other bytes, or no id at all.
fn garble(body: &str, details: u64) -> String {
    match details % 2 {
        0 => format!("{body} "),
        _ => body.replacen("\"event_id\"", "\"event_no\"", 1),
    }
}

/// One copy reaches a node, if one is up.
pub(crate) fn receive(sim: &Sim, copy: Copy, engines: &[Option<Engine>]) {
    let mut env = sim.lock();
    let number = env.rng.next();
    let Some(node) = env.some_node(number) else {
        return;
    };
    let (Some(life), Some(engine)) = (env.nodes[node].life, engines[node].clone()) else {
        return;
    };
    let now = env.now;
    env.trace.line(now, || {
        let what = if copy.forged {
            "a forged webhook"
        } else {
            "webhook"
        };
        format!("{what} {} reaches node {node}", copy.delivery.number)
    });
    if !copy.forged {
        let Env {
            history, provider, ..
        } = &mut *env;
        let card = |id: &str| card_of(provider, id);
        history.evidence.comes(&copy.delivery.body, card);
    }
    let (sim, came) = (sim.clone(), now);
    let work = async move {
        let Copy {
            delivery,
            attempt,
            forged,
        } = copy;
        let signature = delivery.signature.unwrap_or_default();
        let signatures: &[&[u8]] = if signature.is_empty() {
            &[]
        } else {
            &[signature.as_bytes()]
        };
        let timestamps: &[&[u8]] = &[delivery.timestamp.as_bytes()];
        let taken = engine
            .receive_webhook(signatures, timestamps, delivery.body.as_bytes())
            .await;
        let mut env = sim.lock();
        let status = match &taken {
            Ok(_) => 200,
            Err(WebhookError::Unverified | WebhookError::Stale) => 401,
            Err(WebhookError::TooLarge) => 413,
            Err(WebhookError::Store(_)) => 503,
        };
        env.trace.mix(status);
        let now = env.now;
        env.trace.line(now, || {
            format!("webhook {} is answered {status}", delivery.number)
        });
        if taken.is_ok() {
            let believed = env.believes_clock(life);
            let age = came - signed_at(&delivery.timestamp);
            if believed && age.abs() > WINDOW {
                let what = format!("a webhook signed {age} ms before it came was taken");
                env.history.violate("S5", None, what);
            }
            env.history.acknowledged(&delivery.body, forged, now);
        }
        let Some(attempt) = attempt else { return };
        if env.draw(Family::AckLost).is_none() {
            let wait = env.latency();
            let status = u16::try_from(status).ok();
            env.after(wait, Due::Acked { attempt, status });
        }
    };
    env.spawned.push((life, Box::pin(work)));
}
