//! From the journal's records back to changes of the rows: what a restart does, by the same rules as live appends.

use std::sync::Arc;

use issuance_domain::{OrderId, Policy, evolve};

use super::index::{Index, IndexError, Meta};
use super::prepare::{INBOX, MESSAGE_RECEIVED, MESSAGE_SETTLED, ORDER, SettledBody};
use super::shared::chain;
use crate::book::{Change, Ground, OrderChange, Place, Rows, Tasks};
use crate::error::StoreError;
use crate::journal::disk::is_out_of_handles;
use crate::journal::{Head, JournalError, Reader, Record};
use crate::position::Position;
use crate::projection::Projection;
use crate::record::{Recorded, UnreadableEvent, read_event};

/// Rows that are written to the index in one go while it catches up.
const ROWS_AT_ONCE: usize = 20_000;
/// Records between two words about progress.
const PROGRESS: u64 = 100_000;
/// Records that must not take as long as the index may hang.
const WATCHED: u64 = 1_000;
/// Orders looked at in one go.
const ORDERS_AT_ONCE: usize = 1_000;

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    /// The records do not fit, or cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index cannot be written.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl ReplayError {
    /// Whether it says nothing of the index: there is no room, or no file handle.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::Overloaded | StoreError::DiskFull),
            Self::Index(error) => error.passes(),
        }
    }
}

/// What a caller hears when the journal could not be read.
pub(super) fn damaged(error: &JournalError) -> StoreError {
    match error {
        JournalError::Io { source, .. } if is_out_of_handles(source) => StoreError::Overloaded,
        error => StoreError::Damaged { what: chain(error) },
    }
}

/// Brings the index from what it reflects to `until`, and leaves the rows, over `ground`, to go on with.
pub(super) fn catch_up(
    index: &Index,
    ground: &Arc<dyn Ground>,
    meta: &Meta,
    journal: &Reader,
    until: Head,
    policy: &Policy,
    orders_at_hand: usize,
) -> Result<(Rows, u64), ReplayError> {
    let mut head = meta.head()?;
    let mut rows = Rows::new(
        ground,
        meta.totals.clone(),
        Position(head.position),
        orders_at_hand,
    );
    let mut replayed = 0;
    if head.position < until.position {
        let behind = until.position - head.position;
        tracing::info!(
            from = head.position,
            to = until.position,
            "the index catches up with the journal"
        );
        let mut batch = Vec::new();
        let mut busy = Some(index.busy());
        for record in journal.records(head.position + 1) {
            let record = record.map_err(|error| damaged(&error))?;
            if record.position > until.position {
                break;
            }
            let whole = record.part == record.parts;
            let end = Head {
                position: record.position,
                hash: record.hash,
            };
            batch.push(record);
            if !whole {
                continue;
            }
            let change = change_of(&rows, &batch, policy);
            let applied = change.and_then(|change| rows.apply(Position(end.position), change));
            applied.map_err(|error| index.reading(error))?;
            head = end;
            let before = replayed;
            replayed += batch.len() as u64;
            batch.clear();
            if before / PROGRESS < replayed / PROGRESS {
                tracing::info!(records = replayed, of = behind, "the index catches up");
            }
            if before / WATCHED < replayed / WATCHED {
                drop(busy.take());
                busy = Some(index.busy());
            }
            if rows.fresh() >= ROWS_AT_ONCE {
                write(index, &mut rows, head)?;
            }
        }
    }
    if !index.is_of_policy(meta) {
        tracing::info!("the policy changed: every order is looked at");
        reopen(index, &mut rows, head, policy)?;
    }
    // Also an empty index is written once, so that it is known as one.
    write(index, &mut rows, head)?;
    Ok((rows, replayed))
}

fn write(index: &Index, rows: &mut Rows, head: Head) -> Result<(), IndexError> {
    let frozen = rows.freeze();
    index.write(&frozen, head)?;
    drop(rows.thaw());
    index.bound_next_open()
}

