//! Personal data no order has. An append's sealed part is durable before its events, so a crash in between, or a log without
//! room, leaves data of an order that never came to be. Nobody could ask to have it erased; so the next open does.

use issuance_domain::OrderId;
use uuid::Uuid;

use super::shared::chain;
use crate::book::Rows;
use crate::error::StoreError;
use crate::vault::{Change, Vault, VaultError};

/// Orders' ids are of this version of UUID; messages' bodies lie under another.
const ORDER_VERSION: usize = 7;

/// Erases what the vault's last records hold of orders the log does not know. The log must be known to be the newest: under
/// an older copy of it, data of lost orders would go. More than `at_most` orders are no crash's; they stay, and a warning
/// says so. Returns how many were erased.
pub(super) fn erase(vault: &mut Vault, rows: &Rows, at_most: usize) -> Result<u64, StoreError> {
    let mut orphans = Vec::new();
    for owner in vault.take_recent() {
        if owner.get_version_num() == ORDER_VERSION && rows.order(OrderId(owner))?.is_none() {
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

fn write(vault: &mut Vault, orphans: &[Uuid]) -> Result<(), VaultError> {
    let changes: Vec<_> = orphans.iter().copied().map(Change::Erase).collect();
    vault.write(&changes)?;
    vault.sync()
}
