//! The rows in sled, and what it takes to believe them.
//!
//! sled does not survive a power cut, and a batch of it keeps every reader waiting. So rows are put one by one, after a
//! note of all of them (the *redo* file) was written; a *mark* beside the index says under which boot of the machine it
//! was opened, and after another boot without a farewell the index is made anew from the journal.

mod door;
mod error;
mod faults;
mod hand;
mod mark;
mod meta;
mod redo;
mod room;
mod shape;
mod sled;
mod values;

pub(super) use error::IndexError;
pub(super) use faults::Faults;
#[cfg(any(test, feature = "testing"))]
pub use faults::{IndexHook, IndexStep};
pub(super) use meta::Meta;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::sled::{FILE, Opening, Sled, notes};
use door::Door;
use faults::IndexStep as Step;

use super::options::Limits;
use super::replay::ReplayError;
use super::watch::{Busy, Watch};
use crate::book::{Frozen, Ground};
use crate::error::StoreError;
use crate::journal::Head;

/// Where the index lies and how much memory it may use.
#[derive(Debug, Clone)]
pub(super) struct Index {
    dir: PathBuf,
    cache_bytes: u64,
    /// Bytes sled may have to read again when it is opened next.
    unnoted_bytes: u64,
    /// How long one thing sled does may take.
    patience: Duration,
    /// Stands for the policy by which orders are open.
    policy: String,
    ground: Arc<Sled>,
    door: Arc<Door>,
    watch: Arc<Watch>,
    faults: Faults,
}

impl Index {
    /// Nothing is opened yet.
    pub(super) fn new(
        dir: &Path,
        limits: &Limits,
        policy: &issuance_domain::Policy,
        faults: Faults,
    ) -> Self {
        let ground = Arc::new(Sled::new(faults.clone()));
        Self {
            door: Arc::new(Door::of(Arc::clone(&ground))),
            dir: dir.into(),
            cache_bytes: limits.index_cache_bytes,
            unnoted_bytes: limits.index_unnoted_bytes,
            patience: limits.index_patience,
            watch: Arc::new(Watch::new(limits.index_patience)),
            policy: meta::policy_mark(policy),
            ground,
            faults,
        }
    }

    /// The rows as readers see them.
    pub(super) fn door(&self) -> Arc<dyn Ground> {
        Arc::clone(&self.door) as Arc<dyn Ground>
    }

    /// The rows as they are, for whoever brings them up to date behind the door.
    pub(super) fn inside(&self) -> Arc<dyn Ground> {
        Arc::clone(&self.ground) as Arc<dyn Ground>
    }

    /// Shows readers nothing until the rows are right again; what they ask for is refused meanwhile.
    pub(super) fn shut(&self, shut: bool) {
        self.door.shut(shut);
    }

    /// Whether a read of it failed: nothing but making it anew helps then.
    pub(super) fn is_unreadable(&self) -> bool {
        self.ground.is_unreadable()
    }

    /// Whose fault it is that rows could not be read or moved: its own, if it is unreadable.
    pub(super) fn reading(&self, error: StoreError) -> ReplayError {
        if self.is_unreadable() {
            IndexError::Row.into()
        } else {
            error.into()
        }
    }

