//! The running world: the state under its lock, the clock, the file, and the two loops that act when time comes.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Millis};
use crate::config::{Config, WebhookTarget};
use crate::durable::{Durable, DurableError, Lost, Opened};
use crate::faults::FaultRule;
use crate::state::State;
use crate::variants::Variants;

/// Timers performed under one hold of the lock.
const TIMERS_AT_ONCE: usize = 256;

pub(crate) struct World {
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Clock,
    pub(crate) tasks: TaskTracker,
    state: Mutex<State>,
    durable: Option<Durable>,
    target: Mutex<Option<WebhookTarget>>,
    next_timer: watch::Sender<Option<Millis>>,
    next_delivery: watch::Sender<Option<Millis>>,
    /// Rises with every recorded try of a delivery.
    tries: watch::Sender<u64>,
}

/// Stands for everything written until it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

impl World {
    pub(crate) fn open(config: Config, idv_base: String) -> Result<Self, DurableError> {
        let config = Arc::new(config);
        let mut state = State::new(Arc::clone(&config), idv_base);
        let durable = match &config.data {
            Some(directory) => Some(open(directory, &mut state)?),
            None => None,
        };
        for (place, rule) in config.faults.iter().enumerate() {
            let mut rule = rule.clone();
            if rule.id.is_empty() {
                rule.id = format!("start-{}", place + 1);
            }
            if !state.faults.knows(&rule.id) {
                state.faults.add(rule);
                state.touch_faults();
            }
        }
        state.has_receiver = config.webhook.is_some();
        let clock = Clock::with_offset(state.clock_offset());
        let world = Self {
            clock,
            tasks: TaskTracker::new(),
            target: Mutex::new(config.webhook.clone()),
            config,
            state: Mutex::new(state),
            durable,
            next_timer: watch::channel(None).0,
            next_delivery: watch::channel(None).0,
            tries: watch::channel(0).0,
        };
        world.change(|_, _| ());
        Ok(world)
    }

    /// Reads or changes the state at one moment, and queues what changed for the file.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut State, Millis) -> T) -> (T, Ticket) {
        let mut state = self.lock();
        let value = act(&mut state, self.clock.now());
        let ticket = match (&self.durable, state.commit()) {
            (Some(durable), Some(line)) => Ticket(durable.append(&line)),
            _ => Ticket(0),
        };
        let (timer, delivery) = (state.next_timer(), state.next_delivery());
        drop(state);
        set(&self.next_timer, timer);
        set(&self.next_delivery, delivery);
        (value, ticket)
    }

    /// Reads the state.
    pub(crate) fn read<T>(&self, act: impl FnOnce(&State, Millis) -> T) -> T {
        act(&self.lock(), self.clock.now())
    }

    /// Stands for everything written so far.
    pub(crate) fn everything(&self) -> Ticket {
        Ticket(self.durable.as_ref().map_or(0, Durable::appended))
    }

    /// Waits until what the ticket stands for is durable.
    pub(crate) async fn settled(&self, ticket: Ticket) -> Result<(), Lost> {
        match &self.durable {
            Some(durable) => durable.settled(ticket.0).await,
            None => Ok(()),
        }
    }

    /// Moves the clock and performs everything that became due, in order.
    pub(crate) fn advance(&self, by: Duration) -> Ticket {
        let ((), ticket) = self.change(|state, _| {
            state.set_clock_offset(self.clock.advance(by));
            state.fire(self.clock.now(), usize::MAX);
        });
        // Who sleeps has counted by the clock as it was.
        self.next_timer.send_modify(|_| ());
        self.next_delivery.send_modify(|_| ());
        ticket
    }

    pub(crate) fn add_faults(&self, rules: impl IntoIterator<Item = FaultRule>) -> Ticket {
        self.change(|state, _| {
            for rule in rules {
                state.faults.add(rule);
            }
            state.touch_faults();
        })
        .1
    }

    pub(crate) fn clear_faults(&self) -> Ticket {
        self.change(|state, _| {
            state.faults.clear();
            state.touch_faults();
        })
        .1
    }

    pub(crate) fn target(&self) -> Option<WebhookTarget> {
        self.target
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_target(&self, target: Option<WebhookTarget>) {
        let has_receiver = target.is_some();
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
        self.change(|state, _| state.has_receiver = has_receiver);
    }

    pub(crate) fn set_variants(&self, variants: Variants) {
        self.change(|state, _| state.variants = variants);
    }

    pub(crate) fn tried(&self) {
        self.tries.send_modify(|tries| *tries += 1);
    }

    /// Waits until each of these deliveries was tried once, at most six seconds.
    pub(crate) async fn until_tried(&self, numbers: &[u64]) {
        if numbers.is_empty() {
            return;
        }
        let mut tries = self.tries.subscribe();
        let all_tried = async {
            while !self.read(|state, _| state.were_tried(numbers)) {
                if tries.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(6), all_tried).await;
    }

    /// Performs timers as they come due.
    pub(crate) async fn run_timers(&self) {
        let mut next = self.next_timer.subscribe();
        loop {
            self.sleep_until(&mut next).await;
            self.change(|state, now| state.fire(now, TIMERS_AT_ONCE));
            tokio::task::yield_now().await;
        }
    }

    /// Returns once a delivery is due.
    pub(crate) async fn delivery_due(&self) {
        self.sleep_until(&mut self.next_delivery.subscribe()).await;
    }

    async fn sleep_until(&self, next: &mut watch::Receiver<Option<Millis>>) {
        loop {
            let wait = match *next.borrow_and_update() {
                Some(due_at) => u64::try_from(due_at - self.clock.now()).unwrap_or(0),
                None => u64::from(u32::MAX),
            };
            if wait == 0 {
                return;
            }
            let asleep = tokio::time::timeout(Duration::from_millis(wait), next.changed());
            if matches!(asleep.await, Ok(Err(_))) {
                // The world is gone; so will this task be.
                std::future::pending::<()>().await;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close(&self) {
        if let Some(durable) = &self.durable {
            durable.close();
        }
    }
}

/// Reads the file into the state, and rids it of the past if it is mostly that.
fn open(directory: &Path, state: &mut State) -> Result<Durable, DurableError> {
    let mut opened = Opened::read(directory, |line| state.replay(line))?;
    let now = Clock::with_offset(state.clock_offset()).now();
    if state.is_mostly_past(now) {
        opened.replace(state.snapshot())?;
    }
    opened.start()
}

fn set(sender: &watch::Sender<Option<Millis>>, value: Option<Millis>) {
    sender.send_if_modified(|current| {
        let changed = *current != value;
        *current = value;
        changed
    });
}
