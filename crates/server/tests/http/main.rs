//! The server over real loopback sockets, on the real engine and the simulated store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test that cannot go on should stop"
)]

mod admin;
mod feed;
mod figures;
mod notices;
mod orders;
mod provider;
mod raw;
mod refusals;
mod slow;
mod webhooks;
mod world;
