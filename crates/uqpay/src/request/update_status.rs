//! `POST /v1/issuing/cards/{card_id}/status` (contract §2.7).

use serde::Serialize;

use super::Body;

/// Asks for another status. A pending or failed card cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpdateCardStatus {
    /// The status wanted.
    pub card_status: TargetStatus,
    /// At most 100 characters; no personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_reason: Option<String>,
}

/// The statuses a user may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetStatus {
    /// Unfreeze.
    Active,
    /// Freeze.
    Frozen,
    /// Cancel: cannot be undone, complete for us at `PRE_CANCEL`.
    Cancelled,
}

impl UpdateCardStatus {
    /// The body, the same bytes for the same request.
    #[must_use]
    pub fn to_bytes(&self) -> Body {
        Body::of(self)
    }
}
