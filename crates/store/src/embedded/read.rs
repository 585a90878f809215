//! Reads of the journal, for histories and for whoever follows the log.

use std::sync::Arc;

use issuance_domain::OrderId;

use super::replay::{damaged, recorded};
use super::shared::Shared;
use crate::error::StoreError;
use crate::journal::Location;
use crate::position::Position;
use crate::record::Recorded;

/// All events of one order. Blocks.
pub(super) fn history(shared: &Arc<Shared>, id: OrderId) -> Result<Vec<Recorded>, StoreError> {
    let places = shared.book().rows.places(id)?;
    let mut history = Vec::with_capacity(places.len());
    for (place, version) in places.into_iter().zip(1..) {
        let record = shared
            .journal
            .read_at(Location::from_bytes(place.0))
            .map_err(|error| damaged(&error))?;
        let event =
            recorded(&record)?.filter(|event| event.order == id && event.version.0 == version);
        let event = event.ok_or_else(|| StoreError::Damaged {
            what: format!(
                "the index: it takes event {} for version {version} of order {id}",
                record.position
            ),
        })?;
        history.push(event);
    }
    Ok(history)
}

/// Order events after a position, and where to go on. Blocks.
pub(super) fn read_after(
    shared: &Arc<Shared>,
    after: Position,
    limit: usize,
) -> Result<(Vec<Recorded>, Position), StoreError> {
    // What is durable but not in the rows yet comes with the next call.
    let head = shared.book().rows.head();
    let (mut events, mut reached) = (Vec::new(), after.min(head));
    while reached < head && events.len() < limit {
        let records = shared
            .journal
            .read_from(reached.0 + 1, limit - events.len())
            .map_err(|error| damaged(&error))?;
        if records.is_empty() {
            break;
        }
        for record in records
            .iter()
            .take_while(|record| record.position <= head.0)
        {
            reached = Position(record.position);
            events.extend(recorded(record)?);
        }
    }
    Ok((events, reached))
}
