//! The vault copied while a compaction may be at work in it.
//!
//! A compaction renames a new file over a record file before it removes anything, so a copy is good if, at its end, every
//! record file it began with still is the file of its name. They are held open meanwhile: no new file can take the identity
//! of one that is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::error::{CopyError, io_at};
use crate::journal::Directory;
use crate::journal::disk::{Disk, write_full};
use crate::journal::plain;
use crate::journal::recover::io as journal_io;
use crate::vault::{Name, examine};

/// What was copied of a vault.
#[derive(Debug, Default)]
pub(super) struct CopiedVault {
    /// SHA-256 of each file.
    pub(super) files: BTreeMap<String, String>,
    pub(super) bytes: u64,
    pub(super) damaged: u64,
}

/// The record files of a vault, held open.
struct Held<'a> {
    source: &'a Path,
    records: Vec<(String, File)>,
}

impl<'a> Held<'a> {
    fn open(source: &'a Path) -> Result<Self, CopyError> {
        let mut records = Vec::new();
        for name in names(source, |name| matches!(name, Name::Records(_)))? {
            let path = source.join(&name);
            let file = plain::open(&path).map_err(io_at("open", &path))?;
            records.push((name, file));
        }
        Ok(Self { source, records })
    }

    /// Proves that no compaction took the place of any of them.
    fn still_there(&self) -> Result<(), CopyError> {
        for (name, file) in &self.records {
            let path = self.source.join(name);
            let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
            let held = file.metadata().map(identity);
            let held = held.map_err(io_at("read", &path))?;
            let there = fs::metadata(&path).map(identity);
            if there.map_err(io_at("read", &path))? != held {
                return Err(CopyError::Moving);
            }
        }
        Ok(())
    }
}

/// Copies the vault at `source` to an empty directory. [`CopyError::Moving`] when it was compacted meanwhile.
pub(super) fn copy(source: &Path, target: &Directory) -> Result<CopiedVault, CopyError> {
    let mut copied = CopiedVault::default();
    let held = Held::open(source)?;
    let last = held.records.len().checked_sub(1);
    for (index, (name, file)) in held.records.iter().enumerate() {
        copied.file(source, name, file, target, Some(index) == last)?;
    }
    // Large values are written before the records that name them.
    for name in names(source, |name| matches!(name, Name::Sealed(_)))? {
        let path = source.join(&name);
        let file = plain::open(&path).map_err(io_at("open", &path))?;
        copied.file(source, &name, &file, target, false)?;
    }
    held.still_there()?;
    target
        .sync()
        .map_err(|source| journal_io("sync", "the copied vault", source))?;
    let examined = examine(target)?;
    let lacks = examined
        .sealed_files
        .iter()
        .filter(|name| !copied.files.contains_key(*name));
    copied.damaged = examined.damaged + lacks.count() as u64;
    Ok(copied)
}

fn names(source: &Path, of: impl Fn(&Name) -> bool) -> Result<Vec<String>, CopyError> {
    let read = || {
        let mut names = Vec::new();
        for entry in fs::read_dir(source)? {
            if let Ok(name) = entry?.file_name().into_string()
                && of(&Name::of(&name))
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    };
    match read() {
        // A log without personal data, such as a copy of its segments.
        Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names.map_err(io_at("list", source)),
    }
}

impl CopiedVault {
    /// Copies one file. Of the one that grows, a last record that is not whole belongs to no event of the copy.
    fn file(
        &mut self,
        source: &Path,
        name: &str,
        mut file: &File,
        target: &Directory,
        grows: bool,
    ) -> Result<(), CopyError> {
        let path = source.join(name);
        let output = target.create(name);
        let output = output.map_err(|source| journal_io("create", name, source))?;
        let (mut digest, mut written, mut held) = (Sha256::new(), 0, Vec::new());
        let mut chunk = vec![0; 1 << 20];
        loop {
            let got = match file.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(io_at("read", &path))?,
            };
            if got == 0 {
                break;
            }
            held.extend_from_slice(&chunk[..got]);
            let whole = match grows {
                true => held
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |at| at + 1),
                false => held.len(),
            };
            write_full(&*output, &held[..whole], written)
                .map_err(|source| journal_io("write", name, source))?;
            digest.update(&held[..whole]);
            written += whole as u64;
            held.drain(..whole);
        }
        output
            .sync()
            .map_err(|source| journal_io("sync", name, source))?;
        self.bytes += written;
        self.files
            .insert(name.into(), hex::encode(digest.finalize()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::vault::{Change, Keyring, MasterKey, Vault, VaultOptions};

    #[test]
    fn a_compaction_in_between_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Directory::open(dir.path()).unwrap());
        let keys = Arc::new(Keyring::new("test", MasterKey::new([7; 32])));
        let options = VaultOptions { file_bytes: 1_000 };
        let (mut vault, _) = Vault::open(disk, keys, &options).unwrap();
        let mut fill = || {
            for number in 0..10 {
                let sealed = vault
                    .sealer()
                    .seal(Uuid::from_u128(number), "field", &[1; 200]);
                vault.write(&[Change::Put(sealed.unwrap())]).unwrap();
                vault.sync().unwrap();
            }
        };
        fill();
        let held = Held::open(dir.path()).unwrap();
        assert!(held.records.len() > 2);
        // More records in more files are no reason to begin again.
        fill();
        held.still_there().unwrap();
        assert!(vault.compaction().unwrap().run().unwrap().removed > 0);
        let moved = held.still_there().unwrap_err();
        assert!(
            matches!(moved, CopyError::Moving | CopyError::Io { .. }),
            "{moved}"
        );
    }
}
