//! Notes beside the log how far it has come, behind the index, so that an older copy of the log is noticed when the index
//! is gone with the newer one. Nothing waits for it: what came since its last note it does not know.

use std::path::{Path, PathBuf};

use super::shared::chain;
use crate::journal::Head;
use crate::journal::noted::{Noted, NotedFile};
use crate::vault::Sealer;

/// The writer of the note.
#[derive(Debug)]
pub(super) struct Noting {
    dir: PathBuf,
    sealer: Sealer,
    file: Option<NotedFile>,
    /// It failed, and that was said.
    failed: bool,
}

impl Noting {
    pub(super) fn new(dir: &Path, sealer: Sealer) -> Self {
        Self {
            dir: dir.into(),
            sealer,
            file: None,
            failed: false,
        }
    }

    /// How far the log had come when this was last noted. A note that was tampered with says nothing, no more than one that
    /// was removed.
    pub(super) fn known(&self) -> Option<Head> {
        let noted = match Noted::read(&self.dir) {
            Ok(noted) => noted?,
            Err(error) => {
                tracing::error!(%error, "the note of how far the log had come cannot be read");
                return None;
            }
        };
        let text = Noted::text(noted.head);
        match self.sealer.attests(&text, &noted.key, &noted.proof) {
            Ok(true) => Some(noted.head),
            Ok(false) => {
                tracing::error!(
                    position = noted.head.position,
                    "the note of how far the log had come was not written with the vault's key"
                );
                None
            }
            // Nobody can tell; whoever forged it gains nothing by it.
            Err(_) => Some(noted.head),
        }
    }

    /// Notes a head, which must be durable.
    pub(super) fn note(&mut self, head: Head) {
        if let Err(why) = self.write(head)
            && !self.failed
        {
            self.failed = true;
            tracing::warn!(%why, "how far the log has come cannot be noted");
        }
    }

    /// Notes the last head, for good.
    pub(super) fn end(&mut self, head: Head) {
        self.note(head);
        if let Some(Err(error)) = self.file.as_ref().map(NotedFile::sync) {
            tracing::warn!(%error, "how far the log has come was not noted for good");
        }
    }

    fn write(&mut self, head: Head) -> Result<(), String> {
        let (key, proof) = self
            .sealer
            .attest(&Noted::text(head))
            .map_err(|error| chain(&error))?;
        let noted = Noted { head, key, proof };
        let file = match self.file.take() {
            Some(file) => file,
            None => NotedFile::open(&self.dir).map_err(|error| chain(&error))?,
        };
        let written = file.write(&noted);
        self.file = Some(file);
        self.failed &= written.is_err();
        written.map_err(|error| chain(&error))
    }
}
