//! An order as its events left it. `evolve` only remembers; it judges nothing but whether a history can be true.

use serde::{Deserialize, Serialize};

use crate::event::{By, Event, EventBody, LookUpCause, OperatorAction};
use crate::fact::{CardStatus, Link, ProviderIds, Refusal, RefusalClass};
use crate::ids::{CardId, Digest, OrderId, Version};
use crate::key::{Generation, IdempotencyKey, Purpose};
use crate::request::Terms;
use crate::time::Timestamp;

/// One card order and the saga that fulfils it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// The version of its newest event.
    pub version: Version,
    /// When the host asked.
    pub placed_at: Timestamp,
    /// When its newest event was recorded.
    pub updated_at: Timestamp,
    /// What may stand in the log of what the host asked.
    pub terms: Terms,
    /// Salted digest of what may not.
    pub personal_digest: Digest,
    /// Where it stands.
    pub state: State,
    /// The provider's names for it.
    pub ids: ProviderIds,
    /// The look-up it owes, while it is open.
    pub look_up: Option<LookUp>,
    /// A failure somebody reported and nobody confirmed yet.
    pub claim: Option<FailureClaim>,
    /// Why a person should look.
    pub attention: Option<Attention>,
    /// What the provider says that the log contradicts.
    pub discrepancy: Option<Discrepancy>,
    /// The cancelling of its card.
    pub compensation: Option<Compensation>,
    /// How many links were asked for anew.
    pub renewals: u32,
    /// What the host is owed and was told.
    pub notice: Notice,
    /// Alarms count from here.
    pub watch: Watch,
    /// An operator stopped it.
    pub paused: bool,
}

/// Where an order stands. `Active` and `Failed` absorb: later facts are recorded, never silently applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// The host asked; a submission is owed, or its outcome is unknown.
    Requested {
        /// The create call.
        submission: Submission,
    },
    /// The provider has it and makes the card.
    Accepted {
        /// Since when.
        since: Timestamp,
        /// The provider reviews the person; this can take days.
        under_review: bool,
    },
    /// A person has to act.
    IdvPending {
        /// The identity check.
        idv: Idv,
    },
    /// The card is usable.
    Active {
        /// The card.
        card: CardId,
        /// Since when.
        since: Timestamp,
    },
    /// There will be no card.
    Failed {
        /// Why.
        failure: Failure,
        /// Since when.
        since: Timestamp,
    },
}

impl State {
    /// The name used in lists, metrics and documents.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::Accepted { .. } => "accepted",
            Self::IdvPending { .. } => "idv_pending",
            Self::Active { .. } => "active",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether nothing can change it any more.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Active { .. } | Self::Failed { .. } => true,
            Self::Requested { .. } | Self::Accepted { .. } | Self::IdvPending { .. } => false,
        }
    }
}

/// One intended effect at the provider: one key, one body, as many sends as it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// What it is for.
    pub purpose: Purpose,
    /// Which key of that purpose.
    pub generation: Generation,
    /// The key.
    pub key: IdempotencyKey,
    /// The version that made it owed: its task's name.
    pub cause: Version,
    /// How often it was started.
    pub attempts: u32,
    /// When it was first started: the key's age counts from here.
    pub first_started_at: Option<Timestamp>,
    /// Salted digest of the exact bytes, once started.
    pub body_digest: Option<Digest>,
    /// Whether an earlier attempt may have reached the provider.
    pub maybe_sent: bool,
    /// Where it stands.
    pub phase: Phase,
}

/// Where a submission stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// To be sent at this time.
    Owed {
        /// When.
        due: Timestamp,
    },
    /// Started; no answer recorded yet.
    InFlight {
        /// When it was started.
        since: Timestamp,
    },
    /// Definitely refused; the key is spent.
    Refused {
        /// What was said.
        refusal: Refusal,
    },
    /// The key is too old to be sent again.
    Expired,
    /// Answered.
    Done,
}

