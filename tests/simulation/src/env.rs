//! What all parts of a run share: virtual time and its queue, chance, faults, the provider, the nodes, and the notes.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use issuance_domain::{OperatorAction, OrderId, Timestamp};
use issuance_simulator::{CardStatus, IdvOutcome, Local, Waiting};
use issuance_store::{Kept, Position, SimulatedStore};
use uuid::Uuid;

use crate::asked::Requests;
use crate::coverage::{Coverage, Point};
use crate::faults::{Family, Faults};
use crate::history::History;
use crate::host::Asked;
use crate::options::{Deed, Options};
use crate::rng::Rng;
use crate::tasks::{Life, Work};
use crate::trace::Trace;
use crate::webhooks::Copy;
use crate::wire::{Answered, Flight};

/// A world has far fewer boundaries between effects than these, and so many more for each order (S29).
const MOST_BOUNDARIES: u64 = 100_000;
const MOST_OF_EACH: u64 = 2_000;
/// When a run begins: a Monday in 2026.
pub(crate) const BEGIN: i64 = 1_790_000_000_000;

/// How long a nap is, at most, of whoever may wake to another time.
const NAP: i64 = 30_000;
const LONGEST_NAP: i64 = 1_800_000;

/// Something that happens at its time.
pub(crate) enum Due {
    Wake(Waker),
    /// A request reaches the provider.
    Arrive(Box<Flight>),
    /// The late effect of one.
    Effect(Box<(Waiting, Flight)>),
    /// An answer reaches us.
    Answer(Box<Answered>),
    /// Something happens at the provider by itself.
    Provider,
    /// A webhook reaches us.
    Webhook(Box<Copy>),
    /// What came of a try reaches the provider; none when it waited in vain.
    Acked {
        attempt: u64,
        status: Option<u16>,
    },
    /// The host asks for an order.
    Ask(usize),
    /// The host hears of it.
    Asked(Box<Asked>),
    /// The host has waited long enough.
    AskAgain {
        order: usize,
        attempt: u32,
    },
    /// The host wants no card any more.
    Cancel(usize),
    /// A person looks at what they were told to do.
    Person {
        order: OrderId,
        tries: u32,
    },
    /// A reviewer decides.
    Review(Uuid, IdvOutcome),
    /// Somebody else changes a card.
    Move(Uuid, CardStatus),
    /// An operator looks at the list.
    Operator,
    /// Somebody does what was given.
    Deed(Deed),
    /// An operator acts on an order.
    Act(OrderId, OperatorAction),
    /// What goes wrong by itself.
    Chaos,
    /// The disk has room, the queue is short again.
    Relief,
    /// A process starts.
    Start(usize),
    /// A stopped process goes on.
    GoOn(usize),
    /// Nothing goes wrong any more.
    Heal,
    /// Is all quiet?
    Look,
}

/// One process.
#[derive(Debug)]
pub(crate) struct Node {
    /// Which life it is in; none while it is down.
    pub(crate) life: Option<Life>,
    pub(crate) lives: u32,
    /// How wrong its wall clock is.
    pub(crate) offset: i64,
    /// It died at the boundary it is at.
    pub(crate) dying: bool,
    pub(crate) stopped: bool,
    /// When it last started or went on.
    pub(crate) up_since: i64,
    /// Its wall clock was set.
    pub(crate) was_set: bool,
}

impl Node {
    /// It runs, and has had time for what lay there.
    pub(crate) fn is_at_work(&self, now: i64) -> bool {
        const AWHILE: i64 = 10_000;
        self.life.is_some() && !self.stopped && now - self.up_since >= AWHILE
    }
}

pub(crate) struct Env {
    pub(crate) now: i64,
    pub(crate) options: Arc<Options>,
    pub(crate) rng: Rng,
    pub(crate) faults: Faults,
    pub(crate) provider: Local,
    pub(crate) nodes: Vec<Node>,
    pub(crate) coverage: Coverage,
    pub(crate) history: History,
    pub(crate) trace: Trace,
    /// Since when nothing goes wrong any more.
    pub(crate) healed: Option<i64>,
    pub(crate) away_until: i64,
    /// When somebody else changes a card for the last time, as far as is known.
    pub(crate) moved_until: Option<i64>,
    /// Counts boundaries between effects.
    pub(crate) boundaries: u64,
    /// Counts requests.
    pub(crate) requests: u64,
    /// Persons that were known before any order, by number.
    pub(crate) people: BTreeMap<u64, Uuid>,
    /// Idempotency keys that have left once.
    pub(crate) keys: BTreeSet<String>,
    pub(crate) wanted: Requests,
    pub(crate) spawned: Vec<(Life, Work)>,
    /// What every node that starts now opens.
    pub(crate) store: Arc<SimulatedStore>,
    /// Orders whose link is asked for anew when its end is acted on.
    pub(crate) refreshed_late: BTreeSet<OrderId>,
    /// How far the host read the log.
    pub(crate) feed_at: Position,
    read_to: Position,
    queue: BTreeMap<(i64, u64), Due>,
    last: u64,
    provider_due: Option<(i64, u64)>,
}

