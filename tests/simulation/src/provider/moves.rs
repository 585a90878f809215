//! What somebody else does to a card that is active: a person at the provider's portal, or its risk control (contract §4.1).

use issuance_simulator::CardStatus::{self, Active, Blocked, Cancelled, Frozen, PreCancel};
use uuid::Uuid;

use crate::env::{Due, Env};
use crate::faults::Family;
use crate::rng::Rng;

/// What is done to a card, in turn.
const MOVES: [&[CardStatus]; 8] = [
    &[Frozen],
    &[Frozen, Active],
    &[Blocked],
    &[Blocked, Active],
    &[PreCancel],
    &[Cancelled],
    &[Frozen, PreCancel],
    &[Frozen, Blocked, Frozen],
];
const HOUR: f64 = 3_600_000.0;

/// Of cards that just became active some are changed: half of them before anybody can have heard.
pub(crate) fn moves(env: &mut Env) {
    for card in env.history.take_activated() {
        if let Some(details) = env.draw(Family::CardMoved) {
            plan(env, card, details);
        }
    }
}

/// Our cancel of a card arrives, and somebody was there a moment before.
pub(crate) fn cancelled_meanwhile(env: &mut Env, card: Uuid) {
    if let Some(details) = env.draw(Family::CardMoved) {
        plan(env, card, details & !1);
    }
}

/// An even number begins at once.
fn plan(env: &mut Env, card: Uuid, details: u64) {
    let mut rng = Rng::new(details);
    let moves = MOVES[usize::try_from((details >> 1) % MOVES.len() as u64).unwrap_or(0)];
    let mut at = env.now;
    for (nth, status) in moves.iter().enumerate() {
        if nth > 0 || details & 1 == 1 {
            at += rng.millis(100.0, 2.0 * HOUR);
        }
        env.moved_until = env.moved_until.max(Some(at));
        if at == env.now {
            move_card(env, card, *status);
        } else {
            env.at(at, Due::Move(card, *status));
        }
    }
}

/// Changes a card, if its status leads there.
pub(crate) fn move_card(env: &mut Env, card: Uuid, status: CardStatus) {
    let now = env.now;
    let moved = env.provider.move_card(card, status, now);
    env.trace.line(now, || {
        let how = if moved { "makes" } else { "cannot make" };
        format!("somebody else {how} card {card} {status:?}")
    });
    env.watch_provider();
}
