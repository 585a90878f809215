//! One run: nodes, host and provider under one virtual clock, from the first order until all is quiet.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use issuance::uqpay::webhook::{Verifier, WebhookSecret};
use issuance::uqpay::{BaseUrl, Client, Config as ClientConfig};
use issuance::{Engine, Limits};
use issuance_simulator::{Config, Fault, FaultMatch, FaultRule, Local, Variants, WebhookTarget};
use issuance_store::{SimulatedStore, Store};
use uuid::Uuid;

use crate::asked;
use crate::clock::NodeClock;
use crate::coverage::Coverage;
use crate::disk::Disk;
use crate::env::{Due, Env, Node, Sim};
use crate::faults::{Decided, Family, Faults};
use crate::history::restless;
use crate::host::{self, Ear, Wish};
use crate::journal;
use crate::mixups;
use crate::options::{CALLS, Deed, Options, What};
use crate::rng::Rng;
use crate::tasks::{Life, Tasks};
use crate::trace::Trace;
use crate::violation::Violation;
use crate::webhooks;
use crate::wire::{self, Wire};

const SECRET: &str = "whsec_simulation_0123456789";
const DAY: i64 = 86_400_000;
/// After healing, everything must be over or a person's within this (L2): links, reviews and keys may each take a day.
const LIMIT: i64 = 9 * DAY;
/// After healing, a reconciliation was begun anew and ended.
const RECONCILED: i64 = 13 * DAY / 24;
/// The number of the person who has cards of another system.
const STRANGER: u64 = 99;
/// Polls without time passing on: something turns in circles.
const MOST_POLLS: u64 = 200_000;

/// Of so many seeds one also plays the journal.
const JOURNALS: u64 = 8;
/// Of so many seeds one is shown every product, the others those that are asked for: each process reads the whole list.
const CATALOGUES: u64 = 8;

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// The same seed gives the same hash.
    pub hash: u64,
    /// What must never happen and did.
    pub violation: Option<Violation>,
    /// What was reached.
    pub coverage: Coverage,
    /// The faults that were decided on.
    pub decided: Vec<Decided>,
    /// Boundaries between effects that were passed.
    pub boundaries: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Polls of futures.
    pub polls: u64,
    /// How each order ended, by the host's number.
    pub ends: Vec<String>,
    /// Every note, if they were asked for.
    pub lines: Vec<String>,
}

impl Report {
    pub(crate) fn panicked(text: &str) -> Self {
        Self {
            hash: 0,
            violation: Some(Violation::of("panic", text.to_owned())),
            coverage: Coverage::default(),
            decided: Vec::new(),
            boundaries: 0,
            requests: 0,
            polls: 0,
            ends: Vec::new(),
            lines: Vec::new(),
        }
    }
}

/// Runs one world.
#[must_use]
pub fn run(options: &Options, with_lines: bool) -> Report {
    let mut report = World::new(options.clone(), with_lines).run();
    if options.seed.is_multiple_of(JOURNALS) && report.violation.is_none() {
        report.violation = journal::judge(options.seed);
    }
    report
}

struct World {
    sim: Sim,
    options: Arc<Options>,
    tasks: Tasks,
    engines: Vec<Option<Engine>>,
    wishes: Vec<Wish>,
    rng: Rng,
    polls: u64,
    polls_at_once: u64,
}

impl World {
    fn new(options: Options, with_lines: bool) -> Self {
        let options = Arc::new(options);
        let faults = match &options.script {
            Some(script) => Faults::by_list(script),
            None => Faults::by_chance(options.seed, |family| options.rate(family)),
        };
        let trace = if with_lines {
            Trace::with_lines()
        } else {
            Trace::default()
        };
        let mut env = Env::new(
            options.clone(),
            faults,
            Local::new(provider(&options)),
            trace,
        );
        let mut rng = options.stream(0x776f_726c_6421);
        for _ in 0..options.nodes {
            let offset = rng.between(-options.skew, options.skew);
            env.nodes.push(Node {
                life: None,
                lives: 0,
                offset,
                dying: false,
                stopped: false,
                up_since: env.now,
                was_set: false,
            });
        }
        let mut world = Self {
            engines: vec![None; options.nodes],
            wishes: Vec::new(),
            tasks: Tasks::default(),
            sim: Sim::new(env),
            rng,
            polls: 0,
            polls_at_once: 0,
            options,
        };
        world.prepare();
        world
    }