impl Env {
    pub(crate) fn new(
        options: Arc<Options>,
        faults: Faults,
        provider: Local,
        trace: Trace,
    ) -> Self {
        let rng = options.stream(0x656e_7669_726f_6e21);
        Self {
            now: BEGIN,
            rng,
            faults,
            provider,
            nodes: Vec::new(),
            coverage: Coverage::default(),
            history: History::new(&options),
            trace,
            healed: None,
            away_until: 0,
            moved_until: None,
            boundaries: 0,
            requests: 0,
            people: BTreeMap::new(),
            keys: BTreeSet::new(),
            wanted: Requests::default(),
            spawned: Vec::new(),
            store: Arc::new(SimulatedStore::new(options.policy.clone())),
            refreshed_late: BTreeSet::new(),
            feed_at: Position::default(),
            read_to: Position::default(),
            queue: BTreeMap::new(),
            last: 0,
            provider_due: None,
            options,
        }
    }

    pub(crate) fn at(&mut self, at: i64, due: Due) -> (i64, u64) {
        self.last += 1;
        let key = (at.max(self.now), self.last);
        self.queue.insert(key, due);
        key
    }

    pub(crate) fn after(&mut self, wait: i64, due: Due) -> (i64, u64) {
        self.at(self.now + wait.max(0), due)
    }

    /// Goes to what is next.
    pub(crate) fn next(&mut self) -> Option<Due> {
        let ((at, _), due) = self.queue.pop_first()?;
        self.now = self.now.max(at);
        Some(due)
    }

    /// Whether a fault of this family happens here, and what its details come from.
    pub(crate) fn draw(&mut self, family: Family) -> Option<u64> {
        let details = self.faults.draw(family)?;
        self.coverage.family(family);
        self.trace.mix(family as u64 ^ details);
        let now = self.now;
        self.trace.line(now, || format!("fault {}", family.name()));
        Some(details)
    }

    /// How long the disk takes for a record, and for a sync: nothing on most, some time on slow ones.
    pub(crate) fn disk_takes(&mut self) -> (i64, i64) {
        if !self.options.slow_disk || self.healed.is_some() {
            return (0, 0);
        }
        let mut millis = || match self.rng.below(100) {
            0..50 => 0,
            _ => self.rng.millis(1.0, 80.0),
        };
        (millis(), millis())
    }

    /// A usual way over the network.
    pub(crate) fn latency(&mut self) -> i64 {
        self.rng.millis(1.0, 150.0)
    }

    /// Where no clock is set, nobody needs to look at one before its time; where one may be, half a minute after the
    /// next moment that happens at is soon enough, as with naps of half a minute.
    pub(crate) fn longest_nap(&self) -> i64 {
        let passed = self.now - BEGIN;
        let next = self.options.chaos_at().find(|at| *at >= passed);
        match next.filter(|_| self.options.sets_clocks() && self.healed.is_none()) {
            Some(next) => (next - passed + self.now % NAP).clamp(1, LONGEST_NAP),
            None => LONGEST_NAP,
        }
    }

    /// The provider wakes when something is due there.
    pub(crate) fn watch_provider(&mut self) {
        let Some(due) = self.provider.next_due() else {
            return;
        };
        let due = due.max(self.now);
        if self.provider_due.is_some_and(|(at, _)| at <= due) {
            return;
        }
        if let Some(key) = self.provider_due.take() {
            self.queue.remove(&key);
        }
        self.provider_due = Some(self.at(due, Due::Provider));
    }

    pub(crate) fn provider_woke(&mut self) {
        self.provider_due = None;
    }

    /// Looks at what the log says now.
    pub(crate) fn follow(&mut self) {
        if self.store.reach().is_none_or(|head| head <= self.read_to) {
            return;
        }
        let store = self.store.clone();
        let Some((kept, read_to)) = store.kept_after(self.read_to) else {
            return;
        };
        self.read_to = read_to;
        self.trace.mix(read_to.0);
        for kept in &kept {
            if let Kept::Event(record, _) = kept {
                self.trace.line(self.now, || {
                    let (position, version) = (record.position.0, record.version.0);
                    let body = &record.event.body;
                    format!("log {position} {} v{version} {body:?}", record.order)
                });
            }
        }
        self.history
            .follow_log(&store, &kept, self.now, &mut self.coverage);
    }

    /// Whether a process's own clock can be believed.
    pub(crate) fn believes_clock(&self, life: Life) -> bool {
        self.options.skew == 0
            && !self.nodes[life.node].was_set
            && !self.options.may(Family::Pause)
            && !self.options.may(Family::OldKey)
    }

