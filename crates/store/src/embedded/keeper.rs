//! The keeper: one thread that owns the vault, so that it can sync one group's personal data while the journal syncs the
//! events of the group before.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::vault::{Change, Vault, VaultError};

/// Groups whose data can be on its way; the committer never has more.
const GROUPS: usize = 2;

/// The committer's hand on the keeper. Every [`keep`](Self::keep) is followed by one [`kept`](Self::kept), in order.
#[derive(Debug)]
pub(super) struct Keeper {
    groups: SyncSender<Vec<Change>>,
    answers: Receiver<Result<(), VaultError>>,
}

/// The thread's side.
#[derive(Debug)]
pub(super) struct Keeping {
    vault: Vault,
    groups: Receiver<Vec<Change>>,
    answers: SyncSender<Result<(), VaultError>>,
}

pub(super) fn keeper(vault: Vault) -> (Keeper, Keeping) {
    let (groups, taken) = sync_channel(GROUPS);
    let (answers, given) = sync_channel(GROUPS);
    (
        Keeper {
            groups,
            answers: given,
        },
        Keeping {
            vault,
            groups: taken,
            answers,
        },
    )
}

impl Keeper {
    /// Hands over a group's personal data.
    pub(super) fn keep(&self, group: Vec<Change>) {
        // If the thread is gone, `kept` says so.
        let _ = self.groups.send(group);
    }

    /// Waits until the oldest group that was handed over is durable.
    pub(super) fn kept(&self) -> Result<(), VaultError> {
        self.answers.recv().unwrap_or(Err(VaultError::Poisoned))
    }
}

impl Keeping {
    /// Runs until the committer is gone.
    pub(super) fn run(&mut self) {
        while let Ok(group) = self.groups.recv() {
            let kept = self.vault.write(&group).and_then(|()| self.vault.sync());
            if self.answers.send(kept).is_err() {
                return;
            }
        }
    }
}
