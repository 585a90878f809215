//! The clock seam. Nothing else in the engine reads a clock or draws a jitter, so a simulation can own both.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use issuance_domain::Timestamp;

/// Time and chance.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Time that runs on while the wall clock is set, from a point of its own. A clock without one gives its wall time.
    fn steady(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.now().millis()).unwrap_or_default())
    }

    /// Returns after a while. May return early.
    async fn sleep(&self, wait: Duration);

    /// How long to sleep at most before the clock is looked at again: it may have been set meanwhile.
    fn longest_nap(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Between 0 and 1, evenly.
    fn jitter(&self) -> f64;

    /// Fills bytes that nobody can guess.
    fn fill_random(&self, bytes: &mut [u8]);
}

/// Tells a wall clock that is wrong. Taken for right when the process began, it is in doubt once it was set: nobody but
/// the provider's own time can say whether it was wrong before or is wrong now.
#[derive(Debug)]
pub struct WallWatch {
    state: Mutex<Watched>,
}

#[derive(Debug)]
struct Watched {
    /// When it was right last, by both clocks.
    wall: Timestamp,
    steady: Duration,
    /// It differs from the provider's time by so much.
    differs: Option<Duration>,
}

/// A wall clock that is wrong by more than this is not believed.
const TRUSTED: Duration = Duration::from_secs(60);

impl WallWatch {
    /// Watches from now on.
    #[must_use]
    pub fn start(clock: &dyn Clock) -> Self {
        let state = Watched {
            wall: clock.now(),
            steady: clock.steady(),
            differs: None,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// The provider's own time says that it is right now.
    pub fn agrees(&self, clock: &dyn Clock) {
        *self.lock() = Watched {
            wall: clock.now(),
            steady: clock.steady(),
            differs: None,
        };
    }

    /// An answer of the provider's, heard just now, was made at `theirs`. That can say that our clock is right; that it is
    /// wrong is not for one answer to say, which may have been long on its way.
    pub fn hears(&self, clock: &dyn Clock, theirs: Timestamp) {
        let now = clock.now();
        if now.since(theirs).max(theirs.since(now)) <= TRUSTED && self.doubt(clock).is_some() {
            self.agrees(clock);
        }
    }

    /// The provider's own time says that it is wrong by so much.
    pub fn differs(&self, by: Duration) {
        self.lock().differs = Some(by);
    }

    /// By how much it seems to be wrong, or to have been before it was set; none when it is to be believed.
    #[must_use]
    pub fn doubt(&self, clock: &dyn Clock) -> Option<Duration> {
        let state = self.lock();
        let expected = state
            .wall
            .after(clock.steady().saturating_sub(state.steady));
        let now = clock.now();
        let set_by = now.since(expected).max(expected.since(now));
        Some(set_by.max(state.differs.unwrap_or_default())).filter(|doubt| *doubt > TRUSTED)
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The machine's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Since the machine started, time asleep included: a suspended machine is no clock that was set.
    fn steady(&self) -> Duration {
        let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(since.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(since.tv_nsec).unwrap_or_default())
    }

    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }

    fn jitter(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill_random(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }

    #[expect(
        clippy::expect_used,
        reason = "without the system's randomness no id or key is safe"
    )]
    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}
