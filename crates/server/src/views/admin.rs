//! What operators see beside the orders themselves. A timeline shows each event as the log has it, evidence included.

use std::collections::BTreeMap;
use std::time::Duration;

use issuance::domain::{MessageId, OperatorAction, Timestamp, Version};
use issuance::store::{Counts, Message, Position, Recorded, Standing, TaskRow, body_json};
use issuance::{BudgetUse, Compaction, OpenPool, Reconciliation, TokenHealth, WebhookFlow};
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

/// The removal of what was erased from the disk.
#[derive(Debug, Clone, Serialize)]
pub struct CompactionView {
    /// One is under way, or asked for.
    pub is_running: bool,
    /// The run that covers everything erased before this answer; only of one that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// The last that ended; none since the process began.
    pub last: Option<CompactionRunView>,
}

/// One compaction, over.
#[derive(Debug, Clone, Serialize)]
pub struct CompactionRunView {
    /// Counts those of this process, from 1.
    pub run: u64,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What went wrong; then nothing of it counts.
    pub problem: Option<String>,
    /// Records removed.
    pub removed: u64,
    /// Records sealed anew under the current key.
    pub resealed: u64,
    /// Records that no key opens; the keys they name must be kept.
    pub unopened: u64,
    /// Damaged files, left as they are.
    pub skipped: Vec<String>,
}

impl From<Compaction> for CompactionRunView {
    fn from(compaction: Compaction) -> Self {
        let problem = compaction.outcome.as_ref().err().map(ToString::to_string);
        let done = compaction.outcome.unwrap_or_default();
        Self {
            run: compaction.run,
            began_at: compaction.began,
            ended_at: compaction.ended,
            problem,
            removed: done.removed,
            resealed: done.resealed,
            unopened: done.unopened,
            skipped: done.skipped,
        }
    }
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
    /// It found no order for a day.
    pub is_orphan: bool,
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
    /// Products whose orders wait for cards, money or quota, longest first.
    pub products: Vec<PoolView>,
    /// How much of the provider's budget is used.
    pub budget: BudgetView,
    /// How the provider's token is; none while one is minted.
    pub token: Option<TokenView>,
    /// How webhooks come; none when none are taken.
    pub webhooks: Option<WebhookView>,
    /// Our clock was set, or differs from the provider's time, by so many milliseconds: no identity-check link expires until
    /// a webhook shows that it is right, or the process starts anew. None when it is to be believed.
    pub clock_doubt_millis: Option<u64>,
    /// Messages that found no order for a day.
    pub orphaned_messages: Option<usize>,
    /// How many of what.
    pub counts: Option<CountsView>,
}

/// A product whose orders wait.
#[derive(Debug, Clone, Serialize)]
pub struct PoolView {
    /// The sub-account, if not the main one.
    pub account: Option<String>,
    /// The product.
    pub product_id: String,
    /// The provider's code.
    pub code: Box<str>,
    /// Since when.
    pub since: Timestamp,
    /// When the next order is tried.
    pub until: Timestamp,
}

/// The provider's budget.
#[derive(Debug, Clone, Serialize)]
pub struct BudgetView {
    /// Calls a minute.
    pub per_minute: u32,
    /// Calls in the last minute.
    pub spent: u32,
    /// The provider told us to wait until then.
    pub closed_until: Option<Timestamp>,
}

/// The provider's token.
#[derive(Debug, Clone, Serialize)]
pub struct TokenView {
    /// Which one since the process began.
    pub generation: u64,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Mints in the last minute.
    pub mints: usize,
    /// Tokens that died before their time in the last minute.
    pub evictions: usize,
    /// Somebody else seems to mint with our credential.
    pub is_contested: bool,
}

/// How webhooks come.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookView {
    /// When the last genuine one came.
    pub last_at: Option<Timestamp>,
    /// None came since then though orders are open.
    pub silent_since: Option<Timestamp>,
    /// Our clock seems to be ahead by so many milliseconds, behind if negative.
    pub clock_ahead_millis: Option<i64>,
}

/// Our orders against the provider's lists.
#[derive(Debug, Clone, Serialize)]
pub struct ReconciliationView {
    /// One is under way.
    pub is_running: bool,
    /// What the last one found.
    pub last: Option<Reconciliation>,
}

impl From<&OpenPool> for PoolView {
    fn from(open: &OpenPool) -> Self {
        Self {
            account: open.pool.account.as_ref().map(ToString::to_string),
            product_id: open.pool.product.to_string(),
            code: open.code.clone(),
            since: open.since,
            until: open.until,
        }
    }
}

impl From<BudgetUse> for BudgetView {
    fn from(usage: BudgetUse) -> Self {
        let BudgetUse {
            per_minute,
            spent,
            closed_until,
        } = usage;
        Self {
            per_minute,
            spent,
            closed_until,
        }
    }
}

impl From<TokenHealth> for TokenView {
    fn from(token: TokenHealth) -> Self {
        let TokenHealth {
            generation,
            expires_at,
            mints,
            evictions,
            is_contested,
        } = token;
        Self {
            generation,
            expires_at,
            mints,
            evictions,
            is_contested,
        }
    }
}

impl From<WebhookFlow> for WebhookView {
    fn from(flow: WebhookFlow) -> Self {
        let WebhookFlow {
            last_at,
            silent_since,
            clock_ahead_millis,
        } = flow;
        Self {
            last_at,
            silent_since,
            clock_ahead_millis,
        }
    }
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

/// A message that found no order for this long is an orphan (contract §9.4).
const ORPHAN: Duration = Duration::from_secs(24 * 3_600);

impl MessageView {
    pub(crate) fn of((message, standing): &(Message, Standing), now: Timestamp) -> Self {
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
            is_orphan: standing == "parked" && now.since(message.received_at) >= ORPHAN,
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
