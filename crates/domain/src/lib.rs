//! The pure core: what an order is, what may happen to it, and what it owes next.
//!
//! Here live three functions and the types they speak: [`decide`] judges a command, [`evolve`] remembers an event,
//! [`outbox`] lists what is owed. Nothing here does IO, reads a clock or draws a random number; time and ids come in as
//! values, effects come out as [`Task`]s. What must not live here: a provider's wire format, a store, a thread.
//!
//! In reading order: [`CardRequest`] is what a host asks, [`Fact`] is what the provider says, [`Command`] is what
//! somebody wants, [`Event`] is what happened, [`Order`] is where that leaves us.
#![deny(clippy::wildcard_enum_match_arm)]

mod absence;
mod attention;
mod command;
mod decide;
mod echo;
mod event;
mod evolve;
mod fact;
mod failure;
mod ids;
mod key;
mod money;
mod order;
mod outbox;
pub mod planted;
mod product;
mod request;
mod text;
mod time;
mod transition;

pub use absence::{Absence, Holder, Likeness, Scan};
pub use attention::{Attention, AttentionReason, Discrepancy};
pub use command::{Command, Context, Placement, Rejection};
pub use decide::{allowed_actions, decide};
pub use echo::{Echo, Mismatch};
pub use event::{By, Event, EventBody, LookUpCause, OperatorAct, OperatorAction};
pub use evolve::{CorruptHistory, evolve};
pub use fact::{
    CardOrderStatus, CardStatus, CardholderStatus, Creation, Fact, Link, Observation, ProviderIds,
    Refusal, RefusalClass, Source, Verification,
};
pub use failure::{Failure, FailureKind, Who};
pub use ids::{
    Account, CardId, CardOrderId, CardholderId, Digest, InvalidId, MessageId, OrderId, ProductId,
    Reference, Version,
};
pub use key::{Generation, IdempotencyKey, Purpose};
pub use money::{Amount, Currency, InvalidMoney};
pub use order::{
    Asked, Claimed, Compensation, Erasure, ExpiryCause, FailureClaim, Idv, LookUp, Notice, Order,
    Phase, SameError, SilenceCause, State, Submission, Watch,
};
pub use outbox::{
    AbsencePolicy, Action, Activation, IdvExpired, LateSuccess, Policy, Retention, Task, TaskId,
    outbox,
};
pub use product::{Field, FieldKind, Problem, Product};
pub use request::{
    CardRequest, Cardholder, CardholderFields, Kyc, KycMethod, METADATA_ORDER_KEY, Merchants,
    Personal, RiskControls, SpendingControl, SpendingInterval, Terms, UnknownField, Usage,
};
pub use time::{InvalidTime, Timestamp, duration};
pub use transition::{StateKind, transition};
