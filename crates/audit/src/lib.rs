//! Reads an event log: verify, replay, export; never writes one.
//!
//! Here lives what proves and shows a log: a data directory, running or not, or a copy of its journal, with nothing else
//! beside it. What must not live here: a write to a log, a secret (the log has no personal data, so nothing here can show
//! any), a decision about an order.
//!
//! In reading order: [`Log`] is a log opened for reading, [`Log::verify`] proves it and gives a [`Report`],
//! [`Log::replay`] gives the [`Book`] of orders as it was at any moment, [`Log::timeline`] tells one order's story,
//! [`Log::export`] writes events out.

mod check;
mod error;
mod export;
mod log;
mod place;
mod replay;
mod tally;
mod timeline;
mod verify;

pub use check::{
    Basis, Call, Card, Checker, End, Ending, Ends, Evidence, Input, Invariant, Judgement, Ledger,
    LedgerError, Outcome, Outside, ProviderFact, Request, Rules, Verdict, Violation,
};
pub use error::AuditError;
pub use export::{Exported, Format};
pub use log::Log;
pub use place::Place;
pub use replay::{Book, Until};
pub use tally::Tally;
pub use timeline::Moment;
pub use verify::{Finding, Problem, Report};

pub use issuance_store::journal::{ChainHash, Cut, Damage, Head, JournalError};
