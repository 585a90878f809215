//! An order as its events left it, and the questions that can be asked of it.

use serde::{Deserialize, Serialize};

use crate::absence::Absence;
use crate::attention::{Attention, Discrepancy};
use crate::echo::Mismatch;
use crate::event::By;
use crate::fact::{CardStatus, Link, ProviderIds, Refusal, RefusalClass};
use crate::failure::Failure;
use crate::ids::{CardId, CardholderId, Digest, OrderId, Version};
use crate::key::{Generation, IdempotencyKey, Purpose};
use crate::planted::{self, Bug};
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
    /// Money is loaded at creation: a second card would cost more than a limit.
    #[serde(default)]
    pub prepaid: bool,
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
    /// What the provider says that the log contradicts, and nobody dealt with yet; the oldest first.
    #[serde(default)]
    pub discrepancies: Vec<Discrepancy>,
    /// Discrepancies a person dealt with: the same is not raised again.
    #[serde(default)]
    pub resolved: Vec<Discrepancy>,
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
    /// How often an order that we ended ourselves was looked up since; none when no card can come any more.
    #[serde(default)]
    pub late_looks: Option<u32>,
    /// The end of its personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<Erasure>,
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
        self.kind().name()
    }

    /// Whether nothing can change it any more.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.kind().is_terminal()
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
    /// When it was last started: after the call's deadline nothing of it can arrive any more.
    #[serde(default)]
    pub last_started_at: Option<Timestamp>,
    /// Salted digest of the exact bytes, once started.
    pub body_digest: Option<Digest>,
    /// Whether an earlier attempt may have reached the provider.
    pub maybe_sent: bool,
    /// The cardholder its body names, left behind by an earlier key; none on the order's own road.
    #[serde(default)]
    pub cardholder: Option<CardholderId>,
    /// The server error heard last, and how often in a row.
    #[serde(default)]
    pub same_error: Option<SameError>,
    /// How far the proof is that nothing came of it.
    #[serde(default)]
    pub absence: Option<Absence>,
    /// Who asked that the same is sent under a new key. It waits for a second person.
    #[serde(default)]
    pub resubmit_asked: Option<Asked>,
    /// An answer to it was another order's: the provider mixes things up, and only a person makes a new key.
    #[serde(default)]
    pub mismatched: bool,
    /// Where it stands.
    pub phase: Phase,
}

/// Something one person asked for and another has to approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who asked.
    pub by: Box<str>,
    /// When.
    pub at: Timestamp,
}

/// One server error, again and again (contract §6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SameError {
    /// Its status.
    pub http_status: u16,
    /// How often in a row.
    pub times: u32,
}

/// Why a key is never sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryCause {
    /// The provider may have forgotten it.
    TooOld,
    /// Our bytes are no longer those that were sent under it.
    BodyChanged,
    /// The personal data for its body is gone.
    DataMissing,
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
    /// The key is never sent again; only proof decides.
    Expired {
        /// Why; not known of the oldest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<ExpiryCause>,
    },
    /// Answered.
    Done,
}

/// Replays are hopeless after this many of one server error in a row (contract §6.4); they go on, and so does a search.
const SAME_ERRORS: u32 = 5;

impl Submission {
    /// Counts server errors; whether this one was the last it takes.
    pub(crate) fn count_error(&mut self, cause: &SilenceCause) -> bool {
        let known = self.same_error.take();
        if let SilenceCause::ServerError { http_status } = *cause {
            let before = known
                .filter(|known| known.http_status == http_status)
                .map_or(0, |known| known.times);
            self.same_error = Some(SameError {
                http_status,
                times: before.saturating_add(1),
            });
        }
        self.same_error
            .is_some_and(|error| error.times == SAME_ERRORS)
    }

    pub(crate) fn new(
        order: OrderId,
        purpose: Purpose,
        generation: Generation,
        cause: Version,
        due: Timestamp,
    ) -> Self {
        Self {
            purpose,
            generation,
            key: IdempotencyKey::derive(order, purpose, generation),
            cause,
            attempts: 0,
            first_started_at: None,
            last_started_at: None,
            body_digest: None,
            maybe_sent: false,
            cardholder: None,
            same_error: None,
            absence: None,
            resubmit_asked: None,
            mismatched: false,
            phase: Phase::Owed { due },
        }
    }

    /// From when on its outcome may be unknown: calls that are known not to have got in leave only the newest in doubt.
    pub(crate) fn unknown_since(&self) -> Option<Timestamp> {
        if self.maybe_sent {
            self.first_started_at
        } else {
            self.last_started_at
        }
    }

