//! Where all who look for something in one list meet. The list is walked once for all of them, by whoever is there: who
//! comes reads on from the page where the one before was stopped, by the budget or by its own time, and when the walk
//! ends, everybody who had asked before it began has an answer, whether they are there or not. Nobody waits for long:
//! who has no answer yet is told when to come again.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::sync::{self, Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use issuance_domain::OrderId;
use issuance_executor::{Clock, Silence};
use issuance_uqpay::{Page, PageRequest};
use tokio::sync::{Mutex, MutexGuard};

use super::walk::{End, Step, Walk, Walked};

/// What an order is looked for by in a list, and what of it was found.
pub(super) trait Sought: Clone + Send {
    /// A row of the list.
    type Row: Send + Sync;

    /// A row's own name.
    fn row_id(row: &Self::Row) -> Option<&str>;

    /// Notes what a page says of those who are looked for.
    fn note(rows: &[Self::Row], asked: &mut BTreeMap<OrderId, Question<Self>>);

    /// Whether the rest of the list need not be read for it.
    fn is_found(&self) -> bool;
}

/// How a page of the list is read.
#[async_trait]
pub(super) trait ReadPage<R>: Send + Sync {
    /// One page; none when the list cannot be had.
    async fn page(&self, request: PageRequest) -> Result<Option<Page<R>>, Silence>;
}

/// One order's question.
pub(super) struct Question<S> {
    pub(super) sought: S,
    /// The first walk that began after it was asked.
    from: u64,
    end: Option<End>,
    /// When it was asked last, by the steady clock.
    asked_at: Duration,
}

/// What became of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told<S> {
    /// It was found on the way.
    Found(S),
    /// The whole list was read after it was asked.
    Read(S, Walked),
    /// The list was not read to its end, which proves nothing.
    Nothing,
}

/// How much one who comes may read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit<'a> {
    pub(super) clock: &'a dyn Clock,
    /// No page is begun after this, by the steady clock.
    pub(super) until: Duration,
    /// Pages of one walk, at most.
    pub(super) most_pages: u32,
}

/// The questions about one list.
pub(super) struct Desk<S> {
    state: sync::Mutex<State<S>>,
    /// Held by whoever reads.
    turn: Mutex<()>,
}

struct State<S> {
    questions: BTreeMap<OrderId, Question<S>>,
    walk: Option<Walk>,
    /// Walks begun; the one under way is the last of them.
    begun: u64,
    /// No walk begins before this, by the steady clock.
    rests_until: Duration,
}

/// Desks by what is read there.
pub(super) struct Desks<K, S>(sync::Mutex<HashMap<K, Arc<Desk<S>>>>);

/// Who must wait for longer than this for the turn does not wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// When one who read as long as it may comes again.
const SOON: Duration = Duration::from_secs(1);
/// The longest anybody is sent away for.
const LONGEST: Duration = Duration::from_secs(60);
/// A question nobody repeated for this long is nobody's any more; a walk that stood still for longer than `STALE` begins
/// anew.
const IDLE: Duration = Duration::from_secs(30 * 60);
const STALE: Duration = Duration::from_secs(10 * 60);
/// Questions at one desk.
const MAX_QUESTIONS: usize = 20_000;
/// Desks that are remembered; beyond it, each who comes has one of their own.
const MAX_DESKS: usize = 1_024;

impl<S> Default for Desk<S> {
    fn default() -> Self {
        let state = State {
            questions: BTreeMap::new(),
            walk: None,
            begun: 0,
            rests_until: Duration::ZERO,
        };
        Self {
            state: sync::Mutex::new(state),
            turn: Mutex::default(),
        }
    }
}

impl<K, S> Default for Desks<K, S> {
    fn default() -> Self {
        Self(sync::Mutex::default())
    }
}

/// Questions are personal data.
impl<K, S> fmt::Debug for Desks<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desks").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, S: Sought> Desks<K, S> {
    pub(super) fn desk(&self, key: K, clock: &dyn Clock) -> Arc<Desk<S>> {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if desks.len() >= MAX_DESKS {
            let now = clock.steady();
            desks.retain(|_, desk| Arc::strong_count(desk) > 1 || !desk.lock().is_idle(now));
        }
        if desks.len() >= MAX_DESKS && !desks.contains_key(&key) {
            return Arc::default();
        }
        desks.entry(key).or_default().clone()
    }
}

impl<S: Sought> Desk<S> {
    /// Asks, if it was not asked yet.
    ///
    /// # Errors
    /// When too many ask.
    pub(super) fn register(
        &self,
        order: OrderId,
        sought: impl FnOnce() -> S,
        clock: &dyn Clock,
    ) -> Result<(), Silence> {
        let now = clock.steady();
        let mut state = self.lock();
        if let Some(question) = state.questions.get_mut(&order) {
            question.asked_at = now;
            return Ok(());
        }
        if state.questions.len() >= MAX_QUESTIONS {
            state.forget_idle(now);
        }
        if state.questions.len() >= MAX_QUESTIONS {
            return Err(Silence::held_back(LONGEST));
        }
        let question = Question {
            sought: sought(),
            from: state.begun + 1,
            end: None,
            asked_at: now,
        };
        state.questions.insert(order, question);
        Ok(())
    }

