//! The real server, the embedded store and the simulator over loopback; one file per story.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

mod coverage;
mod faults;
mod reconciliation;
mod refusals;
mod roads;
mod same_ends;
mod unknown;
