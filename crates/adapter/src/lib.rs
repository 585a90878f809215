//! Turns the provider's words and our timers into commands; alone knows both vocabularies.
//!
//! Here live [`UqpayProvider`] (our order → their call, their answer → facts), [`Webhooks`] (their message → the inbox),
//! [`Inbox`] (the inbox → commands) and [`Readings`] (due look-ups and expiries → commands). What must not live here: a
//! decision about an order; HTTP, but for the client's; a change to an order by any other door than a command.

mod create;
mod inbox;
mod lists;
mod products;
mod provider;
mod readings;
mod reconcile;
mod search;
mod skew;
mod tokens;
mod webhooks;
mod words;

pub use inbox::Inbox;
pub use provider::{ProviderOptions, UqpayProvider};
pub use readings::Readings;
pub use reconcile::{Difference, Finding, Proposal, Reconciler, Reconciliation};
pub use skew::WebhookHealth;
pub use tokens::TokenHealth;
pub use webhooks::{WebhookError, Webhooks};
