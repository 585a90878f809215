//! A journal directory with its archive behind it: segments that were moved are found there, also while they are moved.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::anchor::{ANCHOR, Anchor};
use super::directory::Directory;
use super::disk::{Disk, DiskFile};
use super::error::JournalError;
use super::hash::Head;
use super::recover::recover;
use super::segment::first_position;

/// Where an archive, a data directory itself, keeps its segments.
const JOURNAL: &str = "journal";

/// A journal directory that reads through to its archive. With the archive there the log is whole, and the anchor is not
/// shown; without, it begins at the anchor.
#[derive(Debug)]
pub struct WithArchive {
    live: Arc<dyn Disk>,
    archive: OnceLock<Arc<dyn Disk>>,
}

impl WithArchive {
    /// Finds the archive by what the anchor says, now or when it comes to be.
    #[must_use]
    pub fn new(live: Arc<dyn Disk>) -> Self {
        Self {
            live,
            archive: OnceLock::new(),
        }
    }

    /// The archive is at hand.
    #[must_use]
    pub fn of(live: Arc<dyn Disk>, archive: Arc<dyn Disk>) -> Self {
        Self {
            live,
            archive: OnceLock::from(archive),
        }
    }

    /// Whether segments are in an archive that cannot be read.
    pub fn misses_archive(&self) -> bool {
        self.archive().is_none() && self.live.open(ANCHOR, false).is_ok()
    }

    /// The last event of the archive, which the log must contain.
    ///
    /// # Errors
    /// When the archive is not as it was written.
    pub fn archived(&self) -> Result<Option<Head>, JournalError> {
        let archive = self.archive().map(|archive| recover(&**archive, None));
        Ok(archive.transpose()?.map(|archive| archive.report.head))
    }

    fn archive(&self) -> Option<&Arc<dyn Disk>> {
        if self.archive.get().is_none() {
            let anchor = Anchor::read(&*self.live).ok().flatten()?;
            let archive = open(&anchor.archive?).ok()?;
            let _ = self.archive.set(archive);
        }
        self.archive.get()
    }
}

fn open(path: &Path) -> io::Result<Arc<dyn Disk>> {
    Ok(Arc::new(Directory::open(&path.join(JOURNAL))?))
}

impl Disk for WithArchive {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = self.live.list()?;
        let anchor = Anchor::read(&*self.live).map_err(io::Error::other)?;
        if let (Some(anchor), Some(archive)) = (anchor, self.archive()) {
            // Segments behind the anchor count as they are here: an archive may have seen another future than a copy.
            let moved = |name: &String| {
                first_position(name).is_some_and(|first| first <= anchor.head.position)
            };
            names.retain(|name| !moved(name));
            names.extend(archive.list()?.into_iter().filter(moved));
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.live.create(name)
    }

    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn DiskFile>> {
        if name == ANCHOR {
            return match self.archive() {
                Some(_) => Err(io::ErrorKind::NotFound.into()),
                None => self.live.open(name, write),
            };
        }
        match self.live.open(name, write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.archive() {
                Some(archive) => archive.open(name, false),
                None => Err(error),
            },
            opened => opened,
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.live.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.live.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.live.sync()
    }
}
