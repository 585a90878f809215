//! The keeper: one thread that owns the vault, so that it can sync one group's personal data while the journal syncs the
//! events of the group before.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::oneshot;

use crate::vault::{Change, Compaction, Vault, VaultError};

/// Groups whose data can be on its way; the committer never has more.
const GROUPS: usize = 2;

/// What the thread is asked.
#[derive(Debug)]
enum Ask {
    Keep(Vec<Change>),
    /// A compaction, to be run on another thread; with a change of keys or without.
    Compaction(bool, oneshot::Sender<Result<Compaction, VaultError>>),
    /// The committer is gone.
    End,
}

/// The committer's hand on the keeper. Every [`keep`](Self::keep) is followed by one [`kept`](Self::kept), in order.
#[derive(Debug)]
pub(super) struct Keeper {
    asks: SyncSender<Ask>,
    answers: Receiver<Result<(), VaultError>>,
}

/// The thread's side.
#[derive(Debug)]
pub(super) struct Keeping {
    vault: Vault,
    asks: Receiver<Ask>,
    answers: SyncSender<Result<(), VaultError>>,
}

/// The callers' hand: compactions.
#[derive(Clone, Debug)]
pub(super) struct Tidier {
    asks: SyncSender<Ask>,
}

pub(super) fn keeper(vault: Vault) -> (Keeper, Tidier, Keeping) {
    // And one compaction: the store asks for one at a time.
    let (asks, taken) = sync_channel(GROUPS + 1);
    let (answers, given) = sync_channel(GROUPS);
    (
        Keeper {
            asks: asks.clone(),
            answers: given,
        },
        Tidier { asks },
        Keeping {
            vault,
            asks: taken,
            answers,
        },
    )
}

impl Keeper {
    /// Hands over a group's personal data.
    pub(super) fn keep(&self, group: Vec<Change>) {
        // If the thread is gone, `kept` says so.
        let _ = self.asks.send(Ask::Keep(group));
    }

    /// Waits until the oldest group that was handed over is durable.
    pub(super) fn kept(&self) -> Result<(), VaultError> {
        self.answers.recv().unwrap_or(Err(VaultError::Poisoned))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // If the thread is gone, it has ended.
        let _ = self.asks.send(Ask::End);
    }
}

impl Tidier {
    /// A compaction that only has to be run.
    pub(super) async fn compaction(&self, rekey: bool) -> Result<Compaction, VaultError> {
        let (sender, answer) = oneshot::channel();
        // Full only while the disk is slow, and then there is something better to do than to compact.
        let asked = self.asks.try_send(Ask::Compaction(rekey, sender));
        asked.map_err(|_| VaultError::Compacting)?;
        answer.await.unwrap_or(Err(VaultError::Closing))
    }
}

impl Keeping {
    /// Runs until the committer is gone.
    pub(super) fn run(&mut self) {
        while let Ok(ask) = self.asks.recv() {
            match ask {
                Ask::Keep(group) => {
                    let kept = self.vault.write(&group).and_then(|()| self.vault.sync());
                    if self.answers.send(kept).is_err() {
                        return;
                    }
                }
                Ask::Compaction(rekey, sender) => {
                    let begun = if rekey {
                        self.vault.rekeying()
                    } else {
                        self.vault.compaction()
                    };
                    // Whoever no longer waits needs none.
                    drop(sender.send(begun));
                }
                Ask::End => return,
            }
        }
    }
}
