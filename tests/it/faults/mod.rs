//! The faults of the catalogue that only real parts together can prove, each judged by the provider's own ledger.

mod clocks;
mod crash;
mod days;
mod door;
mod idv;
mod mismatch;
mod mortal;
mod provider;
mod sealed;
pub(crate) mod support;
mod token;
mod undone;
mod webhooks;
