//! The one thread on which sled opens and takes rows. The allocator keeps what a thread took for that thread: were each open
//! on one of its own, memory would grow with every open.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io, thread};

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does one thing after the other, until this is dropped.
#[derive(Default)]
pub(super) struct Hand(Mutex<Option<SyncSender<Job>>>);

impl Hand {
    /// Does something that does not panic. None when it takes longer than `patience`: the thread is left behind then.
    /// Without patience whoever waits has to be watched.
    pub(super) fn run<T: Send + 'static>(
        &self,
        patience: Option<Duration>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Option<T>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = match held.take() {
            Some(jobs) => jobs,
            None => start()?,
        };
        let (sender, done) = sync_channel(1);
        // Nobody listens any more when it took too long.
        let job = Box::new(move || drop(sender.send(job())));
        let gone = || io::Error::other("the thread that has the index is gone");
        jobs.send(job).map_err(|_| gone())?;
        let done = match patience {
            Some(patience) => done.recv_timeout(patience),
            None => done.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match done {
            Ok(done) => {
                *held = Some(jobs);
                Ok(Some(done))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

fn start() -> io::Result<SyncSender<Job>> {
    let (jobs, taken) = sync_channel::<Job>(1);
    let named = thread::Builder::new().name("issuance-index-rows".into());
    named.spawn(move || taken.into_iter().for_each(|job| job()))?;
    Ok(jobs)
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hand")
    }
}
