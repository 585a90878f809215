//! The committer: one thread that owns the journal. It writes a group, syncs once, moves the rows in memory, and answers all.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::answer::Answer;
use super::behind::{Behind, End};
use super::sequencer::{Handed, Staged};
use super::shared::{Shared, chain};
use super::work::{Job, Queue};
use crate::book::{Change, OrderChange, Place};
use crate::error::StoreError;
use crate::journal::{Batch, JournalError, Location, Writer, Written};
use crate::message::Receipt;
use crate::position::Position;
use crate::store::{Append, Appended};

/// Looks at whether lost rows are there again, one each [`PAUSE`](super::behind::PAUSE), before callers hear that nobody
/// can tell yet.
const LOOKS: u32 = 10;

/// Owns the journal.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Writer,
    pub(super) groups: Receiver<Handed>,
    pub(super) queue: Arc<Queue>,
    pub(super) behind: Arc<Behind>,
}

/// Says that the thread is gone, also when it panicked: nobody may wait for it.
struct Farewell {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    behind: Arc<Behind>,
    end: End,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.stop("its writer panicked".into());
        }
        self.shared.close();
        self.queue.end();
        self.behind.end(self.end);
    }
}

impl Committer {
    /// Runs until the last group, or until the store has stopped.
    pub(super) fn run(mut self) {
        let mut farewell = Farewell {
            shared: Arc::clone(&self.shared),
            queue: Arc::clone(&self.queue),
            behind: Arc::clone(&self.behind),
            end: End::AsItIs,
        };
        while let Ok(handed) = self.groups.recv() {
            match handed {
                Handed::Group(staged) => {
                    // An error means that the store has stopped.
                    if self.commit(staged).is_err() {
                        return;
                    }
                    self.queue.done();
                }
                Handed::End(end) => {
                    farewell.end = end;
                    return;
                }
            }
        }
    }

    /// Makes a group durable and answers it. An error means that the store has stopped.
    fn commit(&mut self, staged: Staged) -> Result<(), StoreError> {
        if staged.refusals != self.shared.refusals() {
            // What was judged by a group that did not arrive falls with it.
            staged.fail(&StoreError::DiskFull);
            return Ok(());
        }
        let written = match self.write(&staged.batches) {
            Ok(written) => written,
            Err(error) => {
                self.shared.refused();
                // So does a repeat of what was not stored: it is none.
                staged.fail(&error);
                return if error.is_transient() {
                    Ok(())
                } else {
                    Err(error)
                };
            }
        };
        let applied = match written {
            Some(written) => self.apply(staged.jobs, &staged.batches, &written),
            None => Ok(()),
        };
        match &applied {
            Ok(()) => staged.others.into_iter().for_each(Answer::send),
            Err(error) => staged
                .others
                .into_iter()
                .for_each(|other| other.fail(error)),
        }
        applied
    }

    fn write(&mut self, batches: &[Batch<'static>]) -> Result<Option<Written>, StoreError> {
        if batches.is_empty() {
            return Ok(None);
        }
        let written = self
            .journal
            .write(batches)
            .and_then(|written| self.journal.sync().map(|_| written));
        if written.is_ok() && self.shared.room().take().is_some() {
            tracing::info!("there is room to write again");
        }
        written.map(Some).map_err(|error| match error {
            JournalError::Full { source, .. } => self.shared.no_room(&source),
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
        let (mut earlier, mut lost) = (false, None);
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
                if lost.is_none() {
                    lost = book.rows.apply(Position(position), change).err();
                }
                if let Some((order, owed)) = owed {
                    earlier |= tasks.replace(order, &owed);
                }
                answers.push(answer);
            }
            if lost.is_some() {
                book.rows.withhold();
            } else {
                book.head = written.head;
            }
            messages = lost.is_some() || book.rows.totals().counts.pending_messages > pending;
            self.behind.grown(book.rows.fresh());
        }
        if let Some(error) = lost {
            self.recover(&error, &mut answers)?;
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

impl Committer {
    /// The index was closed or failed in the middle of a change. The journal has what is durable, so the rows come from
    /// there; nobody is told anything that rests on them before. An error means that the store has stopped, or is closed
    /// and waited long enough.
    fn recover(&self, error: &StoreError, answers: &mut Vec<Answer>) -> Result<(), StoreError> {
        tracing::warn!(error = %chain(error), "the rows of durable events come with the next index");
        self.behind.lose();
        let mut looks = 0;
        while !self.behind.has_rows() {
            looks += 1;
            let alive = self.shared.alive();
            if self.shared.has_stopped() {
                return alive;
            }
            if looks >= LOOKS {
                answers
                    .drain(..)
                    .for_each(|answer| answer.fail(&StoreError::Unconfirmed));
                alive?;
            }
        }
        Ok(())
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
            let (id, version) = (projection.order.id, projection.order.version);
            let owed = projection.owed();
            let places = places.iter().map(|place| Place(place.to_bytes())).collect();
            let change = Change::Order(OrderChange {
                order: projection.order,
                owed,
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
