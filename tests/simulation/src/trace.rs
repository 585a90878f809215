//! What happened, as a hash, and as lines when somebody wants to read them.

use crate::rng::mix;

/// The notes of one run.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// With lines: for one seed, not for millions.
    pub(crate) fn with_lines() -> Self {
        Self {
            hash: 0,
            lines: Some(Vec::new()),
        }
    }

    pub(crate) fn mix(&mut self, number: u64) {
        self.hash = mix(self.hash ^ number);
    }

    pub(crate) fn line(&mut self, now: i64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            let seconds = now - crate::env::BEGIN;
            lines.push(format!(
                "{:>10}.{:03}  {}",
                seconds.div_euclid(1000),
                seconds.rem_euclid(1000),
                line()
            ));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