    /// What happens at the beginning, and what will.
    fn prepare(&mut self) {
        for node in 0..self.options.nodes {
            self.start(node);
        }
        let heal_after = self.options.heal_after;
        let dress = self.options.stream(0x6472_6573_7365_6421).next();
        let mut env = self.sim.lock();
        if self.options.rate(Family::Variants) > 0.0 {
            env.coverage.family(Family::Variants);
        }
        if self.options.strangers > 0 {
            let now = env.now;
            let person = host::known_person(STRANGER);
            if let Some(holder) = env.provider.add_person(&person, now) {
                for _ in 0..self.options.strangers {
                    env.provider.add_card(holder, now);
                }
            }
        }
        for number in 0..self.options.orders {
            let shared = env.draw(Family::SamePerson).filter(|_| number > 0);
            let same = shared.and_then(|details| usize::try_from(details % number as u64).ok());
            let known = env.draw(Family::KnownPerson);
            let known = known.and_then(|details| known_person(&mut env, details));
            let own = &mut asked::chance(dress, number);
            let (kinds, wanted) = (&self.options.kinds, &mut env.wanted);
            let persons = (same, known);
            let mut wish = host::wish(number, kinds, &mut self.rng, own, wanted, persons);
            traits(&mut env, number);
            let wait = self.rng.between(0, self.options.asked_within);
            wish.refused = self.options.skipped.contains(&number);
            self.wishes.push(wish);
            env.after(wait, Due::Ask(number));
        }
        if !self.options.seed.is_multiple_of(CATALOGUES) {
            let wishes = self.wishes.iter();
            env.provider.offer(wishes.filter_map(Wish::product));
        }
        for deed in &self.options.deeds {
            env.after(deed.at, Due::Deed(*deed));
        }
        for at in self.options.chaos_at() {
            env.after(at, Due::Chaos);
            let wait = self.rng.between(0, heal_after);
            env.after(wait, Due::Operator);
        }
        env.after(heal_after, Due::Heal);
    }

    fn run(mut self) -> Report {
        loop {
            self.poll_all();
            let due = {
                let mut env = self.sim.lock();
                if env.history.violation.is_some() {
                    break;
                }
                let before = env.now;
                let due = env.next();
                if env.now > before {
                    self.polls_at_once = 0;
                }
                due
            };
            let Some(due) = due else {
                let mut env = self.sim.lock();
                let what = "nothing will ever happen again".to_owned();
                env.history.violate("L2", None, what);
                break;
            };
            if self.fire(due) {
                break;
            }
            if self.sim.lock().faults.are_enough(self.options.orders) {
                self.heal();
            }
        }
        self.report()
    }

    /// Polls whoever is ready, until nobody is.
    fn poll_all(&mut self) {
        loop {
            {
                let mut env = self.sim.lock();
                for (life, work) in std::mem::take(&mut env.spawned) {
                    if env.is_alive(life) {
                        self.tasks.spawn(life, work);
                    }
                }
            }
            let Some(slot) = self.tasks.poll_one(&mut self.rng) else {
                if self.sim.lock().spawned.is_empty() {
                    return;
                }
                continue;
            };
            self.polls += 1;
            self.polls_at_once += 1;
            let sim = self.sim.clone();
            let mut env = sim.lock();
            env.trace.mix(slot as u64);
            if self.polls_at_once > MOST_POLLS {
                let what = "time stands still and something turns in circles".to_owned();
                env.history.violate("L1", None, what);
                return;
            }
            for node in 0..env.nodes.len() {
                if env.nodes[node].stopped {
                    self.tasks.stop(node);
                }
            }
            if let Some(node) = env.nodes.iter().position(|node| node.dying) {
                drop(env);
                self.die(node);
                env = sim.lock();
            }
            env.follow();
            if env.history.violation.is_some() {
                return;
            }
        }
    }

