//! What open orders owe, by due time, with claims.
//!
//! A row keeps its name, claim, due time and tries while its order keeps owing the same; only a due time that the order
//! itself moved replaces the row's. Claims live in memory: one process, one set of workers.

use std::collections::{BTreeSet, HashMap};

use issuance_domain::planted::{self, Bug};
use issuance_domain::{OrderId, Task, TaskId, Timestamp};

use crate::store::{Kind, Lease, LeaseAsk, TaskRow};

/// All tasks of a store.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    rows: HashMap<OrderId, Vec<Row>>,
    queues: Queues,
    count: u64,
    epoch: u64,
}

#[derive(Debug)]
struct Row {
    id: TaskId,
    /// What the order said when this row's due time was set.
    owed: Timestamp,
    due: Timestamp,
    tries: u32,
    /// The newest claim, 0 before the first.
    epoch: u64,
    claimed_until: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Unclaimed, by due time.
    ready: BTreeSet<(Timestamp, TaskId)>,
    /// Claimed, by the end of the claim.
    claimed: BTreeSet<(Timestamp, TaskId)>,
}

impl Queue {
    fn insert(&mut self, row: &Row) {
        match row.claimed_until {
            Some(until) => self.claimed.insert((until, row.id)),
            None => self.ready.insert((row.due, row.id)),
        };
    }

    fn remove(&mut self, row: &Row) {
        match row.claimed_until {
            Some(until) => self.claimed.remove(&(until, row.id)),
            None => self.ready.remove(&(row.due, row.id)),
        };
    }

    fn first(&self) -> Option<Timestamp> {
        let ready = self.ready.first().map(|(due, _)| *due);
        let claimed = self.claimed.first().map(|(until, _)| *until);
        ready.into_iter().chain(claimed).min()
    }
}

/// One queue for each kind.
#[derive(Debug, Default)]
struct Queues {
    submissions: Queue,
    notices: Queue,
    readings: Queue,
}

impl Queues {
    fn of(&mut self, kind: Kind) -> &mut Queue {
        match kind {
            Kind::Submissions => &mut self.submissions,
            Kind::Notices => &mut self.notices,
            Kind::Readings => &mut self.readings,
        }
    }

    fn holding(&mut self, id: TaskId) -> &mut Queue {
        self.of(Kind::of(id.action))
    }

    fn firsts(&self) -> [Option<Timestamp>; 3] {
        [
            self.submissions.first(),
            self.notices.first(),
            self.readings.first(),
        ]
    }
}

/// Whether some first is earlier than it was.
fn is_earlier(before: [Option<Timestamp>; 3], now: [Option<Timestamp>; 3]) -> bool {
    before
        .iter()
        .zip(now)
        .any(|(before, now)| now.is_some_and(|now| before.is_none_or(|before| now < before)))
}

impl Tasks {
    /// What an order owes from now on. True when something may be due earlier than [`Tasks::next_due`] said.
    pub(crate) fn replace(&mut self, order: OrderId, tasks: &[Task]) -> bool {
        let firsts = self.queues.firsts();
        let mut before = self.rows.remove(&order).unwrap_or_default();
        self.count -= before.len() as u64;
        let mut after = Vec::with_capacity(tasks.len());
        for task in tasks {
            let same = before
                .iter()
                .position(|row| row.id == task.id)
                .map(|index| before.swap_remove(index));
            let queue = self.queues.holding(task.id);
            let row = match same {
                Some(row) if row.owed == task.due => row,
                Some(row) => {
                    queue.remove(&row);
                    let row = Row {
                        owed: task.due,
                        due: task.due,
                        tries: 0,
                        ..row
                    };
                    queue.insert(&row);
                    row
                }
                None => {
                    let (owed, due) = (task.due, task.due);
                    let row = Row {
                        id: task.id,
                        owed,
                        due,
                        tries: 0,
                        epoch: 0,
                        claimed_until: None,
                    };
                    queue.insert(&row);
                    row
                }
            };
            after.push(row);
        }
        for row in before {
            self.queues.holding(row.id).remove(&row);
        }
        self.count += after.len() as u64;
        if !after.is_empty() {
            self.rows.insert(order, after);
        }
        is_earlier(firsts, self.queues.firsts())
    }

    /// Claims due tasks, most urgent first.
    pub(crate) fn lease(&mut self, ask: LeaseAsk) -> Vec<Lease> {
        self.end_claims(ask.kind, ask.now);
        let mut leases = Vec::new();
        while leases.len() < ask.limit {
            let Some((_, id)) = self
                .queues
                .of(ask.kind)
                .ready
                .first()
                .filter(|(due, _)| *due <= ask.now)
                .copied()
            else {
                break;
            };
            self.epoch += 1;
            let epoch = self.epoch;
            let Some(lease) = self.change(id, |row| {
                row.epoch = epoch;
                row.claimed_until = Some(ask.until);
                Lease {
                    task: Task { id, due: row.due },
                    epoch,
                    tries: row.tries,
                    until: ask.until,
                }
            }) else {
                break;
            };
            leases.push(lease);
        }
        leases
    }

    /// Gives a claim back. True when something may be due earlier than [`Tasks::next_due`] said.
    pub(crate) fn release(&mut self, lease: &Lease, due: Option<Timestamp>) -> bool {
        let firsts = self.queues.firsts();
        let id = lease.task.id;
        let newest = |row: &Row| row.epoch == lease.epoch || planted::is(Bug::StaleRelease);
        if self.row(id).is_some_and(newest) {
            self.change(id, |row| {
                row.claimed_until = None;
                // Without a time the order's own counts, or who was put off to before it would be claimed without end.
                row.due = due.unwrap_or(row.owed);
                row.tries = row.tries.saturating_add(due.is_some().into());
            });
        }
        is_earlier(firsts, self.queues.firsts())
    }

    /// When the next task of this kind can be claimed. A claimed one counts from the end of its claim.
    pub(crate) fn next_due(&mut self, kind: Kind) -> Option<Timestamp> {
        self.queues.of(kind).first()
    }

    /// What one order owes.
    pub(crate) fn of(&self, order: OrderId) -> Vec<TaskRow> {
        let rows = self.rows.get(&order).map_or(&[][..], Vec::as_slice);
        let row = |row: &Row| TaskRow {
            id: row.id,
            due: row.due,
            tries: row.tries,
            leased_until: row.claimed_until,
        };
        rows.iter().map(row).collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Claims whose time is over end.
    fn end_claims(&mut self, kind: Kind, now: Timestamp) {
        while let Some((_, id)) = self
            .queues
            .of(kind)
            .claimed
            .first()
            .filter(|(until, _)| *until <= now)
            .copied()
        {
            if self.change(id, |row| row.claimed_until = None).is_none() {
                break;
            }
        }
    }

    fn row(&self, id: TaskId) -> Option<&Row> {
        self.rows.get(&id.order)?.iter().find(|row| row.id == id)
    }

    /// Changes a row and moves it to where it belongs then.
    fn change<T>(&mut self, id: TaskId, change: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let row = self
            .rows
            .get_mut(&id.order)?
            .iter_mut()
            .find(|row| row.id == id)?;
        let queue = self.queues.holding(id);
        queue.remove(row);
        let changed = change(row);
        queue.insert(row);
        Some(changed)
    }
}
