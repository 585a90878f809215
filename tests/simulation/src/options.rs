//! What a seed means: which faults are on and how often they come, how many nodes and orders there are, how long it
//! takes until the world heals, and the policy's waits.

use std::fmt;
use std::time::Duration;

use issuance_domain::{
    AbsencePolicy, Activation, IdvExpired, LateSuccess, OperatorAction, Policy, Retention,
};
use serde::{Deserialize, Serialize};

use crate::faults::{Decided, Family};
use crate::host::Kind;
use crate::rng::{Rng, hash, mix};

/// Everything a run depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What everything else comes from.
    pub seed: u64,
    /// Processes on one store.
    pub nodes: usize,
    /// Orders the host places.
    pub orders: usize,
    /// What they are for, in turn; by chance if this is empty.
    pub kinds: Vec<Kind>,
    /// Orders of these numbers are never placed.
    pub skipped: Vec<usize>,
    /// The host asks for all within so many milliseconds.
    pub asked_within: i64,
    /// What people do at a time of their own.
    pub deeds: Vec<Deed>,
    /// Faults stop after so many milliseconds.
    pub heal_after: i64,
    /// How likely each family is, in the order of [`Family::ALL`]; zero is off.
    pub rates: Vec<f64>,
    /// Waits and choices of the engine.
    pub policy: Policy,
    /// Nodes' clocks are wrong by up to so many milliseconds.
    pub skew: i64,
    /// Records and syncs take their time, and others run meanwhile.
    pub slow_disk: bool,
    /// How long the provider takes to make a card, in milliseconds.
    pub processing: u64,
    /// How long a link to an identity check works, in seconds.
    pub link_life: u64,
    /// Calls the provider takes in a minute.
    pub calls_per_minute: u32,
    /// Cards of another system that the provider lists with ours.
    pub strangers: usize,
    /// Pages of a list that are read at most.
    pub search_pages: u32,
    /// The faults themselves, instead of chance.
    pub script: Option<Vec<Decided>>,
    /// The process of node 0 dies at these boundaries, counted from 1.
    pub crash_at: Vec<u64>,
    /// No webhook arrives at all.
    pub no_webhooks: bool,
    /// The answer to the n-th request, counted from 1, is lost.
    pub lose_answer: Option<u64>,
}

/// Few orders give few occasions: what can go wrong with each goes wrong that much more often.
const OFTEN: f64 = 1.4;
/// So many orders can spend a minute of the provider's.
const CROWD: usize = 100;
/// Calls the provider takes in a minute (contract §1.6), and as many as are judged without a look at what waits for room.
pub(crate) const CALLS: u32 = 200;
/// No list here has as many.
pub(crate) const PAGES: u32 = 10_000;

/// What somebody does to an order at a time that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// Milliseconds from the beginning.
    pub at: i64,
    /// The host's number of the order.
    pub order: usize,
    /// What is done.
    pub what: What,
}

/// What can be done to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The host cancels.
    Cancel,
    /// An operator acts.
    Operate(OperatorAction),
}

/// What takes the moment a call was counted from the moment it arrives, or calls in our name.
const APART: [Family; 6] = [
    Family::ClockJump,
    Family::Pause,
    Family::OldKey,
    Family::Overtaken,
    Family::RequestTwice,
    Family::Eviction,
];

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