    fn fire(&mut self, due: Due) -> bool {
        let sim = self.sim.clone();
        match due {
            Due::Wake(waker) => waker.wake(),
            Due::Arrive(flight) => wire::arrive(&mut sim.lock(), *flight),
            Due::Effect(late) => {
                let (waiting, flight) = *late;
                let mut env = sim.lock();
                let now = env.now;
                let answer = env.provider.finish(waiting, now);
                wire::answered(&mut env, &flight, answer);
            }
            Due::Answer(answered) => wire::deliver(*answered),
            Due::Provider => {
                let mut env = sim.lock();
                env.provider_woke();
                webhooks::pump(&mut env);
            }
            Due::Webhook(copy) => webhooks::receive(&sim, *copy, &self.engines),
            Due::Acked { attempt, status } => {
                let mut env = sim.lock();
                if let Some((number, timestamp)) = env.history.end_try(attempt) {
                    let now = env.now;
                    env.provider.delivered(number, status, timestamp, now);
                    env.watch_provider();
                }
            }
            Due::Ask(order) => host::ask(&sim, order, &mut self.wishes[order], &self.engines),
            Due::AskAgain { order, attempt } => {
                if self.wishes[order].attempt == attempt {
                    host::ask(&sim, order, &mut self.wishes[order], &self.engines);
                }
            }
            Due::Asked(asked) => {
                let order = asked.order;
                host::asked(&mut sim.lock(), *asked, &mut self.wishes[order]);
            }
            Due::Cancel(order) => {
                if let Some(id) = self.wishes[order].id {
                    host::cancel(&sim, order, id, &self.engines);
                }
            }
            Due::Person { order, tries } => host::person(&sim, order, tries, &self.engines),
            Due::Review(holder, outcome) => {
                let mut env = sim.lock();
                let now = env.now;
                env.provider.review(holder, outcome, now);
                env.watch_provider();
            }
            Due::Operator => {
                let details = sim.lock().draw(Family::Operator);
                if let Some(details) = details {
                    host::operate(&sim, details, &self.engines);
                }
            }
            Due::Deed(deed) => self.deed(deed),
            Due::Act(order, action) => host::operate_at(&sim, order, action, &self.engines),
            Due::Chaos => self.chaos(),
            Due::Relief => {
                let env = sim.lock();
                env.store.fill_disk(false);
                env.store.overload(false);
            }
            Due::Start(node) => self.start(node),
            Due::GoOn(node) => {
                let mut env = sim.lock();
                let now = env.now;
                env.nodes[node].stopped = false;
                env.nodes[node].up_since = now;
                self.tasks.go_on(node);
            }
            Due::Heal => self.heal(),
            Due::Look => return self.look(),
        }
        false
    }

    /// Once the host knows the order, somebody does to it what was given.
    fn deed(&mut self, deed: Deed) {
        let sim = self.sim.clone();
        let Some(wish) = self.wishes.get(deed.order) else {
            return;
        };
        match (wish.id, deed.what) {
            (Some(id), What::Cancel) => host::cancel(&sim, deed.order, id, &self.engines),
            (Some(id), What::Operate(action)) => {
                host::operate_at(&sim, id, action, &self.engines);
            }
            (None, _) if wish.refused => {}
            (None, _) => drop(sim.lock().after(100, Due::Deed(deed))),
        }
    }

    /// What goes wrong by itself, beside any call.
    fn chaos(&mut self) {
        let sim = self.sim.clone();
        let mut env = sim.lock();
        if env.draw(Family::SyncFails).is_some() {
            env.store.fail_next_sync();
        }
        if let Some(details) = env.draw(Family::DiskFull) {
            env.store.fill_disk(true);
            let wait = Rng::new(details).millis(1_000.0, 1_800_000.0);
            env.after(wait, Due::Relief);
        }
        if let Some(details) = env.draw(Family::Overload) {
            env.store.overload(true);
            let wait = Rng::new(details).millis(100.0, 60_000.0);
            env.after(wait, Due::Relief);
        }
        if let Some(details) = env.draw(Family::ClockJump) {
            let mut rng = Rng::new(details);
            let node = usize::try_from(rng.below(env.nodes.len() as u64)).unwrap_or(0);
            let by = rng.millis(1_000.0, 1.2 * DAY as f64);
            env.nodes[node].was_set = true;
            env.nodes[node].offset += if rng.chance(0.5) { by } else { -by };
        }
        if let Some(details) = env.draw(Family::Eviction) {
            let node = details % env.nodes.len() as u64;
            wire::evict(&mut env, &client_id(usize::try_from(node).unwrap_or(0)));
        }
        if let Some(details) = env.draw(Family::Outage) {
            let wait = Rng::new(details).millis(10_000.0, 3.0 * DAY as f64);
            env.away_until = env.now + wait;
        }
        if env.draw(Family::ForgottenKeys).is_some() {
            env.provider.forget_keys();
            env.history.forgot = true;
        }
        let dies = env
            .draw(Family::Crash)
            .map(|details| usize::try_from(details % env.nodes.len() as u64).unwrap_or(0));
        drop(env);
        if let Some(node) = dies.filter(|node| self.engines[*node].is_some()) {
            self.die(node);
        }
    }

