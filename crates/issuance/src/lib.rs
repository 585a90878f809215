//! The engine a host imports: place card orders and be certain of what happened.
//!
//! Here lives [`Engine`], which joins store, executor and adapter. What must not live here: HTTP, a decision about an
//! order, a word of the provider's.

mod builder;
mod engine;
mod error;
mod feed;
mod place;

pub use builder::{BuildError, Builder, Limits};
pub use engine::{Engine, Health, IdvLink};
pub use error::EngineError;
pub use feed::Feed;
pub use place::{PlaceError, Placed};

pub use issuance_adapter::{UqpayProvider, WebhookError, Webhooks};
pub use issuance_domain as domain;
pub use issuance_executor::{Clock, Notice, Notifier, NotifyError, Provider, Retry, SystemClock};
pub use issuance_store as store;
pub use issuance_uqpay as uqpay;

/// The README's example compiles.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
