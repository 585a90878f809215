//! Both halves of a simulated store: what is durable, what is written, and what is in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use issuance_domain::Policy;
use issuance_domain::planted::{self, Bug};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::log::{Entry, Logged};
use crate::book::{Ground, Group, Nothing, Rows, Tasks, Totals};
use crate::error::{AppendError, StoreError};
use crate::position::Position;

/// How an append that waits for its sync hears of it: the position of its last record.
pub(super) type Outcome = oneshot::Receiver<Result<Position, AppendError>>;
type Answer = oneshot::Sender<Result<Position, AppendError>>;

#[derive(Debug)]
pub(super) struct State {
    /// Durable.
    pub(super) log: Vec<Logged>,
    /// Written, not synced, in order, with who is to be told. Without an entry: an answer that rests on the others.
    waiting: Vec<(Option<Entry>, Option<Answer>)>,
    pub(super) group: Group,
    pub(super) rows: Rows,
    pub(super) tasks: Tasks,
    /// Personal data by whose it is and which field.
    pub(super) sealed: BTreeMap<(String, String), Zeroizing<Vec<u8>>>,
    pub(super) faults: Faults,
    pub(super) stopped: Option<StoreError>,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) sync_fails: bool,
    pub(super) full: bool,
    pub(super) overloaded: bool,
}

/// What a sync changed for those who wait.
#[derive(Debug, Default)]
pub(super) struct Synced {
    pub(super) tasks: bool,
    pub(super) messages: bool,
    pub(super) grown: bool,
}

impl State {
    pub(super) fn empty() -> Self {
        let ground: Arc<dyn Ground> = Arc::new(Nothing);
        Self {
            log: Vec::new(),
            waiting: Vec::new(),
            group: Group::default(),
            rows: Rows::new(&ground, Totals::default(), Position::default(), 0),
            tasks: Tasks::default(),
            sealed: BTreeMap::new(),
            faults: Faults::default(),
            stopped: None,
        }
    }

    /// What an open makes of a log.
    pub(super) fn replay(log: Vec<Entry>, policy: &Policy) -> Result<Self, StoreError> {
        let mut state = Self::empty();
        for entry in log {
            state.take(entry, policy, &mut Synced::default())?;
        }
        if planted::is(Bug::InboxForgets) {
            state.rows.forget_settled()?;
        }
        Ok(state)
    }

    pub(super) fn stop(&mut self, why: &str) {
        self.stopped
            .get_or_insert_with(|| StoreError::Stopped { why: why.into() });
        // Those who wait hear of it; what they wrote stays for a crash to decide.
        for (_, answer) in &mut self.waiting {
            *answer = None;
        }
    }

    pub(super) fn unsynced(&self) -> usize {
        self.waiting
            .iter()
            .filter(|(entry, _)| entry.is_some())
            .count()
    }

    /// The durable log and the first entries that were not synced.
    pub(super) fn take_log(&mut self, unsynced: usize) -> Vec<Entry> {
        let written = self.waiting.iter().filter_map(|(entry, _)| entry.clone());
        // What is erased is gone before its event is durable, so it is gone without it, too.
        let erased: Vec<_> = written.clone().filter_map(|entry| entry.erases()).collect();
        let mut log: Vec<_> = self
            .log
            .iter()
            .map(|logged| logged.entry.clone())
            .chain(written.take(unsynced))
            .collect();
        for owner in erased {
            for entry in &mut log {
                entry.unseal(&owner);
            }
        }
        log
    }

    /// Forgets what was erased for good. How much that was.
    pub(super) fn compact(&mut self) -> u64 {
        let erased = |logged: &Logged| Some((logged.first, logged.entry.erases()?));
        let erased: Vec<_> = self.log.iter().filter_map(erased).collect();
        let mut removed = 0;
        for (at, owner) in erased {
            let before = self.log.iter_mut().take_while(|logged| logged.first < at);
            removed += before
                .map(|logged| logged.entry.unseal(&owner))
                .sum::<u64>();
        }
        removed
    }

    /// Writes an entry that was judged; it waits for the sync.
    pub(super) fn write(&mut self, entry: Entry) -> Outcome {
        self.wait(Some(entry))
    }

    /// Waits for the sync of what was written before: a refusal or a repeat may rest on it.
    pub(super) fn rest(&mut self) -> Outcome {
        self.wait(None)
    }

    fn wait(&mut self, entry: Option<Entry>) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        self.waiting.push((entry, Some(answer)));
        outcome
    }

    /// Makes everything written durable, takes it into the rows, and answers.
    pub(super) fn sync(&mut self, policy: &Policy) -> Synced {
        let mut synced = Synced::default();
        self.group = Group::default();
        if self.waiting.is_empty() || self.stopped.is_some() {
            return synced;
        }
        if self.faults.sync_fails && self.unsynced() > 0 {
            self.stop("the disk failed to sync");
            return synced;
        }
        let wrote = self.unsynced() > 0;
        for (entry, answer) in std::mem::take(&mut self.waiting) {
            let taken = match entry {
                _ if self.faults.full && wrote => Err(StoreError::DiskFull),
                Some(entry) => self.take(entry, policy, &mut synced),
                None => Ok(self.rows.head()),
            };
            // Nobody may wait any more; what was made durable stays so.
            let _ = answer.map(|answer| answer.send(taken.map_err(AppendError::from)));
        }
        synced
    }

    fn take(
        &mut self,
        entry: Entry,
        policy: &Policy,
        synced: &mut Synced,
    ) -> Result<Position, StoreError> {
        let logged = Logged {
            first: Position(self.rows.head().0 + 1),
            entry,
        };
        let (change, projection) = logged.change(&self.rows, policy)?;
        let pending = self.rows.totals().counts.pending_messages;
        let last = logged.last();
        self.rows.apply(last, change)?;
        if let Some(projection) = projection {
            synced.tasks |= self.tasks.replace(projection.order.id, &projection.tasks);
        }
        if let Some(owner) = logged.entry.erases() {
            self.sealed.retain(|(of, _), _| *of != owner);
        }
        for sealing in logged.entry.sealed() {
            self.sealed.insert(
                (logged.entry.owner(), sealing.field.name()),
                sealing.plaintext.clone(),
            );
        }
        synced.messages |= self.rows.totals().counts.pending_messages > pending;
        synced.grown = true;
        self.log.push(logged);
        Ok(last)
    }
}
