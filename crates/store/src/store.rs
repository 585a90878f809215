//! The seam. Everything the engine needs of storage, in one trait; each method says what is durable after it returns.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use issuance_domain::{
    Action, Event, EventBody, MessageId, Order, OrderId, Task, TaskId, Timestamp, Version,
};
use zeroize::Zeroizing;

use crate::compacted::Compacted;
use crate::error::{AppendError, StoreError};
use crate::message::{Alias, HostReference, Message, Receipt, Standing};
use crate::position::Position;
use crate::projection::Projection;
use crate::query::{Counts, Page, Query};
use crate::record::Recorded;

/// A durable event log with its projections, tasks, inbox and vault.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Appends events of one order. The events, the rows they imply, the sealed data and the inbox mark become durable
    /// together, or none of them does; they are durable when this returns.
    ///
    /// With [`PersonalDataErased`](issuance_domain::EventBody::PersonalDataErased) among the events, what was sealed of the
    /// order before is erased, and is gone before the event is durable: a crash between the two leaves an order that still
    /// owes its erasure, never an event that is not true.
    async fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// The order as its last durable append left it.
    async fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, StoreError>;

    /// All events of one order, oldest first. Empty when there is none.
    async fn history(&self, id: OrderId) -> Result<Vec<Recorded>, StoreError>;

    /// Order events after a position, in log order, at most `limit`. The second part is the position to go on from: the
    /// log also holds records that are not an order's.
    async fn read_after(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<(Vec<Recorded>, Position), StoreError>;

    /// The newest durable position.
    async fn head(&self) -> Result<Position, StoreError>;

    /// Returns once the head is beyond `after`. May return early; never late.
    async fn wait_beyond(&self, after: Position);

    /// Claims tasks that are due, most urgent first. A claim keeps other claims off until it ends; it proves nothing.
    async fn lease(&self, ask: LeaseAsk) -> Result<Vec<Lease>, StoreError>;

    /// Gives a claim back. With a time, the task is due then and counts one more try; without, it is due when its order
    /// says.
    /// A task that is no longer owed, or was claimed anew, is left alone.
    async fn release(&self, lease: &Lease, due: Option<Timestamp>) -> Result<(), StoreError>;

    /// When the next task of this kind can be claimed: the first unclaimed one is due, or a claim ends.
    async fn next_due(&self, kind: Kind) -> Result<Option<Timestamp>, StoreError>;

    /// Returns once some task may be due earlier than `next_due` said. May return early; never late: it counts from this
    /// call, so call it before `next_due` and await it after.
    async fn wait_for_tasks(&self);

    /// What one order owes, with claims and tries.
    async fn tasks(&self, order: OrderId) -> Result<Vec<TaskRow>, StoreError>;

    /// Stores a verified webhook. It is durable when this returns `Stored`. `sealed` goes to the vault under the
    /// message's own name, unless an order the message names is to be erased, or is.
    async fn receive(
        &self,
        message: Message,
        sealed: Option<Sealing>,
    ) -> Result<Receipt, StoreError>;

    /// Messages that await a decision, oldest first.
    async fn pending_messages(&self, limit: usize) -> Result<Vec<Message>, StoreError>;

    /// Returns once there is a pending message: at once if there is one. May return early; never late.
    async fn wait_for_messages(&self);

    /// Marks a message that led to no events. `Parked` ones become pending again when an order learns one of their names.
    /// What was sealed of a `Settled` one is erased, and is gone before the mark is durable.
    async fn settle(
        &self,
        id: &MessageId,
        standing: Standing,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Messages that stand parked or quarantined, oldest first.
    async fn unsettled_messages(
        &self,
        limit: usize,
    ) -> Result<Vec<(Message, Standing)>, StoreError>;

    /// Messages that stand parked, oldest first.
    async fn parked_messages(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        let unsettled = self.unsettled_messages(usize::MAX).await?;
        Ok(unsettled
            .into_iter()
            .filter(|(_, standing)| *standing == Standing::Parked)
            .map(|(message, _)| message)
            .take(limit)
            .collect())
    }

    /// Orders known by a name. More than one only for a shared cardholder.
    async fn find(&self, alias: &Alias) -> Result<Vec<OrderId>, StoreError>;

    /// The order a host calls by this name.
    async fn find_reference(
        &self,
        reference: &HostReference,
    ) -> Result<Option<OrderId>, StoreError>;

    /// Orders that match, newest first.
    async fn list(&self, query: &Query) -> Result<Page, StoreError>;

    /// What keeps it from answering everything just now although it has not stopped, in words for an operator; none when
    /// nothing does.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// How many orders stand where.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Opens what was sealed under an order's field. `None`: never there, or erased.
    async fn open_sealed(
        &self,
        order: OrderId,
        field: &Field,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;

    /// A digest of a webhook's body for the log: equal for equal bodies, as long as the key is the same, and without it
    /// nobody can try what the body said.
    fn digest(&self, body: &[u8]) -> Box<str>;

    /// Removes what was erased or replaced from wherever it is stored; until then it is only out of reach. With `rekey`,
    /// also seals anew what another key than the current one sealed. One runs at a time; a second waits. Reads and
    /// appends go on meanwhile.
    async fn compact(&self, rekey: bool) -> Result<Compacted, StoreError>;

    /// Finishes what is under way and makes everything derived durable too. No call may follow.
    async fn close(&self) -> Result<(), StoreError>;
}

/// One decision to be made durable.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose events.
    pub order: OrderId,
    /// The version they were decided on; [`Version::NONE`] for a new order.
    pub expected: Version,
    /// What happened. Never empty.
    pub events: Vec<Event>,
    /// The rows after them.
    pub projection: Projection,
    /// Personal data that comes with them.
    pub sealed: Vec<Sealing>,
    /// The message they answer.
    pub settles: Option<MessageId>,
}

/// What an append brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Position of the last of the events.
    pub position: Position,
    /// The order's version now.
    pub version: Version,
}

