//! An event, as hosts see it: what happened and what it rests on, without what is the engine's own (keys, digests) or an
//! operator's (names, reasons).

use issuance::domain::{
    CardId, CardOrderId, CardholderId, Event, EventBody, ExpiryCause, Link, OrderId, ProviderIds,
    Purpose, Scan, SilenceCause, Source, Timestamp, Version,
};
use issuance::store::{Position, Recorded};
use serde::Serialize;

use super::order::{DiscrepancyView, FailureView, attention_code, by_word};

/// One event.
#[derive(Debug, Clone, Serialize)]
pub struct EventView {
    /// Where in the log: the cursor of the feed.
    pub position: Position,
    /// Whose.
    pub order_id: OrderId,
    /// Which of the order's events.
    pub version: Version,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened, by its stored name, which never changes.
    pub name: &'static str,
    /// The particulars; only what the event has.
    pub data: EventData,
}

/// The particulars of an event.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EventData {
    /// What a call was for: `create_card`, `renew_idv_link` or `cancel_card`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<&'static str>,
    /// Counts the keys of that purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// Counts the sends under a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Why there was no definite answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<&'static str>,
    /// Why a key is never sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
    /// Complete searches of the provider's lists that found no card.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub searches: Vec<SearchView>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// The provider's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Box<str>>,
    /// Dotted paths the provider missed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_fields: Vec<Box<str>>,
    /// The provider's card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_id: Option<CardId>,
    /// The provider's card order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_order_id: Option<CardOrderId>,
    /// The provider's cardholder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cardholder_id: Option<CardholderId>,
    /// The provider reviews the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_review: Option<bool>,
    /// When the link stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Counts links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<u32>,
    /// The card's status at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_status: Option<String>,
    /// Why there will be no card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
    /// Why an operator should look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What log and provider disagree about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discrepancy: Option<DiscrepancyView>,
    /// Who wanted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
    /// What an operator did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// Up to which version the host was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<Version>,
    /// How it was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceView>,
}

/// One complete search of the provider's lists.
#[derive(Debug, Clone, Serialize)]
pub struct SearchView {
    /// When it began.
    pub began: Timestamp,
    /// Pages read.
    pub pages: u32,
    /// Different rows read.
    pub rows: u32,
}

impl From<&Scan> for SearchView {
    fn from(scan: &Scan) -> Self {
        Self {
            began: scan.began,
            pages: scan.pages,
            rows: scan.rows,
        }
    }
}

/// How something was heard.
#[derive(Debug, Clone, Serialize)]
pub struct EvidenceView {
    /// `answer`, `webhook` or `look_up`.
    pub from: &'static str,
    /// The webhook's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The webhook's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<Box<str>>,
}

impl From<&Recorded> for EventView {
    fn from(recorded: &Recorded) -> Self {
        let Event { at, body } = &recorded.event;
        Self {
            position: recorded.position,
            order_id: recorded.order,
            version: recorded.version,
            at: *at,
            name: body.name(),
            data: data(body),
        }
    }
}

