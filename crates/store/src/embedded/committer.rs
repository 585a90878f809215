//! The committer: one thread, one group at a time. Gather, judge, write, sync once, move the rows, answer.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::behind::{Behind, End};
use super::options::Limits;
use super::shared::{Shared, chain};
use super::work::{Job, Next, Waiting, Work};
use crate::book::{Change, Group, Marked, OrderChange, Place, Rows};
use crate::error::{AppendError, StoreError};
use crate::journal::{Batch, JournalError, Location, Writer, Written};
use crate::message::Receipt;
use crate::position::Position;
use crate::store::{Append, Appended};
use crate::vault::{self, Vault, VaultError};

/// Owns the files that are written.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Writer,
    pub(super) vault: Vault,
    pub(super) waiting: Waiting,
    pub(super) behind: Arc<Behind>,
    pub(super) limits: Limits,
}

/// Jobs judged good, in the order of their batches.
#[derive(Default)]
struct Judged {
    jobs: Vec<Job>,
    batches: Vec<Batch<'static>>,
    sealed: Vec<vault::Change>,
    /// Answers that wait for the group all the same: they may rest on what it makes durable.
    others: Vec<Answer>,
}

enum Answer {
    Append(oneshot::Sender<Result<Appended, AppendError>>, Result<Appended, AppendError>),
    Receive(oneshot::Sender<Result<Receipt, StoreError>>, Result<Receipt, StoreError>),
    Settle(oneshot::Sender<Result<(), StoreError>>, Result<(), StoreError>),
}

impl Answer {
    /// Whoever no longer waits does not hear it; what was done stays done.
    fn send(self) {
        match self {
            Self::Append(sender, answer) => drop(sender.send(answer)),
            Self::Receive(sender, answer) => drop(sender.send(answer)),
            Self::Settle(sender, answer) => drop(sender.send(answer)),
        }
    }
}

/// Says that the thread is gone, also when it panicked: nobody may wait for it.
struct Farewell {
    shared: Arc<Shared>,
    behind: Arc<Behind>,
    end: End,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.stop("its writer panicked".into());
        }
        self.shared.close();
        self.behind.end(self.end);
    }
}

impl Committer {
    /// Runs until the store is closed, dropped or stopped.
    pub(super) fn run(mut self) {
        let (shared, behind) = (Arc::clone(&self.shared), Arc::clone(&self.behind));
        let mut farewell = Farewell { shared, behind, end: End::AsItIs };
        loop {
            match self.waiting.take(self.limits.group, self.limits.group_bytes) {
                Next::Group(group) => {
                    if self.commit(group).is_err() {
                        return;
                    }
                }
                Next::Close(group) => {
                    if self.commit(group).is_ok() {
                        farewell.end = End::Written;
                    }
                    return;
                }
                Next::End => return,
            }
        }
    }

    /// An error means that the store has stopped.
    fn commit(&mut self, group: Vec<Work>) -> Result<(), StoreError> {
        if group.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.behind.wait_for_room() {
            group.into_iter().for_each(|work| fail(work.job, &error));
            return Ok(());
        }
        let Judged { jobs, batches, sealed, others } = self.judge(group);
        metrics::histogram!("issuance_store_group_appends").record(jobs.len() as f64);
        let ended = match self.write(&batches, &sealed) {
            Ok(None) => Ok(()),
            Ok(Some(written)) => self.apply(jobs, &batches, &written),
            Err(error) => {
                jobs.into_iter().for_each(|job| fail(job, &error));
                if error.is_transient() { Ok(()) } else { Err(error) }
            }
        };
        others.into_iter().for_each(Answer::send);
        ended
    }

    fn judge(&self, group: Vec<Work>) -> Judged {
        let book = self.shared.book();
        let mut judged = Judged::default();
        let mut taken = Group::default();
        let mut records = book.rows.totals().inbox_records;
        for Work { job, mut lines, sealed } in group {
            let job = match judge(&book.rows, &mut taken, job) {
                Verdict::Write(job) => job,
                Verdict::Answer(answer) => {
                    judged.others.push(answer);
                    continue;
                }
            };
            if let Job::Receive(..) | Job::Settle(..) = job {
                records += 1;
                lines.iter_mut().for_each(|line| line.version = records);
            }
            judged.jobs.push(job);
            judged.batches.push(lines);
            judged.sealed.extend(sealed);
        }
        judged
    }

