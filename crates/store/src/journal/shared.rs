//! What the writer tells its readers: the durable part of the log, and handles to read it.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::disk::{Disk, DiskFile};
use super::hash::Head;
use super::location::Location;
use super::segment::Segment;

/// Open files a reader keeps for the next read.
const HANDLES_MAX: usize = 32;
/// Places where reads ended, which is where the next ones start.
const CURSORS_MAX: usize = 64;

/// The log as far as it is durable.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The last event that is not here; what can be read comes after it.
    pub(crate) start: Head,
    pub(crate) segments: Vec<Segment>,
    pub(crate) head: Head,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    view: RwLock<View>,
    handles: Handles,
    cursors: Mutex<VecDeque<(u64, Location)>>,
}

impl Shared {
    pub(crate) fn new(disk: Arc<dyn Disk>, view: View) -> Self {
        Self {
            handles: Handles::default(),
            disk,
            view: RwLock::new(view),
            cursors: Mutex::default(),
        }
    }

    /// Looks at the durable log. The guarded values are replaced whole, so a poisoned lock is harmless.
    pub(crate) fn view<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The writer made this much of this segment durable.
    pub(crate) fn advance(&self, segment: Segment, head: Head) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        match view.segments.last_mut() {
            Some(last) if last.first == segment.first => *last = segment,
            _ => view.segments.push(segment),
        }
        view.head = head;
    }

    pub(crate) fn file(&self, name: &str, key: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.handles.get(key, || self.disk.open(name, false))
    }

    /// Where the event at `position` starts, if a read ended just before it.
    pub(crate) fn cursor(&self, position: u64) -> Option<Location> {
        lock(&self.cursors)
            .iter()
            .find(|cursor| cursor.0 == position)
            .map(|cursor| cursor.1)
    }

    pub(crate) fn keep_cursor(&self, position: u64, location: Location) {
        let mut cursors = lock(&self.cursors);
        if cursors.len() == CURSORS_MAX {
            cursors.pop_front();
        }
        cursors.push_back((position, location));
    }
}

/// A few open files, the least recently used closed first.
#[derive(Debug, Default)]
pub(crate) struct Handles(Mutex<VecDeque<(u64, Arc<dyn DiskFile>)>>);

impl Handles {
    pub(crate) fn get(
        &self,
        key: u64,
        open: impl FnOnce() -> io::Result<Arc<dyn DiskFile>>,
    ) -> io::Result<Arc<dyn DiskFile>> {
        let mut handles = lock(&self.0);
        let found = handles.iter().position(|handle| handle.0 == key);
        let handle = match found.and_then(|index| handles.remove(index)) {
            Some(handle) => handle,
            None => (key, open()?),
        };
        let file = Arc::clone(&handle.1);
        handles.push_back(handle);
        if handles.len() > HANDLES_MAX {
            handles.pop_front();
        }
        Ok(file)
    }

    /// Forgets the file behind `key`, whose name now stands for other bytes.
    pub(crate) fn forget(&self, key: u64) {
        lock(&self.0).retain(|handle| handle.0 != key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
