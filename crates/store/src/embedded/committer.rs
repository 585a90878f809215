//! The committer: one thread. Gather, judge, have personal data kept, write, sync once, move the rows, answer.
//!
//! Two groups can be under way: while the journal syncs one, the vault syncs the next, which is judged as if the first had
//! arrived. If it does not, both are refused.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::behind::{Behind, End};
use super::keeper::Keeper;
use super::options::Limits;
use super::shared::{Shared, chain};
use super::work::{Job, Next, Waiting, Work};
use crate::book::{Change, Group, Marked, OrderChange, Place, Rows};
use crate::error::{AppendError, StoreError};
use crate::journal::{Batch, JournalError, Location, Writer, Written};
use crate::message::Receipt;
use crate::position::Position;
use crate::store::{Append, Appended};
use crate::vault::{self, VaultError};

/// Owns the journal.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Writer,
    pub(super) keeper: Keeper,
    pub(super) waiting: Waiting,
    pub(super) behind: Arc<Behind>,
    pub(super) limits: Limits,
}

/// A group that was judged: the good jobs, in the order of their batches.
#[derive(Default)]
struct Staged {
    jobs: Vec<Job>,
    batches: Vec<Batch<'static>>,
    /// Answers that wait for the group all the same: they may rest on what it makes durable.
    others: Vec<Answer>,
    group: Group,
    /// Records of the inbox, with this group.
    inbox_records: u64,
    /// The keeper has personal data of it.
    keeps: bool,
}

