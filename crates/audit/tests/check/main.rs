//! The checker can fail: for each invariant a small world that breaks exactly it, and good worlds spoilt in one place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should panic"
)]

mod basis;
mod log;
mod mutated;
mod outside;
mod page;
mod provider;
mod world;
