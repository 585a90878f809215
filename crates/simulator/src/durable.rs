//! The one file of a durable simulator: lines of JSON, each a commit, in base64 so that a search for a person's data in
//! a directory that an engine shares finds only what the engine left there. One thread writes whatever waits and makes it
//! durable by one `fdatasync`, so many requests share a sync. At start a file that is mostly past is replaced by one
//! that holds the state alone.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as ENCODING;
use tokio::sync::watch;

const FILE: &str = "simulator.lines";
/// The replacement while it is written; a crash leaves it behind, and the next replacement overwrites it.
const REPLACEMENT: &str = "simulator.lines.new";
/// Held for as long as the simulator runs. Not the file itself, which may be replaced.
const LOCK: &str = "simulator.lock";

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// The file system refused.
    #[error("cannot use {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Its answer.
        #[source]
        source: std::io::Error,
    },
    /// Another simulator has it open.
    #[error("{0} is in use by another simulator")]
    Locked(PathBuf),
    /// A line before the last cannot be read.
    #[error("{path} is damaged at line {line}; move the file away to begin anew")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// A write failed; nothing may be acknowledged any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost;

/// The file before the simulator runs: read, and perhaps replaced.
pub(crate) struct Opened {
    directory: PathBuf,
    file: File,
    lock: File,
}

pub(crate) struct Durable {
    shared: Arc<Shared>,
    synced: watch::Receiver<Result<u64, Lost>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    _lock: File,
}

struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    appended: u64,
    closed: bool,
}

impl Opened {
    /// Opens the file, hands every whole line to `replay`, and cuts a torn last line.
    pub(crate) fn read(
        directory: &Path,
        mut replay: impl FnMut(&str) -> Result<(), serde_json::Error>,
    ) -> Result<Self, DurableError> {
        let path = directory.join(FILE);
        let io = failing(&path);
        std::fs::create_dir_all(directory).map_err(&io)?;
        let lock = File::create(directory.join(LOCK)).map_err(&io)?;
        lock.try_lock()
            .map_err(|_| DurableError::Locked(path.clone()))?;
        let file = append_to(&path).map_err(&io)?;
        let whole = read_lines(&file, &path, &mut replay)?;
        file.set_len(whole).map_err(&io)?;
        file.sync_all().map_err(&io)?;
        sync_directory(directory).map_err(&io)?;
        Ok(Self {
            directory: directory.to_owned(),
            file,
            lock,
        })
    }

    /// Puts these lines in the place of all that were read, at once or not at all.
    pub(crate) fn replace(
        &mut self,
        lines: impl Iterator<Item = Result<String, serde_json::Error>>,
    ) -> Result<(), DurableError> {
        let (path, replacement) = (self.directory.join(FILE), self.directory.join(REPLACEMENT));
        let io = failing(&replacement);
        let mut out = BufWriter::new(File::create(&replacement).map_err(&io)?);
        for line in lines {
            let line = line.map_err(|error| io(error.into()))?;
            writeln!(out, "{}", ENCODING.encode(line)).map_err(&io)?;
        }
        let written = out.into_inner().map_err(|error| io(error.into_error()))?;
        written.sync_all().map_err(&io)?;
        std::fs::rename(&replacement, &path).map_err(&io)?;
        sync_directory(&self.directory).map_err(&io)?;
        self.file = append_to(&path).map_err(failing(&path))?;
        Ok(())
    }

    /// Begins to write.
    pub(crate) fn start(self) -> Result<Durable, DurableError> {
        let Self {
            directory,
            file,
            lock,
        } = self;
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Condvar::new(),
        });
        let (report, synced) = watch::channel(Ok(0));
        let writer = std::thread::Builder::new()
            .name("simulator-file".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || write_all(&shared, file, &report)
            })
            .map_err(failing(&directory.join(FILE)))?;
        Ok(Durable {
            shared,
            synced,
            writer: Mutex::new(Some(writer)),
            _lock: lock,
        })
    }
}

impl Durable {
    /// Queues a line; the number is what [`Durable::settled`] waits for.
    pub(crate) fn append(&self, line: &str) -> u64 {
        let line = ENCODING.encode(line);
        let mut waiting = self.shared.lock();
        waiting.lines.extend_from_slice(line.as_bytes());
        waiting.lines.push(b'\n');
        waiting.appended += 1;
        self.shared.wake.notify_one();
        waiting.appended
    }

