//! Where tests reach into the index: before each step on its files it can be made to fail, to panic or to wait.

#![cfg_attr(
    not(any(test, feature = "testing")),
    expect(unreachable_pub, reason = "only tests name its types from outside")
)]

use std::fmt;
use std::io;
use std::sync::Arc;

/// Something the index is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexStep {
    /// sled opens its files.
    Open,
    /// A write is noted beside them.
    Note,
    /// sled takes one row.
    Put,
    /// sled makes its rows known to the file system.
    Flush,
    /// sled is asked for a row.
    Get,
}

/// What a test does before a step: nothing, or an error in its place; it may panic or wait as well.
pub type IndexHook = Arc<dyn Fn(IndexStep) -> io::Result<()> + Send + Sync>;

/// The hook, if there is one.
#[derive(Clone, Default)]
pub(in super::super) struct Faults(Option<IndexHook>);

impl Faults {
    #[cfg(any(test, feature = "testing"))]
    pub(in super::super) fn of(hook: IndexHook) -> Self {
        Self(Some(hook))
    }

    pub(super) fn before(&self, step: IndexStep) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |hook| hook(step))
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}
