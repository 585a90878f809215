//! Why a person should look at an order, and what the provider says that the log contradicts.

use serde::{Deserialize, Serialize};

use crate::echo::Mismatch;
use crate::fact::{CardStatus, Refusal, RefusalClass};
use crate::ids::CardId;
use crate::key::Purpose;
use crate::time::Timestamp;

/// A mark that a person should look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// Why.
    pub reason: AttentionReason,
    /// Since when.
    pub since: Timestamp,
}

/// Why a person should look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AttentionReason {
    /// A create call was sent and nobody can say what became of it.
    OutcomeUnknown,
    /// Nothing came of a create call, as two searches prove; a person decides whether it is sent under a new key.
    AbsenceProved,
    /// The answer to its create call is another order's; what became of its own is looked for.
    AnswerMismatched {
        /// By what.
        mismatch: Mismatch,
    },
    /// The bytes we would send differ from the bytes we recorded under the same key.
    BodyChanged,
    /// The personal data needed for the call is gone from the vault.
    DataMissing,
    /// The provider says our key was used with another body.
    KeyConflict,
    /// No cards, no money or no quota at the provider.
    Capacity {
        /// The provider's code.
        code: Box<str>,
    },
    /// E-mail or phone is taken, maybe by an earlier attempt of this same order.
    PossibleLeftover {
        /// The provider's code.
        code: Box<str>,
    },
    /// The provider refused with a code that means our set-up, or that nobody documented.
    Refused {
        /// The provider's code.
        code: Box<str>,
    },
    /// The provider used a word we do not know.
    UnknownWord {
        /// Where.
        field: Box<str>,
        /// Which.
        word: Box<str>,
    },
    /// Accepted long ago and not active yet.
    ActivationOverdue,
    /// The review takes very long.
    ReviewOverdue,
    /// A person must act but there is no link to send them to.
    IdvLinkMissing,
    /// The link's time is over and policy leaves the rest to a person.
    IdvExpired,
    /// The provider does not know a card it named to us.
    CardNotFound,
    /// Log and provider disagree; see the discrepancy.
    Discrepancy,
    /// The card cannot be cancelled.
    CancelRefused {
        /// The provider's code.
        code: Box<str>,
    },
    /// One of its tasks fails inside the engine again and again: a fault of ours. It is tried on, slowly.
    TaskGivenUp {
        /// Which, by [`crate::Action::name`].
        action: Box<str>,
    },
    /// An operator stopped it.
    Paused,
}

impl AttentionReason {
    /// The name used in lists and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::OutcomeUnknown => "outcome_unknown",
            Self::AbsenceProved => "absence_proved",
            Self::AnswerMismatched { .. } => "answer_mismatched",
            Self::BodyChanged => "body_changed",
            Self::DataMissing => "data_missing",
            Self::KeyConflict => "key_conflict",
            Self::Capacity { .. } => "capacity",
            Self::PossibleLeftover { .. } => "possible_leftover",
            Self::Refused { .. } => "refused",
            Self::UnknownWord { .. } => "unknown_word",
            Self::ActivationOverdue => "activation_overdue",
            Self::ReviewOverdue => "review_overdue",
            Self::IdvLinkMissing => "idv_link_missing",
            Self::IdvExpired => "idv_expired",
            Self::CardNotFound => "card_not_found",
            Self::Discrepancy => "discrepancy",
            Self::CancelRefused { .. } => "cancel_refused",
            Self::TaskGivenUp { .. } => "task_given_up",
            Self::Paused => "paused",
        }
    }

    /// Why a person should look, in words: part of a sentence. What a provider's code means is the provider's own.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::OutcomeUnknown => {
                "a create call was sent and its outcome is still unknown; it is sent again with the same key"
            }
            Self::AbsenceProved => {
                "two searches prove that nothing came of the create call; a person decides whether it is sent under a new key"
            }
            Self::AnswerMismatched { .. } => {
                "the answer to the create call is another order's; what became of this one is looked for"
            }
            Self::BodyChanged => {
                "the call would differ from the one first sent under its key, so it is not sent"
            }
            Self::DataMissing => "the personal data needed for the call is gone",
            Self::KeyConflict => {
                "the provider says the key was used with another body; nothing more is sent by itself"
            }
            Self::Capacity { .. } => {
                "the provider cannot make this card now; it is asked again under a new key"
            }
            Self::PossibleLeftover { .. } => {
                "e-mail or phone is taken, perhaps by an earlier try of this order"
            }
            Self::Refused { .. } => {
                "the provider refused with a word about our set-up, or one nobody documented"
            }
            Self::UnknownWord { .. } => "the provider used a word this engine does not know",
            Self::ActivationOverdue => "it was accepted long ago and there is still no card",
            Self::ReviewOverdue => "the review takes very long",
            Self::IdvLinkMissing => "a person must act and there is no link to send them to",
            Self::IdvExpired => "the identity check's time is over",
            Self::CardNotFound => "the provider does not know a card it named to us",
            Self::Discrepancy => "log and provider disagree",
            Self::CancelRefused { .. } => "the card cannot be cancelled",
            Self::TaskGivenUp { .. } => {
                "one of its tasks fails inside the engine again and again; it is tried on, slowly"
            }
            Self::Paused => "an operator stopped it",
        }
    }
}

