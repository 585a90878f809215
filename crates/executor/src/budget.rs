//! The provider's budget: calls a minute, one for all calls of a credential, mints included (contract §1.6). The scarce
//! thing, so it is given out by urgency: each kind of call leaves a part for the more urgent ones.
//!
//! The provider counts calendar minutes of its own clock. Kept here is what suits every clock: in no sixty seconds more
//! than the budget, with a second's room for calls that take longer on their way than others. After a burst that spent
//! it all, calls go out evenly, so that a long queue neither comes in waves nor leaves a minute unused.

use std::collections::VecDeque;
use std::sync::Mutex;

use issuance_domain::Timestamp;
use issuance_domain::planted::{self, Bug};

use crate::provider::Silence;

/// What a call is for, as far as the budget cares; most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// First sends, and tokens: may use it all.
    Submission,
    /// Sends after the first of one key: leave room for first sends, so that an outage's end is no storm.
    Retry,
    /// Reads: leave room for both.
    Reading,
}

/// How much of the budget is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetUse {
    /// Calls a minute.
    pub per_minute: u32,
    /// Calls in the last minute.
    pub spent: u32,
    /// The provider told us to wait until then; none when it did not.
    pub closed_until: Option<Timestamp>,
}

/// Calls of the last minute, and what may follow.
#[derive(Debug)]
pub struct Budget {
    per_minute: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Calls of the window, by tenths of a second.
    calls: VecDeque<(i64, u32)>,
    /// Their sum.
    spent: u32,
    /// What may go now: grows evenly, but hardly while the window is full.
    ready: f64,
    /// When `ready` grew last.
    grown_at: i64,
    /// The provider told us to wait until then.
    closed_until: i64,
    /// The line of retries ends here.
    retries_until: i64,
    /// What earlier lives may have used of the window.
    inherited: Inherited,
}

/// Calls that earlier lives may have made, and when they leave the window.
#[derive(Debug, Clone, Copy)]
struct Inherited {
    calls: u32,
    leave: i64,
}

const MINUTE: i64 = 60_000;
/// Calls of this long count together: the provider's minute, and room for uneven ways to it.
const WINDOW: i64 = MINUTE + 1_000;
const WINDOW_MILLIS: f64 = 61_000.0;
/// Calls are counted in bits of this, and asked for no more often.
const SLICE: i64 = 100;
/// The longest line of retries.
const HORIZON: i64 = 5 * MINUTE;
/// Mints a minute, at most (contract §1.6).
const MINTS: u32 = 10;

