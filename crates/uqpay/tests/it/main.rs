//! The client against the contract's examples, its signature vectors, and a server that misbehaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod base_url;
mod bodies;
mod calls;
mod events;
mod faults;
mod golden;
mod server;
mod signatures;
