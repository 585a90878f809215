//! The bounded queue to the sequencer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use issuance_domain::MessageId;
use tokio::sync::oneshot;

use crate::error::{AppendError, StoreError};
use crate::journal::Batch;
use crate::message::{Message, Receipt, Standing};
use crate::store::{Append, Appended};
use crate::vault::Change;

/// Something to be made durable, prepared by its caller.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) job: Job,
    /// Lines for the journal; those of the inbox get their number from the sequencer.
    pub(super) lines: Batch<'static>,
    /// Records for the vault.
    pub(super) sealed: Vec<Change>,
}

/// What it is, and who waits for it.
#[derive(Debug)]
pub(super) enum Job {
    /// Its events are in the lines and nowhere else.
    Append(Box<Append>, oneshot::Sender<Result<Appended, AppendError>>),
    Receive(Box<Message>, oneshot::Sender<Result<Receipt, StoreError>>),
    Settle(MessageId, Standing, oneshot::Sender<Result<(), StoreError>>),
}

impl Work {
    fn bytes(&self) -> usize {
        self.lines
            .iter()
            .map(|line| line.body.get().len() + 400)
            .sum()
    }
}

/// The queue, as callers and the committer see it.
#[derive(Debug)]
pub(super) struct Queue {
    line: Mutex<Line>,
    /// The sequencer may go on.
    ready: Condvar,
    work_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Line {
    work: VecDeque<Work>,
    bytes: usize,
    /// Nothing more comes in.
    ends: Option<Ends>,
    /// Groups handed to the committer, and those it is done with.
    handed: u64,
    done: u64,
    /// Jobs of the newest group that was handed over: while it is under way, as many are gathered for the next. Their
    /// callers come back when it is done.
    enough: usize,
    /// The sequencer sleeps until so many wait.
    wakes: Option<usize>,
}

/// What comes behind the last work.
#[derive(Debug, Clone, Copy)]
enum Ends {
    /// The store is closed.
    Closed,
    /// Everybody left.
    Left,
}

impl Line {
    /// How many have to wait before a group is taken.
    fn wanted(&self) -> usize {
        if self.ends.is_some() || self.handed == self.done {
            1
        } else {
            self.enough.max(1)
        }
    }
}

/// The sequencer's end.
#[derive(Debug)]
pub(super) struct Waiting(Arc<Queue>);

/// A queue of at most so much work and so many bytes of it.
pub(super) fn queue(work_max: usize, bytes_max: usize) -> (Arc<Queue>, Waiting) {
    let queue = Arc::new(Queue {
        line: Mutex::default(),
        ready: Condvar::new(),
        work_max,
        bytes_max,
    });
    (Arc::clone(&queue), Waiting(queue))
}

impl Queue {
    /// No step under this lock leaves it half done, so a poisoned one tells nothing.
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands work over, or refuses it at once.
    pub(super) fn send(&self, work: Work) -> Result<(), StoreError> {
        let bytes = work.bytes();
        let mut line = self.lock();
        if line.ends.is_some() {
            return Err(StoreError::Closed);
        }
        if line.work.len() >= self.work_max || line.bytes > self.bytes_max {
            return Err(StoreError::Overloaded);
        }
        line.bytes += bytes;
        line.work.push_back(work);
        let waiting = line.work.len();
        let wakes = line.wakes.take_if(|wakes| waiting >= *wakes);
        drop(line);
        if wakes.is_some() {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// The committer is done with a group.
    pub(super) fn done(&self) {
        let mut line = self.lock();
        line.done += 1;
        self.wake(line);
    }

    /// Lets the sequencer end once it has handed over everything.
    pub(super) fn close(&self) {
        self.end_with(Ends::Closed);
    }

    /// Nobody hands over any more.
    pub(super) fn end(&self) {
        self.end_with(Ends::Left);
    }

    fn end_with(&self, ends: Ends) {
        let mut line = self.lock();
        line.ends.get_or_insert(ends);
        self.wake(line);
    }

    fn wake(&self, mut line: MutexGuard<'_, Line>) {
        let wakes = line.wakes.take();
        drop(line);
        if wakes.is_some() {
            self.ready.notify_one();
        }
    }
}

/// A group, and whether another may follow.
#[derive(Debug)]
pub(super) enum Next {
    Group(Vec<Work>),
    /// The store is closed, after this.
    Close(Vec<Work>),
    /// Everybody left, after what was handed over.
    End,
}

impl Waiting {
    /// Waits for work and takes everything that waits, as far as it fits one group. While a group is under way, it waits
    /// until as many came as that one has.
    pub(super) fn take(&mut self, work_max: usize, bytes_max: usize) -> Next {
        let mut line = self.0.lock();
        loop {
            let wanted = line.wanted().min(work_max);
            if line.work.len() >= wanted || line.bytes >= bytes_max {
                break;
            }
            match line.ends {
                Some(Ends::Closed) => return Next::Close(Vec::new()),
                Some(Ends::Left) => return Next::End,
                None => line.wakes = Some(wanted),
            }
            line = self
                .0
                .ready
                .wait(line)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let mut group = Vec::with_capacity(line.work.len().min(work_max));
        let mut bytes = 0;
        while group.len() < work_max
            && let Some(work) = line.work.pop_front_if(|work| {
                bytes += work.bytes();
                bytes <= bytes_max || group.is_empty()
            })
        {
            line.bytes -= work.bytes();
            group.push(work);
        }
        match line.ends {
            Some(Ends::Closed) if line.work.is_empty() => Next::Close(group),
            _ => Next::Group(group),
        }
    }

    /// A group of so many jobs goes to the committer.
    pub(super) fn handing_over(&mut self, jobs: usize) {
        let mut line = self.0.lock();
        line.handed += 1;
        line.enough = jobs;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut line = self.0.lock();
        line.ends.get_or_insert(Ends::Left);
        // Who waits for an answer hears that none comes.
        line.bytes = 0;
        let left = std::mem::take(&mut line.work);
        drop(line);
        drop(left);
    }
}
