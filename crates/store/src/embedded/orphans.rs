//! Personal data no order has. An append's sealed part is durable before its events, so a crash in between, or a log without
//! room, leaves data of an order that never came to be. Nobody could ask to have it erased; so the next open does.

use std::collections::HashSet;

use issuance_domain::OrderId;
use uuid::Uuid;

use super::prepare::{owner_of, unread};
use super::shared::chain;
use crate::book::Rows;
use crate::error::StoreError;
use crate::message::Alias;
use crate::vault::{Change, Vault, VaultError};

/// Orders' ids are of this version of UUID.
const ORDER_VERSION: usize = 7;
/// What messages' bodies lie under is of this one.
const MESSAGE_VERSION: usize = 5;

/// Erases what the vault's last records hold of orders and messages the log does not know. The log must be known to be the newest: under
/// an older copy of it, data of lost orders would go. More than `at_most` orders are no crash's; they stay, and a warning
/// says so. Returns how many were erased.
pub(super) fn erase(vault: &mut Vault, rows: &Rows, at_most: usize) -> Result<u64, StoreError> {
    let unread = |error| unread(&error);
    let mut orphans = Vec::new();
    let mut messages = None;
    for owner in vault.recent().map_err(unread)? {
        let is_orphan = match owner.get_version_num() {
            ORDER_VERSION => !rows.is_known(&Alias::Order(OrderId(owner)))?,
            // A settled message has none any more.
            MESSAGE_VERSION if vault.reader().holds(owner).map_err(unread)? => {
                if messages.is_none() {
                    messages = Some(owners(rows)?);
                }
                !messages.iter().any(|known| known.contains(&owner))
            }
            _ => false,
        };
        if is_orphan {
            orphans.push(owner);
        }
    }
    if orphans.len() > at_most {
        tracing::warn!(
            orders = orphans.len(),
            "the vault holds data of orders the log does not know: was an older log put in its place?"
        );
        return Ok(0);
    }
    match write(vault, &orphans) {
        Ok(()) => {}
        // It is sealed, and there is a next time.
        Err(VaultError::Full { .. }) => return Ok(0),
        Err(error) => {
            return Err(StoreError::Stopped { why: chain(&error) });
        }
    }
    if !orphans.is_empty() {
        tracing::info!(
            orders = orphans.len(),
            "erased data of orders that never came to be"
        );
    }
    Ok(orphans.len() as u64)
}

/// What the bodies of messages that are not settled lie under.
fn owners(rows: &Rows) -> Result<HashSet<Uuid>, StoreError> {
    let pending = rows.pending(usize::MAX)?;
    let unsettled = rows.unsettled(usize::MAX)?;
    let messages = pending
        .iter()
        .chain(unsettled.iter().map(|(message, _)| message));
    Ok(messages.map(|message| owner_of(&message.id)).collect())
}

fn write(vault: &mut Vault, orphans: &[Uuid]) -> Result<(), VaultError> {
    let changes: Vec<_> = orphans.iter().copied().map(Change::Erase).collect();
    vault.write(&changes)?;
    vault.sync()
}
