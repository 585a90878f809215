//! What the provider does wrong with a request.

use issuance_domain::METADATA_ORDER_KEY;
use issuance_simulator::{CardEntry, ErrorAnswer, Fault, Moment};
use serde_json::json;

use super::{mixups, refusals};
use crate::env::Env;
use crate::faults::Family;
use crate::rng::Rng;

/// What kind of request it is.
pub(crate) struct About {
    /// The first of its key.
    pub(crate) is_first: bool,
    pub(crate) is_create: bool,
    pub(crate) is_read: bool,
    /// Its answer says how a card or a person is.
    pub(crate) tells: bool,
}

/// What goes wrong at the provider with a request.
pub(crate) fn fault(env: &mut Env, about: &About) -> Option<Fault> {
    refused(env, about.is_first, about.is_create)
        .or_else(|| failed(env))
        .or_else(|| astray(env, about.is_create))
        .or_else(|| mixed_up(env, about.is_create || about.is_read))
        .or_else(|| {
            let details = about.tells.then(|| env.draw(Family::Strange))??;
            Some(mixups::strange_answer(details))
        })
}

/// What the provider itself does wrong with this request.
fn failed(env: &mut Env) -> Option<Fault> {
    let error = |status: u16, body: Option<serde_json::Value>| ErrorAnswer {
        status,
        body,
        retry_after: None,
        cached: None,
    };
    let page = || {
        Some(serde_json::Value::from(
            "<html><body>Bad Gateway</body></html>",
        ))
    };
    if let Some(details) = env.draw(Family::ErrorBefore) {
        let mut answer = error([500, 502, 503, 504][pick(details, 4)], None);
        // Some are kept under the key and replayed for 24 h (contract §6.4).
        answer.cached = Some(details & 64 != 0);
        return Some(Fault::ErrorBeforeEffect(answer));
    }
    if let Some(details) = env.draw(Family::ErrorAfter) {
        let status = [500, 502, 503, 504][pick(details, 4)];
        return Some(Fault::ErrorAfterEffect(error(status, None)));
    }
    if let Some(details) = env.draw(Family::Unreadable) {
        return Some(match pick(details, 3) {
            0 => Fault::TruncatedAnswer,
            1 => Fault::ErrorAfterEffect(error(200, page())),
            _ => Fault::ErrorBeforeEffect(ErrorAnswer {
                cached: Some(false),
                ..error(200, page())
            }),
        });
    }
    if let Some(details) = env.draw(Family::Processing) {
        let named = |body| {
            Some(Fault::ErrorBeforeEffect(ErrorAnswer {
                cached: Some(false),
                ..error(400, Some(body))
            }))
        };
        return match pick(details >> 8, 4) {
            1 => named(json!({ "message": "Your request is processing" })),
            2 => named(json!({ "type": "api_error", "message": "not yet" })),
            3 => named(json!({ "code": 400, "message": "still at it" })),
            _ => Some(Fault::Processing),
        };
    }
    if let Some(details) = env.draw(Family::Slow) {
        let ms = Rng::new(details).millis(200.0, 120_000.0).unsigned_abs();
        return Some(Fault::Slow {
            ms,
            when: Moment::Before,
        });
    }
    if let Some(details) = env.draw(Family::TooMany) {
        let mut answer = error(429, None);
        answer.retry_after = match pick(details, 4) {
            0 => Some("7".into()),
            1 => Some("1000000000000".into()),
            2 => Some("-1".into()),
            _ => None,
        };
        return Some(Fault::ErrorBeforeEffect(answer));
    }
    if let Some(details) = env.draw(Family::Turned) {
        let answer = ErrorAnswer {
            cached: Some(false),
            ..error([403, 404, 408, 409, 302][pick(details, 5)], page())
        };
        return Some(Fault::ErrorBeforeEffect(answer));
    }
    None
}

/// What the provider has against this request: a first write may be refused for good, any call at the
/// door.
fn refused(env: &mut Env, is_first: bool, is_create: bool) -> Option<Fault> {
    let error = |(status, body): (u16, serde_json::Value)| {
        Fault::ErrorBeforeEffect(ErrorAnswer {
            status,
            body: Some(body),
            retry_after: None,
            cached: None,
        })
    };
    if is_first && let Some(details) = env.draw(Family::Refusal) {
        return Some(error(if is_create {
            refusals::of_create(details)
        } else {
            refusals::of_another(details)
        }));
    }
    let details = env.draw(Family::NoEntry)?;
    Some(error(refusals::at_the_door(details)))
}

/// The answer to another's call, and nothing was done.
fn astray(env: &mut Env, is_create: bool) -> Option<Fault> {
    let details = is_create.then(|| env.draw(Family::Astray))??;
    Some(mixups::astray(details, &others(env)))
}

/// What the provider says of another card.
fn mixed_up(env: &mut Env, is_about_a_card: bool) -> Option<Fault> {
    let details = is_about_a_card.then(|| env.draw(Family::MixUp))??;
    Some(mixups::answer(details, &others(env)))
}

/// Cards with our mark, and whether their orders know them.
fn others(env: &Env) -> Vec<(CardEntry, bool)> {
    let is_known = |card: &CardEntry| {
        let mark = card.metadata.get(METADATA_ORDER_KEY)?.as_str()?;
        let known = env.history.order(mark.parse().ok()?)?.ids.card.as_ref()?;
        Some(*known.as_str() == *card.card_id.to_string())
    };
    env.provider
        .cards_beyond(|_| None)
        .filter(|card| card.metadata.contains_key(METADATA_ORDER_KEY))
        .map(|card| (is_known(&card) == Some(true), card))
        .map(|(known, card)| (card, known))
        .collect()
}

fn pick(details: u64, of: u64) -> usize {
    usize::try_from(details % of).unwrap_or(0)
}