fn reopen(index: &Index, rows: &mut Rows, head: Head, policy: &Policy) -> Result<(), ReplayError> {
    let mut after = None;
    loop {
        let some = rows.orders_after(after, ORDERS_AT_ONCE)?;
        let Some(last) = some.last() else {
            return Ok(());
        };
        after = Some(last.order.id);
        for row in some {
            let owed = Projection::of(Arc::clone(&row.order), policy).owed();
            rows.reopen(&row, owed);
        }
        if rows.fresh() >= ROWS_AT_ONCE {
            write(index, rows, head)?;
        }
    }
}

/// The tasks of all open orders, unclaimed.
pub(super) fn tasks(rows: &Rows) -> Result<(Tasks, u64), StoreError> {
    let (mut tasks, mut open, mut after) = (Tasks::default(), 0, None);
    loop {
        let orders = rows.open_after(after, ORDERS_AT_ONCE)?;
        let Some((last, _)) = orders.last() else {
            return Ok((tasks, open));
        };
        after = Some(*last);
        open += orders.len() as u64;
        for (id, owed) in orders {
            tasks.replace(id, &owed);
        }
    }
}

/// What one atomic append did.
fn change_of(rows: &Rows, batch: &[Record], policy: &Policy) -> Result<Change, StoreError> {
    let Some(first) = batch.first() else {
        return Err(StoreError::Damaged {
            what: "an append without records".into(),
        });
    };
    if first.stream == INBOX {
        return inbox_change(first);
    }
    let mut order = None;
    let mut places = Vec::with_capacity(batch.len());
    for record in batch {
        let recorded = recorded(record)?.ok_or_else(|| unreadable(record, "of no known stream"))?;
        let id = recorded.order;
        let before = match order {
            None => rows.order(id)?.map(|row| (*row.order).clone()),
            some => some,
        };
        let version = before.as_ref().map_or(0, |order| order.version.0);
        if recorded.version.0 != version + 1 || before.as_ref().is_some_and(|order| order.id != id)
        {
            let what = format!(
                "event {}: order {id} is at version {version} before it",
                record.position
            );
            return Err(StoreError::Damaged { what });
        }
        order = Some(
            evolve(id, before, &recorded.event)
                .map_err(|source| StoreError::Corrupt { order: id, source })?,
        );
        places.push(Place(record.location.to_bytes()));
    }
    let order = order.ok_or_else(|| unreadable(first, "an append without events"))?;
    let projection = Projection::of(Arc::new(order), policy);
    let message = batch.iter().find_map(|record| record.message.as_deref());
    let settles = message
        .map(str::parse)
        .transpose()
        .map_err(|_| unreadable(first, "its message has no id"))?;
    let owed = projection.owed();
    Ok(Change::Order(OrderChange {
        order: projection.order,
        owed,
        places,
        settles,
    }))
}

fn inbox_change(record: &Record) -> Result<Change, StoreError> {
    let bad = |error: serde_json::Error| unreadable(record, &error.to_string());
    match (record.name.as_str(), record.schema) {
        (MESSAGE_RECEIVED, 1) => Ok(Change::Received(
            serde_json::from_str(record.body.get()).map_err(bad)?,
        )),
        (MESSAGE_SETTLED, 1) => {
            let SettledBody { id, standing } =
                serde_json::from_str(record.body.get()).map_err(bad)?;
            Ok(Change::Settled { id, standing })
        }
        _ => Err(unreadable(record, "unknown")),
    }
}

/// The order event a record holds; none for a record of the inbox.
pub(super) fn recorded(record: &Record) -> Result<Option<Recorded>, StoreError> {
    let Some(id) = record.stream.strip_prefix(ORDER) else {
        return if record.stream == INBOX {
            Ok(None)
        } else {
            Err(unreadable(record, "of an unknown stream"))
        };
    };
    let order: OrderId = id
        .parse()
        .map_err(|_| unreadable(record, "its stream names no order"))?;
    let event = read_event(
        &record.name,
        record.schema,
        &record.recorded_at,
        &record.body,
    )?;
    let version = issuance_domain::Version(record.version);
    Ok(Some(Recorded {
        position: Position(record.position),
        order,
        version,
        event,
    }))
}

fn unreadable(record: &Record, why: &str) -> StoreError {
    UnreadableEvent {
        name: record.name.clone(),
        schema: record.schema,
        why: why.into(),
    }
    .into()
}