impl Budget {
    /// So many calls a minute.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        let per_minute = per_minute.max(1);
        let state = State {
            calls: VecDeque::new(),
            spent: 0,
            ready: f64::from(per_minute),
            grown_at: i64::MIN,
            closed_until: i64::MIN,
            retries_until: 0,
            inherited: Inherited::NONE,
        };
        Self {
            per_minute,
            state: Mutex::new(state),
        }
    }

    /// Takes one call, or says when to ask again. Retries that find no room are told to come one after the other.
    ///
    /// # Errors
    /// When the minute is spent or the provider told us to wait.
    pub fn take(&self, now: Timestamp, urgency: Urgency) -> Result<(), Timestamp> {
        let now = now.millis();
        let mut state = self.at(now);
        if let Err(opens) = self.room(&state, now, urgency) {
            return Err(match urgency {
                Urgency::Retry => self.queue(&mut state, now, opens),
                Urgency::Submission | Urgency::Reading => opens,
            });
        }
        state.ready -= 1.0;
        state.spent += 1;
        match state.calls.back_mut() {
            Some((slice, count)) if *slice >= now / SLICE => *count += 1,
            Some(_) | None => state.calls.push_back((now / SLICE, 1)),
        }
        Ok(())
    }

    /// How many calls could be taken now; when none, when to ask again.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn available(&self, now: Timestamp, urgency: Urgency) -> Result<u32, Timestamp> {
        let now = now.millis();
        self.room(&self.at(now), now, urgency)
    }

    /// The provider said "too many": nothing more for as long as it wishes, or else in this minute. What waited goes on
    /// evenly then.
    pub fn close(&self, now: Timestamp, said: &Silence) {
        let millis = now.millis();
        let mut state = self.at(millis);
        let until = match said.retry_after() {
            Some(wait) => now.after(wait).millis(),
            None => (millis.div_euclid(MINUTE) + 1) * MINUTE + (WINDOW - MINUTE),
        };
        state.closed_until = state.closed_until.max(until);
        state.ready = 0.0;
        metrics::counter!("issuance_provider_too_many_total").increment(1);
    }

    /// What an earlier life of this process may have used of the minute: the sends in its log, and as many calls as leave
    /// no trace there, reads and mints, may have been. What is left goes out evenly: of a process that dies again and
    /// again each life knows one before it, and none what the others did unseen.
    pub fn inherit(&self, now: Timestamp, sends: u32) {
        let untold = self.limit(Urgency::Reading).saturating_add(MINTS);
        let used = sends.saturating_add(untold).min(self.per_minute);
        let now = now.millis();
        let mut state = self.at(now);
        let calls = used.saturating_sub(state.spent);
        state.spent += calls;
        state.calls.push_back((now / SLICE, calls));
        state.ready = 0.0;
        state.inherited = Inherited {
            calls,
            leave: leaves(now / SLICE),
        };
    }

    /// How much of it is used.
    #[must_use]
    pub fn usage(&self, now: Timestamp) -> BudgetUse {
        let state = self.at(now.millis());
        let closed =
            (now.millis() < state.closed_until).then(|| Timestamp::from_millis(state.closed_until));
        BudgetUse {
            per_minute: self.per_minute,
            spent: state.spent,
            closed_until: closed,
        }
    }

    /// The state of this moment.
    fn at(&self, now: i64) -> std::sync::MutexGuard<'_, State> {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.follow_clock(now);
        if state.spent >= self.per_minute {
            // However long it stays full, one call is all that becomes ready.
            let leaves = state.calls.front().map_or(now, |(slice, _)| leaves(*slice));
            self.grow(&mut state, now.min(leaves), 1.0);
        }
        while let Some((_, count)) = state
            .calls
            .front()
            .copied()
            .filter(|(slice, _)| leaves(*slice) <= now)
        {
            state.calls.pop_front();
            state.spent -= count;
        }
        if state.spent < self.per_minute {
            self.grow(&mut state, now, f64::from(self.per_minute));
        }
        state.grown_at = now;
        state
    }

    /// What may go grows evenly, but not while the provider wishes us to wait.
    fn grow(&self, state: &mut State, until: i64, most: f64) {
        let from = state.grown_at.max(state.closed_until);
        let Inherited { calls, leave } = state.inherited;
        let grown = f64::from(self.per_minute) * parts(from.max(leave), until)
            + f64::from(self.per_minute.saturating_sub(calls)) * parts(from, until.min(leave));
        state.ready = (state.ready + grown).min(most.max(state.ready));
        state.grown_at = until;
    }

    fn room(&self, state: &State, now: i64, urgency: Urgency) -> Result<u32, Timestamp> {
        if now < state.closed_until {
            return Err(Timestamp::from_millis(state.closed_until));
        }
        // What may have been used for anything takes from the whole, not from one kind's part.
        let inherited = state.inherited.at(now);
        let limit = (self.limit(urgency).saturating_add(inherited)).min(self.per_minute);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between zero and the budget"
        )]
        let ready = state.ready.max(0.0) as u32;
        let room = limit.saturating_sub(state.spent).min(ready);
        if room > 0 {
            return Ok(room);
        }
        let mut opens = now + SLICE;
        let mut left = state.spent;
        for (slice, count) in &state.calls {
            if left < limit {
                break;
            }
            left -= count;
            opens = opens.max(leaves(*slice));
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most a minute")]
        let next = ((1.0 - state.ready).clamp(0.0, 1.0) * WINDOW_MILLIS
            / f64::from((self.per_minute - inherited).max(1)))
        .ceil() as i64;
        Err(Timestamp::from_millis(opens.max(now + next)))
    }

    /// A place in the line of retries: thousands that wait must not all come whenever there is room for one.
    fn queue(&self, state: &mut State, now: i64, opens: Timestamp) -> Timestamp {
        let next = state.retries_until + WINDOW / i64::from(self.limit(Urgency::Retry));
        // However long the line, everybody asks again within its horizon: others may have gone away.
        let start_over = next > now + HORIZON;
        state.retries_until = if start_over {
            opens.millis()
        } else {
            next.max(opens.millis())
        };
        Timestamp::from_millis(state.retries_until)
    }

    /// Up to where each kind may fill the window.
    fn limit(&self, urgency: Urgency) -> u32 {
        let fifths = match urgency {
            Urgency::Submission => return self.per_minute,
            Urgency::Retry => 4,
            Urgency::Reading => 3,
        };
        (self.per_minute / 5 * fifths + self.per_minute % 5 * fifths / 5).max(1)
    }
}

impl State {
    /// A clock that was set back by more than a window tells nothing of the calls in it.
    fn follow_clock(&mut self, now: i64) {
        if self
            .calls
            .back()
            .is_some_and(|(slice, _)| slice * SLICE > now + WINDOW)
        {
            self.calls.clear();
            self.spent = 0;
            self.ready = 0.0;
        }
        // Nor of those before it, however long ago they left it.
        if self.inherited.leave > leaves(now / SLICE) + WINDOW {
            self.inherited = Inherited::NONE;
        }
        let latest = Timestamp::from_millis(now)
            .after(Silence::MAX_WAIT)
            .millis();
        self.closed_until = self.closed_until.min(latest);
    }
}

