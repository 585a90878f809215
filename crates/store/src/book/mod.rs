//! The rules every store of one process shares: what the rows are, how a change moves them, and who may claim a task.
//!
//! - [`Group`] judges changes that wait to become durable together.
//! - [`Rows`] takes durable changes and answers questions; below it lies a [`Ground`], or [`Nothing`].
//! - [`Tasks`] holds what open orders owe, with claims; memory only, made anew from the orders.
//!
//! What must not live here: a file, a thread, a clock.
#![cfg_attr(
    not(feature = "embedded"),
    allow(dead_code, reason = "only a store with a ground writes its rows down")
)]

mod change;
mod find;
mod ground;
mod group;
mod inbox;
mod keys;
mod list;
mod row;
mod rows;
mod table;
mod tasks;
#[cfg(test)]
mod tests;

pub(crate) use change::{Change, OrderChange};
pub(crate) use ground::Ground;
#[cfg(any(test, feature = "testing"))]
pub(crate) use ground::Nothing;
#[cfg(feature = "embedded")]
pub(crate) use ground::{Entries, Span, TableId};
pub(crate) use group::{Group, Marked};
pub(crate) use list::list;
pub(crate) use row::Place;
#[cfg(feature = "embedded")]
pub(crate) use rows::Frozen;
pub(crate) use rows::{Rows, Totals};
pub(crate) use tasks::Tasks;
