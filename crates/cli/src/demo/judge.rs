//! The demo's verdict: the log held against the simulator's ledger by the checker, as `issuance audit check` would.

use std::time::Duration;

use issuance::Clock as _;
use issuance_audit::{Checker, Ending, Head, Ledger, Log, Outcome, Rules, Verdict};

use crate::exit::{Exit, Failure};

use super::report::Row;
use super::world::World;

/// What was said last may still be on its way into the log.
const LOOKS: u32 = 50;
const LOOK: Duration = Duration::from_millis(100);
/// Simulator and engine have the machine's clock.
const CLOCKS: Duration = Duration::from_secs(2);

/// What the checker says of the demo, and the log it read.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) head: Head,
}

impl Judged {
    /// How many invariants had something held against them, and all of it agreed.
    pub(crate) fn held(&self) -> usize {
        let all = self.verdict.judgements.iter();
        all.filter(|judged| matches!(judged.standing, Outcome::Held { .. }))
            .count()
    }

    /// Says to each order what is wrong with it, and how many cards it has.
    pub(crate) fn tell(&self, world: &World, rows: &mut [Row]) {
        let ledger = world.simulator.ledger_without_requests();
        let cards = ledger.cards_by_metadata(issuance::domain::METADATA_ORDER_KEY);
        for row in rows {
            let Some(id) = &row.order_id else { continue };
            row.cards = cards.get(id).map_or(0, Vec::len);
            let mine = self.verdict.violations.iter().filter(|violation| {
                violation
                    .order
                    .is_some_and(|order| order.to_string() == *id)
            });
            row.complaints.extend(
                mine.map(|violation| format!("{}: {}", violation.invariant.id(), violation.what)),
            );
        }
    }
}

/// Judges a world that has come to rest, or is about to.
pub(crate) async fn judge(world: &World) -> Result<Judged, Failure> {
    let mut judged = once(world)?;
    for _ in 0..LOOKS {
        if judged.verdict.is_sound() {
            break;
        }
        tokio::time::sleep(LOOK).await;
        judged = once(world)?;
    }
    Ok(judged)
}

fn once(world: &World) -> Result<Judged, Failure> {
    let unreadable = |error: &dyn std::error::Error| {
        Failure::new(Exit::Failed, "what the demo left cannot be judged").because(error)
    };
    // The ledger first: what is in it was recorded before.
    let kept = world.simulator.ledger();
    let apart = issuance::SystemClock.now().millis().abs_diff(kept.now);
    let rules = Rules {
        clocks: (u128::from(apart) < CLOCKS.as_millis()).then_some(CLOCKS),
        client: Some(super::world::CLIENT.into()),
        ..Rules::of(world.policy.clone())
    };
    let json = serde_json::to_vec(&kept).map_err(|error| unreadable(&error))?;
    let ledger = Ledger::parse(&json).map_err(|error| unreadable(&error))?;
    let log = Log::open(&world.data.join("store")).map_err(|error| unreadable(&error))?;
    let mut checker = Checker::new(rules);
    log.feed(&mut checker, |_, _| {})
        .map_err(|error| unreadable(&error))?;
    checker.ledger(&ledger);
    Ok(Judged {
        verdict: checker.report(Ending::AtRest),
        head: log.opened().head,
    })
}
