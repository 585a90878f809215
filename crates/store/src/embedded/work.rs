//! The bounded queue to the committer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// Lines for the journal; those of the inbox get their number from the committer.
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

/// What goes through the queue.
#[derive(Debug)]
enum Item {
    Work(Work),
    /// Everything before this is answered; nothing comes after it.
    Close,
}

impl Work {
    fn bytes(&self) -> usize {
        self.lines
            .iter()
            .map(|line| line.body.get().len() + 400)
            .sum()
    }
}

/// The callers' end.
#[derive(Debug)]
pub(super) struct Queue {
    sender: Mutex<Option<SyncSender<Item>>>,
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
}

/// The committer's end.
#[derive(Debug)]
pub(super) struct Waiting {
    receiver: Receiver<Item>,
    bytes: Arc<AtomicUsize>,
    next: Option<Work>,
}

/// A queue of at most so much work and so many bytes of it.
pub(super) fn queue(work: usize, bytes_max: usize) -> (Queue, Waiting) {
    let (sender, receiver) = sync_channel(work);
    let bytes = Arc::new(AtomicUsize::new(0));
    let waiting = Waiting {
        receiver,
        bytes: Arc::clone(&bytes),
        next: None,
    };
    (
        Queue {
            sender: Mutex::new(Some(sender)),
            bytes,
            bytes_max,
        },
        waiting,
    )
}

impl Queue {
    /// Hands work over, or refuses it at once.
    pub(super) fn send(&self, work: Work) -> Result<(), StoreError> {
        let size = work.bytes();
        if self.bytes.fetch_add(size, Ordering::Relaxed) > self.bytes_max {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            return Err(StoreError::Overloaded);
        }
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match sender.as_ref() {
            None => StoreError::Closed,
            Some(sender) => match sender.try_send(Item::Work(work)) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => StoreError::Overloaded,
                Err(TrySendError::Disconnected(_)) => StoreError::Closed,
            },
        };
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        Err(refused)
    }

    /// Lets the committer end once it has answered everything; waits for room in the queue, not for the end.
    pub(super) fn close(&self) {
        let sender = self
            .sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(sender) = sender {
            // The committer may have ended already.
            let _ = sender.send(Item::Close);
        }
    }

    /// Nobody hands over any more.
    pub(super) fn end(&self) {
        drop(
            self.sender
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }
}

/// A group, and whether another may follow.
#[derive(Debug)]
pub(super) enum Next {
    Group(Vec<Work>),
    /// The store is closed, after this.
    Close(Vec<Work>),
    /// Everybody left, after this.
    End,
}

impl Waiting {
    /// Waits for work and takes everything that waits, as far as it fits one group.
    pub(super) fn take(&mut self, work_max: usize, bytes_max: usize) -> Next {
        self.gather(true, work_max, bytes_max)
    }

    /// The same, but an empty group when nothing waits.
    pub(super) fn poll(&mut self, work_max: usize, bytes_max: usize) -> Next {
        self.gather(false, work_max, bytes_max)
    }

    fn gather(&mut self, wait: bool, work_max: usize, bytes_max: usize) -> Next {
        let (mut group, mut bytes) = (Vec::new(), 0);
        loop {
            let item = match self.next.take() {
                Some(work) => Ok(Item::Work(work)),
                None if wait && group.is_empty() => {
                    self.receiver.recv().map_err(|_| TryRecvError::Disconnected)
                }
                None => self.receiver.try_recv(),
            };
            let work = match item {
                Ok(Item::Work(work)) => work,
                Ok(Item::Close) => return Next::Close(group),
                Err(TryRecvError::Disconnected) if group.is_empty() => return Next::End,
                Err(TryRecvError::Disconnected | TryRecvError::Empty) => return Next::Group(group),
            };
            bytes += work.bytes();
            if !group.is_empty() && bytes > bytes_max {
                self.next = Some(work);
                return Next::Group(group);
            }
            self.bytes.fetch_sub(work.bytes(), Ordering::Relaxed);
            group.push(work);
            if group.len() >= work_max {
                return Next::Group(group);
            }
        }
    }
}