    /// Vault before journal, so that no event speaks of data that is not there.
    fn write(&mut self, batches: &[Batch<'static>], sealed: &[vault::Change]) -> Result<Option<Written>, StoreError> {
        if batches.is_empty() {
            return Ok(None);
        }
        if !sealed.is_empty() {
            let kept = self.vault.write(sealed).and_then(|()| self.vault.sync());
            kept.map_err(|error| match error {
                VaultError::Full { .. } => StoreError::DiskFull,
                other => self.shared.stop(chain(&other)),
            })?;
        }
        let written = self.journal.write(batches).and_then(|written| self.journal.sync().map(|_| written));
        written.map(Some).map_err(|error| match error {
            JournalError::Full { .. } => StoreError::DiskFull,
            other => self.shared.stop(chain(&other)),
        })
    }

    /// It is durable: the rows follow, then the answers.
    fn apply(&self, jobs: Vec<Job>, batches: &[Batch<'static>], written: &Written) -> Result<(), StoreError> {
        let mut answers = Vec::with_capacity(jobs.len());
        let mut earlier = false;
        let messages;
        {
            let mut book = self.shared.book_mut();
            let mut tasks = self.shared.tasks();
            let pending = book.rows.totals().counts.pending_messages;
            let (mut position, mut locations) = (written.first - 1, &written.locations[..]);
            for (job, batch) in jobs.into_iter().zip(batches) {
                let (places, rest) = locations.split_at(batch.len());
                (position, locations) = (position + batch.len() as u64, rest);
                let (change, answer, owed) = outcome(job, Position(position), places);
                if let Err(error) = book.rows.apply(Position(position), change) {
                    // Durable, but this process can no longer tell: the next one replays it.
                    return Err(self.shared.stop(chain(&error)));
                }
                if let Some((order, owed)) = owed {
                    earlier |= tasks.replace(order, &owed);
                }
                answers.push(answer);
            }
            book.head = written.head;
            messages = book.rows.totals().counts.pending_messages > pending;
            self.behind.grown(book.rows.fresh());
        }
        self.shared.grown.raise();
        if earlier {
            self.shared.tasks_changed.raise();
        }
        if messages {
            self.shared.messages_came.raise();
        }
        answers.into_iter().for_each(Answer::send);
        Ok(())
    }
}

enum Verdict {
    Write(Job),
    Answer(Answer),
}

fn judge(rows: &Rows, taken: &mut Group, job: Job) -> Verdict {
    match job {
        Job::Append(append, sender) => match taken.append(rows, &append) {
            Ok(()) => Verdict::Write(Job::Append(append, sender)),
            Err(error) => Verdict::Answer(Answer::Append(sender, Err(error))),
        },
        Job::Receive(message, sender) => match taken.receive(rows, &message) {
            Ok(Receipt::Stored) => Verdict::Write(Job::Receive(message, sender)),
            other => Verdict::Answer(Answer::Receive(sender, other)),
        },
        Job::Settle(id, standing, sender) => match taken.settle(rows, &id, &standing) {
            Ok(Marked::Written) => Verdict::Write(Job::Settle(id, standing, sender)),
            Ok(Marked::Unchanged) => Verdict::Answer(Answer::Settle(sender, Ok(()))),
            Err(error) => Verdict::Answer(Answer::Settle(sender, Err(error))),
        },
    }
}

type Owed = Option<(issuance_domain::OrderId, Vec<issuance_domain::Task>)>;

fn outcome(job: Job, position: Position, places: &[Location]) -> (Change, Answer, Owed) {
    match job {
        Job::Append(append, sender) => {
            let Append { projection, settles, .. } = append;
            let (id, version, open) = (projection.order.id, projection.order.version, projection.is_open());
            let places = places.iter().map(|place| Place(place.to_bytes())).collect();
            let change = Change::Order(OrderChange { order: projection.order, open, places, settles });
            let answer = Answer::Append(sender, Ok(Appended { position, version }));
            (change, answer, Some((id, projection.tasks)))
        }
        Job::Receive(message, sender) => {
            (Change::Received(message), Answer::Receive(sender, Ok(Receipt::Stored)), None)
        }
        Job::Settle(id, standing, sender) => {
            (Change::Settled { id, standing }, Answer::Settle(sender, Ok(())), None)
        }
    }
}

fn fail(job: Job, error: &StoreError) {
    match job {
        Job::Append(_, sender) => Answer::Append(sender, Err(error.clone().into())).send(),
        Job::Receive(_, sender) => Answer::Receive(sender, Err(error.clone())).send(),
        Job::Settle(_, _, sender) => Answer::Settle(sender, Err(error.clone())).send(),
    }
}