    /// A process dies where it stands. Alone on its store, it takes what was not synced with it.
    fn die(&mut self, node: usize) {
        self.tasks.kill(node);
        self.engines[node] = None;
        let mut env = self.sim.lock();
        env.history.restarted = true;
        env.nodes[node].life = None;
        env.nodes[node].dying = false;
        env.nodes[node].stopped = false;
        let wait = if env.healed.is_some() {
            1_000
        } else {
            self.rng.millis(100.0, 120_000.0)
        };
        env.after(wait, Due::Start(node));
        drop(env);
        if self.options.nodes == 1 {
            self.reopen();
        }
    }

    /// The store dies, and opens with what is durable and some of what was on its way to be.
    fn reopen(&mut self) {
        let mut env = self.sim.lock();
        let unsynced = env.store.unsynced() as u64;
        let kept = usize::try_from(self.rng.below(unsynced + 1)).unwrap_or(0);
        match env.store.crash_keeping(kept) {
            Ok(store) => {
                env.store = Arc::new(store);
                let (store, now) = (env.store.clone(), env.now);
                env.history.started(&store, now);
            }
            Err(error) => {
                let what = format!("the log does not open: {error}");
                env.history.violate("S10", None, what);
            }
        }
    }

    fn start(&mut self, node: usize) {
        if self.engines[node].is_some() {
            return;
        }
        // Whoever finds a store that stopped for good opens it anew.
        let store = self.sim.lock().store.clone();
        let is_dead = store.head().now_or_never().is_none_or(|head| head.is_err());
        if is_dead {
            self.reopen();
        }
        let life = {
            let mut env = self.sim.lock();
            let now = env.now;
            let state = &mut env.nodes[node];
            state.lives += 1;
            let life = Life {
                node,
                number: state.lives,
            };
            state.life = Some(life);
            state.up_since = now;
            env.trace.line(now, || format!("node {node} starts"));
            life
        };
        let store = self.sim.lock().store.clone();
        let engine = engine(&self.sim, life, &store, &self.options);
        self.engines[node] = Some(engine.clone());
        if node == 0 && self.options.seed.is_multiple_of(4) {
            let (sim, mut feed) = (self.sim.clone(), engine.subscribe(self.sim.lock().feed_at));
            let reader = async move {
                while let Ok(records) = feed.next().await {
                    let mut env = sim.lock();
                    env.follow();
                    env.history.read(&records);
                    env.feed_at = feed.position();
                }
            };
            self.tasks.spawn(life, Box::pin(reader));
        }
        let sim = self.sim.clone();
        let work = async move {
            // A store that stopped for good ends the process.
            let ended = engine.run().await;
            let mut env = sim.lock();
            let now = env.now;
            env.trace
                .line(now, || format!("node {node} ends: {ended:?}"));
            env.nodes[node].dying = true;
        };
        self.tasks.spawn(life, Box::pin(work));
    }

    fn heal(&mut self) {
        let sim = self.sim.clone();
        let mut env = sim.lock();
        if env.healed.is_some() {
            return;
        }
        let now = env.now;
        env.trace.line(now, || "the world heals".to_owned());
        env.healed = Some(now);
        env.after(30_000, Due::Look);
        env.faults.heal();
        env.away_until = 0;
        env.provider.clear_faults();
        env.store.fill_disk(false);
        env.store.overload(false);
        // The alarm says that a clock was set: it is put right, and the process started anew (F-071).
        let set: Vec<_> = (0..env.nodes.len())
            .filter(|node| env.nodes[*node].offset != 0 || env.nodes[*node].was_set)
            .collect();
        for node in &mut env.nodes {
            node.offset = 0;
        }
        drop(env);
        for node in set {
            if self.engines[node].is_some() {
                self.die(node);
            }
        }
    }