impl Submission {
    fn new(order: OrderId, purpose: Purpose, generation: Generation, cause: Version, due: Timestamp) -> Self {
        Self {
            purpose,
            generation,
            key: IdempotencyKey::derive(order, purpose, generation),
            cause,
            attempts: 0,
            first_started_at: None,
            body_digest: None,
            maybe_sent: false,
            phase: Phase::Owed { due },
        }
    }

    /// Whether the provider may have acted on it without our knowing the outcome.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self.phase {
            Phase::InFlight { .. } => true,
            Phase::Owed { .. } | Phase::Expired => self.maybe_sent,
            // Something else was done under our key: what, nobody can say.
            Phase::Refused { refusal: Refusal { class: RefusalClass::KeyConflict, .. } } => true,
            Phase::Refused { .. } | Phase::Done => false,
        }
    }
}

/// The identity check of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idv {
    /// Since when the person is asked.
    pub since: Timestamp,
    /// The newest link, if the provider gave one.
    pub link: Option<Link>,
    /// Counts links, from 1; a timer carries the number of the link it belongs to.
    pub number: u32,
    /// Since when the person's part is done.
    pub submitted_at: Option<Timestamp>,
    /// A fresh link that was asked for.
    pub renewal: Option<Submission>,
}

/// A look-up that is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookUp {
    /// The version that made it owed: its task's name.
    pub cause: Version,
    /// When that was.
    pub at: Timestamp,
    /// At once, or after the schedule's first wait.
    pub at_once: bool,
}

/// A failure somebody reported; a read decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureClaim {
    /// The provider's reason, if it gave one.
    pub code: Option<Box<str>>,
    /// When it was reported.
    pub at: Timestamp,
}

/// Why a call brought no definite answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SilenceCause {
    /// It never left: refused connection, unknown host, failed handshake.
    NotSent,
    /// The provider turned it away at the door for reasons that hold for every order (credentials, address, route).
    Blocked {
        /// The provider's word.
        code: Box<str>,
    },
    /// Too many calls.
    RateLimited,
    /// The same key is being worked on.
    Processing,
    /// No answer in time.
    TimedOut,
    /// The connection ended before the answer did.
    ConnectionLost,
    /// A 5xx, 408 or 409.
    ServerError {
        /// Its status.
        http_status: u16,
    },
    /// An answer we cannot read.
    Unreadable {
        /// Its status.
        http_status: u16,
    },
}

impl SilenceCause {
    /// Whether the provider may have acted on the call.
    #[must_use]
    pub fn maybe_sent(&self) -> bool {
        match self {
            Self::NotSent | Self::Blocked { .. } | Self::RateLimited => false,
            Self::Processing
            | Self::TimedOut
            | Self::ConnectionLost
            | Self::ServerError { .. }
            | Self::Unreadable { .. } => true,
        }
    }
}

/// Why an order ended without a card, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// The provider's code, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Box<str>>,
    /// Dotted paths the provider missed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_fields: Vec<Box<str>>,
    /// Who must act.
    pub who: Who,
    /// Whether a new order, once they acted, could succeed.
    pub new_order_could_succeed: bool,
}

/// What ended an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The provider refused the data.
    Refused,
    /// E-mail or phone belongs to somebody else.
    Duplicate,
    /// The card could not be made.
    CreationFailed,
    /// The person was rejected.
    KycRejected,
    /// The person did not act in time: our decision, not the provider's.
    IdvExpired,
    /// The provider cancelled the card before it was active.
    CancelledByProvider,
    /// The host or an operator cancelled it.
    Cancelled,
    /// An operator ended it.
    OperatorFailed,
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Whoever placed the order.
    Host,
    /// Whoever runs this engine.
    Operator,
    /// UQPAY.
    Provider,
    /// Nobody.
    Nobody,
}

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
    /// An operator stopped it.
    Paused,
}

impl AttentionReason {
    /// The name used in lists and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::OutcomeUnknown => "outcome_unknown",
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
            Self::Paused => "paused",
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
    },
    /// The provider calls, or called, an active order's card failed.
    ActiveCardFailed,
}

