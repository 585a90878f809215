//! For how long a recorded intent may still leave (F-023): a process that was stopped between the record and the first
//! byte, or whose clock jumped, no longer knows how old its key is or what others did in the meantime.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use issuance_domain::Timestamp;

use crate::clock::Clock;

/// One moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock, which may be set.
    pub wall: Timestamp,
    /// By the steady one.
    pub steady: Duration,
}

impl Moment {
    /// This one.
    #[must_use]
    pub fn now(clock: &dyn Clock) -> Self {
        let (wall, steady) = (clock.now(), clock.steady());
        Self { wall, steady }
    }
}

/// Open from the decision to record an intent until its end; closed by a jump of the clock in either direction.
#[derive(Clone)]
pub struct Window {
    clock: Arc<dyn Clock>,
    opened: Moment,
    length: Duration,
}

impl Window {
    /// Opens with an intent decided on at `opened`, however long its record took, and ends at `until` at the latest.
    #[must_use]
    pub fn open(clock: Arc<dyn Clock>, opened: Moment, until: Timestamp) -> Self {
        Self {
            clock,
            opened,
            length: until.since(opened.wall),
        }
    }

    /// Whether the call may leave now: to be asked right before its first byte.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let (now, opened) = (Moment::now(&*self.clock), self.opened);
        let steady = now.steady.saturating_sub(opened.steady);
        now.wall >= opened.wall && now.wall.since(opened.wall) < self.length && steady < self.length
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("opened", &self.opened)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Debug)]
    struct Hands(Mutex<(i64, u64)>);

    #[async_trait::async_trait]
    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.lock().unwrap().0)
        }
        fn steady(&self) -> Duration {
            Duration::from_millis(self.0.lock().unwrap().1)
        }
        async fn sleep(&self, _: Duration) {}
        fn jitter(&self) -> f64 {
            0.0
        }
        fn fill_random(&self, _: &mut [u8]) {}
    }

    /// F-023: whatever the process slept through, one of the two clocks shows it.
    #[test]
    fn f_023_closes_by_either_clock_and_by_a_jump() {
        let at = Timestamp::from_millis;
        for (wall, steady, open) in [
            (1_000, 0, true),
            (30_999, 29_999, true),
            (31_000, 0, false),
            // Stopped for an hour while the wall clock was set back.
            (2_000, 3_600_000, false),
            (999, 0, false),
            (86_401_000, 5, false),
        ] {
            let hands = Arc::new(Hands(Mutex::new((1_000, 7))));
            let window = Window::open(hands.clone(), Moment::now(&*hands), at(31_000));
            *hands.0.lock().unwrap() = (wall, 7 + steady);
            assert_eq!(window.is_open(), open, "{wall} {steady}");
        }
        let hands = Arc::new(Hands(Mutex::new((5_000, 0))));
        let begun = Moment::now(&*hands);
        let never = Window::open(hands, begun, at(4_000));
        assert!(!never.is_open(), "the key was too old before it began");
    }

    /// F-023: what the record took is part of it, by the steady clock, too: the other may have been set back meanwhile.
    #[test]
    fn f_023_a_slow_record_and_a_clock_set_back_meanwhile_lengthen_nothing() {
        let at = Timestamp::from_millis;
        for (recorded_in, sent_in, open) in [(20_000, 9_999, true), (20_000, 10_000, false)] {
            let hands = Arc::new(Hands(Mutex::new((1_000, 7))));
            let begun = Moment::now(&*hands);
            *hands.0.lock().unwrap() = (1_000, 7 + recorded_in);
            let window = Window::open(hands.clone(), begun, at(31_000));
            *hands.0.lock().unwrap() = (1_000, 7 + recorded_in + sent_in);
            assert_eq!(window.is_open(), open, "{recorded_in} {sent_in}");
        }
    }
}
