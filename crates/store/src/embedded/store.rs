//! The seam, over the embedded store.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use issuance_domain::{MessageId, Order, OrderId, Timestamp};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::EmbeddedStore;
use super::prepare::{
    blocking, event_lines, field_name, owner_of, received_line, settled_line, unread,
};
use super::read;
use super::work::{Job, Work};
use crate::body_digest::differ;
use crate::book::list;
use crate::compacted::Compacted;
use crate::error::{AppendError, StoreError};
use crate::message::{Alias, HostReference, Message, Receipt, Standing};
use crate::position::Position;
use crate::query::{Counts, Page, Query};
use crate::record::Recorded;
use crate::store::{Append, Appended, Field, Kind, Lease, LeaseAsk, Sealing, Store, TaskRow};
use crate::vault;

impl EmbeddedStore {
    fn send(&self, work: Work) -> Result<(), StoreError> {
        self.queue.send(work).map_err(|error| match error {
            StoreError::Closed => self.shared.gone(),
            other => other,
        })
    }

    /// A message's row tells of a repeat without a trip to the disk.
    fn repeat(&self, message: &Message) -> Result<Option<Receipt>, StoreError> {
        let row = self.shared.book().rows.message(&message.id)?;
        Ok(row.map(|row| {
            if differ(&row.digest, &message.body_digest) {
                Receipt::Forged
            } else {
                Receipt::Repeat
            }
        }))
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn append(&self, mut append: Append) -> Result<Appended, AppendError> {
        self.shared.alive()?;
        let lines = event_lines(&append)?;
        let erased = append
            .erases()
            .then_some(vault::Change::Erase(append.order.0));
        append.events = Vec::new();
        let sealed = self
            .seal(append.order.0, std::mem::take(&mut append.sealed))
            .await?;
        let sealed = erased.into_iter().chain(sealed).collect();
        let (sender, answer) = oneshot::channel();
        self.send(Work {
            job: Job::Append(Box::new(append), sender),
            lines,
            sealed,
        })?;
        answer
            .await
            .unwrap_or_else(|_| Err(self.shared.gone().into()))
    }

    async fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, StoreError> {
        self.shared.alive()?;
        Ok(self
            .shared
            .book()
            .rows
            .order(id)?
            .map(|row| Arc::clone(&row.order)))
    }

    async fn history(&self, id: OrderId) -> Result<Vec<Recorded>, StoreError> {
        self.shared.alive()?;
        let shared = Arc::clone(&self.shared);
        blocking(move || read::history(&shared, id)).await?
    }

    async fn read_after(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<(Vec<Recorded>, Position), StoreError> {
        self.shared.alive()?;
        let shared = Arc::clone(&self.shared);
        blocking(move || read::read_after(&shared, after, limit)).await?
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.shared.alive()?;
        Ok(self.shared.book().rows.head())
    }

    async fn wait_beyond(&self, after: Position) {
        let grown = self.shared.grown.wait();
        let stands = self.shared.alive().is_ok() && self.shared.book().rows.head() <= after;
        if stands {
            grown.await;
        }
    }

    async fn lease(&self, ask: LeaseAsk) -> Result<Vec<Lease>, StoreError> {
        self.shared.alive()?;
        Ok(self.shared.tasks().lease(ask))
    }

    async fn release(&self, lease: &Lease, due: Option<Timestamp>) -> Result<(), StoreError> {
        self.shared.alive()?;
        let earlier = self.shared.tasks().release(lease, due);
        if earlier {
            self.shared.tasks_changed.raise();
        }
        Ok(())
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<Timestamp>, StoreError> {
        self.shared.alive()?;
        Ok(self.shared.tasks().next_due(kind))
    }

    fn wait_for_tasks<'a, 'b>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        self.shared.tasks_changed.wait()
    }

    async fn tasks(&self, order: OrderId) -> Result<Vec<TaskRow>, StoreError> {
        self.shared.alive()?;
        Ok(self.shared.tasks().of(order))
    }

    async fn receive(
        &self,
        message: Message,
        sealed: Option<Sealing>,
    ) -> Result<Receipt, StoreError> {
        self.shared.alive()?;
        if let Some(receipt) = self.repeat(&message)? {
            return Ok(receipt);
        }
        let lines = received_line(&message)?;
        let sealed = self
            .seal(owner_of(&message.id), sealed.into_iter().collect())
            .await?;
        let (sender, answer) = oneshot::channel();
        self.send(Work {
            job: Job::Receive(Box::new(message), sender),
            lines,
            sealed,
        })?;
        answer.await.unwrap_or_else(|_| Err(self.shared.gone()))
    }

    async fn pending_messages(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.shared.alive()?;
        self.shared.book().rows.pending(limit)
    }

    fn wait_for_messages<'a, 'b>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let came = self.shared.messages_came.wait();
        Box::pin(async move {
            let none = self.shared.alive().is_ok()
                && self.shared.book().rows.totals().counts.pending_messages == 0;
            if none {
                came.await;
            }
        })
    }

    async fn settle(
        &self,
        id: &MessageId,
        standing: Standing,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.shared.alive()?;
        let lines = settled_line(id, &standing, at)?;
        let body = owner_of(id);
        let ends = matches!(standing, Standing::Settled { .. })
            && self
                .shared
                .vault
                .holds(body)
                .map_err(|error| unread(&error))?;
        let (sender, answer) = oneshot::channel();
        self.send(Work {
            job: Job::Settle(id.clone(), standing, sender),
            lines,
            sealed: ends
                .then_some(vault::Change::Erase(body))
                .into_iter()
                .collect(),
        })?;
        answer.await.unwrap_or_else(|_| Err(self.shared.gone()))
    }

    async fn unsettled_messages(
        &self,
        limit: usize,
    ) -> Result<Vec<(Message, Standing)>, StoreError> {
        self.shared.alive()?;
        self.shared.book().rows.unsettled(limit)
    }

    async fn parked_messages(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.shared.alive()?;
        self.shared.book().rows.parked(limit)
    }

    async fn find(&self, alias: &Alias) -> Result<Vec<OrderId>, StoreError> {
        self.shared.alive()?;
        self.shared.book().rows.find(alias)
    }

    async fn find_reference(
        &self,
        reference: &HostReference,
    ) -> Result<Option<OrderId>, StoreError> {
        self.shared.alive()?;
        self.shared.book().rows.find_reference(reference)
    }

    async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        self.shared.alive()?;
        let (shared, query) = (Arc::clone(&self.shared), query.clone());
        // A filter that matches seldom looks at many rows; the rows are let go between its steps.
        blocking(move || {
            list(&query, |before, limit| {
                shared.book().rows.candidates(&query, before, limit)
            })
        })
        .await?
    }