/// The cancelling of an order's card (contract §2.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compensation {
    /// Who started it.
    pub by: By,
    /// Since when.
    pub since: Timestamp,
    /// The cancel call, once the card is in a state that can be cancelled.
    pub submission: Option<Submission>,
    /// Whether it is over.
    pub done: bool,
    /// The card's last status once it is over; none if there was no card to cancel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<CardStatus>,
}

/// What the host is owed and was told, by version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The newest version the host should know of.
    pub owed: Version,
    /// When that was recorded.
    pub owed_at: Timestamp,
    /// The newest version the host confirmed.
    pub told: Version,
}

/// From when alarms count: the state's beginning, or an operator's last act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The version that set it: the alarm's name.
    pub cause: Version,
    /// When.
    pub since: Timestamp,
}

/// A history that cannot be true: a broken store or an event of a newer engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event `{event}` cannot follow version {version} in state `{state}`")]
pub struct CorruptHistory {
    /// The event that does not fit.
    pub event: &'static str,
    /// The version before it.
    pub version: Version,
    /// The state before it; `none` before the first event.
    pub state: &'static str,
}

/// Applies one event.
///
/// # Errors
/// When the event cannot follow the order's history.
pub fn evolve(id: OrderId, order: Option<Order>, event: &Event) -> Result<Order, CorruptHistory> {
    let Some(order) = order else { return begin(id, event) };
    let misfit = CorruptHistory { event: event.body.name(), version: order.version, state: order.state.name() };
    order.apply(event).ok_or(misfit)
}

fn begin(id: OrderId, event: &Event) -> Result<Order, CorruptHistory> {
    let EventBody::OrderRequested { terms, personal_digest } = &event.body else {
        return Err(CorruptHistory { event: event.body.name(), version: Version::NONE, state: "none" });
    };
    let version = Version::NONE.next();
    Ok(Order {
        id,
        version,
        placed_at: event.at,
        updated_at: event.at,
        terms: terms.clone(),
        personal_digest: personal_digest.clone(),
        state: State::Requested {
            submission: Submission::new(id, Purpose::CreateCard, Generation(1), version, event.at),
        },
        ids: ProviderIds { cardholder: terms.cardholder_id.clone(), ..ProviderIds::default() },
        look_up: None,
        claim: None,
        attention: None,
        discrepancy: None,
        compensation: None,
        renewals: 0,
        notice: Notice { owed: Version::NONE, owed_at: event.at, told: Version::NONE },
        watch: Watch { cause: version, since: event.at },
        paused: false,
    })
}

impl Order {
    /// The submission of one purpose, if the order has one now.
    #[must_use]
    pub fn submission(&self, purpose: Purpose) -> Option<&Submission> {
        match purpose {
            Purpose::CreateCard => {
                let State::Requested { submission } = &self.state else { return None };
                Some(submission)
            }
            Purpose::RenewIdvLink => {
                let State::IdvPending { idv } = &self.state else { return None };
                idv.renewal.as_ref()
            }
            Purpose::CancelCard => self.compensation.as_ref().and_then(|running| running.submission.as_ref()),
        }
    }

    fn submission_mut(&mut self, purpose: Purpose, generation: Generation) -> Option<&mut Submission> {
        let found = match purpose {
            Purpose::CreateCard => {
                let State::Requested { submission } = &mut self.state else { return None };
                Some(submission)
            }
            Purpose::RenewIdvLink => {
                let State::IdvPending { idv } = &mut self.state else { return None };
                idv.renewal.as_mut()
            }
            Purpose::CancelCard => self.compensation.as_mut().and_then(|running| running.submission.as_mut()),
        };
        found.filter(|submission| submission.generation == generation)
    }

    /// Whether a compensation is on its way.
    #[must_use]
    pub fn is_compensating(&self) -> bool {
        self.compensation.as_ref().is_some_and(|running| !running.done)
    }