fn data(body: &EventBody) -> EventData {
    let none = EventData::default();
    match body {
        EventBody::OrderRequested { .. }
        | EventBody::LookUpRequested { .. }
        | EventBody::LookedUp { .. } => none,
        EventBody::SubmissionStarted {
            purpose,
            generation,
            attempt,
            ..
        } => EventData {
            attempt: Some(*attempt),
            ..none
        }
        .call(*purpose, generation.0),
        EventBody::SubmissionUnanswered {
            purpose,
            generation,
            attempt,
            cause,
            retry_at,
        } => {
            let silence = Some(silence_word(cause));
            EventData {
                attempt: Some(*attempt),
                silence,
                retry_at: Some(*retry_at),
                ..none
            }
            .call(*purpose, generation.0)
        }
        EventBody::SubmissionRefused {
            purpose,
            generation,
            refusal,
            source,
        } => EventData {
            code: Some(refusal.code.clone()),
            missing_fields: refusal.missing_fields.clone(),
            ..none
        }
        .call(*purpose, generation.0)
        .heard(source),
        EventBody::SubmissionAnswered {
            purpose,
            generation,
            source,
        } => none.call(*purpose, generation.0).heard(source),
        EventBody::KeyExpired {
            purpose,
            generation,
            because,
        } => EventData {
            because: because.map(because_word),
            ..none
        }
        .call(*purpose, generation.0),
        EventBody::AbsenceObserved {
            generation, scan, ..
        } => EventData {
            searches: vec![scan.into()],
            ..none
        }
        .call(Purpose::CreateCard, generation.0),
        EventBody::AbsenceProved {
            generation,
            first,
            second,
        } => EventData {
            searches: vec![first.into(), second.into()],
            ..none
        }
        .call(Purpose::CreateCard, generation.0),
        EventBody::LeftoverFound { cardholder, scan } => EventData {
            cardholder_id: Some(cardholder.clone()),
            searches: vec![scan.into()],
            ..none
        },
        EventBody::ResubmissionOwed {
            purpose,
            generation,
            due,
            cardholder,
        } => EventData {
            retry_at: Some(*due),
            cardholder_id: cardholder.clone(),
            ..none
        }
        .call(*purpose, generation.0),
        EventBody::OrderAccepted {
            ids,
            under_review,
            source,
        } => EventData {
            under_review: Some(*under_review),
            ..none
        }
        .named(ids)
        .heard(source),
        EventBody::ProviderIdsLearned { ids, source } => none.named(ids).heard(source),
        EventBody::IdvRequired { link, source } => EventData {
            expires_at: link.as_ref().map(|link: &Link| link.expires_at),
            ..none
        }
        .heard(source),
        EventBody::IdvLinkIssued { link, source } => EventData {
            expires_at: Some(link.expires_at),
            ..none
        }
        .heard(source),
        EventBody::IdvSubmitted { source } | EventBody::IdvPassed { source } => none.heard(source),
        EventBody::IdvLinkExpired { link } => EventData {
            link: Some(*link),
            ..none
        },
        EventBody::FailureReported { code, source } => EventData {
            code: code.clone(),
            ..none
        }
        .heard(source),
        EventBody::CardActivated {
            card,
            status,
            source,
        } => {
            let card_status = Some(status.to_string());
            EventData {
                card_id: Some(card.clone()),
                card_status,
                ..none
            }
            .heard(source)
        }
        EventBody::OrderFailed { failure, source } => {
            let failed = EventData {
                failure: Some(failure.into()),
                ..none
            };
            source
                .as_ref()
                .map_or(failed.clone(), |source| failed.heard(source))
        }
        EventBody::AttentionRaised { reason } => EventData {
            reason: Some(reason.name()),
            code: attention_code(reason),
            ..none
        },
        EventBody::DiscrepancyNoted {
            discrepancy,
            source,
        } => EventData {
            discrepancy: Some(discrepancy.into()),
            ..none
        }
        .heard(source),
        EventBody::CompensationStarted { by } => EventData {
            by: Some(by_word(by)),
            ..none
        },
        EventBody::CompensationCompleted { status } => EventData {
            card_status: status.as_ref().map(ToString::to_string),
            ..none
        },
        EventBody::HostNotified { through } => EventData {
            through: Some(*through),
            ..none
        },
        EventBody::OperatorActed { act } => EventData {
            action: Some(act.action.name()),
            ..none
        },
        EventBody::ErasureRequested { by } => EventData {
            by: Some(by_word(by)),
            ..none
        },
        EventBody::PersonalDataErased { .. } => none,
    }
}

impl EventData {
    fn call(self, purpose: Purpose, generation: u32) -> Self {
        Self {
            purpose: Some(purpose.name()),
            generation: Some(generation),
            ..self
        }
    }

    fn named(self, ids: &ProviderIds) -> Self {
        let ProviderIds {
            card,
            card_order,
            cardholder,
        } = ids.clone();
        Self {
            card_id: card,
            card_order_id: card_order,
            cardholder_id: cardholder,
            ..self
        }
    }

    fn heard(self, source: &Source) -> Self {
        let evidence = match source {
            Source::Answer { .. } => EvidenceView {
                from: "answer",
                event_id: None,
                event_type: None,
            },
            Source::Webhook {
                event_id,
                event_type,
            } => EvidenceView {
                from: "webhook",
                event_id: Some(event_id.to_string()),
                event_type: Some(event_type.clone()),
            },
            Source::LookUp => EvidenceView {
                from: "look_up",
                event_id: None,
                event_type: None,
            },
        };
        Self {
            evidence: Some(evidence),
            ..self
        }
    }
}

fn because_word(cause: ExpiryCause) -> &'static str {
    match cause {
        ExpiryCause::TooOld => "too_old",
        ExpiryCause::BodyChanged => "body_changed",
        ExpiryCause::DataMissing => "data_missing",
    }
}

fn silence_word(cause: &SilenceCause) -> &'static str {
    match cause {
        SilenceCause::NotSent => "not_sent",
        SilenceCause::TokenRefused => "token_refused",
        SilenceCause::Blocked { .. } => "blocked",
        SilenceCause::RateLimited => "rate_limited",
        SilenceCause::Processing => "processing",
        SilenceCause::TimedOut => "timed_out",
        SilenceCause::ConnectionLost => "connection_lost",
        SilenceCause::ServerError { .. } => "server_error",
        SilenceCause::Unreadable { .. } => "unreadable",
        SilenceCause::Mismatched { .. } => "mismatched",
    }
}
