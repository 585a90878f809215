//! Being told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

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