impl Options {
    /// What a seed means.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x6f70_7469_6f6e_7321);
        let mut options = Self::calm(seed);
        options.nodes = match rng.below(10) {
            0 => 2,
            1 => 3,
            _ => 1,
        };
        options.orders = orders(&mut rng);
        options.heal_after = match rng.below(24) {
            0 => rng.millis(4.0 * HOUR as f64, 60.0 * HOUR as f64),
            _ => rng.millis(20_000.0, 2.0 * HOUR as f64),
        };
        options.asked_within = options.heal_after / 3;
        // Few kinds of fault at once leave room for each; how many is the seed's choice, too.
        let share = [0.06, 0.15, 0.3, 0.5, 0.5, 0.7][usize::try_from(rng.below(6)).unwrap_or(0)];
        options.rates = Family::ALL
            .iter()
            .map(|family| {
                // Each from a stream of its own: a new family leaves the others as they were.
                let mut rng = options.stream(hash(family.name()));
                let (low, high) = family.rates();
                let rate = (OFTEN * rng.log_uniform(low, high)).min(1.0);
                if rng.chance(share) { rate } else { 0.0 }
            })
            .collect();
        options.skew = if rng.chance(0.3) {
            rng.millis(1_000.0, 5.0 * MINUTE as f64)
        } else {
            0
        };
        options.processing = u64::try_from(rng.millis(100.0, 10.0 * MINUTE as f64)).unwrap_or(300);
        options.link_life = u64::try_from(rng.millis(1_200.0, 86_400.0)).unwrap_or(3_600);
        options.policy = policy(&mut rng);
        options.forget();
        options.narrow();
        options.crowded();
        options.no_webhooks = options.stream(hash("mute")).chance(0.03);
        options.slow_disk = rng.chance(0.4);
        if options.orders >= CROWD {
            options.rush();
        }
        options
    }

    /// A few erase by themselves what they need no more, or hold proofs for old before the next search.
    fn forget(&mut self) {
        let mut rng = self.stream(hash("forget"));
        let mut seconds = |low, high| Duration::from_secs(rng.millis(low, high).unsigned_abs());
        let (retention, proof) = (seconds(60.0, 86_400.0), seconds(60.0, 3_600.0));
        if rng.chance(0.1) {
            self.policy.retention = Retention::For(retention);
        }
        if rng.chance(0.15) {
            self.policy.absence_proof_life = proof;
        }
    }

    /// Some have so little of the provider's minute that few orders spend it; of most of them it can be judged.
    fn narrow(&mut self) {
        let mut rng = self.stream(hash("narrow"));
        if !rng.chance(0.06) {
            return;
        }
        self.calls_per_minute = u32::try_from(rng.between(10, 40)).unwrap_or(CALLS);
        if rng.chance(0.8) {
            self.skew = 0;
            for family in APART {
                self.set(family, 0.0);
            }
        }
    }

    /// In some lists our cards stand among so many of another system that they take several pages, in any order.
    fn crowded(&mut self) {
        let mut rng = self.stream(hash("strangers"));
        if !rng.chance(0.01) {
            return;
        }
        self.strangers = 100 + usize::try_from(rng.below(60)).unwrap_or(0);
        if rng.chance(0.7) {
            self.set(Family::Variants, 1.0);
        }
        if rng.chance(0.2) {
            self.search_pages = 1;
        }
    }

    /// Half of the crowds come all at once, and what they spend of the provider's minute can be judged.
    fn rush(&mut self) {
        if self.stream(hash("rush")).chance(0.5) {
            self.asked_within = self.asked_within.min(20_000);
            self.skew = 0;
            for family in APART {
                self.set(family, 0.0);
            }
        }
    }

    /// One node, one order, no faults.
    #[must_use]
    pub fn calm(seed: u64) -> Self {
        Self {
            seed,
            nodes: 1,
            orders: 1,
            kinds: Vec::new(),
            skipped: Vec::new(),
            asked_within: 0,
            deeds: Vec::new(),
            heal_after: 0,
            rates: vec![0.0; Family::ALL.len()],
            policy: Policy::standard(),
            skew: 0,
            slow_disk: false,
            processing: 300,
            link_life: 86_400,
            calls_per_minute: CALLS,
            strangers: 0,
            search_pages: PAGES,
            script: None,
            crash_at: Vec::new(),
            no_webhooks: false,
            lose_answer: None,
        }
    }

    /// Nobody does anything to it at a place that was given.
    pub(crate) fn is_left_alone(&self) -> bool {
        let broken = self.no_webhooks || self.lose_answer.is_some() || !self.crash_at.is_empty();
        self.kinds.is_empty() && self.deeds.is_empty() && !broken
    }

    /// How likely a family is.
    #[must_use]
    pub fn rate(&self, family: Family) -> f64 {
        self.rates.get(family as usize).copied().unwrap_or(0.0)
    }

    /// Sets how likely a family is.
    pub fn set(&mut self, family: Family, rate: f64) {
        if let Some(place) = self.rates.get_mut(family as usize) {
            *place = rate;
        }
    }

    /// When something may go wrong by itself, in milliseconds from the beginning.
    pub(crate) fn chaos_at(&self) -> impl Iterator<Item = i64> + use<> {
        let heal_after = self.heal_after;
        (0..16)
            .filter(move |_| heal_after > 0)
            .map(move |nth| heal_after * nth / 16)
    }

    /// Whether a wall clock may be set while this runs.
    #[must_use]
    pub fn sets_clocks(&self) -> bool {
        self.may(Family::ClockJump)
    }

    /// Whether a family may happen while this runs.
    pub(crate) fn may(&self, family: Family) -> bool {
        let listed = |script: &Vec<Decided>| script.iter().any(|fault| fault.family == family);
        self.rate(family) > 0.0 || self.script.as_ref().is_some_and(listed)
    }

    /// Whether the provider's minutes can be told from ours: no clock is wrong, no call waits for longer than its way takes
    /// once it was counted, and nobody but us calls in our name.
    pub(crate) fn tells_minutes(&self) -> bool {
        self.skew == 0 && !APART.iter().any(|family| self.may(*family))
    }

    /// The same run with its faults as a list: only what colours the whole world is on or off by itself.
    #[must_use]
    pub fn scripted(&self, decided: Vec<Decided>) -> Self {
        let mut options = self.clone();
        options.script = Some(decided);
        for family in Family::ALL {
            let colours = matches!(family, Family::Variants | Family::ClockJump);
            let is_on = colours && self.rate(*family) > 0.0;
            options.set(*family, if is_on { 1.0 } else { 0.0 });
        }
        options
    }

    /// The seed of one kind of chance.
    pub(crate) fn stream(&self, name: u64) -> Rng {
        Rng::new(mix(self.seed) ^ name)
    }
}

