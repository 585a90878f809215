//! The domain from outside: tables for each state, properties over random lives, golden events, generated documents.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod given;
mod sample;

mod absence;
mod compensation;
mod erasure;
mod golden;
mod lifecycle;
mod mismatch;
mod one_card;
mod operate;
mod personal_data;
mod product;
mod properties;
mod request;
mod state_accepted;
mod state_active;
mod state_failed;
mod state_idv_pending;
mod state_requested;
mod submit;
mod worlds;
