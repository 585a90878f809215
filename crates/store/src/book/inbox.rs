//! Where messages stand: pending, parked under every name they carry, quarantined, settled.

use std::sync::Arc;
use std::time::Duration;

use issuance_domain::{MessageId, Timestamp};

use super::ground::Span;
use super::keys;
use super::row::MessageRow;
use super::rows::Rows;
use crate::error::StoreError;
use crate::message::{Alias, Message, REPEATS_KNOWN_FOR, Standing};
use crate::position::Position;

/// How much later than it could be a settled message is forgotten, with others.
const FORGET_LATE: Duration = Duration::from_secs(24 * 3_600);
/// Settled messages forgotten in one go.
const FORGET_AT_ONCE: usize = 256;
/// Parked messages taken up in one go; an order that learns a name has few.
const UNPARK_AT_ONCE: usize = 256;

impl Rows {
    /// A message's row.
    pub(crate) fn message(&self, id: &MessageId) -> Result<Option<Arc<MessageRow>>, StoreError> {
        self.messages.get(id.as_str().as_bytes())
    }

    /// Messages that await a decision, oldest first.
    pub(crate) fn pending(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.messages_in(&Standing::Pending, limit)
    }

    /// Messages that stand parked, oldest first.
    pub(crate) fn parked(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.messages_in(&Standing::Parked, limit)
    }

    fn messages_in(&self, standing: &Standing, limit: usize) -> Result<Vec<Message>, StoreError> {
        let rows = self.queued(standing, limit)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.message.clone())
            .collect())
    }

    /// Messages that stand parked or quarantined, oldest first.
    pub(crate) fn unsettled(&self, limit: usize) -> Result<Vec<(Message, Standing)>, StoreError> {
        let mut rows = self.queued(&Standing::Parked, limit)?;
        rows.extend(self.queued(&Standing::Quarantined { why: "".into() }, limit)?);
        rows.sort_by_key(|row| row.position);
        rows.truncate(limit);
        Ok(rows
            .into_iter()
            .filter_map(|row| Some((row.message.clone()?, row.standing.clone())))
            .collect())
    }

    fn queued(
        &self,
        standing: &Standing,
        limit: usize,
    ) -> Result<Vec<Arc<MessageRow>>, StoreError> {
        let queue = keys::queue(standing);
        let ids = self.inbox.range(&Span::prefix(vec![queue]), limit)?;
        ids.into_iter()
            .filter_map(|(_, id)| self.message(&id).transpose())
            .collect()
    }

    pub(super) fn received(
        &mut self,
        position: Position,
        message: Message,
    ) -> Result<(), StoreError> {
        self.totals.inbox_records += 1;
        let (id, now) = (message.id.clone(), message.received_at);
        self.forget(now)?;
        let row = MessageRow {
            position,
            received_at: now,
            digest: message.body_digest.clone(),
            standing: Standing::Pending,
            message: Some(message),
        };
        self.enqueue(&row, &id)?;
        self.messages.put(id.as_str().into(), Arc::new(row));
        Ok(())
    }

    /// Forgets every message that was settled: one of the bugs that can be planted.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn forget_settled(&mut self) -> Result<(), StoreError> {
        for (key, row) in self.messages.range(&Span::all(), usize::MAX)? {
            if matches!(row.standing, Standing::Settled { .. }) {
                self.messages.remove(key);
            }
        }
        Ok(())
    }

    /// Moves a message to another standing. A settled one stays settled.
    pub(super) fn stand(&mut self, id: &MessageId, standing: Standing) -> Result<(), StoreError> {
        let Some(row) = self.message(id)? else {
            return Ok(());
        };
        if matches!(row.standing, Standing::Settled { .. }) || row.standing == standing {
            return Ok(());
        }
        self.dequeue(&row);
        let settled = matches!(standing, Standing::Settled { .. });
        let row = MessageRow {
            standing,
            message: row.message.clone().filter(|_| !settled),
            ..(*row).clone()
        };
        self.enqueue(&row, id)?;
        self.messages.put(id.as_str().into(), Arc::new(row));
        Ok(())
    }

    /// An order is known by this name now: what was parked under it is pending again, at its old age.
    pub(super) fn unpark(&mut self, alias: &Alias) -> Result<(), StoreError> {
        // The common case costs no look-up.
        while self.totals.counts.parked_messages > 0 {
            let found = self
                .parked
                .range(&Span::prefix(keys::alias_prefix(alias)), UNPARK_AT_ONCE)?;
            if found.is_empty() {
                break;
            }
            for (key, id) in found {
                self.parked.remove(key);
                self.stand(&id, Standing::Pending)?;
            }
        }
        Ok(())
    }

    /// Forgets settled messages whose repeats are no longer expected. By the times in the log alone, so that a replay
    /// forgets the same ones; some at once, so that most messages cost nothing more.
    fn forget(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(oldest) = self.totals.oldest_settled else {
            return Ok(());
        };
        if now.since(oldest) < REPEATS_KNOWN_FOR + FORGET_LATE {
            return Ok(());
        }
        let settled = Span::prefix(vec![keys::SETTLED]);
        self.totals.oldest_settled = None;
        for (key, id) in self.inbox.range(&settled, FORGET_AT_ONCE)? {
            let Some(row) = self.message(&id)? else {
                continue;
            };
            self.totals.oldest_settled = Some(row.received_at);
            if now.since(row.received_at) < REPEATS_KNOWN_FOR {
                break;
            }
            self.inbox.remove(key);
            self.messages.remove(id.as_str().into());
        }
        Ok(())
    }

    fn enqueue(&mut self, row: &MessageRow, id: &MessageId) -> Result<(), StoreError> {
        let queue = keys::queue(&row.standing);
        self.inbox.put(keys::inbox(queue, row.position), id.clone());
        if queue == keys::SETTLED {
            let oldest = &mut self.totals.oldest_settled;
            *oldest = Some(oldest.map_or(row.received_at, |oldest| oldest.min(row.received_at)));
        }
        if row.standing == Standing::Parked {
            for alias in row.message.iter().flat_map(|message| &message.aliases) {
                self.parked
                    .put(keys::parked(alias, row.position), id.clone());
            }
        }
        self.tally(&row.standing, |count| count.saturating_add(1));
        Ok(())
    }

    fn dequeue(&mut self, row: &MessageRow) {
        let queue = keys::queue(&row.standing);
        self.inbox.remove(keys::inbox(queue, row.position));
        if row.standing == Standing::Parked {
            for alias in row.message.iter().flat_map(|message| &message.aliases) {
                self.parked.remove(keys::parked(alias, row.position));
            }
        }
        self.tally(&row.standing, |count| count.saturating_sub(1));
    }

    fn tally(&mut self, standing: &Standing, change: impl Fn(u64) -> u64) {
        let counts = &mut self.totals.counts;
        let count = match standing {
            Standing::Pending => &mut counts.pending_messages,
            Standing::Parked => &mut counts.parked_messages,
            Standing::Quarantined { .. } => &mut counts.quarantined_messages,
            Standing::Settled { .. } => return,
        };
        *count = change(*count);
    }
}