    /// What became of a question that was registered; reads on while there is no answer. The answer stays until it is
    /// forgotten.
    ///
    /// # Errors
    /// Not yet: when to come again. Or the provider's silence.
    pub(super) async fn answer(
        &self,
        order: OrderId,
        read: &dyn ReadPage<S::Row>,
        visit: Visit<'_>,
    ) -> Result<Told<S>, Silence> {
        let clock = visit.clock;
        if let Some(told) = self.told(order) {
            return Ok(told);
        }
        let Some(_turn) = self.turn(clock).await else {
            return self
                .told(order)
                .ok_or_else(|| Silence::held_back(self.lock().wait(clock.steady())));
        };
        loop {
            if let Some(told) = self.told(order) {
                return Ok(told);
            }
            // Who comes next reads on; it may be this one.
            if clock.steady() >= visit.until {
                return Err(Silence::held_back(SOON));
            }
            let number = self.lock().next_page(clock)?;
            let page = match PageRequest::new(number, PageRequest::MAX_SIZE) {
                Ok(request) => read.page(request).await?,
                Err(_) => None,
            };
            self.lock()
                .met(page.as_ref(), clock.steady(), visit.most_pages);
        }
    }

    /// The answer is used.
    pub(super) fn forget(&self, order: OrderId) {
        self.lock().questions.remove(&order);
    }

    fn told(&self, order: OrderId) -> Option<Told<S>> {
        let state = self.lock();
        let question = state.questions.get(&order)?;
        if question.sought.is_found() {
            return Some(Told::Found(question.sought.clone()));
        }
        Some(match question.end? {
            End::Whole(walked) => Told::Read(question.sought.clone(), walked),
            End::Broken => Told::Nothing,
        })
    }

    /// The right to read; none when somebody has it and goes on for a while.
    async fn turn(&self, clock: &dyn Clock) -> Option<MutexGuard<'_, ()>> {
        if let Ok(turn) = self.turn.try_lock() {
            return Some(turn);
        }
        if self.lock().wait(clock.steady()) > PATIENCE {
            return None;
        }
        tokio::select! {
            biased;
            turn = self.turn.lock() => Some(turn),
            () = clock.sleep(PATIENCE) => None,
        }
    }

    fn lock(&self) -> sync::MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Sought> State<S> {
    /// How long it takes until an answer may be there.
    fn wait(&self, now: Duration) -> Duration {
        let rest = self.rests_until.saturating_sub(now);
        let left = self.walk.as_ref().map(|walk| walk.left(now));
        left.unwrap_or(rest).min(LONGEST)
    }

    /// The page to read now: of the walk under way while it helps anybody, or of a new one.
    fn next_page(&mut self, clock: &dyn Clock) -> Result<u32, Silence> {
        let now = clock.steady();
        self.forget_idle(now);
        let helps = |walk: &&Walk| {
            walk.next() > 1
                && !walk.is_older(STALE, now)
                && self
                    .questions
                    .values()
                    .any(|asked| asked.is_open(self.begun))
        };
        if let Some(walk) = self.walk.as_ref().filter(helps) {
            return Ok(walk.next());
        }
        self.walk = None;
        let rest = self.rests_until.saturating_sub(now);
        if !rest.is_zero() {
            return Err(Silence::held_back(rest));
        }
        // Everybody who has asked by now asked before it.
        self.begun += 1;
        Ok(self.walk.insert(Walk::begin(clock.now(), now)).next())
    }

    /// A page was read; none when the list could not be had.
    fn met(&mut self, page: Option<&Page<S::Row>>, now: Duration, most_pages: u32) {
        let Some(walk) = &mut self.walk else {
            return;
        };
        let step = match page {
            Some(page) => {
                S::note(&page.data, &mut self.questions);
                walk.step(page, S::row_id, now, most_pages)
            }
            None => Step::End(End::Broken),
        };
        let Step::End(end) = step else {
            return;
        };
        if end == End::Broken {
            tracing::warn!(pages = walk.next() - 1, "a list was not read to its end");
        }
        // A walk takes no more than every second page of a busy list's readings.
        self.rests_until = now + walk.lasted(now).min(LONGEST);
        self.walk = None;
        for question in self.questions.values_mut() {
            if question.is_open(self.begun) {
                question.end = Some(end);
            }
        }
    }

    fn forget_idle(&mut self, now: Duration) {
        self.questions.retain(|_, question| !question.is_idle(now));
    }

    fn is_idle(&self, now: Duration) -> bool {
        self.questions
            .values()
            .all(|question| question.is_idle(now))
    }
}

impl<S: Sought> Question<S> {
    /// Whether this walk is to answer it.
    fn is_open(&self, walk: u64) -> bool {
        self.from <= walk && self.end.is_none() && !self.sought.is_found()
    }

    fn is_idle(&self, now: Duration) -> bool {
        now.saturating_sub(self.asked_at) > IDLE
    }
}
