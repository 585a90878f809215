//! One run: nodes, host and provider under one virtual clock, from the first order until all is quiet.

mod lives;

use std::sync::Arc;

use issuance::Engine;
use issuance_simulator::Local;

use crate::asked;
use crate::env::{Due, Env, Node, Sim};
use crate::faults::{Family, Faults};
use crate::history::restless;
use crate::host::{self, Wish};
use crate::journal;
use crate::operators;
use crate::options::{CALLS, Deed, Options, What};
use crate::provider;
use crate::report::Report;
use crate::rng::Rng;
use crate::tasks::Tasks;
use crate::trace::Trace;
use crate::webhooks;
use crate::wire;

const DAY: i64 = 86_400_000;
/// After healing, everything must be over or a person's within this (L2): links, reviews and keys may each take a day.
const LIMIT: i64 = 9 * DAY;
/// After a card was changed by somebody else for the last time, everybody has read what became of it.
const READ: i64 = 2 * DAY / 24;
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
            Local::new(provider::config(&options)),
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
            let known = known.and_then(|details| provider::known_person(&mut env, details));
            let own = &mut asked::chance(dress, number);
            let (kinds, wanted) = (&self.options.kinds, &mut env.wanted);
            let others = (same, known, self.wishes.last());
            let mut wish = host::wish(number, kinds, &mut self.rng, own, wanted, others);
            provider::traits(&mut env, number);
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
            Due::Move(card, status) => provider::move_card(&mut sim.lock(), card, status),
            Due::Operator => {
                let details = sim.lock().draw(Family::Operator);
                if let Some(details) = details {
                    operators::operate(&sim, details, &self.engines);
                }
            }
            Due::Deed(deed) => self.deed(deed),
            Due::Act(order, action) => operators::operate_at(&sim, order, action, &self.engines),
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
                operators::operate_at(&sim, id, action, &self.engines);
            }
            (None, _) if wish.refused => {}
            (None, _) => drop(sim.lock().after(100, Due::Deed(deed))),
        }
    }

    /// Whether all is quiet; then the last judgement.
    fn look(&mut self) -> bool {
        let sim = self.sim.clone();
        let was_paused = operators::resume_all(&sim, &self.engines);
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
        let unread = env.moved_until.is_some_and(|moved| now < moved + READ);
        let is_quiet = placed && all_up && !was_paused && restless.is_none() && !unread;
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
            let Env {
                history,
                provider,
                healed,
                ..
            } = &mut *env;
            history.judge_cards(provider, healed.unwrap_or(now));
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