    /// The number of the last line queued.
    pub(crate) fn appended(&self) -> u64 {
        self.shared.lock().appended
    }

    pub(crate) async fn settled(&self, number: u64) -> Result<(), Lost> {
        let mut synced = self.synced.clone();
        match synced
            .wait_for(|state| state.map_or(true, |through| through >= number))
            .await
        {
            Ok(state) => state.map(|_| ()),
            Err(_) => Err(Lost),
        }
    }

    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failing(path: &Path) -> impl Fn(std::io::Error) -> DurableError {
    move |source| DurableError::Io {
        path: path.to_owned(),
        source,
    }
}

fn append_to(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(path)
}

fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Bytes up to the end of the last whole line.
fn read_lines(
    file: &File,
    path: &Path,
    replay: &mut impl FnMut(&str) -> Result<(), serde_json::Error>,
) -> Result<u64, DurableError> {
    let mut reader = BufReader::new(file);
    let (mut whole, mut number, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(|source| DurableError::Io {
                path: path.to_owned(),
                source,
            })?;
        if line.pop() != Some(b'\n') {
            return Ok(whole);
        }
        number += 1;
        // What cannot be decoded cannot be parsed either, and is told of there.
        let line = ENCODING.decode(&line).unwrap_or_default();
        let text = String::from_utf8_lossy(&line);
        replay(&text).map_err(|source| DurableError::Damaged {
            path: path.to_owned(),
            line: number,
            source,
        })?;
        whole += read as u64;
    }
}

fn write_all(shared: &Shared, mut file: File, report: &watch::Sender<Result<u64, Lost>>) {
    loop {
        let (lines, through) = {
            let mut waiting = shared.lock();
            while waiting.lines.is_empty() && !waiting.closed {
                waiting = shared
                    .wake
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if waiting.lines.is_empty() {
                return;
            }
            (std::mem::take(&mut waiting.lines), waiting.appended)
        };
        if let Err(error) = file.write_all(&lines).and_then(|()| file.sync_data()) {
            tracing::error!(%error, "the simulator's file cannot be written; it answers nothing from now on");
            let _ = report.send_replace(Err(Lost));
            return;
        }
        let _ = report.send_replace(Ok(through));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_in(directory: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        Opened::read(directory, |line| {
            lines.push(line.to_owned());
            Ok(())
        })
        .unwrap();
        lines
    }

    fn start(directory: &Path) -> Durable {
        Opened::read(directory, |_| Ok(()))
            .unwrap()
            .start()
            .unwrap()
    }

    #[tokio::test]
    async fn what_settled_is_read_back_and_a_torn_tail_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let durable = start(directory.path());
        durable.append("1");
        let second = durable.append("2");
        durable.settled(second).await.unwrap();
        drop(durable);
        let path = directory.path().join(FILE);
        append_to(&path).unwrap().write_all(b"{\"torn").unwrap();
        assert_eq!(lines_in(directory.path()), ["1", "2"]);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "MQ\nMg\n");
    }

    #[tokio::test]
    async fn a_replaced_file_goes_on_where_the_replacement_ends() {
        let directory = tempfile::tempdir().unwrap();
        let durable = start(directory.path());
        durable.settled(durable.append("past")).await.unwrap();
        drop(durable);
        std::fs::write(directory.path().join(REPLACEMENT), "a crash left this").unwrap();
        let mut opened = Opened::read(directory.path(), |_| Ok(())).unwrap();
        opened
            .replace(std::iter::once(Ok("state".to_owned())))
            .unwrap();
        let durable = opened.start().unwrap();
        durable.settled(durable.append("more")).await.unwrap();
        drop(durable);
        assert_eq!(lines_in(directory.path()), ["state", "more"]);
        assert!(!directory.path().join(REPLACEMENT).exists());
    }

    #[test]
    fn two_simulators_cannot_share_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let _first = start(directory.path());
        assert!(matches!(
            Opened::read(directory.path(), |_| Ok(())),
            Err(DurableError::Locked(_))
        ));
    }
}
