//! What was seen in the log, at the provider and outside, handed to the checker as it happens. What only the wire shows
//! is judged here.

mod calls;
mod end;
mod inbox;
mod log;
mod provider;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use issuance::Notice;
use issuance_audit::{Checker, Ending, Outside, Rules};
use issuance_domain::{MessageId, Order, OrderId, Timestamp};
use issuance_simulator::product;
use issuance_store::{HostReference, Position, Recorded};
use uuid::Uuid;

use crate::evidence::Evidence;
use crate::faults::Family;
use crate::options::Options;
use crate::violation::Violation;
use crate::watch::{Broken, Watch};

use calls::Key;
pub(crate) use end::restless;
use provider::Made;

/// Of so many seeds one has every word searched for personal data.
const SEARCHED: u64 = 16;
/// Clocks that are set little by little may be wrong by this unnoticed.
const UNNOTICED: i64 = 600_000;
/// What belongs in the vault and nowhere else: names, mail and link of the persons here.
const PERSONAL: [&str; 5] = ["Mina", "Okafor", "Abara", "@mail.example", "idv.example"];

pub(crate) struct History {
    pub(crate) watch: Watch,
    pub(crate) evidence: Evidence,
    /// How long a link is believed to live at most, where its own end may be later or cannot be read.
    link_life: Option<i64>,
    /// Someone's clock was set, or a process started anew and cannot know.
    pub(crate) restarted: bool,
    /// Positions of all events, and how many of them the host's reader has.
    positions: Vec<Position>,
    read: usize,
    /// Every event is searched for what must not be in it.
    searches: bool,
    pub(crate) violation: Option<Violation>,
    checker: Checker,
    /// By how much a clock may be wrong that nobody set, and how much of a set one is not noticed.
    clocks_differ: i64,
    /// Nothing is believed of the time by clocks that are or were wrong.
    clocks_wrong: bool,
    pub(crate) orders: BTreeSet<OrderId>,
    keys: BTreeMap<String, Key>,
    /// Every card, as it was made.
    made: Vec<Made>,
    /// Statuses told of each card.
    cards: BTreeMap<Uuid, usize>,
    /// Our cards that just became active.
    activated: Vec<Uuid>,
    provider_version: u64,
    requests_read: u64,
    attempts: BTreeMap<u64, (u64, String)>,
    last_attempt: u64,
    /// Webhooks we answered 200, by id.
    acknowledged: BTreeSet<String>,
    /// The bodies of each; those without an id under the empty one.
    bodies: BTreeMap<String, BTreeSet<u64>>,
    /// Messages in the inbox that nobody can take as they are.
    unreadable: BTreeSet<MessageId>,
    /// The provider forgot keys it should know: a second card is its own doing (F-038).
    pub(crate) forgot: bool,
}

impl History {
    pub(crate) fn new(options: &Options) -> Self {
        let clocks_wrong = options.skew > 0 || options.sets_clocks();
        let rules = Rules {
            seed: Some(options.seed),
            as_it_happens: true,
            clocks: (!clocks_wrong).then_some(Duration::from_secs(1)),
            calls_per_minute: options.tells_minutes().then_some(options.calls_per_minute),
            key_age_slack: Duration::from_secs(if clocks_wrong { 7 * 86_400 } else { 330 }),
            without_cards: product::EMPTY_POOL
                .to_string()
                .parse()
                .into_iter()
                .collect(),
            ..Rules::of(options.policy.clone())
        };
        Self {
            watch: Watch::default(),
            evidence: Evidence::default(),
            link_life: (clocks_wrong
                || options.rate(Family::Variants) > 0.0
                || options.link_life + 3_600 > options.policy.idv_link_life.as_secs())
            .then(|| i64::try_from(options.policy.idv_link_life.as_millis()).unwrap_or(i64::MAX)),
            restarted: false,
            positions: Vec::new(),
            read: 0,
            searches: options.seed.is_multiple_of(SEARCHED),
            violation: None,
            checker: Checker::new(rules),
            clocks_differ: 2 * options.skew + UNNOTICED,
            clocks_wrong,
            orders: BTreeSet::new(),
            keys: BTreeMap::new(),
            made: Vec::new(),
            cards: BTreeMap::new(),
            activated: Vec::new(),
            provider_version: 0,
            requests_read: 0,
            attempts: BTreeMap::new(),
            last_attempt: 0,
            acknowledged: BTreeSet::new(),
            bodies: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            forgot: false,
        }
    }

    pub(crate) fn violate(
        &mut self,
        invariant: &'static str,
        order: Option<OrderId>,
        what: String,
    ) {
        self.violation.get_or_insert(Violation {
            invariant,
            order,
            what,
        });
    }

    /// Takes what somebody else found.
    pub(crate) fn take(&mut self, broken: Option<Broken>) {
        if let Some((invariant, order, what)) = broken {
            self.violate(invariant, order, what);
        }
    }

    /// Words that leave the vault: no personal data may be among them.
    pub(crate) fn search(&mut self, order: Option<OrderId>, words: impl FnOnce() -> String) {
        if self.searches {
            let words = words();
            if let Some(found) = PERSONAL.iter().find(|personal| words.contains(**personal)) {
                self.violate("S21", order, format!("{found:?} in {words}"));
            }
        }
    }

    /// The host's reader of the log was given events.
    pub(crate) fn read(&mut self, records: &[Recorded]) {
        for record in records {
            let expected = self.positions.get(self.read).copied();
            self.read += 1;
            if expected != Some(record.position) {
                let (order, got) = (Some(record.order), record.position);
                let what = format!("a reader was given {got}, and {expected:?} was next");
                return self.violate("S13", order, what);
            }
        }
    }

    /// A host hears of its order.
    pub(crate) fn told(&mut self, notice: &Notice, now: i64) {
        self.search(Some(notice.order_id), || format!("{notice:?}"));
        let order = self.checker.order(notice.order_id);
        let broken = self.watch.told(notice, order);
        self.take(broken);
        self.checker.outside(&Outside::Told {
            order: notice.order_id,
            version: notice.version,
            at: Timestamp::from_millis(now),
        });
        self.look();
    }

    /// An operator was answered.
    pub(crate) fn operated(&mut self, order: OrderId, taken: bool, now: i64) {
        let at = Timestamp::from_millis(now);
        self.checker
            .outside(&Outside::Operated { order, taken, at });
        self.look();
    }

    /// Takes over what the checker found.
    fn look(&mut self) {
        if self.violation.is_some() {
            return;
        }
        let Some(first) = self.checker.first() else {
            return;
        };
        self.violation = if self.is_ours(first) {
            Some(told(first))
        } else {
            let verdict = self.checker.report(Ending::Cut);
            let ours = verdict.violations.iter().find(|other| self.is_ours(other));
            ours.map(told)
        };
    }

    /// A provider that forgets keys makes second cards; we can only find them out.
    fn is_ours(&self, violation: &issuance_audit::Violation) -> bool {
        !(self.forgot && matches!(violation.invariant.id(), "S1" | "S2"))
    }

    pub(crate) fn order(&self, id: OrderId) -> Option<&Order> {
        self.checker.order(id)
    }

    /// A host was told that its order is taken.
    pub(crate) fn placed(&mut self, order: OrderId, reference: HostReference, now: i64) {
        self.checker.outside(&Outside::Placed {
            order,
            reference: Some(reference),
            at: Timestamp::from_millis(now),
        });
        self.look();
    }
}

fn told(violation: &issuance_audit::Violation) -> Violation {
    Violation {
        invariant: violation.invariant.id(),
        order: violation.order,
        what: violation.what.clone(),
    }
}
