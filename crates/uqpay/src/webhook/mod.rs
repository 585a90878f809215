//! Webhooks: first [`Verifier::verify`] over the raw bytes, then [`parse`] (contract §5, reliability §5.3).
//!
//! What to answer: verified and stored, known or not: 200. [`Rejected::TooLarge`]: 413. Any other [`Rejected`]: 401
//! with one and the same body. Storage failed: 503, so that they come again.

mod event;
mod ids;
mod strict;
mod verify;

pub use event::{Event, EventData, EventName, Unreadable, parse};
pub use ids::{EventIds, SourceId};
pub use verify::{InvalidVerifier, Rejected, Verified, Verifier, WebhookSecret};
