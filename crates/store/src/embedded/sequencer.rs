//! The sequencer: one thread. It takes everything that waits, judges it in order, has its personal data made durable, and
//! hands it to the committer as one group.
//!
//! While the committer works on a group, the next is gathered, judged as if that one had arrived, and its personal data
//! synced. If it does not arrive, both are refused.

use std::sync::Arc;
use std::sync::mpsc::{SendError, SyncSender};

use super::answer::Answer;
use super::behind::{Behind, End};
use super::keeper::Keeper;
use super::options::Limits;
use super::shared::{Shared, chain};
use super::work::{Job, Next, Waiting, Work};
use crate::book::{Group, Marked, Rows};
use crate::error::StoreError;
use crate::journal::Batch;
use crate::message::Receipt;
use crate::vault::{self, VaultError};

/// Judges what callers hand in.
#[derive(Debug)]
pub(super) struct Sequencer {
    pub(super) shared: Arc<Shared>,
    pub(super) keeper: Keeper,
    pub(super) waiting: Waiting,
    pub(super) behind: Arc<Behind>,
    pub(super) limits: Limits,
    /// Without room: a group is taken when the one before it is done, so there is never more than one under way.
    pub(super) groups: SyncSender<Handed>,
}

/// What the committer gets.
#[derive(Debug)]
pub(super) enum Handed {
    Group(Staged),
    /// The last.
    End(End),
}

/// A group that was judged: the good jobs, in the order of their batches.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) jobs: Vec<Job>,
    pub(super) batches: Vec<Batch<'static>>,
    /// Answers that wait for the group all the same: they may rest on what it makes durable.
    pub(super) others: Vec<Answer>,
    /// Groups that had been refused when it was judged. If it is one more now, what it rests on is not there.
    pub(super) refusals: u64,
}

impl Staged {
    pub(super) fn fail(self, error: &StoreError) {
        self.jobs.into_iter().for_each(|job| job.fail(error));
        self.others.into_iter().for_each(|other| other.fail(error));
    }
}

/// What the group under way will have changed.
#[derive(Debug)]
struct UnderWay {
    group: Arc<Group>,
    /// Records of the inbox, with this group.
    inbox_records: u64,
    refusals: u64,
}

/// Says that the thread is gone if it panicked: nobody may wait for it.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("its sequencer panicked".into());
        }
    }
}

impl Sequencer {
    /// Runs until the store is closed, dropped or stopped.
    pub(super) fn run(mut self) {
        let _farewell = Farewell(Arc::clone(&self.shared));
        let mut under_way = None;
        loop {
            let next = self
                .waiting
                .take(self.limits.group, self.limits.group_bytes);
            let (work, end) = match next {
                Next::Group(work) => (work, None),
                Next::Close(work) => (work, Some(End::Written)),
                Next::End => (Vec::new(), Some(End::AsItIs)),
            };
            if !work.is_empty() {
                under_way = self.pass(work, under_way);
            }
            if let Some(end) = end {
                // The committer may have stopped before.
                let _ = self.groups.send(Handed::End(end));
                return;
            }
        }
    }

    /// Judges a group, has its personal data kept and hands it over. What is under way then.
    fn pass(&mut self, work: Vec<Work>, under_way: Option<UnderWay>) -> Option<UnderWay> {
        if let Err(error) = self.behind.wait_for_room() {
            work.into_iter().for_each(|work| work.job.fail(&error));
            return under_way;
        }
        let refusals = self.shared.refusals();
        let before = under_way.filter(|before| before.refusals == refusals);
        let judged = judge_all(&self.shared.book().rows, before.as_ref(), refusals, work);
        let (staged, sealed, after) = judged;
        metrics::histogram!("issuance_store_group_appends").record(staged.jobs.len() as f64);
        if let Err(error) = self.keep(sealed) {
            staged.fail(&error);
            return before;
        }
        self.waiting.handing_over(staged.jobs.len());
        if let Err(SendError(Handed::Group(staged))) = self.groups.send(Handed::Group(staged)) {
            staged.fail(&self.shared.gone());
        }
        Some(after)
    }

    /// Vault before journal, so that no event speaks of data that is not there.
    fn keep(&self, sealed: Vec<vault::Change>) -> Result<(), StoreError> {
        if sealed.is_empty() {
            return Ok(());
        }
        self.keeper.keep(sealed);
        self.keeper.kept().map_err(|error| match error {
            VaultError::Full { source, .. } => self.shared.no_room(&source),
            other => self.shared.stop(chain(&other)),
        })
    }
}

/// The good jobs of a group, the personal data that comes with them, and what the next group is judged by.
fn judge_all(
    rows: &Rows,
    before: Option<&UnderWay>,
    refusals: u64,
    work: Vec<Work>,
) -> (Staged, Vec<vault::Change>, UnderWay) {
    let mut group = before.map_or_else(Group::default, |before| {
        Group::after(Arc::clone(&before.group))
    });
    let mut inbox_records = before.map_or_else(
        || rows.totals().inbox_records,
        |before| before.inbox_records,
    );
    let mut staged = Staged {
        refusals,
        ..Staged::default()
    };
    let mut kept = Vec::new();
    for Work {
        job,
        mut lines,
        mut sealed,
    } in work
    {
        let job = match judge(rows, &mut group, job, lines.len() as u64, &mut sealed) {
            Verdict::Write(job) => job,
            Verdict::Answer(answer) => {
                staged.others.push(answer);
                continue;
            }
        };
        if let Job::Receive(..) | Job::Settle(..) = job {
            inbox_records += 1;
            lines
                .iter_mut()
                .for_each(|line| line.version = inbox_records);
        }
        staged.jobs.push(job);
        staged.batches.push(lines);
        kept.extend(sealed);
    }
    let after = UnderWay {
        group: group.whole(),
        inbox_records,
        refusals,
    };
    (staged, kept, after)
}

enum Verdict {
    Write(Job),
    Answer(Answer),
}

fn judge(
    rows: &Rows,
    taken: &mut Group,
    job: Job,
    lines: u64,
    sealed: &mut Vec<vault::Change>,
) -> Verdict {
    match job {
        Job::Append(append, sender) => match taken.append(rows, &append, lines) {
            Ok(()) => Verdict::Write(Job::Append(append, sender)),
            Err(error) => Verdict::Answer(Answer::Append(sender, Err(error))),
        },
        Job::Receive(message, sender) => {
            let unwanted = match sealed.is_empty() {
                true => Ok(false),
                false => taken.is_of_erased(rows, &message),
            };
            let receipt = unwanted.and_then(|unwanted| {
                sealed.retain(|_| !unwanted);
                taken.receive(rows, &message)
            });
            match receipt {
                Ok(Receipt::Stored) => Verdict::Write(Job::Receive(message, sender)),
                other => Verdict::Answer(Answer::Receive(sender, other)),
            }
        }
        Job::Settle(id, standing, sender) => match taken.settle(rows, &id, &standing) {
            Ok(Marked::Written) => Verdict::Write(Job::Settle(id, standing, sender)),
            Ok(Marked::Unchanged) => Verdict::Answer(Answer::Settle(sender, Ok(()))),
            Err(error) => Verdict::Answer(Answer::Settle(sender, Err(error))),
        },
    }
}