    /// It is read and written, which must not take long.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.watch.busy()
    }

    /// Tells when a write of it hangs.
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// Opens what is there and finishes an interrupted write. An error means: make it anew.
    pub(super) fn open(&self) -> Result<Meta, IndexError> {
        let _busy = self.watch.busy();
        if !mark::is_trusted(&self.dir) {
            return Err(IndexError::Untrusted);
        }
        self.open_files()?;
        if let Some(note) = redo::read(&self.redo())? {
            self.ground.put(note)?;
        }
        redo::remove(&self.redo())?;
        let bytes = self.ground.meta()?.ok_or(IndexError::Empty)?;
        Meta::decode(&bytes)
    }

    fn open_files(&self) -> Result<(), IndexError> {
        mark::set(&self.dir)?;
        self.ground.open(self.opening(&self.path()))
    }

    fn opening<'a>(&self, path: &'a Path) -> Opening<'a> {
        Opening {
            path,
            cache_bytes: self.cache_bytes,
            patience: self.patience,
        }
    }

    /// sled notes where its pages lie when it is opened, and never else; what it took since, the next open reads again. So
    /// it is opened again when that is much. Reads wait for it. An error means that it was closed, and has to be mended.
    pub(super) fn bound_next_open(&self) -> Result<(), IndexError> {
        if self.ground.unnoted() < self.unnoted_bytes {
            return Ok(());
        }
        let _busy = self.watch.busy();
        // What cannot be opened again just now stays open.
        if !(self.has_room() && self.has_handles()) {
            self.ground.put_off(self.unnoted_bytes / 8);
            return Ok(());
        }
        self.ground.reopen(self.opening(&self.path()))?;
        tracing::debug!("the index was opened again, so that the next start is short");
        metrics::counter!("issuance_store_index_reopens_total").increment(1);
        Ok(())
    }

    /// Throws away what is there and begins with nothing.
    pub(super) fn begin(&self) -> Result<Meta, IndexError> {
        let _busy = self.watch.busy();
        self.ground.close();
        redo::remove(&self.redo())?;
        let removed = match std::fs::remove_dir_all(self.path()) {
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                std::fs::remove_file(self.path())
            }
            removed => removed,
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.open_files()?;
        Ok(Meta::empty(self.policy.clone()))
    }

    /// Makes the rows those of this head.
    pub(super) fn write(&self, frozen: &Frozen, head: Head) -> Result<(), IndexError> {
        let _busy = self.watch.busy();
        let meta = Meta::new(head, frozen.totals.clone(), self.policy.clone());
        let note = redo::note(frozen, &meta)?;
        // Up to here sled was not touched.
        let noted = self
            .faults
            .before(Step::Note)
            .and_then(|()| redo::write(&self.redo(), &note));
        noted.map_err(IndexError::no_room(redo::REDO))?;
        room::make(&self.path().join(FILE), note.bytes()).map_err(IndexError::no_room(FILE))?;
        self.ground.put(note)?;
        self.ground.flush()?;
        redo::remove(&self.redo())?;
        Ok(())
    }

    /// Whether orders are open in it by today's policy.
    pub(super) fn is_of_policy(&self, meta: &Meta) -> bool {
        meta.policy == self.policy
    }

    /// Lets go of the files without a farewell.
    pub(super) fn drop_files(&self) {
        let _busy = self.watch.busy();
        self.ground.close();
    }

    /// Lets go of the files; what they hold survives a power cut.
    pub(super) fn close(&self) -> Result<(), IndexError> {
        let _busy = self.watch.busy();
        self.ground.flush()?;
        self.ground.close();
        mark::clear(&self.dir, &self.path())
    }

    /// Whether the disk takes some bytes, enough for sled to open.
    pub(super) fn has_room(&self) -> bool {
        const PROBE: &[u8] = &[0; 1 << 20];
        const LEAST: usize = 4;
        let path = self.dir.join("index.probe");
        let notes = notes(&self.path()) as usize / PROBE.len();
        let probed = redo::write_file(&path, &vec![PROBE; LEAST + notes * 2]);
        let file = self.path().join(FILE);
        let grows = !file.exists() || room::make(&file, 0).is_ok();
        redo::remove(&path).is_ok() && probed.is_ok() && grows
    }

    /// Whether there are file handles, enough for sled to open.
    fn has_handles(&self) -> bool {
        const PROBE: usize = 16;
        let held: std::io::Result<Vec<_>> = (0..PROBE).map(|_| File::open(&self.dir)).collect();
        held.is_ok()
    }

    fn path(&self) -> PathBuf {
        self.dir.join("index")
    }

    fn redo(&self) -> PathBuf {
        self.dir.join(redo::REDO)
    }
}