    /// Whether all is quiet; then the last judgement.
    fn look(&mut self) -> bool {
        let sim = self.sim.clone();
        let was_paused = host::resume_all(&sim, &self.engines);
        let mut env = sim.lock();
        let now = env.now;
        // Who was dead or stood still shortly before may yet find something to do.
        let all_up = env.nodes.iter().all(|node| node.is_at_work(now));
        let placed = self
            .wishes
            .iter()
            .all(|wish| wish.id.is_some() || wish.refused);
        let policy = &self.options.policy;
        let history = &env.history;
        let orders = history.orders.iter().filter_map(|id| history.order(*id));
        let restless = restless(orders, policy, now).map(|order| (order.id, order.state.name()));
        let healed_for = now - env.healed.unwrap_or(now);
        let is_quiet = placed && all_up && !was_paused && restless.is_none();
        // A card that only a reconciliation finds is found by the next one, every six hours.
        let reconciled = || healed_for > RECONCILED || !env.history.is_unreconciled();
        if is_quiet && reconciled() {
            let store = env.store.clone();
            // Nothing went wrong, and nobody's link was over before they could come.
            let calm = env.faults.decided.is_empty()
                && self.options.skew == 0
                && self.options.link_life >= 3_600
                && self.options.is_left_alone();
            env.history.judge(&store, calm);
            return true;
        }
        if healed_for > LIMIT {
            let order = restless.map(|(id, _)| id);
            let what = match restless {
                Some((_, state)) => format!("still {state} and moving, nine days after healing"),
                None if placed => "a process never came up again".to_owned(),
                None => "an order was never placed".to_owned(),
            };
            env.history.violate("L2", order, what);
            return true;
        }
        // Whom the provider lets in no more, the breaker holds back.
        let roomy = self.options.orders <= 30
            && self.options.calls_per_minute >= CALLS
            && self.options.rate(Family::NoEntry) <= 0.0;
        if healed_for > 2 * DAY / 24 && roomy && all_up {
            let store = env.store.clone();
            env.history.judge_overdue(&store, now);
            if env.history.violation.is_some() {
                return true;
            }
        }
        // Rarely at last: what takes days is seen soon enough.
        env.after((healed_for / 4).clamp(30_000, 1_800_000), Due::Look);
        false
    }

    fn report(self) -> Report {
        let mut env = self.sim.lock();
        for id in env.history.orders.clone() {
            if let Some(state) = env.history.order(id).map(|order| order.state.name()) {
                env.coverage.ended(state);
            }
        }
        let ends = self
            .wishes
            .iter()
            .map(|wish| {
                let order = wish.id.and_then(|id| env.history.order(id));
                order.map_or("none", |order| order.state.name()).to_owned()
            })
            .collect();
        Report {
            hash: env.trace.hash(),
            violation: env.history.violation.clone(),
            coverage: std::mem::take(&mut env.coverage),
            decided: std::mem::take(&mut env.faults.decided),
            boundaries: env.boundaries,
            requests: env.requests,
            polls: self.polls,
            ends,
            lines: env.trace.take_lines(),
        }
    }
}

fn client_id(node: usize) -> String {
    format!("simulation-{node}")
}

fn provider(options: &Options) -> Config {
    Config {
        seed: options.seed,
        webhook: Some(WebhookTarget {
            url: "https://host.example/webhooks/uqpay".into(),
            secret: Some(SECRET.into()),
        }),
        variants: if options.rate(Family::Variants) > 0.0 {
            Variants::BySeed
        } else {
            Variants::Off
        },
        processing_delay: Duration::from_millis(options.processing),
        review_delay: Duration::from_millis(options.processing.saturating_mul(20)),
        idv_link_lifetime: Duration::from_secs(options.link_life),
        idv_link_base: Some("https://idv.example/".into()),
        rate_limit_per_minute: Some(options.calls_per_minute),
        token_limit_per_minute: Some(60),
        ..Config::default()
    }
}

/// One of the few persons of hosts that make them first. Several orders may be for the same one.
fn known_person(env: &mut Env, details: u64) -> Option<Uuid> {
    let (number, now) = (details % 3, env.now);
    if let Some(id) = env.people.get(&number) {
        return Some(*id);
    }
    let id = env.provider.add_person(&host::known_person(number), now)?;
    env.people.insert(number, id);
    Some(id)
}

