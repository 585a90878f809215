//! The executor's parts together, on virtual time.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic"
)]

mod body;
mod drain;
mod limits;
mod poison;
mod world;
