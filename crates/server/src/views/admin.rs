//! What operators see beside the orders themselves. A timeline shows each event as the log has it, evidence included.

use std::collections::BTreeMap;

use issuance::domain::{MessageId, OperatorAction, Timestamp, Version};
use issuance::store::{Counts, Message, Position, Recorded, Standing, TaskRow, body_json};
use serde::Serialize;
use serde_json::value::RawValue;

use super::order::OrderView;

/// Orders a person should look at, by reason.
#[derive(Debug, Clone, Serialize)]
pub struct AttentionListView {
    /// One for each reason there is.
    pub groups: Vec<AttentionGroupView>,
    /// Pass as `cursor` for more orders; none when these are all.
    pub next_cursor: Option<String>,
}

/// Orders with one reason.
#[derive(Debug, Clone, Serialize)]
pub struct AttentionGroupView {
    /// The reason's name.
    pub reason: String,
    /// How many there are, shown here or not.
    pub count: u64,
    /// Those of this page, newest first.
    pub orders: Vec<AttentionOrderView>,
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub struct AttentionOrderView {
    /// The order, with its next step.
    pub order: OrderView,
    /// What an operator can do.
    pub allowed_actions: Vec<&'static str>,
}

/// One order with everything known of it.
#[derive(Debug, Serialize)]
pub struct OrderDetailView {
    /// The order.
    pub order: OrderView,
    /// What an operator can do.
    pub allowed_actions: Vec<&'static str>,
    /// What it owes, first due first.
    pub tasks: Vec<TaskView>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntryView>,
}

/// One thing an order owes.
#[derive(Debug, Clone, Serialize)]
pub struct TaskView {
    /// What.
    pub action: &'static str,
    /// The version that made it owed.
    pub cause: Version,
    /// When it is due.
    pub due_at: Timestamp,
    /// How often it was put off.
    pub tries: u32,
    /// Until when a worker has claimed it.
    pub claimed_until: Option<Timestamp>,
}

/// One event, as the log has it.
#[derive(Debug, Serialize)]
pub struct TimelineEntryView {
    /// Where in the log.
    pub position: Position,
    /// Which of the order's events.
    pub version: Version,
    /// When it was recorded.
    pub at: Timestamp,
    /// Its stored name.
    pub name: &'static str,
    /// Its stored body.
    pub body: Box<RawValue>,
}

/// What an action brought.
#[derive(Debug, Clone, Serialize)]
pub struct ActionView {
    /// The order after it.
    pub order: OrderView,
    /// Names of the events it caused, now durable.
    pub events: Vec<&'static str>,
    /// Where the last of them stands.
    pub position: Option<Position>,
}

/// Webhooks that found no order, or that a person should look at.
#[derive(Debug, Clone, Serialize)]
pub struct InboxView {
    /// Oldest first.
    pub messages: Vec<MessageView>,
    /// There are more than these.
    pub more: bool,
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub struct MessageView {
    /// The provider's id of it.
    pub event_id: MessageId,
    /// The provider's name for it.
    pub event_type: Box<str>,
    /// When it was stored.
    pub received_at: Timestamp,
    /// The ids it carries.
    pub names: Vec<String>,
    /// `pending`, `parked`, `settled` or `quarantined`.
    pub standing: &'static str,
    /// Why it is quarantined.
    pub why: Option<Box<str>>,
}

/// How the engine is.
#[derive(Debug, Clone, Serialize)]
pub struct HealthView {
    /// It takes orders.
    pub ready: bool,
    /// What is wrong with the store; none when nothing is.
    pub store_problem: Option<String>,
    /// The newest durable position.
    pub head: Option<Position>,
    /// Why calls to the provider wait; none when they do not.
    pub breaker: Option<BreakerView>,
    /// How many of what.
    pub counts: Option<CountsView>,
}

/// An open breaker.
#[derive(Debug, Clone, Serialize)]
pub struct BreakerView {
    /// What opened it.
    pub reason: String,
    /// When the next call is tried.
    pub until: Timestamp,
}

/// How many of what.
#[derive(Debug, Clone, Serialize)]
pub struct CountsView {
    /// Orders by state.
    pub states: BTreeMap<String, u64>,
    /// Orders by reason for attention.
    pub attention: BTreeMap<String, u64>,
    /// Messages that await a decision.
    pub pending_messages: u64,
    /// Messages no order is known for.
    pub parked_messages: u64,
    /// Messages a person should look at.
    pub quarantined_messages: u64,
    /// Tasks owed.
    pub tasks: u64,
}

pub(crate) fn action_names(actions: &[OperatorAction]) -> Vec<&'static str> {
    actions.iter().map(|action| action.name()).collect()
}

impl From<&TaskRow> for TaskView {
    fn from(row: &TaskRow) -> Self {
        Self {
            action: row.id.action.name(),
            cause: row.id.cause,
            due_at: row.due,
            tries: row.tries,
            claimed_until: row.leased_until,
        }
    }
}

impl TryFrom<&Recorded> for TimelineEntryView {
    type Error = serde_json::Error;
    fn try_from(recorded: &Recorded) -> Result<Self, serde_json::Error> {
        let body = &recorded.event.body;
        Ok(Self {
            position: recorded.position,
            version: recorded.version,
            at: recorded.event.at,
            name: body.name(),
            body: RawValue::from_string(body_json(body)?)?,
        })
    }
}

impl From<&(Message, Standing)> for MessageView {
    fn from((message, standing): &(Message, Standing)) -> Self {
        let (standing, why) = match standing {
            Standing::Pending => ("pending", None),
            Standing::Parked => ("parked", None),
            Standing::Settled { .. } => ("settled", None),
            Standing::Quarantined { why } => ("quarantined", Some(why.clone())),
        };
        Self {
            event_id: message.id.clone(),
            event_type: message.event_type.clone(),
            received_at: message.received_at,
            names: message
                .aliases
                .iter()
                .map(issuance::store::Alias::key)
                .collect(),
            standing,
            why,
        }
    }
}

impl From<Counts> for CountsView {
    fn from(counts: Counts) -> Self {
        let Counts {
            states,
            attention,
            pending_messages,
            parked_messages,
            quarantined_messages,
            tasks,
        } = counts;
        Self {
            states,
            attention,
            pending_messages,
            parked_messages,
            quarantined_messages,
            tasks,
        }
    }
}