/// What the provider does with one order, come what may.
fn traits(env: &mut Env, number: usize) {
    let metadata: serde_json::Map<_, _> = [("test".to_owned(), number.to_string().into())]
        .into_iter()
        .collect();
    let mut rule = |fault| {
        env.provider.add_fault(FaultRule {
            id: String::new(),
            applies_to: FaultMatch {
                metadata: metadata.clone(),
                ..FaultMatch::default()
            },
            fault,
            times: None,
            probability: None,
            used: 0,
        });
    };
    let faults = [
        (
            Family::CardFails,
            Fault::CardFails {
                failure_code: Some("CARD_CREATION_FAILED".into()),
            },
        ),
        (Family::NeverActive, Fault::NeverActivates),
        (Family::ActiveAtOnce, Fault::ActiveAtOnce),
        (Family::WebhookEarly, Fault::WebhookEarly),
    ];
    let mut chosen = Vec::new();
    for (family, fault) in faults {
        if env.faults.draw(family).is_some() {
            chosen.push((family, fault));
        }
    }
    for (family, fault) in chosen {
        env.coverage.family(family);
        rule(fault);
    }
    if let Some(details) = env.faults.draw(Family::MixUp) {
        env.coverage.family(Family::MixUp);
        env.provider.add_fault(FaultRule {
            id: String::new(),
            applies_to: FaultMatch {
                metadata: metadata.clone(),
                event: Some("card.create.succeeded".into()),
                ..FaultMatch::default()
            },
            fault: mixups::message(details),
            times: Some(1 + u32::from(details & 64 != 0)),
            probability: None,
            used: 0,
        });
    }
    if let Some(details) = env.faults.draw(Family::Strange) {
        env.coverage.family(Family::Strange);
        env.provider.add_fault(FaultRule {
            id: String::new(),
            applies_to: FaultMatch {
                metadata: metadata.clone(),
                ..FaultMatch::default()
            },
            fault: mixups::strange_message(details),
            times: Some(1 + u32::from(details & 64 != 0)),
            probability: None,
            used: 0,
        });
    }
    if env.faults.draw(Family::Leftover).is_some() {
        env.coverage.family(Family::Leftover);
        env.provider.add_fault(FaultRule {
            id: String::new(),
            applies_to: FaultMatch {
                metadata,
                ..FaultMatch::default()
            },
            fault: Fault::OrphanCardholder(issuance_simulator::ErrorAnswer {
                status: 500,
                body: None,
                retry_after: None,
                cached: Some(false),
            }),
            times: Some(1),
            probability: None,
            used: 0,
        });
    }
}

#[expect(clippy::expect_used, reason = "fixed values that fit together")]
fn engine(sim: &Sim, life: Life, store: &Arc<SimulatedStore>, options: &Options) -> Engine {
    let wire = Wire {
        sim: sim.clone(),
        life,
    };
    let config = ClientConfig {
        base_url: BaseUrl::parse("https://provider.example/api", false).expect("a good base"),
        client_id: client_id(life.node),
        api_key: "simulation-key".to_owned().into(),
        on_behalf_of: None,
        connect_timeout: ClientConfig::CONNECT_TIMEOUT,
        total_timeout: ClientConfig::TOTAL_TIMEOUT,
        max_answer: ClientConfig::MAX_ANSWER,
    };
    let client = Client::over(Arc::new(wire), config).expect("good credentials");
    let secret = WebhookSecret {
        secret: SECRET.to_owned().into(),
        valid_until: None,
    };
    let verifier = Verifier::new(vec![secret], Duration::from_secs(300)).expect("a good secret");
    Engine::builder()
        .store(Arc::new(Disk {
            store: store.clone(),
            sim: sim.clone(),
            life,
        }))
        .uqpay(client)
        .notifier(Arc::new(Ear {
            sim: sim.clone(),
            life,
        }))
        .clock(Arc::new(NodeClock {
            sim: sim.clone(),
            node: life.node,
        }))
        .policy(options.policy.clone())
        .limits(Limits {
            calls_per_minute: options.calls_per_minute,
            search_pages: options.search_pages,
            ..Limits::standard()
        })
        .webhooks(verifier)
        .build()
        .expect("an engine of good parts")
}
