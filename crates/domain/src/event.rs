//! What happened to an order, past tense. Stored names never change and are never reused; an added optional field keeps
//! the schema, anything else is a new schema and one step in the store's `upcast`.

use serde::{Deserialize, Serialize};

use crate::absence::Scan;
use crate::attention::{AttentionReason, Discrepancy};
use crate::fact::{CardStatus, Link, ProviderIds, Refusal, Source};
use crate::failure::Failure;
use crate::ids::{CardId, CardholderId, Digest, Version};
use crate::key::{Generation, IdempotencyKey, Purpose};
use crate::order::{ExpiryCause, SilenceCause};
use crate::request::Terms;
use crate::time::Timestamp;

/// One event and when it was recorded, by our clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When we recorded it.
    pub at: Timestamp,
    /// What happened.
    pub body: EventBody,
}

/// What happened. Each says which states take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "body", rename_all = "snake_case")]
pub enum EventBody {
    /// Nothing → `Requested`: the host asked for a card, and the request passed the product's check.
    OrderRequested {
        /// What may stand in the log.
        terms: Terms,
        /// Salted digest of what may not; the salt lies in the vault.
        personal_digest: Digest,
        /// Money is loaded at creation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        prepaid: bool,
    },
    /// Any open state, and any state with a compensation: a call is about to leave, durable before its first byte.
    SubmissionStarted {
        /// What the call is for.
        purpose: Purpose,
        /// Which key.
        generation: Generation,
        /// Counts sends under this key, from 1.
        attempt: u32,
        /// The key itself.
        key: IdempotencyKey,
        /// Salted digest of the exact bytes.
        body_digest: Digest,
    },
    /// As above: a call brought no definite answer. The outcome is unknown if it was sent.
    SubmissionUnanswered {
        /// What the call was for.
        purpose: Purpose,
        /// Which key.
        generation: Generation,
        /// Which send.
        attempt: u32,
        /// What we know of the silence.
        cause: SilenceCause,
        /// When the same key and body are tried again.
        retry_at: Timestamp,
    },
    /// As above: the provider definitely refused. What follows is the next event's to say.
    SubmissionRefused {
        /// What the call was for.
        purpose: Purpose,
        /// Which key. It is spent: refusals are cached for 24 h under it (contract §6.4).
        generation: Generation,
        /// What was said.
        refusal: Refusal,
        /// How we heard it.
        source: Source,
    },
    /// Any state with a compensation: the provider took the call; its effect is still to be seen.
    SubmissionAnswered {
        /// What the call was for.
        purpose: Purpose,
        /// Which key.
        generation: Generation,
        /// How we heard it.
        source: Source,
    },
    /// Any state with a submission: the key can no longer be sent safely; from here only proof decides.
    KeyExpired {
        /// What the key was for.
        purpose: Purpose,
        /// Which key.
        generation: Generation,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<ExpiryCause>,
    },
    /// `Requested`, with a key that is never sent again: a complete search found no card of the order.
    AbsenceObserved {
        /// Which key.
        generation: Generation,
        /// What was searched, and when.
        scan: Scan,
        /// Whether it began late enough after the last send to count towards proof.
        counts: bool,
    },
    /// As above: a second search, late enough after the first, found none either. Nothing came of the key.
    AbsenceProved {
        /// Which key.
        generation: Generation,
        /// The earlier search.
        first: Scan,
        /// The later one.
        second: Scan,
    },
    /// As above: an earlier key made the person and no card. The order goes on with this person, in two steps.
    LeftoverFound {
        /// The person.
        cardholder: CardholderId,
        /// The search that found them.
        scan: Scan,
    },
    /// Any state with a submission that is spent: the same is owed under a new key.
    ResubmissionOwed {
        /// What for.
        purpose: Purpose,
        /// The new key.
        generation: Generation,
        /// When.
        due: Timestamp,
        /// The person the new body names, if an earlier key left them behind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cardholder: Option<CardholderId>,
    },
    /// `Requested` → `Accepted`: the provider has the order.
    OrderAccepted {
        /// What it calls it.
        ids: ProviderIds,
        /// It says it is reviewing the person.
        under_review: bool,
        /// How we heard it.
        source: Source,
    },
    /// Any but `Requested`: the provider named something we had no name for.
    ProviderIdsLearned {
        /// The new names.
        ids: ProviderIds,
        /// How we heard them.
        source: Source,
    },
    /// `Accepted` → `IdvPending`: a person must act. Without a link, we look for one.
    IdvRequired {
        /// Where the person must go.
        link: Option<Link>,
        /// How we heard it.
        source: Source,
    },
    /// `IdvPending`: a newer link replaces the one before.
    IdvLinkIssued {
        /// The newest link.
        link: Link,
        /// How we heard it.
        source: Source,
    },
    /// `Accepted`, `IdvPending`: the person has done their part; the provider is reviewing.
    IdvSubmitted {
        /// How we heard it.
        source: Source,
    },
    /// `IdvPending`: the link's time is over and the provider, asked first, knows no success. A renewal is owed.
    IdvLinkExpired {
        /// Counts links, from 1.
        link: u32,
    },
    /// `IdvPending`, or `Accepted` under review → `Accepted`: the person is verified; the card follows.
    IdvPassed {
        /// How we heard it.
        source: Source,
    },
    /// `Accepted`, `IdvPending`: a message claims that the card failed, or that the person was rejected; we read before we
    /// believe it.
    FailureReported {
        /// The provider's reason, if it gave one.
        code: Option<Box<str>>,
        /// How we heard it.
        source: Source,
    },
    /// Any open state, and any state with a compensation: something should be read at the provider now.
    LookUpRequested {
        /// Why.
        cause: LookUpCause,
    },
    /// An ended state: what was to be read was read. What it showed stands in the events before.
    LookedUp {
        /// The version that made the look-up owed.
        cause: Version,
    },
    /// `Accepted`, `IdvPending` → `Active`: the card is usable.
    CardActivated {
        /// The card.
        card: CardId,
        /// Its status when we heard: `ACTIVE`, or a state that only follows it.
        status: CardStatus,
        /// How we heard it.
        source: Source,
    },
    /// Any open state → `Failed`.
    OrderFailed {
        /// Why, and who can do what about it.
        failure: Failure,
        /// How we heard it, if the provider said it.
        source: Option<Source>,
    },
    /// Any state: a person should look.
    AttentionRaised {
        /// Why.
        reason: AttentionReason,
    },
    /// Any state: the provider contradicts what the log says. Shown to an operator, never dropped.
    DiscrepancyNoted {
        /// What disagrees.
        discrepancy: Discrepancy,
        /// How we heard it.
        source: Source,
    },
    /// Any state: the card is to be cancelled as soon as the provider allows.
    CompensationStarted {
        /// Who wants it.
        by: By,
    },
    /// Any state: the card is cancelled, or there turned out to be none.
    CompensationCompleted {
        /// The card's last status; none if there was no card.
        status: Option<CardStatus>,
    },
    /// Any state: the host confirmed every notice up to a version.
    HostNotified {
        /// Up to which of our versions.
        through: Version,
    },
    /// Any state: an operator did something; the effect stands in the events after it.
    OperatorActed {
        /// Who, why, what.
        act: OperatorAct,
    },
    /// An ended state: what the vault holds of the order is to be erased. Durable before anything is.
    ErasureRequested {
        /// Who wants it.
        by: By,
    },
    /// An ended state: the vault holds nothing of the order any more, from before this event was durable.
    PersonalDataErased {
        /// The version that requested it.
        requested: Version,
    },
}