enum Answer {
    Append(
        oneshot::Sender<Result<Appended, AppendError>>,
        Result<Appended, AppendError>,
    ),
    Receive(
        oneshot::Sender<Result<Receipt, StoreError>>,
        Result<Receipt, StoreError>,
    ),
    Settle(
        oneshot::Sender<Result<(), StoreError>>,
        Result<(), StoreError>,
    ),
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

impl Answer {
    /// Whatever it was to be, the group it rests on did not become durable.
    fn fail(self, error: &StoreError) {
        match self {
            Self::Append(sender, _) => Self::Append(sender, Err(error.clone().into())).send(),
            Self::Receive(sender, _) => Self::Receive(sender, Err(error.clone())).send(),
            Self::Settle(sender, _) => Self::Settle(sender, Err(error.clone())).send(),
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
        let mut farewell = Farewell {
            shared,
            behind,
            end: End::AsItIs,
        };
        let (mut staged, mut end) = (None, None);
        while end.is_none() || staged.is_some() {
            let group = match staged.take() {
                Some(group) => group,
                None => {
                    let next = self
                        .waiting
                        .take(self.limits.group, self.limits.group_bytes);
                    match self.stage(next, None, &mut end) {
                        Some(group) => group,
                        None => continue,
                    }
                }
            };
            match self.commit(group, &mut end) {
                Ok(following) => staged = following,
                // The store has stopped.
                Err(_) => return,
            }
        }
        farewell.end = end.unwrap_or(End::AsItIs);
    }

    /// Judges a group and hands its personal data to the keeper.
    fn stage(
        &mut self,
        next: Next,
        before: Option<(Group, u64)>,
        end: &mut Option<End>,
    ) -> Option<Staged> {
        let work = match next {
            Next::Group(work) => work,
            Next::Close(work) => {
                *end = Some(End::Written);
                work
            }
            Next::End => {
                *end = Some(End::AsItIs);
                Vec::new()
            }
        };
        if work.is_empty() {
            return None;
        }
        if let Err(error) = self.behind.wait_for_room() {
            work.into_iter().for_each(|work| fail(work.job, &error));
            return None;
        }
        let (mut staged, sealed) = judge_all(&self.shared.book().rows, before, work);
        metrics::histogram!("issuance_store_group_appends").record(staged.jobs.len() as f64);
        staged.keeps = !sealed.is_empty();
        if staged.keeps {
            self.keeper.keep(sealed);
        }
        Some(staged)
    }

    /// Makes a group durable and answers it. While the disk works on it, the next one's personal data is on its way too.
    /// An error means that the store has stopped.
    fn commit(
        &mut self,
        staged: Staged,
        end: &mut Option<End>,
    ) -> Result<Option<Staged>, StoreError> {
        let Staged {
            jobs,
            batches,
            others,
            group,
            inbox_records,
            keeps,
        } = staged;
        let mut following = None;
        let written = match if keeps { self.keep() } else { Ok(()) } {
            Err(error) => Err(error),
            Ok(()) => {
                if keeps && end.is_none() {
                    let next = self
                        .waiting
                        .poll(self.limits.group, self.limits.group_bytes);
                    following = self.stage(next, Some((group, inbox_records)), end);
                }
                self.write(&batches)
            }
        };
        let ended = match written {
            Ok(None) => Ok(()),
            Ok(Some(written)) => self.apply(jobs, &batches, &written),
            Err(error) => {
                // What was judged by this group falls with it: a repeat of what was not stored is none.
                jobs.into_iter().for_each(|job| fail(job, &error));
                others.into_iter().for_each(|other| other.fail(&error));
                if let Some(following) = following {
                    self.give_up(following, &error);
                }
                return if error.is_transient() {
                    Ok(None)
                } else {
                    Err(error)
                };
            }
        };
        match &ended {
            Ok(()) => others.into_iter().for_each(Answer::send),
            Err(error) => others.into_iter().for_each(|other| other.fail(error)),
        }
        ended.map(|()| following)
    }

    fn give_up(&mut self, staged: Staged, error: &StoreError) {
        if staged.keeps {
            // It is in the vault, or not; no event speaks of it.
            let _ = self.keeper.kept();
        }
        staged.jobs.into_iter().for_each(|job| fail(job, error));
        staged
            .others
            .into_iter()
            .for_each(|other| other.fail(error));
    }

    /// Vault before journal, so that no event speaks of data that is not there.
    fn keep(&self) -> Result<(), StoreError> {
        self.keeper.kept().map_err(|error| match error {
            VaultError::Full { .. } => StoreError::DiskFull,
            other => self.shared.stop(chain(&other)),
        })
    }

    fn write(&mut self, batches: &[Batch<'static>]) -> Result<Option<Written>, StoreError> {
        if batches.is_empty() {
            return Ok(None);
        }
        let written = self
            .journal
            .write(batches)
            .and_then(|written| self.journal.sync().map(|_| written));
        written.map(Some).map_err(|error| match error {
            JournalError::Full { .. } => StoreError::DiskFull,
            other => self.shared.stop(chain(&other)),
        })
    }

    /// It is durable: the rows follow, then the answers.
    fn apply(
        &self,
        jobs: Vec<Job>,
        batches: &[Batch<'static>],
        written: &Written,
    ) -> Result<(), StoreError> {
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

/// The good jobs of a group, and the personal data that comes with them.
fn judge_all(
    rows: &Rows,
    before: Option<(Group, u64)>,
    work: Vec<Work>,
) -> (Staged, Vec<vault::Change>) {
    let mut staged = match before {
        Some((group, inbox_records)) => Staged {
            group: Group::after(group),
            inbox_records,
            ..Staged::default()
        },
        None => Staged {
            inbox_records: rows.totals().inbox_records,
            ..Staged::default()
        },
    };
    let mut kept = Vec::new();
    for Work {
        job,
        mut lines,
        sealed,
    } in work
    {
        let job = match judge(rows, &mut staged.group, job, lines.len() as u64) {
            Verdict::Write(job) => job,
            Verdict::Answer(answer) => {
                staged.others.push(answer);
                continue;
            }
        };
        if let Job::Receive(..) | Job::Settle(..) = job {
            staged.inbox_records += 1;
            lines
                .iter_mut()
                .for_each(|line| line.version = staged.inbox_records);
        }
        staged.jobs.push(job);
        staged.batches.push(lines);
        kept.extend(sealed);
    }
    (staged, kept)
}

enum Verdict {
    Write(Job),
    Answer(Answer),
}

fn judge(rows: &Rows, taken: &mut Group, job: Job, lines: u64) -> Verdict {
    match job {
        Job::Append(append, sender) => match taken.append(rows, &append, lines) {
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
            let Append {
                projection,
                settles,
                ..
            } = *append;
            let (id, version, open) = (
                projection.order.id,
                projection.order.version,
                projection.is_open(),
            );
            let places = places.iter().map(|place| Place(place.to_bytes())).collect();
            let change = Change::Order(OrderChange {
                order: projection.order,
                open,
                places,
                settles,
            });
            let answer = Answer::Append(sender, Ok(Appended { position, version }));
            (change, answer, Some((id, projection.tasks)))
        }
        Job::Receive(message, sender) => (
            Change::Received(*message),
            Answer::Receive(sender, Ok(Receipt::Stored)),
            None,
        ),
        Job::Settle(id, standing, sender) => (
            Change::Settled { id, standing },
            Answer::Settle(sender, Ok(())),
            None,
        ),
    }
}

fn fail(job: Job, error: &StoreError) {
    match job {
        Job::Append(_, sender) => Answer::Append(sender, Err(error.clone().into())).send(),
        Job::Receive(_, sender) => Answer::Receive(sender, Err(error.clone())).send(),
        Job::Settle(_, _, sender) => Answer::Settle(sender, Err(error.clone())).send(),
    }
}
