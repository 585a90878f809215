//! What somebody wants of an order, and the business no.

use crate::event::OperatorAct;
use crate::fact::{Observation, Source};
use crate::ids::{Digest, OrderId, Version};
use crate::key::{Generation, Purpose};
use crate::order::SilenceCause;
use crate::outbox::{Action, Policy};
use crate::product::{Problem, Product};
use crate::request::{Personal, Terms};
use crate::time::Timestamp;

/// What somebody wants. Time and everything random come in as values.
#[derive(Debug, Clone)]
pub enum Command {
    /// The host wants a card.
    Place(Box<Placement>),
    /// The executor is about to send. Nothing is sent unless the answer is `SubmissionStarted`.
    StartSubmission {
        /// What for.
        purpose: Purpose,
        /// Under which key.
        generation: Generation,
        /// Salted digest of the bytes about to be sent.
        body_digest: Digest,
    },
    /// The personal data a call needs is gone.
    MissData {
        /// What for.
        purpose: Purpose,
        /// Under which key.
        generation: Generation,
    },
    /// A call brought no definite answer.
    HearNothing {
        /// What for.
        purpose: Purpose,
        /// Under which key.
        generation: Generation,
        /// Which send of it: a process that stood still may report of one that was taken for lost and sent again since.
        attempt: u32,
        /// What we know of the silence.
        cause: SilenceCause,
        /// When to try again, jitter included.
        retry_at: Timestamp,
    },
    /// One of its tasks failed inside the engine again and again.
    GiveUp {
        /// Which.
        action: Action,
    },
    /// The provider's record cannot be read.
    LookInVain,
    /// Something genuine that may be old news: a reason to read the provider's record, and no more.
    Hint {
        /// How we heard it.
        source: Source,
    },
    /// A call was answered.
    HearAnswer {
        /// Which send of its key, as in `HearNothing`.
        attempt: u32,
        /// What the answer says.
        observation: Observation,
    },
    /// Something was heard from the provider.
    Learn(Observation),
    /// A look-up of an ended order is done; what it showed was learnt before.
    EndLookUp {
        /// The version that made it owed.
        cause: Version,
    },
    /// The link's time is over, and the provider was asked and knows no success.
    ExpireIdv {
        /// Which link.
        link: u32,
    },
    /// It takes too long.
    Escalate,
    /// The next step of an erasure that is due: first it is requested, then it is done.
    ErasePersonalData,
    /// The host confirmed every notice up to a version.
    ConfirmNotified {
        /// Up to which.
        through: Version,
    },
    /// The host wants no card any more.
    Cancel,
    /// An operator acts.
    Operate {
        /// What, who and why.
        act: OperatorAct,
        /// The version the operator saw; none skips the check.
        expected: Option<Version>,
    },
}

/// A request with everything its decision needs.
#[derive(Debug, Clone)]
pub struct Placement {
    /// What may stand in the log.
    pub terms: Terms,
    /// What may not; checked here, kept in the vault.
    pub personal: Personal,
    /// Salted digest of it.
    pub personal_digest: Digest,
    /// The product, as last read from the provider.
    pub product: Product,
}

/// What a decision may look at besides the order.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Whose decision it is.
    pub order_id: OrderId,
    /// Now, by our clock.
    pub now: Timestamp,
    /// Waits, limits and choices.
    pub policy: &'a Policy,
}

/// A business no. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The request does not fit the product.
    #[error("the request does not fit the product: {}", summary(.problems))]
    Unfit {
        /// Everything wrong with it.
        problems: Vec<Problem>,
    },
    /// There is already an order of this id.
    #[error("order {order} exists already")]
    Exists {
        /// Which.
        order: OrderId,
    },
    /// There is no order of this id.
    #[error("there is no order {order}")]
    Unknown {
        /// Which.
        order: OrderId,
    },
    /// What the command is about is no longer so.
    #[error("order {order} no longer owes this")]
    NoLongerOwed {
        /// Which.
        order: OrderId,
    },
    /// A call of this order is on its way; its answer must come first.
    #[error("a call of order {order} is in flight; wait for its answer")]
    CallInFlight {
        /// Which.
        order: OrderId,
    },
    /// Our clock stands before the last send: how old the key is, nobody can say.
    #[error("the clock stands before the last send of order {order} at {sent}")]
    ClockBehind {
        /// Which.
        order: OrderId,
        /// When the last send was.
        sent: Timestamp,
    },
    /// The operator looked at an older version.
    #[error("order {order} is at version {actual}, not {expected}; read it again")]
    StaleVersion {
        /// Which.
        order: OrderId,
        /// What the operator saw.
        expected: Version,
        /// What it is.
        actual: Version,
    },
    /// The order is not in a state for this.
    #[error("`{action}` is not possible: {why}")]
    NotPossible {
        /// What was wanted.
        action: &'static str,
        /// Why not.
        why: &'static str,
    },
}

fn summary(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| match problem {
            Problem::Missing { path } => format!("{path} is missing"),
            Problem::Invalid { path, rule } => format!("{path} must be {rule}"),
        })
        .collect::<Vec<_>>()
        .join("; ")
}
