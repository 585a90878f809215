//! Compaction of the vault: begun by the keeper, run where blocking harms nobody.

use std::sync::Weak;

use tokio::sync::Mutex;

use super::EmbeddedStore;
use super::keeper::Tidier;
use super::prepare::{blocking, unread};
use super::shared::chain;
use crate::compacted::Compacted;
use crate::error::StoreError;
use crate::journal::DataDir;
use crate::vault::VaultError;

/// One compaction at a time.
#[derive(Debug)]
pub(super) struct Tidying {
    turn: Mutex<Tidier>,
    /// The directory, while it is ours.
    owned: Weak<Option<DataDir>>,
}

impl Tidying {
    pub(super) fn new(tidier: Tidier, owned: Weak<Option<DataDir>>) -> Self {
        Self {
            turn: Mutex::new(tidier),
            owned,
        }
    }
}

impl EmbeddedStore {
    pub(super) async fn compact_vault(&self, rekey: bool) -> Result<Compacted, StoreError> {
        self.shared.alive()?;
        let tidier = self.tidying.turn.lock().await;
        let owned = self.tidying.owned.upgrade().ok_or(StoreError::Closed)?;
        let compacted = match tidier.compaction(rekey).await {
            // Nobody else gets the directory before it has ended, which is soon once the store is closed.
            Ok(compaction) => {
                blocking(move || {
                    let compacted = compaction.run();
                    drop(owned);
                    compacted
                })
                .await?
            }
            Err(error) => Err(error),
        };
        compacted.map_err(|error| match error {
            VaultError::Full { .. } => StoreError::DiskFull,
            VaultError::Compacting => StoreError::Overloaded,
            VaultError::Closing => self.shared.gone(),
            VaultError::Io { .. } | VaultError::Poisoned => self.shared.stop(chain(&error)),
            other => unread(&other),
        })
    }
}