    /// Whether the provider may have acted on it without our knowing the outcome.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match &self.phase {
            Phase::InFlight { .. } => true,
            Phase::Owed { .. } | Phase::Expired { .. } => self.maybe_sent,
            Phase::Refused { refusal } => match refusal.class {
                // Something else was done under our key: what, nobody can say.
                RefusalClass::KeyConflict => true,
                // The person may be the one an earlier send made, and her card with her (F-034).
                RefusalClass::Duplicate => self.maybe_sent,
                RefusalClass::Input
                | RefusalClass::Capacity
                | RefusalClass::Configuration
                | RefusalClass::Unknown => false,
            },
            Phase::Done => false,
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
    /// Another message said the card is usable: only the provider's record decides now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contradicted: bool,
    /// What is said to have failed.
    #[serde(default)]
    pub of: Claimed,
}

/// What a reported failure is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claimed {
    /// The card's making.
    #[default]
    Card,
    /// The person, who was rejected.
    Person,
    /// Both: the card because of the person.
    Both,
}

impl FailureClaim {
    /// Whether it says something of the card itself.
    #[must_use]
    pub fn blames_card(&self) -> bool {
        matches!(self.of, Claimed::Card | Claimed::Both)
    }

    /// Whether it says that the person was rejected.
    #[must_use]
    pub fn blames_person(&self) -> bool {
        matches!(self.of, Claimed::Person | Claimed::Both)
    }
}

/// Why a call brought no definite answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SilenceCause {
    /// It never left: refused connection, unknown host, failed handshake.
    NotSent,
    /// Its token was refused as over, and so was a fresh one: the call did not get in (contract §1.3).
    TokenRefused,
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
    /// An answer that is another order's: what became of ours, it does not say (reliability F-040).
    Mismatched {
        /// By what.
        mismatch: Mismatch,
        /// The card it named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<CardId>,
    },
}

impl SilenceCause {
    /// Whether the provider may have acted on the call.
    #[must_use]
    pub fn maybe_sent(&self) -> bool {
        match self {
            Self::NotSent | Self::TokenRefused | Self::Blocked { .. } | Self::RateLimited => false,
            Self::Unreadable { .. } if planted::is(Bug::UnreadableNotSent) => false,
            Self::Processing
            | Self::TimedOut
            | Self::ConnectionLost
            | Self::ServerError { .. }
            | Self::Unreadable { .. }
            | Self::Mismatched { .. } => true,
        }
    }
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

/// The end of what the vault held of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Who wanted it.
    pub by: By,
    /// The version that requested it: its task's name.
    pub requested: Version,
    /// When that was.
    pub requested_at: Timestamp,
    /// When it was done.
    pub done_at: Option<Timestamp>,
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

impl Order {
    /// The submission of one purpose, if the order has one now.
    #[must_use]
    pub fn submission(&self, purpose: Purpose) -> Option<&Submission> {
        match purpose {
            Purpose::CreateCard => {
                let State::Requested { submission } = &self.state else {
                    return None;
                };
                Some(submission)
            }
            Purpose::RenewIdvLink => {
                let State::IdvPending { idv } = &self.state else {
                    return None;
                };
                idv.renewal.as_ref()
            }
            Purpose::CancelCard => self
                .compensation
                .as_ref()
                .and_then(|running| running.submission.as_ref()),
        }
    }

    /// Whether a compensation is on its way.
    #[must_use]
    pub fn is_compensating(&self) -> bool {
        self.compensation
            .as_ref()
            .is_some_and(|running| !running.done)
    }

    /// Whether a contradiction of this kind is open.
    pub(crate) fn contradicted_by(&self, is: impl Fn(&Discrepancy) -> bool) -> bool {
        self.discrepancies.iter().any(is)
    }

    /// Whether the card it knows may be another order's: nothing is done to such a card.
    #[must_use]
    pub fn doubts_its_card(&self) -> bool {
        self.ids.card.is_some()
            && self.contradicted_by(
                |open| matches!(open, Discrepancy::Mismatched { card, .. } if *card == self.ids.card),
            )
    }

    /// Whether it has ended and no call of it can follow by itself.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.is_terminal() && !self.is_compensating()
    }

    /// Whether the vault holds nothing of it any more, nor may.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.erasure
            .as_ref()
            .is_some_and(|erasure| erasure.done_at.is_some())
    }

    /// Whether it waits for a person and for nothing else: paused, or behind a definite refusal of its create call. An
    /// open order either stands here, with its reason on the attention list, or owes a task.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        let refused = matches!(
            &self.state,
            State::Requested {
                submission: Submission {
                    phase: Phase::Refused { .. },
                    ..
                }
            }
        );
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
