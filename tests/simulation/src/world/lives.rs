//! What goes wrong by itself, how processes die and start, and how a world heals.

use std::sync::Arc;

use futures_util::FutureExt;
use issuance_store::Store;

use super::{DAY, World};
use crate::env::Due;
use crate::faults::Family;
use crate::node;
use crate::rng::Rng;
use crate::tasks::Life;
use crate::wire;

impl World {
    /// What goes wrong by itself, beside any call.
    pub(super) fn chaos(&mut self) {
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
            wire::evict(
                &mut env,
                &node::client_id(usize::try_from(node).unwrap_or(0)),
            );
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
    pub(super) fn die(&mut self, node: usize) {
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
    pub(super) fn reopen(&mut self) {
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

    pub(super) fn start(&mut self, node: usize) {
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
        let engine = node::engine(&self.sim, life, &store, &self.options);
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

    pub(super) fn heal(&mut self) {
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
}
