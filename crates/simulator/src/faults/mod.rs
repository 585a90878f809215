//! The fault script: rules that say what goes wrong, when, and how often. `docs/simulator.md` has the JSON.

mod merge;
mod script;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

pub(crate) use self::merge::merge;
pub(crate) use self::script::{Script, Subject};

/// One rule of the script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Name of the rule; given one if absent. A rule added under a known name replaces it.
    #[serde(default)]
    pub id: String,
    /// What the rule applies to; empty means everything its fault can apply to.
    #[serde(rename = "match", default)]
    pub applies_to: FaultMatch,
    /// What happens.
    pub fault: Fault,
    /// How often; without it, always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Chance of each application, 0 to 1, drawn from the seed. Without it, certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How often it was applied so far.
    #[serde(default)]
    pub used: u32,
}

/// Conditions of a rule; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultMatch {
    /// Calls of this endpoint. Only faults of an answer look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Members of the create body's metadata; holds for everything about that card ever after.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// The card's product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<Uuid>,
    /// The cardholder's e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Webhooks of this dotted name. Only faults of a webhook look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// The API's endpoints, by the names the fault script and the ledger use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Endpoint {
    Token,
    ListProducts,
    CreateCard,
    GetCard,
    ListCards,
    GetCardOrder,
    UpdateCard,
    UpdateCardStatus,
    RechargeCard,
    WithdrawCard,
    CreateCardholder,
    GetCardholder,
    ListCardholders,
    UpdateCardholder,
    SimulateAuthorization,
    SimulateReversal,
    ListBalances,
}

/// When a slow answer is slow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The effect itself is late; repeats meanwhile hear "processing".
    #[default]
    Before,
    /// The effect is there at once, only the answer is late.
    After,
}

/// What a person does with an IDV link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdvOutcome {
    /// Submits and is approved.
    Pass,
    /// Submits and is rejected.
    Fail,
    /// Submits; the verdict is open.
    Submit,
    /// The reviewer wants more documents.
    Incomplete,
    /// Closes the page; nothing happens.
    Leave,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The connection is cut; nothing happened.
    LostBeforeEffect,
    /// The connection is cut; it happened.
    LostAfterEffect,
    /// An error answer; nothing happened.
    ErrorBeforeEffect(ErrorAnswer),
    /// An error answer, although it happened; the idempotency store keeps the true answer.
    ErrorAfterEffect(ErrorAnswer),
    /// Half of the true answer, then the connection is cut.
    TruncatedAnswer,
    /// The answer takes `ms` longer.
    Slow {
        /// Milliseconds of real time.
        ms: u64,
        /// Before or after the effect.
        #[serde(default)]
        when: Moment,
    },
    /// The legacy "request is processing" envelope; nothing happened.
    Processing,
    /// RFC 7396 merge into a 2xx answer: `null` removes a member. Covers every documented variant.
    AnswerPatch {
        /// The merge patch.
        merge: Value,
    },
    /// The card is active in the create answer already.
    ActiveAtOnce,
    /// The card's creation fails later, with `card.create.failed`.
    CardFails {
        /// Goes into the order and the webhook.
        #[serde(default)]
        failure_code: Option<String>,
    },
    /// The card stays `PENDING` for ever.
    NeverActivates,
    /// A cancel is taken as always and comes to nothing: the card stays as it was, the cancel's order fails, and
    /// `card.status.update.failed` says so.
    CancelFails {
        /// Nobody ever says so: the order stays `PENDING`, and no webhook goes out.
        #[serde(default)]
        silent: bool,
    },
    /// One-step creation stores the cardholder, then fails.
    OrphanCardholder(ErrorAnswer),
    /// IDV links live this long.
    IdvLinkTtl {
        /// Seconds of simulator time.
        seconds: u64,
    },
    /// A person acts on the IDV link by itself, each time a link is made.
    IdvPerson {
        /// What the person does.
        outcome: IdvOutcome,
        /// After this much simulator time.
        #[serde(default)]
        after_ms: u64,
    },
    /// Webhooks go out `1 + copies` times under one `event_id`.
    WebhookDuplicate {
        /// Extra deliveries.
        copies: u32,
    },
    /// The card is active and the webhook delivered before the create answer leaves.
    WebhookEarly,
    /// Webhooks start `ms` late.
    WebhookLate {
        /// Milliseconds of simulator time.
        ms: u64,
    },
    /// Webhooks are never sent.
    WebhookDrop,
    /// RFC 7396 merge into the webhook's body before it is signed.
    WebhookPatch {
        /// The merge patch.
        merge: Value,
    },
}

/// A made-up error answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorAnswer {
    /// HTTP status, 500 if not given.
    #[serde(default = "five_hundred")]
    pub status: u16,
    /// JSON goes out as JSON, a string as HTML; without it the provider's `api_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Value of a `Retry-After` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
    /// Whether the idempotency store keeps it. Default: as the provider would, 4xx yes (but 401, 403, 408, 429), 5xx no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<bool>,
}

fn five_hundred() -> u16 {
    500
}

impl Fault {
    /// Faults of the HTTP answer: one request meets at most one of them.
    pub(crate) fn is_of_answer(&self) -> bool {
        matches!(
            self,
            Self::LostBeforeEffect
                | Self::LostAfterEffect
                | Self::ErrorBeforeEffect(_)
                | Self::ErrorAfterEffect(_)
                | Self::TruncatedAnswer
                | Self::Slow { .. }
                | Self::Processing
                | Self::AnswerPatch { .. }
        )
    }

    pub(crate) fn is_of_webhook(&self) -> bool {
        matches!(
            self,
            Self::WebhookDuplicate { .. }
                | Self::WebhookLate { .. }
                | Self::WebhookDrop
                | Self::WebhookPatch { .. }
        )
    }
}

/// Reads a script: an array of rules, or one rule alone.
///
/// # Errors
/// Not JSON, or not rules: unknown members are refused.
pub fn parse_faults(json: &[u8]) -> Result<Vec<FaultRule>, serde_json::Error> {
    match serde_json::from_slice(json)? {
        Value::Array(rules) => rules.into_iter().map(serde_json::from_value).collect(),
        rule => Ok(vec![serde_json::from_value(rule)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_faults;

    #[test]
    fn a_script_is_an_array_or_one_rule() {
        assert_eq!(
            parse_faults(br#"{"fault": {"kind": "processing"}}"#)
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            parse_faults(br#"[{"fault": {"kind": "processing"}}]"#)
                .unwrap()
                .len(),
            1
        );
        assert!(parse_faults(b"7").is_err());
    }

    #[test]
    fn unknown_members_of_a_rule_are_refused() {
        for typo in [
            r#"{"fault": {"kind": "slow", "ms": 5, "wehn": "after"}}"#,
            r#"{"match": {"endpoint": "create"}, "fault": {"kind": "processing"}}"#,
            r#"{"fault": {"kind": "processing"}, "time": 1}"#,
            r#"{"fault": {"kind": "gremlins"}}"#,
        ] {
            assert!(parse_faults(typo.as_bytes()).is_err(), "{typo}");
        }
    }
}
