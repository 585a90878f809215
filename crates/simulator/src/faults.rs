//! The fault script: rules that say what goes wrong, when, and how often. `docs/simulator.md` has the JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::rng::Generator;

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
    UpdateCardStatus,
    CreateCardholder,
    GetCardholder,
    ListCardholders,
    UpdateCardholder,
    SimulateAuthorization,
    SimulateReversal,
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

    fn is_of_webhook(&self) -> bool {
        matches!(
            self,
            Self::WebhookDuplicate { .. }
                | Self::WebhookLate { .. }
                | Self::WebhookDrop
                | Self::WebhookPatch { .. }
        )
    }
}

/// What a rule is asked about: a request, a card or a delivery.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subject {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) event: Option<&'static str>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) product_id: Option<Uuid>,
    pub(crate) email: Option<String>,
}

impl FaultMatch {
    fn holds(&self, fault: &Fault, subject: &Subject) -> bool {
        (!fault.is_of_answer() || self.endpoint.is_none() || self.endpoint == subject.endpoint)
            && (!fault.is_of_webhook()
                || self.event.is_none()
                || self.event.as_deref() == subject.event)
            && self
                .metadata
                .iter()
                .all(|(name, value)| subject.metadata.get(name) == Some(value))
            && (self.product_id.is_none() || self.product_id == subject.product_id)
            && (self.email.is_none() || self.email == subject.email)
    }
}

/// The rules in force, in the order they were added.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) rules: Vec<FaultRule>,
    named: u32,
}

impl Script {
    pub(crate) fn add(&mut self, mut rule: FaultRule) {
        if rule.id.is_empty() {
            while rule.id.is_empty() || self.knows(&rule.id) {
                self.named += 1;
                rule.id = format!("rule-{}", self.named);
            }
        }
        match self.rules.iter_mut().find(|known| known.id == rule.id) {
            Some(known) => *known = rule,
            None => self.rules.push(rule),
        }
    }

    /// Puts the rules and their counters back as they were.
    pub(crate) fn restore(&mut self, rules: Vec<FaultRule>) {
        self.named = u32::try_from(rules.len()).unwrap_or(u32::MAX);
        self.rules = rules;
    }

    pub(crate) fn knows(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| rule.id == id)
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The first rule of a wanted kind that applies; counts it as used.
    pub(crate) fn take(
        &mut self,
        rng: &mut Generator,
        subject: &Subject,
        wanted: impl Fn(&Fault) -> bool,
    ) -> Option<(String, Fault)> {
        self.rules
            .iter_mut()
            .find(|rule| {
                wanted(&rule.fault)
                    && rule.times.is_none_or(|times| rule.used < times)
                    && rule.applies_to.holds(&rule.fault, subject)
                    && rule.probability.is_none_or(|p| rng.chance(p))
            })
            .map(|rule| {
                rule.used += 1;
                (rule.id.clone(), rule.fault.clone())
            })
    }
}

/// RFC 7396.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(value: Value) -> FaultRule {
        serde_json::from_value(value).unwrap()
    }

    fn subject(endpoint: Endpoint) -> Subject {
        let metadata = json!({"saga": "7"}).as_object().cloned().unwrap();
        Subject {
            endpoint: Some(endpoint),
            metadata,
            ..Subject::default()
        }
    }

    #[test]
    fn a_rule_applies_as_often_as_it_says_and_only_where_it_says() {
        let mut script = Script::default();
        script.add(rule(json!({
            "match": {"endpoint": "create_card", "metadata": {"saga": "7"}},
            "fault": {"kind": "lost_after_effect"}, "times": 1
        })));
        let mut rng = Generator::new(1);
        assert!(
            script
                .take(&mut rng, &subject(Endpoint::GetCard), Fault::is_of_answer)
                .is_none()
        );
        assert!(
            script
                .take(
                    &mut rng,
                    &subject(Endpoint::CreateCard),
                    Fault::is_of_answer
                )
                .is_some()
        );
        assert!(
            script
                .take(
                    &mut rng,
                    &subject(Endpoint::CreateCard),
                    Fault::is_of_answer
                )
                .is_none()
        );
        assert_eq!(script.rules[0].used, 1);
    }

    #[test]
    fn probability_is_drawn_from_the_seed() {
        let hits = |seed| {
            let mut script = Script::default();
            script.add(rule(
                json!({"fault": {"kind": "processing"}, "probability": 0.5}),
            ));
            let mut rng = Generator::new(seed);
            (0..200)
                .map(|_| {
                    script
                        .take(&mut rng, &subject(Endpoint::Token), Fault::is_of_answer)
                        .is_some()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(hits(3), hits(3));
        assert_ne!(hits(3), hits(4));
        assert!((60..140).contains(&hits(3).iter().filter(|hit| **hit).count()));
    }

    #[test]
    fn unknown_members_of_a_rule_are_refused() {
        let typo = json!({"fault": {"kind": "slow", "ms": 5, "wehn": "after"}});
        assert!(serde_json::from_value::<FaultRule>(typo).is_err());
        let typo = json!({"match": {"endpoint": "create"}, "fault": {"kind": "processing"}});
        assert!(serde_json::from_value::<FaultRule>(typo).is_err());
    }

    #[test]
    fn a_merge_patch_sets_and_removes() {
        let mut value = json!({"a": 1, "b": {"c": 2}});
        merge(&mut value, &json!({"a": null, "b": {"d": 3}}));
        assert_eq!(value, json!({"b": {"c": 2, "d": 3}}));
    }
}