/// Mostly few: what is wrong with many is wrong with few, and few are soon told. Some are enough for pages and queues
/// to fill.
fn orders(rng: &mut Rng) -> usize {
    let orders = match rng.below(2_000) {
        0 => 100 + rng.below(60),
        1..=10 => 10 + rng.below(20),
        _ => {
            let three = rng.below(216);
            1 + (three / 36).min(three / 6 % 6).min(three % 6)
        }
    };
    usize::try_from(orders).unwrap_or(1)
}

/// Mostly the standard values; now and then short ones, so that rare paths are walked, and every choice.
fn policy(rng: &mut Rng) -> Policy {
    let seconds = Duration::from_secs;
    let mut policy = Policy::standard();
    if rng.chance(0.5) {
        // The provider forgets at 24 h whatever we think; what matters here is that ours is kept.
        policy.key_safe_age = seconds(rng.millis(90.0, 3_600.0).unsigned_abs());
    }
    if rng.chance(0.3) {
        policy.activation = Activation::Read;
    }
    if rng.chance(0.3) {
        policy.late_success = LateSuccess::Cancel;
    }
    if rng.chance(0.3) {
        policy.absence = AbsencePolicy::Attention;
    }
    if rng.chance(0.3) {
        policy.idv_expired = IdvExpired::Attention;
    }
    policy.idv_renewals = u32::try_from(rng.below(3)).unwrap_or(1);
    policy
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed         {:#018x}", self.seed)?;
        writeln!(f, "nodes        {}", self.nodes)?;
        writeln!(f, "orders       {}", self.orders)?;
        if !self.kinds.is_empty() {
            writeln!(f, "kinds        {:?}", self.kinds)?;
        }
        if !self.skipped.is_empty() {
            writeln!(f, "skipped      {:?}", self.skipped)?;
        }
        for Deed { at, order, what } in &self.deeds {
            writeln!(f, "deed         at {at} ms, order {order}: {what:?}")?;
        }
        writeln!(f, "heal after   {} s", self.heal_after / 1000)?;
        writeln!(f, "skew         {} ms", self.skew)?;
        writeln!(f, "slow disk    {}", self.slow_disk)?;
        writeln!(f, "processing   {} ms", self.processing)?;
        writeln!(f, "link life    {} s", self.link_life)?;
        writeln!(f, "calls        {} a minute", self.calls_per_minute)?;
        writeln!(
            f,
            "strangers    {}, {} pages read",
            self.strangers, self.search_pages
        )?;
        writeln!(
            f,
            "policy       key_safe_age {} s, activation {:?}, late_success {:?}, absence {:?}, idv_expired {:?}, renewals {}, retention {:?}",
            self.policy.key_safe_age.as_secs(),
            self.policy.activation,
            self.policy.late_success,
            self.policy.absence,
            self.policy.idv_expired,
            self.policy.idv_renewals,
            self.policy.retention,
        )?;
        write!(f, "faults      ")?;
        match &self.script {
            Some(script) => {
                write!(f, " {} by script:", script.len())?;
                for fault in script {
                    write!(f, " {}#{}", fault.family.name(), fault.nth)?;
                }
            }
            None => {
                for family in Family::ALL {
                    let rate = self.rate(*family);
                    if rate > 0.0 {
                        write!(f, " {}={rate:.4}", family.name())?;
                    }
                }
            }
        }
        if !self.crash_at.is_empty() {
            write!(f, "\ncrash at     {:?}", self.crash_at)?;
        }
        if self.no_webhooks {
            write!(f, "\nno webhook arrives")?;
        }
        if let Some(nth) = self.lose_answer {
            write!(f, "\nthe answer to request {nth} is lost")?;
        }
        Ok(())
    }
}
