//! A faithful false UQPAY over HTTP, for tests and local development.
//!
//! Here lives the world outside: the issuing API, its idempotency store and tokens, cards that become active by
//! themselves, people who verify themselves, signed webhooks, and everything that can go wrong with them. It is
//! written from the provider's contract alone. What must not live here: any type of ours. Twins that share types
//! share mistakes.
//!
//! A request goes `server` → `api` (token, key, fault, idempotency store) → `state` (pure: no IO, time comes in)
//! → `durable` → answer. What happens later goes `state` timers → `webhooks`. Tests read the `ledger`. [`Local`] is
//! the same world without a socket, a thread or a clock: a simulation calls it and says what time it is.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use issuance_simulator::{Config, Simulator};
//!
//! let running = Simulator::start(Config::default(), ([127, 0, 0, 1], 0).into()).await?;
//! println!("point a client at {}", running.api_base());
//! assert!(running.ledger().cards.is_empty());
//! running.shutdown().await;
//! # Ok(()) }
//! ```

mod api;
mod catalogue;
mod clock;
mod config;
mod control;
mod durable;
mod errors;
mod faults;
mod hex;
mod idv;
mod ledger;
mod local;
mod requests;
mod rng;
mod server;
mod state;
mod variants;
mod views;
mod webhooks;
mod world;

/// Ids of the products in the catalogue.
pub mod product {
    pub use crate::catalogue::{
        DISABLED, EMPTY_POOL, ENHANCED, LIMIT_REQUIRED, PREPAID, REGIONAL, SIMPLIFIED, STANDARD,
    };
}

pub use self::config::{Config, Naming, SUB_ACCOUNT, TimestampUnit, WebhookTarget};
pub use self::durable::DurableError;
pub use self::faults::{
    Endpoint, ErrorAnswer, Fault, FaultMatch, FaultRule, IdvOutcome, Moment, parse_faults,
};
pub use self::ledger::{
    Answer, Attempt, CardEntry, CardOrderEntry, CardholderEntry, DeliveryEntry, DeliveryState,
    Ledger, RequestEntry,
};
pub use self::local::{Local, LocalAnswer, LocalDelivery, LocalRequest, Served, Waiting};
pub use self::server::{Running, Simulator, SimulatorError};
pub use self::state::{CardStatus, CardholderStatus, OrderStatus, OrderType};
pub use self::variants::Variants;