/// Why something is read at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookUpCause {
    /// A fact needs the provider's own record to be believed.
    Confirm {
        /// How we heard the fact.
        source: Source,
    },
    /// An operator asked.
    Operator,
    /// E-mail or phone is taken, perhaps by a cardholder an earlier send of ours left behind.
    Leftover,
}

/// Who started a compensation, or an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The configured policy.
    Policy,
    /// A person.
    Operator,
    /// The host.
    Host,
}

/// One act of an operator, as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorAct {
    /// Who.
    pub actor: Box<str>,
    /// Why, in their words. Not a place for personal data.
    pub reason: Box<str>,
    /// What.
    pub action: OperatorAction,
}

/// What an operator can do to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorAction {
    /// Send what is owed now rather than later; after a definite refusal for lack of capacity, under a new key.
    RetryNow,
    /// Ask for a send under a new key; only with a fresh proof that nothing came of the one before. A second person
    /// approves it.
    Resubmit,
    /// Approve what another person asked for: it is sent under a new key, if the proof is still fresh.
    ApproveResubmit,
    /// Read the provider's record now.
    LookUpNow,
    /// Ask for a fresh identity-check link.
    RefreshIdvLink,
    /// End the order. A card that turns up later is a discrepancy.
    Fail,
    /// End the order and cancel its card.
    Cancel,
    /// Do nothing more by itself until resumed.
    Pause,
    /// Go on.
    Resume,
    /// Only the reason is recorded.
    Note,
    /// The discrepancy, or whatever an ended order still stands on the attention list for, is dealt with.
    ResolveDiscrepancy,
    /// Erase what the vault holds of an ended order. Nothing brings it back.
    ErasePersonalData,
}

