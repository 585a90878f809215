//! The seam, over the simulated state.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use issuance_domain::{MessageId, Order, OrderId, Timestamp};
use zeroize::Zeroizing;

use super::SimulatedStore;
use super::log::{Entry, position_of};
use super::state::Outcome;
use crate::body_digest::BodyKey;
use crate::book::{Marked, list};
use crate::compacted::Compacted;
use crate::error::{AppendError, StoreError};
use crate::message::{Alias, HostReference, Message, Receipt, Standing};
use crate::position::Position;
use crate::query::{Counts, Page, Query};
use crate::record::Recorded;
use crate::store::{Append, Appended, Field, Kind, Lease, LeaseAsk, Sealing, Store, TaskRow};

/// Lets others run once.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl SimulatedStore {
    /// Others may join the group now; whoever comes first afterwards syncs for all.
    async fn sync(&self) {
        yield_once().await;
        let mut state = self.lock();
        let synced = state.sync(&self.policy);
        let stopped = state.stopped.is_some();
        drop(state);
        if stopped {
            self.wake_all();
        }
        if synced.grown {
            self.grown.raise();
        }
        if synced.tasks {
            self.tasks.raise();
        }
        if synced.messages {
            self.messages.raise();
        }
    }

    async fn synced(&self, outcome: Outcome) -> Result<Position, AppendError> {
        self.sync().await;
        outcome.await.unwrap_or_else(|_| {
            Err(self
                .lock()
                .stopped
                .clone()
                .unwrap_or(StoreError::Closed)
                .into())
        })
    }

    fn writable(&self) -> Result<std::sync::MutexGuard<'_, super::State>, StoreError> {
        let state = self.alive()?;
        if state.faults.overloaded {
            Err(StoreError::Overloaded)
        } else {
            Ok(state)
        }
    }

    /// What came of judging it, to be told when the second part comes.
    fn write_append(
        &self,
        append: Append,
    ) -> Result<(Result<(), AppendError>, Outcome), StoreError> {
        let mut state = self.writable()?;
        let mut group = std::mem::take(&mut state.group);
        let judged = group.append(&state.rows, &append, append.events.len() as u64);
        state.group = group;
        if judged.is_err() {
            return Ok((judged, state.rest()));
        }
        let Append {
            order,
            expected,
            events,
            sealed,
            settles,
            ..
        } = append;
        Ok((
            judged,
            state.write(Entry::Events {
                order,
                before: expected,
                events,
                settles,
                sealed,
            }),
        ))
    }

    fn write_message(
        &self,
        message: Message,
        sealed: Option<Sealing>,
    ) -> Result<(Receipt, Outcome), StoreError> {
        let mut state = self.writable()?;
        let mut group = std::mem::take(&mut state.group);
        let unwanted = group.is_of_erased(&state.rows, &message);
        let judged = group.receive(&state.rows, &message);
        state.group = group;
        let unwanted = unwanted?;
        let sealed = sealed.filter(|_| !unwanted);
        Ok(match judged? {
            Receipt::Stored => (
                Receipt::Stored,
                state.write(Entry::Received { message, sealed }),
            ),
            receipt => (receipt, state.rest()),
        })
    }

    fn write_standing(&self, id: &MessageId, standing: Standing) -> Result<Outcome, StoreError> {
        let mut state = self.writable()?;
        let mut group = std::mem::take(&mut state.group);
        let judged = group.settle(&state.rows, id, &standing);
        state.group = group;
        Ok(match judged? {
            Marked::Written => state.write(Entry::Settled {
                id: id.clone(),
                standing,
            }),
            Marked::Unchanged => state.rest(),
        })
    }
}

fn storage(error: AppendError) -> StoreError {
    match error {
        AppendError::Store(error) => error,
        other @ (AppendError::Conflict { .. }
        | AppendError::ReferenceTaken { .. }
        | AppendError::AlreadySettled) => StoreError::Damaged {
            what: other.to_string(),
        },
    }
}