/// What the provider says that the log contradicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Discrepancy {
    /// A live card behind a failed order.
    LateSuccess {
        /// The card.
        card: CardId,
    },
    /// Another card for the same order: maybe issued twice.
    SecondCard {
        /// The other card.
        card: CardId,
        /// Its status, if it was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<CardStatus>,
    },
    /// The provider calls, or called, an active order's card failed.
    ActiveCardFailed,
    /// The provider rejects the person behind an active card.
    ActivePersonRejected,
    /// The provider no longer lists the card of an active order.
    ActiveCardMissing {
        /// The card.
        card: CardId,
    },
    /// Something that names this order, or its card, is about another order (reliability F-040). It was not applied.
    Mismatched {
        /// By what.
        mismatch: Mismatch,
        /// The card it named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<CardId>,
    },
}

/// More than an order can have honestly; the oldest is forgotten first.
const MAX_RESOLVED: usize = 2 * Discrepancy::MAX_OPEN;

impl Discrepancy {
    /// More at once tell a person nothing new.
    pub(crate) const MAX_OPEN: usize = 16;

    /// The card it is about, when it names one.
    #[must_use]
    pub fn card(&self) -> Option<&CardId> {
        match self {
            Self::LateSuccess { card }
            | Self::SecondCard { card, .. }
            | Self::ActiveCardMissing { card } => Some(card),
            Self::Mismatched { card, .. } => card.as_ref(),
            Self::ActiveCardFailed | Self::ActivePersonRejected => None,
        }
    }

    /// Whether this is an answer to `heard`: the same contradiction was dealt with, or what became of its card is good
    /// news only.
    pub(crate) fn covers(&self, heard: &Self) -> bool {
        match (self, heard) {
            (Self::SecondCard { card: known, .. }, Self::SecondCard { card, status }) => {
                let over = status.as_ref().is_some_and(|status| {
                    matches!(
                        status,
                        CardStatus::PreCancel | CardStatus::Cancelled | CardStatus::Failed
                    )
                });
                self == heard || (known == card && over)
            }
            (
                Self::LateSuccess { .. }
                | Self::SecondCard { .. }
                | Self::ActiveCardFailed
                | Self::ActivePersonRejected
                | Self::ActiveCardMissing { .. }
                | Self::Mismatched { .. },
                _,
            ) => self == heard,
        }
    }

    /// Adds what a person dealt with.
    pub(crate) fn resolve(self, resolved: &mut Vec<Self>) {
        resolved.retain(|known| *known != self);
        if resolved.len() >= MAX_RESOLVED {
            resolved.remove(0);
        }
        resolved.push(self);
    }
}

impl AttentionReason {
    /// What a person is called for after a definite refusal.
    pub(crate) fn behind(purpose: Purpose, refusal: &Refusal) -> Self {
        let code = refusal.code.clone();
        match (purpose, refusal.class) {
            (Purpose::CancelCard, _) => Self::CancelRefused { code },
            (Purpose::RenewIdvLink, _) => Self::IdvLinkMissing,
            (Purpose::CreateCard, RefusalClass::Duplicate) => Self::PossibleLeftover { code },
            (Purpose::CreateCard, RefusalClass::Capacity) => Self::Capacity { code },
            (Purpose::CreateCard, RefusalClass::KeyConflict) => Self::KeyConflict,
            (
                Purpose::CreateCard,
                RefusalClass::Input | RefusalClass::Configuration | RefusalClass::Unknown,
            ) => Self::Refused { code },
        }
    }

    /// Raised by what a read shows, and by the next read again.
    pub(crate) fn is_read_off(&self) -> bool {
        matches!(self, Self::UnknownWord { .. } | Self::CardNotFound)
    }
}

impl Attention {
    /// Progress of the order answers every reason but these.
    pub(crate) fn outlives_progress(&self) -> bool {
        matches!(
            self.reason,
            AttentionReason::Discrepancy | AttentionReason::Paused
        )
    }
}