    /// A node that is up, by a number.
    pub(crate) fn some_node(&self, number: u64) -> Option<usize> {
        let up: Vec<usize> = (0..self.nodes.len())
            .filter(|node| self.nodes[*node].life.is_some())
            .collect();
        let nth = usize::try_from(number % up.len().max(1) as u64).unwrap_or(0);
        up.get(nth).copied()
    }

    pub(crate) fn is_alive(&self, life: Life) -> bool {
        self.nodes[life.node].life == Some(life)
    }
}

/// A hand on what is shared.
#[derive(Clone)]
pub(crate) struct Sim(Arc<Mutex<Env>>);

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sim")
    }
}

impl Sim {
    pub(crate) fn new(env: Env) -> Self {
        Self(Arc::new(Mutex::new(env)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Env> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when so many milliseconds have passed.
    pub(crate) fn sleep(&self, wait: i64) -> Sleep {
        Sleep {
            sim: self.clone(),
            wait,
            timer: None,
            until: 0,
        }
    }

    /// Around a create call whose key is in use since `from`. Before it is `recorded` anew a process may stand still until
    /// the key is about to be too old; after that, until it is.
    pub(crate) async fn outlive_key(&self, life: Life, from: Timestamp, recorded: bool) {
        // Longer, and the call would not leave for its own age.
        const MOST: i64 = 20_000;
        {
            let mut env = self.lock();
            let at = from.after(env.options.policy.key_safe_age).millis();
            let left = at - env.now - env.nodes[life.node].offset;
            let heals_in = BEGIN + env.options.heal_after - env.now;
            let fits = match recorded {
                true => (0..MOST).contains(&left),
                false => (MOST..heals_in).contains(&left),
            };
            if !fits {
                return;
            }
            let Some(details) = env.draw(Family::OldKey) else {
                return;
            };
            env.nodes[life.node].stopped = true;
            let wait = match recorded {
                true => left + Rng::new(details).millis(1.0, 5_000.0),
                false => left - Rng::new(details).millis(1_000.0, 15_000.0),
            };
            env.after(wait, Due::GoOn(life.node));
        }
        yield_once().await;
    }

    /// Between the record of a call and the call: others may change the order meanwhile.
    pub(crate) async fn overtake(&self, order: OrderId) {
        let wait = {
            let mut env = self.lock();
            let Some(details) = env.draw(Family::Overtaken) else {
                return;
            };
            let wait = Rng::new(details).millis(50.0, 20_000.0);
            env.after(wait / 2, Due::Act(order, OperatorAction::Pause));
            wait
        };
        self.sleep(wait).await;
    }

    /// Between two effects: here a process may die or stand still.
    pub(crate) async fn boundary(&self, life: Life, point: Point) {
        let pause = {
            let mut env = self.lock();
            env.boundaries += 1;
            env.coverage.point(point);
            let dies =
                env.options.crash_at.contains(&env.boundaries) || env.draw(Family::Crash).is_some();
            let most = MOST_BOUNDARIES + MOST_OF_EACH * env.options.orders as u64;
            if env.boundaries > most {
                let what = format!("{most} boundaries, and no end");
                env.history.violate("S29", None, what);
                None
            } else if dies && env.is_alive(life) {
                let now = env.now;
                env.trace
                    .line(now, || format!("node {} dies at {point:?}", life.node));
                let again = env.nodes[life.node].lives > 1;
                env.coverage.died(point, again);
                env.nodes[life.node].dying = true;
                None
            } else {
                // A process cannot be stopped inside its last look at the clock: what is on the wire has left.
                let may_pause = point != Point::Send;
                let details = if may_pause {
                    env.draw(Family::Pause)
                } else {
                    None
                };
                let Some(details) = details else { return };
                let wait = Rng::new(details).millis(50.0, 200_000.0);
                env.nodes[life.node].stopped = true;
                env.after(wait, Due::GoOn(life.node));
                Some(())
            }
        };
        match pause {
            // Dropped here, with everything else of its process.
            None => std::future::pending().await,
            Some(()) => yield_once().await,
        }
    }
}

/// Lets others run once.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A wait in virtual time.
pub(crate) struct Sleep {
    sim: Sim,
    wait: i64,
    until: i64,
    timer: Option<(i64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.get_mut();
        let mut env = sleep.sim.lock();
        match sleep.timer {
            Some(_) if env.now >= sleep.until => Poll::Ready(()),
            Some(key) => {
                if let Some(Due::Wake(waker)) = env.queue.get_mut(&key) {
                    waker.clone_from(context.waker());
                }
                Poll::Pending
            }
            None => {
                sleep.until = env.now + sleep.wait.max(0);
                let key = env.at(sleep.until, Due::Wake(context.waker().clone()));
                sleep.timer = Some(key);
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            // What is removed wakes nobody and is dropped outside the lock.
            let gone = self.sim.lock().queue.remove(&key);
            drop(gone);
        }
    }
}
