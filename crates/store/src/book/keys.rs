//! Keys of rows. Ids are visible ASCII, so a zero byte separates; numbers are big endian, so that keys sort like them.

use issuance_domain::OrderId;
use uuid::Uuid;

use crate::message::{Alias, Standing};
use crate::position::Position;

pub(super) fn order(id: OrderId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

pub(super) fn order_of(key: &[u8]) -> Option<OrderId> {
    Uuid::from_slice(key).ok().map(OrderId)
}

pub(super) fn history(id: OrderId, first: u64) -> Vec<u8> {
    [&id.0.as_bytes()[..], &first.to_be_bytes()].concat()
}

pub(super) fn alias_prefix(alias: &Alias) -> Vec<u8> {
    let mut key = alias.key().into_bytes();
    key.push(0);
    key
}

pub(super) fn alias(alias: &Alias, id: OrderId) -> Vec<u8> {
    let mut key = alias_prefix(alias);
    key.extend_from_slice(id.0.as_bytes());
    key
}

/// The order at the end of an alias key.
pub(super) fn aliased(key: &[u8]) -> Option<OrderId> {
    order_of(key.get(key.len().checked_sub(16)?..)?)
}

pub(super) fn parked(alias: &Alias, position: Position) -> Vec<u8> {
    let mut key = alias_prefix(alias);
    key.extend_from_slice(&position.0.to_be_bytes());
    key
}

/// Settled messages wait to be forgotten.
pub(super) const SETTLED: u8 = b's';

pub(super) fn queue(standing: &Standing) -> u8 {
    match standing {
        Standing::Pending => b'a',
        Standing::Parked => b'k',
        Standing::Quarantined { .. } => b'q',
        Standing::Settled { .. } => SETTLED,
    }
}

pub(super) fn inbox(queue: u8, position: Position) -> Vec<u8> {
    [&[queue][..], &position.0.to_be_bytes()].concat()
}
