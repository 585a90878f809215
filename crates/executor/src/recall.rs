//! What the last life of this process used of the provider's minute, as far as the log knows: a process that dies at its
//! full rate and comes back at once would otherwise spend the same minute twice.

use std::time::Duration;

use issuance_domain::planted::{self, Bug};
use issuance_domain::{EventBody, Timestamp};
use issuance_store::{Position, Store, StoreError};

use crate::budget::Budget;

/// A provider's minute, and room for uneven ways to it.
const MINUTE: Duration = Duration::from_secs(61);
/// Events looked at; where a minute had more, it counts as spent.
const EVENTS: u64 = 4_096;

/// Tells a fresh budget of the sends that the log shows for the last minute. An empty log had no earlier life.
///
/// # Errors
/// When the log cannot be read.
pub async fn recall(store: &dyn Store, budget: &Budget, now: Timestamp) -> Result<(), StoreError> {
    let head = store.head().await?;
    if head == Position::default() || planted::is(Bug::NothingInherited) {
        return Ok(());
    }
    let from = Position(head.0.saturating_sub(EVENTS));
    let limit = usize::try_from(EVENTS).unwrap_or(usize::MAX);
    let (events, _) = store.read_after(from, limit).await?;
    let recent = |at: Timestamp| now.since(at) < MINUTE;
    let cut =
        from > Position::default() && events.first().is_some_and(|event| recent(event.event.at));
    let sends = events.iter().filter(|recorded| {
        recent(recorded.event.at)
            && matches!(recorded.event.body, EventBody::SubmissionStarted { .. })
    });
    let sends = if cut {
        u32::MAX
    } else {
        u32::try_from(sends.count()).unwrap_or(u32::MAX)
    };
    budget.inherit(now, sends);
    Ok(())
}
