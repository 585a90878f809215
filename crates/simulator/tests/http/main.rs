//! The simulator over real HTTP on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod documented;
mod durable;
mod faults;
mod idempotency;
mod idv;
mod issue;
mod lists;
mod refusals;
mod support;
mod token;
mod variants;
mod webhooks;
