//! The durable event log, its projections, the vault, and the command handler.
//!
//! Here live the [`Store`] seam, the stores behind it, and [`CommandHandler`], the only door through which an order
//! changes. What must not live here: a decision (that is the domain's), a word of the provider's, HTTP.
//!
//! In reading order: [`Store`] is what the engine needs of storage, [`CommandHandler`] loads, decides and appends,
//! [`Message`] is a webhook that waits, `EmbeddedStore` is journal + vault + index in one directory.

#[cfg(any(test, feature = "testing", feature = "embedded"))]
mod body_digest;
#[cfg(any(test, feature = "testing", feature = "embedded"))]
mod book;
mod compacted;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(feature = "embedded")]
pub mod copies;
#[cfg(feature = "embedded")]
mod embedded;
mod error;
mod handler;
#[cfg(feature = "embedded")]
pub mod journal;
mod message;
mod named;
mod position;
mod projection;
mod query;
mod record;
mod sealed_request;
#[cfg(any(test, feature = "testing", feature = "embedded"))]
mod signal;
#[cfg(any(test, feature = "testing"))]
mod simulated;
mod store;
#[cfg(feature = "embedded")]
pub mod vault;

pub use compacted::Compacted;
#[cfg(feature = "embedded")]
pub use embedded::{EmbeddedReport, EmbeddedStore, IndexReport, Limits, OpenError, Options, Past};
#[cfg(all(feature = "embedded", any(test, feature = "testing")))]
pub use embedded::{IndexHook, IndexStep};
pub use error::{AppendError, StoreError};
pub use handler::{CommandHandler, Decision, HandleError, Request};
pub use message::{Alias, HostReference, Message, REPEATS_KNOWN_FOR, Receipt, Standing};
pub use position::Position;
pub use projection::Projection;
pub use query::{AttentionFilter, Counts, Page, Query};
pub use record::{Recorded, UnreadableEvent, body_json, read_event};
pub use sealed_request::{Salt, SealedRequest};
#[cfg(any(test, feature = "testing"))]
pub use simulated::{Kept, SimulatedStore};
pub use store::{Append, Appended, Field, Kind, Lease, LeaseAsk, Sealing, Store, TaskRow};