impl OperatorAction {
    /// The name used in lists, paths and the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RetryNow => "retry_now",
            Self::Resubmit => "resubmit",
            Self::ApproveResubmit => "approve_resubmit",
            Self::LookUpNow => "look_up_now",
            Self::RefreshIdvLink => "refresh_idv_link",
            Self::Fail => "fail",
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Note => "note",
            Self::ResolveDiscrepancy => "resolve_discrepancy",
            Self::ErasePersonalData => "erase_personal_data",
        }
    }
}

impl EventBody {
    /// The stored name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::OrderRequested { .. } => "order_requested",
            Self::SubmissionStarted { .. } => "submission_started",
            Self::SubmissionUnanswered { .. } => "submission_unanswered",
            Self::SubmissionRefused { .. } => "submission_refused",
            Self::SubmissionAnswered { .. } => "submission_answered",
            Self::KeyExpired { .. } => "key_expired",
            Self::AbsenceObserved { .. } => "absence_observed",
            Self::AbsenceProved { .. } => "absence_proved",
            Self::LeftoverFound { .. } => "leftover_found",
            Self::ResubmissionOwed { .. } => "resubmission_owed",
            Self::OrderAccepted { .. } => "order_accepted",
            Self::ProviderIdsLearned { .. } => "provider_ids_learned",
            Self::IdvRequired { .. } => "idv_required",
            Self::IdvLinkIssued { .. } => "idv_link_issued",
            Self::IdvSubmitted { .. } => "idv_submitted",
            Self::IdvLinkExpired { .. } => "idv_link_expired",
            Self::IdvPassed { .. } => "idv_passed",
            Self::FailureReported { .. } => "failure_reported",
            Self::LookUpRequested { .. } => "look_up_requested",
            Self::LookedUp { .. } => "looked_up",
            Self::CardActivated { .. } => "card_activated",
            Self::OrderFailed { .. } => "order_failed",
            Self::AttentionRaised { .. } => "attention_raised",
            Self::DiscrepancyNoted { .. } => "discrepancy_noted",
            Self::CompensationStarted { .. } => "compensation_started",
            Self::CompensationCompleted { .. } => "compensation_completed",
            Self::HostNotified { .. } => "host_notified",
            Self::OperatorActed { .. } => "operator_acted",
            Self::ErasureRequested { .. } => "erasure_requested",
            Self::PersonalDataErased { .. } => "personal_data_erased",
        }
    }

    /// How we heard it, if it was heard: the evidence it names.
    #[must_use]
    pub fn source(&self) -> Option<&Source> {
        match self {
            Self::SubmissionRefused { source, .. }
            | Self::SubmissionAnswered { source, .. }
            | Self::OrderAccepted { source, .. }
            | Self::ProviderIdsLearned { source, .. }
            | Self::IdvRequired { source, .. }
            | Self::IdvLinkIssued { source, .. }
            | Self::IdvSubmitted { source }
            | Self::IdvPassed { source }
            | Self::FailureReported { source, .. }
            | Self::LookUpRequested {
                cause: LookUpCause::Confirm { source },
            }
            | Self::CardActivated { source, .. }
            | Self::DiscrepancyNoted { source, .. } => Some(source),
            Self::OrderFailed { source, .. } => source.as_ref(),
            Self::OrderRequested { .. }
            | Self::SubmissionStarted { .. }
            | Self::SubmissionUnanswered { .. }
            | Self::KeyExpired { .. }
            | Self::AbsenceObserved { .. }
            | Self::AbsenceProved { .. }
            | Self::LeftoverFound { .. }
            | Self::ResubmissionOwed { .. }
            | Self::IdvLinkExpired { .. }
            | Self::LookUpRequested {
                cause: LookUpCause::Operator | LookUpCause::Leftover,
            }
            | Self::LookedUp { .. }
            | Self::AttentionRaised { .. }
            | Self::CompensationStarted { .. }
            | Self::CompensationCompleted { .. }
            | Self::HostNotified { .. }
            | Self::OperatorActed { .. }
            | Self::ErasureRequested { .. }
            | Self::PersonalDataErased { .. } => None,
        }
    }

    /// The schema number of what today's code writes under this name.
    #[must_use]
    pub fn schema(&self) -> u16 {
        1
    }
}