#[async_trait]
impl Store for SimulatedStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let version = append.projection.order.version;
        let (judged, outcome) = self.write_append(append)?;
        let position = self.synced(outcome).await?;
        judged.map(|()| Appended { position, version })
    }

    async fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, StoreError> {
        Ok(self
            .alive()?
            .rows
            .order(id)?
            .map(|row| Arc::clone(&row.order)))
    }

    async fn history(&self, id: OrderId) -> Result<Vec<Recorded>, StoreError> {
        let state = self.alive()?;
        let mut history = Vec::new();
        for place in state.rows.places(id)? {
            let position = position_of(place);
            let index = state.log.partition_point(|logged| logged.last() < position);
            let found = state
                .log
                .get(index)
                .into_iter()
                .flat_map(|logged| logged.recorded());
            history.extend(found.filter(|recorded| recorded.position == position));
        }
        Ok(history)
    }

    async fn read_after(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<(Vec<Recorded>, Position), StoreError> {
        let state = self.alive()?;
        let mut reached = after.min(state.rows.head());
        let mut records = Vec::new();
        let index = state.log.partition_point(|logged| logged.last() <= after);
        'log: for logged in state.log.iter().skip(index) {
            for recorded in logged
                .recorded()
                .filter(|recorded| recorded.position > after)
            {
                if records.len() == limit {
                    break 'log;
                }
                reached = recorded.position;
                records.push(recorded);
            }
            if records.len() == limit {
                break;
            }
            reached = logged.last();
        }
        Ok((records, reached))
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(self.alive()?.rows.head())
    }

    async fn wait_beyond(&self, after: Position) {
        let grown = self.grown.wait();
        if self.alive().is_ok_and(|state| state.rows.head() <= after) {
            grown.await;
        }
    }

    async fn lease(&self, ask: LeaseAsk) -> Result<Vec<Lease>, StoreError> {
        Ok(self.alive()?.tasks.lease(ask))
    }

    async fn release(&self, lease: &Lease, due: Option<Timestamp>) -> Result<(), StoreError> {
        if self.alive()?.tasks.release(lease, due) {
            self.tasks.raise();
        }
        Ok(())
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.alive()?.tasks.next_due(kind))
    }

    fn wait_for_tasks<'a, 'b>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        self.tasks.wait()
    }

    async fn tasks(&self, order: OrderId) -> Result<Vec<TaskRow>, StoreError> {
        Ok(self.alive()?.tasks.of(order))
    }

    async fn receive(
        &self,
        message: Message,
        sealed: Option<Sealing>,
    ) -> Result<Receipt, StoreError> {
        let (receipt, outcome) = self.write_message(message, sealed)?;
        self.synced(outcome).await.map_err(storage)?;
        Ok(receipt)
    }

    async fn pending_messages(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.alive()?.rows.pending(limit)
    }

    fn wait_for_messages<'a, 'b>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let came = self.messages.wait();
        Box::pin(async move {
            let none = self
                .alive()
                .is_ok_and(|state| state.rows.totals().counts.pending_messages == 0);
            if none {
                came.await;
            }
        })
    }

    async fn settle(
        &self,
        id: &MessageId,
        standing: Standing,
        _at: Timestamp,
    ) -> Result<(), StoreError> {
        let outcome = self.write_standing(id, standing)?;
        self.synced(outcome).await.map(drop).map_err(storage)
    }

    async fn unsettled_messages(
        &self,
        limit: usize,
    ) -> Result<Vec<(Message, Standing)>, StoreError> {
        self.alive()?.rows.unsettled(limit)
    }

    async fn parked_messages(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.alive()?.rows.parked(limit)
    }

    async fn find(&self, alias: &Alias) -> Result<Vec<OrderId>, StoreError> {
        self.alive()?.rows.find(alias)
    }

    async fn find_reference(
        &self,
        reference: &HostReference,
    ) -> Result<Option<OrderId>, StoreError> {
        self.alive()?.rows.find_reference(reference)
    }

    async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let state = self.alive()?;
        list(query, |before, limit| {
            state.rows.candidates(query, before, limit)
        })
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let state = self.alive()?;
        Ok(Counts {
            tasks: state.tasks.count(),
            ..state.rows.totals().counts.clone()
        })
    }

    async fn open_sealed(
        &self,
        order: OrderId,
        field: &Field,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let state = self.alive()?;
        let under = |owner: String| state.sealed.get(&(owner, field.name())).cloned();
        // A message's body may lie under the message's own name.
        Ok(under(order.to_string()).or_else(|| match field {
            Field::Body(message) => under(message.to_string()),
            Field::Request | Field::IdvLink(_) => None,
        }))
    }

    fn digest(&self, body: &[u8]) -> Box<str> {
        BodyKey::new("simulated", Zeroizing::new([7; 32])).digest(body)
    }

    async fn compact(&self, _rekey: bool) -> Result<Compacted, StoreError> {
        Ok(Compacted {
            removed: self.alive()?.compact(),
            ..Compacted::default()
        })
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.sync().await;
        let mut state = self.lock();
        state.stopped.get_or_insert(StoreError::Closed);
        drop(state);
        self.wake_all();
        Ok(())
    }
}
