//! How long to wait before trying again: `backoff`, wrapped once. A pure delay; jitter comes in as a value.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;
use serde::{Deserialize, Serialize};

/// An exponential schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// First wait.
    #[serde(with = "issuance_domain::duration")]
    pub first: Duration,
    /// Longest wait.
    #[serde(with = "issuance_domain::duration")]
    pub cap: Duration,
    /// The part of a wait that jitter may take away, 0 to 1.
    pub jitter: f64,
}

impl Retry {
    /// Waits longer than this count are all the cap.
    const MAX_STEPS: u32 = 32;

    /// The wait after this many tries, doubling from `first` to `cap`, less a part of it by `jitter` (0 to 1).
    #[must_use]
    pub fn delay(&self, tries: u32, jitter: f64) -> Duration {
        let mut schedule = ExponentialBackoff {
            current_interval: self.first,
            initial_interval: self.first,
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: self.cap,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        let steps = tries.min(Self::MAX_STEPS);
        let wait = (0..=steps)
            .filter_map(|_| schedule.next_backoff())
            .last()
            .unwrap_or(self.cap)
            .min(self.cap);
        wait.mul_f64(1.0 - self.jitter.clamp(0.0, 1.0) * jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let retry = Retry {
            first: Duration::from_secs(2),
            cap: Duration::from_secs(300),
            jitter: 0.5,
        };
        let seconds: Vec<_> = (0..10)
            .map(|tries| retry.delay(tries, 0.0).as_secs())
            .collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(retry.delay(0, 1.0), Duration::from_secs(1));
        assert_eq!(retry.delay(u32::MAX, 0.0), Duration::from_secs(300));
    }
}