impl Inherited {
    const NONE: Self = Self {
        calls: 0,
        leave: i64::MIN,
    };

    /// Those that still count.
    fn at(self, now: i64) -> u32 {
        if now < self.leave { self.calls } else { 0 }
    }
}

/// When the calls of a slice leave the window.
fn leaves(slice: i64) -> i64 {
    let share = if planted::is(Bug::HalfMinute) { 2 } else { 1 };
    (slice + 1) * SLICE + WINDOW / share
}

/// How much of a window lies between the two, one at most.
#[expect(clippy::cast_precision_loss, reason = "at most a window")]
fn parts(from: i64, until: i64) -> f64 {
    until.saturating_sub(from).clamp(0, WINDOW) as f64 / WINDOW_MILLIS
}

#[cfg(test)]
mod tests {
    use super::*;
    use issuance_domain::SilenceCause;
    use std::time::Duration;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn too_many(wish: Option<u64>) -> Silence {
        Silence::wishing(SilenceCause::RateLimited, wish.map(Duration::from_secs))
    }

    fn drain(budget: &Budget, now: Timestamp, urgency: Urgency) -> u32 {
        (0..)
            .take_while(|_| budget.take(now, urgency).is_ok())
            .count()
            .try_into()
            .unwrap_or(u32::MAX)
    }

    #[test]
    fn each_kind_leaves_room_for_the_more_urgent() {
        let budget = Budget::new(10);
        let now = at(90_000);
        assert_eq!(drain(&budget, now, Urgency::Reading), 6);
        assert_eq!(drain(&budget, now, Urgency::Retry), 2);
        assert_eq!(budget.available(now, Urgency::Submission), Ok(2));
        assert_eq!(drain(&budget, now, Urgency::Submission), 2);
        let reopens = budget.take(now, Urgency::Submission);
        assert!(
            reopens.is_err_and(|reopens| reopens >= at(150_000)),
            "{reopens:?}"
        );
        assert_eq!(budget.usage(now).spent, 10);
        assert_eq!(Budget::new(1).available(now, Urgency::Reading), Ok(1));
    }

    #[test]
    fn too_many_closes_it_within_reason_and_then_it_goes_on_evenly() {
        for (wait, until) in [(45, 135_000), (0, 91_000), (86_400, 210_000)] {
            let budget = Budget::new(60);
            budget.close(at(90_000), &too_many(Some(wait)));
            assert_eq!(budget.take(at(90_000), Urgency::Submission), Err(at(until)));
            assert!(budget.take(at(until - 1), Urgency::Submission).is_err());
            assert!(
                budget
                    .available(at(until + 2_000), Urgency::Submission)
                    .is_ok_and(|room| room < 60)
            );
        }
        let budget = Budget::new(60);
        budget.close(at(90_000), &too_many(None));
        assert_eq!(
            budget.take(at(90_000), Urgency::Submission),
            Err(at(121_000))
        );
    }

    #[test]
    fn a_clock_set_back_does_not_stop_it() {
        let budget = Budget::new(60);
        assert_eq!(drain(&budget, at(100_000_000), Urgency::Submission), 60);
        budget.close(at(100_000_000), &too_many(None));
        assert!(
            budget
                .available(at(10_000_000), Urgency::Submission)
                .is_err()
        );
        assert!(
            budget
                .available(at(10_000_000 + 122_000), Urgency::Submission)
                .is_ok()
        );
    }

    #[test]
    fn a_clock_set_back_after_a_start_does_not_stop_it_either() {
        let budget = Budget::new(60);
        let start = at(100_000_000);
        budget.inherit(start, 60);
        assert!(budget.available(start, Urgency::Submission).is_err());
        let later = start.after(Duration::from_secs(3_600));
        assert_eq!(budget.available(later, Urgency::Submission), Ok(60));
        assert_eq!(drain(&budget, later, Urgency::Submission), 60);
        let idle = later.after(Duration::from_secs(600));
        assert_eq!(budget.available(idle, Urgency::Submission), Ok(60));
        let back = at(start.millis() - 7_200_000);
        assert!(budget.available(back, Urgency::Submission).is_ok());
        assert_eq!(drain(&budget, back, Urgency::Submission), 60);
        let next = back.after(Duration::from_secs(62));
        assert!(budget.available(next, Urgency::Submission).is_ok());
    }

