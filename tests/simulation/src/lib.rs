//! The whole world in one thread: the real engine under virtual time, before a false provider, with everything that can
//! go wrong going wrong by a seed.
//!
//! Here live the virtual clock, network, disk and processes; the host, persons and operators; and the judge. What must
//! not live here: a copy of anything the engine does. The engine's own futures are polled here, one at a time, in an
//! order the seed gives; a process that dies is its futures dropped.
//!
//! In reading order: [`Options`] are what a seed means; `world` runs them; `env` is what all parts share; `wire`, `disk`,
//! `clock`, `webhooks`, `host`, `operators` and `provider` are the engine's surroundings; `history` judges each step;
//! `shrink` makes a run that breaks something small, a [`Script`] keeps it; `scenario` has
//! stories without chance, `directed` breaks each at every place.

mod asked;
mod batch;
#[cfg(feature = "planted")]
mod board;
mod clock;
mod coverage;
mod directed;
mod disk;
mod env;
mod evidence;
mod faults;
mod history;
mod host;
mod journal;
mod node;
mod operators;
mod options;
mod provider;
mod report;
mod rng;
mod rows;
mod scenario;
mod script;
mod shrink;
mod tasks;
mod trace;
mod violation;
mod watch;
mod webhooks;
mod wire;
mod world;

pub use batch::{Batch, Limits, batch, run_caught};
#[cfg(feature = "planted")]
pub use board::{Found, hunt};
pub use coverage::{Claim, Coverage, Point, cells, claims, excuses};
pub use directed::{Directed, Finding, Mode, Thorough, directed};
pub use faults::{Decided, Family};
pub use host::Kind;
pub use options::{Deed, Options, What};
pub use report::Report;
pub use rng::hash;
pub use scenario::{Scenario, scenarios};
pub use script::Script;
pub use shrink::{Shrunk, shrink};
pub use violation::Violation;
pub use world::run;
