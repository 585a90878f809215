//! The engine a host imports: place card orders and be certain of what happened.
//!
//! Here lives [`Engine`], which joins store, executor and adapter. What must not live here: HTTP, a decision about an
//! order, a word of the provider's.

mod builder;
mod engine;
mod erasing;
mod error;
mod feed;
mod health;
mod place;
mod reconciling;

pub use builder::{BuildError, Builder, Limits};
pub use engine::{Engine, IdvLink};
pub use erasing::Compaction;
pub use error::EngineError;
pub use feed::Feed;
pub use health::{Health, WebhookFlow};
pub use place::{PlaceError, Placed};

pub use issuance_adapter::{
    Difference, Finding, Proposal, Reconciliation, TokenHealth, UqpayProvider, WebhookError,
    Webhooks,
};
pub use issuance_domain as domain;
pub use issuance_executor::{
    BudgetUse, Clock, Notice, Notifier, NotifyError, OpenPool, Pool, Provider, Retry, SystemClock,
};
pub use issuance_store as store;
pub use issuance_uqpay as uqpay;

/// The README's example compiles.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
