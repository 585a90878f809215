//! The part of the server's answers that is shown. Members a newer server adds are passed over.

use issuance::domain::Timestamp;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Page {
    pub(super) orders: Vec<Order>,
    pub(super) next_cursor: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) reference: String,
    pub(super) account: Option<String>,
    pub(super) product_id: String,
    pub(super) currency: String,
    pub(super) state: String,
    pub(super) version: u64,
    pub(super) placed_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) card_id: Option<String>,
    pub(super) idv: Option<Idv>,
    pub(super) failure: Option<Failure>,
    pub(super) attention: Option<Attention>,
    pub(super) discrepancies: Vec<Discrepancy>,
    pub(super) compensation: Option<Compensation>,
    pub(super) paused: bool,
    pub(super) next_step: Option<Step>,
    /// Not said by an older server.
    #[serde(default)]
    pub(super) personal_data: Option<PersonalData>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PersonalData {
    pub(super) state: String,
    pub(super) by: Option<String>,
    pub(super) at: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Idv {
    pub(super) expires_at: Option<Timestamp>,
    pub(super) link_available: bool,
    pub(super) submitted_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Failure {
    pub(super) meaning: String,
    pub(super) code: Option<String>,
    pub(super) code_meaning: Option<String>,
    pub(super) missing_fields: Vec<String>,
    pub(super) who_must_act: String,
    pub(super) new_order_could_succeed: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Attention {
    pub(super) reason: String,
    pub(super) meaning: String,
    pub(super) code: Option<String>,
    pub(super) code_meaning: Option<String>,
    pub(super) since: Timestamp,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Discrepancy {
    pub(super) kind: String,
    pub(super) card_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Compensation {
    pub(super) by: String,
    pub(super) done: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Step {
    pub(super) action: String,
    pub(super) due_at: Timestamp,
}

/// One order with everything known of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Detail {
    pub(super) order: Order,
    pub(super) allowed_actions: Vec<String>,
    pub(super) tasks: Vec<Task>,
    pub(super) timeline: Vec<Entry>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Task {
    pub(super) action: String,
    pub(super) due_at: Timestamp,
    pub(super) tries: u32,
    pub(super) claimed_until: Option<Timestamp>,
}

/// An event as the log has it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Entry {
    pub(super) version: u64,
    pub(super) at: Timestamp,
    pub(super) name: String,
    pub(super) body: Value,
}

impl Order {
    /// Whether nothing is done for it any more and nobody needs to look.
    pub(super) fn is_at_rest(&self) -> bool {
        matches!(self.state.as_str(), "active" | "failed") && self.next_step.is_none()
    }
}
