//! Wakes whoever waits for something to change. No runtime, no thread: it works under any executor.

use std::pin::Pin;

use tokio::sync::Notify;

/// A change others wait for. A wait counts from the moment it is asked for, not from its first poll, so nothing that
/// happens in between is missed.
#[derive(Debug, Default)]
pub(crate) struct Signal(Notify);

impl Signal {
    pub(crate) fn raise(&self) {
        self.0.notify_waiters();
    }

    pub(crate) fn wait<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.0.notified())
    }
}