    /// `None` when the event cannot follow.
    fn apply(mut self, event: &Event) -> Option<Self> {
        self.version = self.version.next();
        self.updated_at = event.at;
        let (version, at) = (self.version, event.at);
        match &event.body {
            EventBody::OrderRequested { .. } => return None,
            EventBody::SubmissionStarted { purpose, generation, attempt, body_digest, .. } => {
                let submission = self.submission_mut(*purpose, *generation)?;
                submission.attempts = *attempt;
                submission.first_started_at.get_or_insert(at);
                submission.body_digest = Some(body_digest.clone());
                // A call in flight that is started again was lost with its process; it may have arrived.
                submission.maybe_sent |= matches!(submission.phase, Phase::InFlight { .. });
                submission.phase = Phase::InFlight { since: at };
            }
            EventBody::SubmissionUnanswered { purpose, generation, cause, retry_at, .. } => {
                let submission = self.submission_mut(*purpose, *generation)?;
                submission.maybe_sent |= cause.maybe_sent();
                submission.phase = Phase::Owed { due: *retry_at };
            }
            EventBody::SubmissionRefused { purpose, generation, refusal, .. } => {
                self.submission_mut(*purpose, *generation)?.phase = Phase::Refused { refusal: refusal.clone() };
            }
            EventBody::SubmissionAnswered { purpose, generation, .. } => {
                self.submission_mut(*purpose, *generation)?.phase = Phase::Done;
            }
            EventBody::KeyExpired { purpose, generation } => {
                let submission = self.submission_mut(*purpose, *generation)?;
                // A call in flight that is given up may have arrived.
                submission.maybe_sent |= matches!(submission.phase, Phase::InFlight { .. });
                submission.phase = Phase::Expired;
                self.look_up = Some(LookUp { cause: version, at, at_once: true });
            }
            EventBody::OrderAccepted { ids, under_review, .. } => {
                let State::Requested { .. } = self.state else { return None };
                self.ids.learn(ids);
                self.enter(State::Accepted { since: at, under_review: *under_review }, at);
            }
            EventBody::ProviderIdsLearned { ids, .. } => self.ids.learn(ids),
            EventBody::IdvRequired { link, .. } => {
                let State::Accepted { .. } = self.state else { return None };
                let idv = Idv { since: at, link: link.clone(), number: 1, submitted_at: None, renewal: None };
                self.enter(State::IdvPending { idv }, at);
                // Without a link there is one to be found.
                self.look_up = Some(LookUp { cause: version, at, at_once: link.is_none() });
                self.owe_notice(version, at);
            }
            EventBody::IdvLinkIssued { link, .. } => {
                let State::IdvPending { idv } = &mut self.state else { return None };
                idv.number += u32::from(idv.link.is_some());
                idv.link = Some(link.clone());
                idv.submitted_at = None;
                idv.renewal = None;
                self.attention = self.attention.take().filter(Attention::outlives_progress);
                self.owe_notice(version, at);
            }
            EventBody::IdvSubmitted { .. } => match &mut self.state {
                State::IdvPending { idv } => {
                    idv.submitted_at.get_or_insert(at);
                }
                State::Accepted { under_review, .. } => *under_review = true,
                State::Requested { .. } | State::Active { .. } | State::Failed { .. } => return None,
            },
            EventBody::IdvLinkExpired { .. } => self.owe_renewal(version, at)?,
            EventBody::IdvPassed { .. } => {
                let (State::IdvPending { .. } | State::Accepted { under_review: true, .. }) = self.state else {
                    return None;
                };
                self.enter(State::Accepted { since: at, under_review: false }, at);
            }
            EventBody::FailureReported { code, .. } => {
                if !self.is_waiting() {
                    return None;
                }
                let claim = self.claim.get_or_insert(FailureClaim { code: None, at });
                claim.code = claim.code.take().or_else(|| code.clone());
                self.look_up = Some(LookUp { cause: version, at, at_once: true });
            }
            EventBody::LookUpRequested { cause: LookUpCause::Confirm { .. } | LookUpCause::Operator } => {
                self.look_up = Some(LookUp { cause: version, at, at_once: true });
            }
            EventBody::CardActivated { card, .. } => {
                if !self.is_waiting() {
                    return None;
                }
                self.enter(State::Active { card: card.clone(), since: at }, at);
                self.owe_cancel(version, at);
                self.owe_notice(version, at);
            }
            EventBody::OrderFailed { failure, .. } => {
                if self.state.is_terminal() {
                    return None;
                }
                self.enter(State::Failed { failure: failure.clone(), since: at }, at);
                self.owe_notice(version, at);
            }
            EventBody::AttentionRaised { reason } => {
                self.attention = Some(Attention { reason: reason.clone(), since: at });
            }
            EventBody::DiscrepancyNoted { discrepancy, .. } => {
                self.discrepancy = Some(discrepancy.clone());
                self.attention = Some(Attention { reason: AttentionReason::Discrepancy, since: at });
            }
            EventBody::CompensationStarted { by } => {
                self.compensation =
                    Some(Compensation { by: by.clone(), since: at, submission: None, done: false, ended: None });
                if self.state.is_terminal() {
                    self.owe_cancel(version, at);
                }
            }
            EventBody::CompensationCompleted { status } => {
                let running = self.compensation.as_mut()?;
                running.done = true;
                running.ended = status.clone();
                running.submission = None;
                if matches!(self.discrepancy, Some(Discrepancy::LateSuccess { .. })) {
                    self.discrepancy = None;
                }
                self.settle_attention(at);
                self.look_up = None;
                self.owe_notice(version, at);
            }
            EventBody::HostNotified { through } => self.notice.told = self.notice.told.max(*through),
            EventBody::OperatorActed { act } => self.act(act.action, version, at)?,
        }
        Some(self)
    }

