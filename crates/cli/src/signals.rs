//! Being told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A file at the process's size limit (`ulimit -f`): the write fails either way, and the signal's own doing would be to end
/// the process before it could say so.
const SIGXFSZ: i32 = 25;

/// Lets a write beyond the file size limit fail like one on a full disk. Needs the runtime.
pub(crate) fn survive_file_size_limit() {
    // Registered once it never kills again, whether anybody listens or not. Where it cannot be had, all is as it was.
    drop(signal(SignalKind::from_raw(SIGXFSZ)));
}

/// Returns when the process is interrupted (Ctrl-C) or terminated. Where no handler can be had, the system's own does it.
pub(crate) async fn interrupted() {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    tokio::select! {
        () = received(interrupt.as_mut().ok()) => {}
        () = received(terminate.as_mut().ok()) => {}
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
