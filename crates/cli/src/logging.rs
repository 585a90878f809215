//! Logs, on standard error. A reader that stalls must not stall the engine, so lines pass through a bounded queue to a
//! thread of their own; when it is full, lines are dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::exit::{Exit, Failure};
use crate::output::colour;

/// Lines that may wait.
const QUEUE: usize = 8192;

/// The shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// For programs: one JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Writes what still waits when dropped; keep it until the end of the process.
#[derive(Debug)]
pub(crate) struct Logging {
    lines: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts logging. `filter` is in the form of `RUST_LOG`, which goes before it when set.
pub(crate) fn start(format: Format, filter: &str) -> Result<Logging, Failure> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| filter.to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|error| {
        Failure::new(Exit::Usage, format!("log filter `{filter}` is not one")).because(&error)
    })?;
    let (lines, waiting) = sync_channel(QUEUE);
    let queue = Queue {
        lines: lines.clone(),
        dropped: Arc::default(),
    };
    let dropped = Arc::clone(&queue.dropped);
    let spawned = std::thread::Builder::new()
        .name("logging".into())
        .spawn(move || drain(&waiting, &dropped));
    let thread = spawned
        .map_err(|error| Failure::new(Exit::Failed, "cannot start threads").because(&error))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(queue);
    let set = match format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Text => builder.with_ansi(colour()).try_init(),
    };
    set.map_err(|error| Failure::new(Exit::Failed, format!("cannot start logging: {error}")))?;
    Ok(Logging {
        lines: Some(lines),
        thread: Some(thread),
    })
}

impl Drop for Logging {
    fn drop(&mut self) {
        // The subscriber is global and keeps its end of the queue: an empty line is the end.
        if let Some(lines) = self.lines.take() {
            let _ = lines.send(Vec::new());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn drain(waiting: &Receiver<Vec<u8>>, dropped: &AtomicU64) {
    for line in waiting {
        if line.is_empty() {
            return;
        }
        let mut stderr = io::stderr().lock();
        // With standard error gone there is nobody to tell.
        let _ = stderr.write_all(&line);
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(
                stderr,
                "{{\"level\":\"WARN\",\"message\":\"{lost} log lines were dropped\"}}"
            );
        }
    }
}

/// The subscriber's end of the queue.
#[derive(Debug, Clone)]
struct Queue {
    lines: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Queue;
    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Queue {
    /// A formatted event arrives whole, in one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.lines.try_send(line.to_vec()) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stalled_reader_costs_lines_and_no_time() {
        let (lines, waiting) = sync_channel(2);
        let queue = Queue {
            lines,
            dropped: Arc::default(),
        };
        for _ in 0..5 {
            (&queue).write_all(b"line\n").unwrap();
        }
        assert_eq!(queue.dropped.load(Ordering::Relaxed), 3);
        assert_eq!(waiting.try_iter().count(), 2);
    }
}