    fn trouble(&self) -> Option<String> {
        let room = self.shared.room().clone();
        let room = room
            .map(|why| format!("no room to write ({why}); nothing new is taken until there is"));
        let index = || {
            self.behind.stuck().map(|why| match why {
                StoreError::DiskFull => {
                    "no room to write the index; when much waits for it, nothing new is taken"
                        .to_owned()
                }
                _ => "the index is being mended; old orders cannot be read until it is".to_owned(),
            })
        };
        room.or_else(index)
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.shared.alive()?;
        let counts = self.shared.book().rows.totals().counts.clone();
        Ok(Counts {
            tasks: self.shared.tasks().count(),
            ..counts
        })
    }

    async fn open_sealed(
        &self,
        order: OrderId,
        field: &Field,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.shared.alive()?;
        let (vault, name) = (self.shared.vault.clone(), field_name(field));
        // A message's body may lie under the message's own name.
        let own = match field {
            Field::Body(message) => Some(owner_of(message)),
            Field::Request | Field::IdvLink(_) => None,
        };
        let open = move || match vault.open(order.0, &name)? {
            None => own.map_or(Ok(None), |own| vault.open(own, &name)),
            found => Ok(found),
        };
        // Only bodies are large.
        let opened = if own.is_some() {
            blocking(open).await?
        } else {
            open()
        };
        opened.map_err(|error| unread(&error))
    }

    fn digest(&self, body: &[u8]) -> Box<str> {
        self.bodies.digest(body)
    }

    async fn compact(&self, rekey: bool) -> Result<Compacted, StoreError> {
        self.compact_vault(rekey).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        // Refuses new work; the committer answers what it has.
        let closing = self.shared.alive();
        self.shared.close();
        let (queue, threads) = (Arc::clone(&self.queue), Arc::clone(&self.threads));
        // Waits for room in the queue and for all threads: bounded by what waits.
        blocking(move || {
            queue.close();
            threads.join();
        })
        .await?;
        closing
    }
}