    /// However much of the minute is gone when the process dies, and whatever it was used for.
    #[test]
    fn a_life_that_follows_another_never_has_more_than_the_budget_with_it() {
        for (reads, sends) in [(0, 0), (120, 0), (120, 80), (0, 200), (60, 30)] {
            let first = Budget::new(200);
            let died = at(1_000_030_000);
            let used = (0..reads).filter(|_| first.take(died, Urgency::Reading).is_ok());
            let read = used.count();
            let used = (0..sends).filter(|_| first.take(died, Urgency::Submission).is_ok());
            let sent = u32::try_from(used.count()).unwrap();
            let second = Budget::new(200);
            second.inherit(died, sent);
            let (mut now, mut more) = (died, 0);
            if sent < 70 {
                let opens = second.take(now, Urgency::Reading).unwrap_err();
                assert!(
                    opens < died.after(Duration::from_secs(5)),
                    "reads go on, too"
                );
                now = opens;
                assert_eq!(second.take(now, Urgency::Reading), Ok(()));
                more += 1;
            }
            while now < died.after(Duration::from_secs(60)) {
                match second.take(now, Urgency::Submission) {
                    Ok(()) => more += 1,
                    Err(later) => now = later,
                }
            }
            let all = read + usize::try_from(sent).unwrap() + more;
            assert!(all <= 200, "{read} + {sent} + {more}");
            let later = died.after(Duration::from_secs(62));
            assert!(second.available(later, Urgency::Submission).is_ok());
        }
        assert_eq!(
            Budget::new(200).available(at(0), Urgency::Submission),
            Ok(200)
        );
    }

    /// Only sends are in the log. Lives of any length, each as greedy as it may be, for whatever leaves no trace or most of one.
    #[test]
    fn however_often_a_process_dies_no_minute_has_more_than_the_budget() {
        for (per_minute, lasts) in [200_u32, 60, 12]
            .into_iter()
            .flat_map(|many| [300, 2_000, 6_000, 7_500, 31_000, 61_500].map(|lasts| (many, lasts)))
        {
            for sends_every in [0, 1, 2, 7] {
                let (mut reads, mut sends) = (Vec::new(), Vec::<i64>::new());
                let (mut now, end) = (1_000_000_000_i64, 1_000_000_000 + 5 * MINUTE);
                let mut budget = Budget::new(per_minute);
                while now < end {
                    let dies = now + lasts;
                    while now < dies {
                        let is_send =
                            sends_every > 0 && (reads.len() + sends.len()) % sends_every == 0;
                        let urgency = if is_send {
                            Urgency::Submission
                        } else {
                            Urgency::Reading
                        };
                        match budget.take(at(now), urgency) {
                            Ok(()) if is_send => sends.push(now),
                            Ok(()) => reads.push(now),
                            Err(later) => now = later.millis().min(dies),
                        }
                    }
                    budget = Budget::new(per_minute);
                    let logged = sends.iter().filter(|sent| now - **sent < 61_000).count();
                    budget.inherit(at(now), logged.try_into().unwrap());
                }
                let mut all: Vec<_> = reads.into_iter().chain(sends).collect();
                all.sort_unstable();
                let most = all
                    .iter()
                    .map(|from| {
                        all.iter()
                            .filter(|call| (0..MINUTE).contains(&(*call - from)))
                            .count()
                    })
                    .max();
                assert!(
                    most.unwrap() <= per_minute as usize,
                    "{per_minute} {lasts} {sends_every}: {most:?}"
                );
            }
        }
    }

    /// Asked as a worker asks: whenever it said to. Against the provider's minutes, wherever they begin, and calls that
    /// take up to a second longer than others.
    #[test]
    fn never_more_than_the_budget_in_any_minute_and_hardly_less() {
        for per_minute in [7_u32, 60, 200, 3_000] {
            for skew in [0_i64, 17, 14_900, 30_000, 59_950] {
                let budget = Budget::new(per_minute);
                let mut minutes = std::collections::BTreeMap::<i64, u32>::new();
                let (mut now, mut sent) = (1_000_000_000_i64, 0_u32);
                let total = per_minute * 70;
                while sent < total {
                    match budget.take(at(now), Urgency::Submission) {
                        Ok(()) => {
                            let late = i64::from(sent * 7_919 % 1_000);
                            *minutes
                                .entry((now + late + skew).div_euclid(MINUTE))
                                .or_default() += 1;
                            sent += 1;
                        }
                        Err(later) => now = later.millis(),
                    }
                }
                let counts: Vec<_> = minutes.values().copied().collect();
                assert!(
                    counts.iter().all(|count| *count <= per_minute),
                    "{per_minute} {skew} {counts:?}"
                );
                if per_minute >= 60 {
                    // But for the first, which ends early, the second, which waits for the first, and the last.
                    let whole = &counts[3..counts.len() - 1];
                    assert!(
                        whole.iter().all(|count| count * 20 >= per_minute * 19),
                        "{per_minute} {skew} {counts:?}"
                    );
                }
                assert!(
                    counts.len() <= 74,
                    "{per_minute} {skew}: {} minutes",
                    counts.len()
                );
            }
        }
    }
}