    fn owe_notice(&mut self, version: Version, at: Timestamp) {
        self.notice.owed = version;
        self.notice.owed_at = at;
    }

    /// Enters a state: what belonged to the one before is over.
    fn enter(&mut self, state: State, at: Timestamp) {
        self.attention = self.attention.take().filter(Attention::outlives_progress);
        // A reported failure outlives the identity check: only an end, or a read, settles it.
        self.claim = self.claim.take().filter(|_| !state.is_terminal());
        self.watch = Watch { cause: self.version, since: at };
        self.look_up = (!state.is_terminal()).then_some(LookUp { cause: self.version, at, at_once: false });
        self.state = state;
    }

    fn owe_renewal(&mut self, version: Version, at: Timestamp) -> Option<()> {
        let State::IdvPending { idv } = &mut self.state else { return None };
        self.renewals += 1;
        idv.renewal = Some(Submission::new(self.id, Purpose::RenewIdvLink, Generation(self.renewals), version, at));
        Some(())
    }

    /// A running compensation can cancel once the card's making is over.
    fn owe_cancel(&mut self, version: Version, at: Timestamp) {
        let Some(running) = self.compensation.as_mut().filter(|running| !running.done) else { return };
        let generation = running.submission.as_ref().map_or(1, |spent| spent.generation.0 + 1);
        running.submission = Some(Submission::new(self.id, Purpose::CancelCard, Generation(generation), version, at));
        // The cancel's end is read like everything else.
        self.look_up = Some(LookUp { cause: version, at, at_once: false });
    }

    fn act(&mut self, action: OperatorAction, version: Version, at: Timestamp) -> Option<()> {
        if action != OperatorAction::Note {
            self.watch = Watch { cause: version, since: at };
        }
        match action {
            OperatorAction::RetryNow => self.retry_now(version, at),
            OperatorAction::RefreshIdvLink => self.owe_renewal(version, at)?,
            OperatorAction::Pause => {
                self.paused = true;
                self.attention = Some(Attention { reason: AttentionReason::Paused, since: at });
            }
            OperatorAction::Resume => {
                self.paused = false;
                self.settle_attention(at);
            }
            OperatorAction::ResolveDiscrepancy => {
                self.discrepancy = None;
                self.settle_attention(at);
            }
            // What follows from these stands in the events after them.
            OperatorAction::LookUpNow | OperatorAction::Fail | OperatorAction::Cancel | OperatorAction::Note => {}
        }
        Some(())
    }

