//! What the test binaries share: a world of real parts on loopback, and the judge of what became of it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

pub mod judge;
pub mod requests;
pub mod world;
