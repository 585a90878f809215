//! The smallest executor: futures of nodes, polled one at a time in an order the seed gives. No thread, no timer.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::rng::Rng;

/// Work of one process.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One life of a process. All its work ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub(crate) node: usize,
    pub(crate) number: u32,
}

#[derive(Debug, Default)]
struct Ready(Mutex<Vec<usize>>);

#[derive(Debug)]
struct Flag {
    slot: usize,
    waits: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.waits.swap(true, Ordering::Relaxed) {
            self.ready.push(self.slot);
        }
    }
}

impl Ready {
    fn push(&self, slot: usize) {
        self.lock().push(slot);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Task {
    life: Life,
    work: Work,
    flag: Arc<Flag>,
    waker: Waker,
}

/// All work there is.
#[derive(Default)]
pub(crate) struct Tasks {
    slots: Vec<Option<Task>>,
    free: Vec<usize>,
    ready: Arc<Ready>,
    /// Woken while their node was stopped.
    held: Vec<usize>,
    stopped: BTreeSet<usize>,
}

impl Tasks {
    pub(crate) fn spawn(&mut self, life: Life, work: Work) {
        let slot = self.free.pop().unwrap_or(self.slots.len());
        let flag = Arc::new(Flag {
            slot,
            waits: AtomicBool::new(true),
            ready: self.ready.clone(),
        });
        let waker = Waker::from(flag.clone());
        let task = Some(Task {
            life,
            work,
            flag,
            waker,
        });
        match self.slots.get_mut(slot) {
            Some(place) => *place = task,
            None => self.slots.push(task),
        }
        self.ready.push(slot);
    }

    /// Polls one of those that are ready. Its slot, or none when nobody is.
    pub(crate) fn poll_one(&mut self, rng: &mut Rng) -> Option<usize> {
        loop {
            let slot = {
                let mut ready = self.ready.lock();
                if ready.is_empty() {
                    return None;
                }
                let nth = rng.below(ready.len() as u64);
                ready.swap_remove(usize::try_from(nth).unwrap_or(0))
            };
            let Some(Some(task)) = self.slots.get_mut(slot) else {
                continue;
            };
            if self.stopped.contains(&task.life.node) {
                self.held.push(slot);
                continue;
            }
            task.flag.waits.store(false, Ordering::Relaxed);
            let waker = task.waker.clone();
            let ended = task.work.as_mut().poll(&mut Context::from_waker(&waker));
            if ended == Poll::Ready(()) {
                self.remove(slot);
            }
            return Some(slot);
        }
    }

    /// A stopped process runs nothing until it goes on.
    pub(crate) fn stop(&mut self, node: usize) {
        self.stopped.insert(node);
    }

    pub(crate) fn go_on(&mut self, node: usize) {
        self.stopped.remove(&node);
        self.ready.lock().append(&mut self.held);
    }

    /// A process dies: its work is dropped where it stands.
    pub(crate) fn kill(&mut self, node: usize) {
        for slot in 0..self.slots.len() {
            let dies = matches!(&self.slots[slot], Some(task) if task.life.node == node);
            if dies {
                self.remove(slot);
            }
        }
        self.go_on(node);
    }

    fn remove(&mut self, slot: usize) {
        // A late wake must not reach whoever has the slot next.
        if let Some(task) = self.slots[slot].take() {
            task.flag.waits.store(true, Ordering::Relaxed);
            self.ready.lock().retain(|ready| *ready != slot);
            self.held.retain(|held| *held != slot);
            self.free.push(slot);
        }
    }
}