    fn retry_now(&mut self, version: Version, at: Timestamp) {
        let id = self.id;
        for purpose in [Purpose::CreateCard, Purpose::RenewIdvLink, Purpose::CancelCard] {
            let Some(generation) = self.submission(purpose).map(|submission| submission.generation) else { continue };
            let Some(submission) = self.submission_mut(purpose, generation) else { continue };
            match &submission.phase {
                Phase::Owed { .. } => {
                    submission.cause = version;
                    submission.phase = Phase::Owed { due: at };
                }
                // The refusal is cached under the spent key (contract §6.4).
                Phase::Refused { .. } => {
                    *submission = Submission::new(id, purpose, Generation(generation.0 + 1), version, at);
                    self.count_renewal(purpose, generation.0 + 1);
                }
                // Asking twice for a link, or twice for a cancel, makes no second card.
                Phase::Expired | Phase::Done if purpose != Purpose::CreateCard => {
                    *submission = Submission::new(id, purpose, Generation(generation.0 + 1), version, at);
                    self.count_renewal(purpose, generation.0 + 1);
                }
                Phase::InFlight { .. } | Phase::Expired | Phase::Done => {}
            }
        }
        self.attention = self.attention.take().filter(Attention::outlives_progress);
    }

    fn count_renewal(&mut self, purpose: Purpose, renewals: u32) {
        if purpose == Purpose::RenewIdvLink {
            self.renewals = renewals;
        }
    }

    /// Something was answered: what is left for a person, so that clearing one mark never hides another.
    fn settle_attention(&mut self, at: Timestamp) {
        self.attention = self.standing().map(|reason| Attention { reason, since: at });
    }

    fn standing(&self) -> Option<AttentionReason> {
        if self.paused {
            return Some(AttentionReason::Paused);
        }
        if self.discrepancy.is_some() {
            return Some(AttentionReason::Discrepancy);
        }
        [Purpose::CreateCard, Purpose::RenewIdvLink, Purpose::CancelCard].into_iter().find_map(|purpose| {
            match &self.submission(purpose)?.phase {
                Phase::Refused { refusal } => Some(AttentionReason::behind(purpose, refusal)),
                Phase::Expired => Some(AttentionReason::OutcomeUnknown),
                Phase::Owed { .. } | Phase::InFlight { .. } | Phase::Done => None,
            }
        })
    }

    /// Accepted and not ended: the provider has the next word.
    fn is_waiting(&self) -> bool {
        matches!(self.state, State::Accepted { .. } | State::IdvPending { .. })
    }

    /// Whether it waits for a person and for nothing else: paused, or behind a definite refusal of its create call. An
    /// open order either stands here, with its reason on the attention list, or owes a task.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        let refused =
            matches!(&self.state, State::Requested { submission: Submission { phase: Phase::Refused { .. }, .. } });
        self.attention.is_some() && (self.paused || refused)
    }

    /// Whether a definite refusal for want of capacity is what the order waits behind.
    #[must_use]
    pub fn is_refused_for_capacity(&self) -> bool {
        matches!(
            &self.state,
            State::Requested { submission: Submission { phase: Phase::Refused { refusal }, .. } }
                if refusal.class == RefusalClass::Capacity
        )
    }

    /// The last status a card may have for us to call its compensation complete (contract §2.7).
    #[must_use]
    pub fn cancel_is_complete(status: &CardStatus) -> bool {
        matches!(status, CardStatus::PreCancel | CardStatus::Cancelled)
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
            (Purpose::CreateCard, RefusalClass::Input | RefusalClass::Configuration | RefusalClass::Unknown) => {
                Self::Refused { code }
            }
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
        matches!(self.reason, AttentionReason::Discrepancy | AttentionReason::Paused)
    }
}