/// Personal data on its way to the vault. Its `Debug` shows the field only.
#[derive(Clone)]
pub struct Sealing {
    /// Under which field.
    pub field: Field,
    /// What.
    pub plaintext: Zeroizing<Vec<u8>>,
}

impl Append {
    /// Whether it ends what is sealed of its order.
    pub(crate) fn erases(&self) -> bool {
        erases(&self.events)
    }
}

/// Whether one of the events says that personal data is gone.
pub(crate) fn erases(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| matches!(event.body, EventBody::PersonalDataErased { .. }))
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sealing").field(&self.field).finish()
    }
}

/// What is sealed of an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The personal part of the request, with its salt.
    Request,
    /// The address of an identity-check link, by its salted digest.
    IdvLink(String),
    /// The body of a webhook that verified but could not be read.
    Body(MessageId),
}

impl Field {
    /// The name in the vault.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Request => "request".into(),
            Self::IdvLink(digest) => format!("idv_link/{digest}"),
            Self::Body(message) => format!("body/{message}"),
        }
    }
}

/// Which tasks a worker wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Calls to the provider that change something.
    Submissions,
    /// Notices to the host.
    Notices,
    /// What is read inward: look-ups, expiries and alarms; and the end of personal data.
    Readings,
}

impl Kind {
    /// The kind of a task.
    #[must_use]
    pub fn of(action: Action) -> Self {
        match action {
            Action::Submit { .. } => Self::Submissions,
            Action::NotifyHost => Self::Notices,
            Action::LookUp | Action::ExpireIdv | Action::Escalate | Action::ErasePersonalData => {
                Self::Readings
            }
        }
    }
}

/// A wish for work.
#[derive(Debug, Clone, Copy)]
pub struct LeaseAsk {
    /// Which tasks.
    pub kind: Kind,
    /// Tasks due at or before this.
    pub now: Timestamp,
    /// The claim ends by itself then.
    pub until: Timestamp,
    /// At most this many.
    pub limit: usize,
}

/// A claim on a task until a time.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The task.
    pub task: Task,
    /// Tells this claim from others on the same task.
    pub epoch: u64,
    /// How often it was put off before.
    pub tries: u32,
    /// When the claim ends by itself.
    pub until: Timestamp,
}

/// A task as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// Which.
    pub id: TaskId,
    /// When it is due.
    pub due: Timestamp,
    /// How often it was put off.
    pub tries: u32,
    /// Until when it is claimed.
    pub leased_until: Option<Timestamp>,
}
