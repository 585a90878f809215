//! Performs what orders owe: calls to the provider and notices to the host.
//!
//! Here live the outward seams ([`Provider`], [`Notifier`], [`Clock`]), the [`Worker`] that leases due tasks and performs
//! them with bounded concurrency, and the two performers that write outward. What must not live here: a word of the
//! provider's wire format, a decision about an order, a store's inside.
//!
//! In reading order: [`Worker`] runs a [`Performer`]; [`Submitter`] sends what is owed and reports what was heard;
//! [`Notices`] tells the host; [`Budget`], [`Breaker`] and [`ProductBreaker`] say when not to.

mod breaker;
mod budget;
mod clock;
mod notices;
mod notifier;
mod product_breaker;
mod provider;
mod recall;
mod retry;
mod submitter;
mod window;
mod worker;

pub use breaker::{Allowed, Breaker};
pub use budget::{Budget, BudgetUse, Urgency};
pub use clock::{Clock, SystemClock, WallWatch};
pub use notices::Notices;
pub use notifier::{Notice, Notifier, NotifyError};
pub use product_breaker::{OpenPool, Pool, ProductBreaker};
pub use provider::{Heard, Outcome, PrepareError, Prepared, ProductError, Provider, Silence};
pub use recall::recall;
pub use retry::Retry;
pub use submitter::Submitter;
pub use window::{Moment, Window};
pub use worker::{Done, Gate, Performer, Worker, WorkerOptions};
