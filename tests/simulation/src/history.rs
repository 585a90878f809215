//! What was seen in the log, at the provider and outside, handed to the checker as it happens. What only the wire shows
//! is judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use issuance::Notice;
use issuance_audit::{Call, Card, Checker, Ending, Outside, ProviderFact, Request, Rules};
use issuance_domain::{
    AttentionReason, EventBody, ExpiryCause, FailureKind, METADATA_ORDER_KEY, MessageId, Order,
    OrderId, Phase, Policy, Purpose, Scan, SilenceCause, State, Timestamp, outbox,
};
use issuance_simulator::{Answer, CardEntry, Endpoint, Local, RequestEntry, product};
use issuance_store::{
    Alias, HostReference, Kept, Message, Position, Receipt, Recorded, SimulatedStore, Standing,
    Store,
};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::coverage::Coverage;
use crate::evidence::Evidence;
use crate::faults::Family;
use crate::options::Options;
use crate::rng::hash;
use crate::rows;
use crate::tasks::Life;
use crate::violation::Violation;
use crate::watch::{Broken, Watch};

/// Of so many seeds one has every word searched for personal data.
const SEARCHED: u64 = 16;
/// Clocks that are set little by little may be wrong by this unnoticed.
const UNNOTICED: i64 = 600_000;
/// What is due is taken up within this.
const OVERDUE: i64 = 120_000;
/// What belongs in the vault and nowhere else: names, mail and link of the persons here.
const PERSONAL: [&str; 5] = ["Mina", "Okafor", "Abara", "@mail.example", "idv.example"];

/// A card that was made, and for whom.
#[derive(Debug)]
struct Made {
    at: i64,
    account: Option<Uuid>,
    holder: Uuid,
}

/// One key as the log has it.
#[derive(Debug)]
struct Key {
    order: OrderId,
    purpose: Purpose,
    /// True times of its first record and of its newest.
    started: i64,
    last: i64,
    /// It has left since its newest record.
    left: bool,
    /// Which attempt each process recorded last.
    by: BTreeMap<Life, u32>,
    /// Attempts that have left, and no answer said that they were not let in.
    away: BTreeSet<u32>,
    /// Since when the log says that it is not to be sent: paused, answered, or over.
    unwanted: Option<i64>,
}

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

    /// The inbox took a message, or knew it.
    pub(crate) fn received(&mut self, message: &Message, receipt: Receipt) {
        self.search(None, || message.content.get().to_owned());
        let broken = self.watch.received(message, receipt);
        self.take(broken);
    }

    /// A message was put aside without an event.
    pub(crate) fn settled(&mut self, id: &MessageId, standing: &Standing) {
        let broken = self.watch.settled(id, standing);
        self.take(broken);
    }

    /// A message led to events.
    pub(crate) fn applied(&mut self, id: &MessageId, order: OrderId) {
        let broken = self.watch.applied(id, order);
        self.take(broken);
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

    /// Takes what is new in the log.
    pub(crate) fn follow_log(
        &mut self,
        store: &SimulatedStore,
        kept: &[Kept],
        now: i64,
        coverage: &mut Coverage,
    ) {
        let mut touched = BTreeSet::new();
        for kept in kept {
            let (record, settles) = match kept {
                Kept::Event(record, settles) => (record, settles),
                Kept::Received(message) => {
                    self.checker.message(message);
                    self.put_aside(store, message);
                    continue;
                }
                Kept::Settled(id, standing) => {
                    self.checker.settled(id, standing);
                    self.watch.stands(id, standing);
                    continue;
                }
            };
            let state = self
                .checker
                .order(record.order)
                .map_or("first", |order| order.state.name());
            coverage.cell(state, &record.event.body);
            self.note(record, now, coverage);
            self.positions.push(record.position);
            self.checker.record(record);
            if let Some(message) = settles {
                self.checker.settles(message, record);
            }
            touched.insert(record.order);
        }
        self.checker.settle();
        for id in touched {
            let (Some(Ok(Some(order))), Some(Ok(rows))) = (
                store.order(id).now_or_never(),
                store.tasks(id).now_or_never(),
            ) else {
                continue;
            };
            let tasks: Vec<_> = rows.iter().map(|row| row.id).collect();
            self.checker.projection(&order, &tasks);
            self.watch.owes(id, &tasks);
            let broken = rows::found(store, &order);
            self.take(broken);
            self.orders.insert(id);
            for (key, known) in &mut self.keys {
                if known.order == id {
                    let wanted = is_wanted(&order, known.purpose, key);
                    known.unwanted = (!wanted).then(|| known.unwanted.unwrap_or(now));
                }
            }
        }
        self.look();
    }

    fn note(&mut self, record: &Recorded, now: i64, coverage: &mut Coverage) {
        let order = self.checker.order(record.order);
        let broken = self.evidence.judge(
            record.order,
            order,
            &record.event,
            self.link_life,
            self.clocks_differ,
        );
        self.take(broken);
        match &record.event.body {
            EventBody::SubmissionStarted { purpose, key, .. } => {
                let known = self.keys.entry(key.to_string()).or_insert(Key {
                    order: record.order,
                    purpose: *purpose,
                    started: now,
                    last: now,
                    left: false,
                    by: BTreeMap::new(),
                    away: BTreeSet::new(),
                    unwanted: None,
                });
                known.last = now;
                known.left = false;
            }
            EventBody::SubmissionUnanswered {
                purpose,
                attempt,
                cause: SilenceCause::NotSent,
                ..
            } => {
                let order = self.checker.order(record.order);
                let submission = order.and_then(|order| order.submission(*purpose));
                let key = submission.map(|submission| submission.key.to_string());
                if key.is_some_and(|key| {
                    self.keys
                        .get(&key)
                        .is_some_and(|known| known.away.contains(attempt))
                }) {
                    let what = "a call that left is recorded as not sent".to_owned();
                    self.violate("S30", Some(record.order), what);
                }
            }
            EventBody::SubmissionRefused { refusal, .. } => coverage.code(&refusal.code),
            EventBody::AttentionRaised { reason } => coverage.attention(reason.name()),
            EventBody::KeyExpired {
                because: Some(because @ (ExpiryCause::BodyChanged | ExpiryCause::DataMissing)),
                ..
            } => {
                let what = format!("its call could not be made as it was: {because:?}");
                self.violate("S7", Some(record.order), what);
            }
            EventBody::AbsenceObserved {
                scan, counts: true, ..
            } => self.judge_scan(record.order, scan, false),
            EventBody::AbsenceProved { second, .. } => {
                self.judge_search(record.order, second.began);
                self.judge_scan(record.order, second, true);
            }
            EventBody::IdvLinkExpired { .. } => self.judge_expiry(record.order, now),
            EventBody::OrderFailed { failure, .. } if failure.kind == FailureKind::IdvExpired => {
                self.judge_expiry(record.order, now);
            }
            _ => {}
        }
        self.search(Some(record.order), || format!("{:?}", record.event.body));
    }

    /// Nothing came of a call that makes the person, too, only if the person was looked for.
    fn judge_search(&mut self, id: OrderId, began: Timestamp) {
        let makes_person = self.checker.order(id).is_some_and(|order| {
            let create = order.submission(Purpose::CreateCard);
            order.terms.cardholder_id.is_none()
                && create.is_some_and(|create| create.cardholder.is_none())
        });
        let last = self.watch.people_read();
        let unread = last.is_none_or(|last| last + 1_000 < began.millis());
        if makes_person && unread && !self.clocks_wrong {
            let what = "absence is proved, and nobody looked for the person".to_owned();
            self.violate("S8", Some(id), what);
        }
    }

    /// A search that counts has met every card there was when it began. The last one has met the people, too; the first
    /// may have begun while its key could still be sent.
    fn judge_scan(&mut self, id: OrderId, scan: &Scan, with_people: bool) {
        let Some(order) = self.checker.order(id).filter(|_| !self.clocks_wrong) else {
            return;
        };
        let create = order.submission(Purpose::CreateCard);
        let is_one_step = order.terms.cardholder_id.is_none()
            && create.is_some_and(|create| create.cardholder.is_none());
        let account = order.terms.account.as_ref().map(ToString::to_string);
        let is_there = |made: &&Made| {
            made.at + 1_000 < scan.began.millis()
                && made.account.map(|account| account.to_string()) == account
        };
        let cards = self.made.iter().filter(is_there);
        let rows = if is_one_step {
            let people = cards.clone().filter(|_| with_people);
            let people: BTreeSet<_> = people.map(|made| made.holder).collect();
            cards.count() + people.len()
        } else {
            let person = order.terms.cardholder_id.as_ref();
            let holder = person.map(ToString::to_string);
            cards
                .filter(|made| Some(made.holder.to_string()) == holder)
                .count()
        };
        if (scan.rows as usize) < rows {
            let what = format!(
                "a search of {} rows counts, and there were {rows}",
                scan.rows
            );
            self.violate("S8", Some(id), what);
        }
    }

    /// A link's end is acted on: by true time it must be over. A process that started with a wrong clock cannot know.
    fn judge_expiry(&mut self, id: OrderId, now: i64) {
        let Some(State::IdvPending { idv }) = self.checker.order(id).map(|order| &order.state)
        else {
            return;
        };
        let link = idv.link.as_ref().map(|link| link.expires_at.millis());
        if let Some(ends) = link.filter(|ends| now + self.clocks_differ < *ends && !self.restarted)
        {
            let what = format!("a link expired {} s before its end", (ends - now) / 1_000);
            self.violate("S24", Some(id), what);
        }
    }

    /// A process opened the log.
    pub(crate) fn started(&mut self, store: &SimulatedStore, now: i64) {
        self.watch.reopened();
        if let Some(Ok(head)) = store.head().now_or_never() {
            let at = Timestamp::from_millis(now);
            self.checker.outside(&Outside::Started { head, at });
            self.look();
        }
    }

    /// A keyed call leaves on behalf of this account: its order's.
    pub(crate) fn on_behalf(&mut self, key: &str, account: Option<&str>) {
        let Some(id) = self.keys.get(key).map(|known| known.order) else {
            return;
        };
        let is_its_own = self.order(id).is_none_or(|order| {
            let its_own = order.terms.account.as_ref();
            its_own.map(issuance_domain::Account::as_str) == account
        });
        if !is_its_own {
            let what = format!("its call leaves on behalf of {account:?}");
            self.violate("S16", Some(id), what);
        }
    }

    /// A cancel leaves for this card: its mark is of the order that sends it.
    pub(crate) fn cancels(&mut self, key: &str, card: &CardEntry) {
        let mark = card.metadata.get(METADATA_ORDER_KEY);
        let mark = mark.and_then(serde_json::Value::as_str);
        let of = self.keys.get(key).map(|known| known.order);
        if of.is_some_and(|order| mark.is_some_and(|mark| mark != order.to_string())) {
            let what = format!("it cancels card {} of another order", card.card_id);
            self.violate("X5", of, what);
        }
    }

    /// A keyed call is about to leave: only here is known what was durable then, and how old the key was.
    pub(crate) fn leaves(
        &mut self,
        life: Life,
        up_since: i64,
        key: &str,
        now: i64,
        policy: &Policy,
    ) {
        let Some(known) = self.keys.get_mut(key) else {
            let what = format!("a call left with key {key}, which no log knows");
            return self.violate("S6", None, what);
        };
        let (order, age, waited) = (known.order, now - known.started, now - known.last);
        let is_create = known.purpose == Purpose::CreateCard;
        let is_first = !std::mem::replace(&mut known.left, true);
        // What changes while a token is fetched, before the same call goes once more for its token, or while its process
        // stands still between its last look at the order and the wire, is not seen.
        let unwanted = known.unwanted.filter(|since| {
            let looked = *since < now && *since >= up_since;
            is_first && looked && self.watch.had_token(life, *since)
        });
        if let Some(since) = unwanted {
            let what = format!(
                "a call left {} ms after its order was paused, answered or over",
                now - since
            );
            self.violate("S28", Some(order), what);
        }
        let window = i64::try_from(policy.call_deadline.as_millis() / 2).unwrap_or(i64::MAX);
        // The steady clock keeps it, whatever becomes of the other.
        if waited > window {
            let what = format!("a call left {waited} ms after its record, {window} may be");
            self.violate("S6", Some(order), what);
        }
        let safe = i64::try_from(policy.key_safe_age.as_millis()).unwrap_or(i64::MAX);
        if is_create && !self.clocks_wrong && age > safe {
            let what = format!("a call left with a key of {age} ms, safe are {safe}");
            self.violate("S9", Some(order), what);
        }
    }

    /// A keyed call is on its way; or its answer says that it was not let in.
    pub(crate) fn is_away(&mut self, life: Life, key: &str, away: bool) {
        let Some(known) = self.keys.get_mut(key) else {
            return;
        };
        let Some(attempt) = known.by.get(&life).copied() else {
            return;
        };
        if away {
            known.away.insert(attempt);
        } else {
            known.away.remove(&attempt);
        }
    }

    /// A process has recorded that it sends.
    pub(crate) fn records(&mut self, life: Life, key: &str, attempt: u32) {
        if let Some(known) = self.keys.get_mut(key) {
            known.by.insert(life, attempt);
        }
    }

    /// Takes what is new at the provider.
    pub(crate) fn follow_provider(&mut self, provider: &Local, coverage: &mut Coverage) {
        for request in provider.requests_from(self.requests_read + 1) {
            self.requests_read = request.number;
            if let Some(code) = &request.code {
                coverage.code(code);
            }
            coverage.status(request.status);
            self.checker
                .provider(&ProviderFact::Request(heard(request)));
        }
        if provider.version() != self.provider_version {
            self.provider_version = provider.version();
            let known = |card| self.cards.get(&card).copied();
            let news: Vec<_> = provider.cards_beyond(known).collect();
            for card in &news {
                self.take_card(card);
            }
        }
        self.look();
    }

    fn take_card(&mut self, card: &CardEntry) {
        let name = card.card_id.to_string();
        let order = card
            .metadata
            .get(METADATA_ORDER_KEY)
            .and_then(|order| order.as_str());
        let told = match self.cards.get(&card.card_id) {
            Some(told) => *told,
            None => {
                self.made.push(Made {
                    at: card.history.first().map_or(0, |(at, _)| *at),
                    account: card.account,
                    holder: card.cardholder_id,
                });
                if let Some(fact) = made(card, order) {
                    self.checker.provider(&ProviderFact::Card(fact));
                }
                0
            }
        };
        let Ok(id) = name.parse::<issuance_domain::CardId>() else {
            return;
        };
        for (at, status) in card.history.iter().skip(told) {
            let word = serde_json::to_value(status).unwrap_or_default();
            if let Ok(status) = serde_json::from_value(word) {
                self.checker.provider(&ProviderFact::CardStatus {
                    card: id.clone(),
                    status,
                    at: Some(Timestamp::from_millis(*at)),
                });
            }
        }
        self.cards.insert(card.card_id, card.history.len());
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

    /// A try of a delivery begins. Its number.
    pub(crate) fn try_delivery(&mut self, number: u64, timestamp: &str) -> u64 {
        self.last_attempt += 1;
        self.attempts
            .insert(self.last_attempt, (number, timestamp.to_owned()));
        self.last_attempt
    }

    /// A try ends: its delivery and when it was signed; none when it ended before.
    pub(crate) fn end_try(&mut self, attempt: u64) -> Option<(u64, String)> {
        self.attempts.remove(&attempt)
    }

    /// We answered 200 to these bytes.
    pub(crate) fn acknowledged(&mut self, body: &str, forged: bool, now: i64) {
        if forged {
            return self.violate("S5", None, "a forged webhook was taken".into());
        }
        #[derive(serde::Deserialize)]
        struct Named<'a> {
            event_id: Option<String>,
            #[serde(borrow)]
            data: Option<&'a RawValue>,
        }
        // What cannot be read is kept under a name of our own.
        let bytes = hash(body);
        let named = serde_json::from_str::<Named<'_>>(body).ok();
        let begins =
            |body: &Named<'_>, with| body.data.is_some_and(|data| data.get().starts_with(with));
        let can_be_read = named.as_ref().filter(|body| !begins(body, '"'));
        let kept_as = can_be_read.and_then(|body| body.event_id.clone());
        self.bodies
            .entry(kept_as.unwrap_or_default())
            .or_default()
            .insert(bytes);
        let id = named
            .filter(|body| begins(body, '{'))
            .and_then(|body| body.event_id);
        self.checker.outside(&Outside::Delivered {
            message: id.as_deref().and_then(|id| id.parse().ok()),
            genuine: true,
            taken: true,
            at: Timestamp::from_millis(now),
        });
        self.acknowledged.extend(id);
    }

    /// A message that nobody can take as it is waits for a person; its body is sealed, unless it is of an order whose data
    /// is gone.
    fn put_aside(&mut self, store: &SimulatedStore, message: &Message) {
        if &*message.event_type != "unreadable" {
            return;
        }
        self.unreadable.insert(message.id.clone());
        let order = message.aliases.iter().find_map(|alias| match alias {
            Alias::Order(order) => self.checker.order(*order),
            _ => None,
        });
        if let Some(order) =
            order.filter(|order| order.is_erased() && store.keeps_body(&message.id))
        {
            let (id, what) = (
                order.id,
                "a body that came after its erasure is kept".to_owned(),
            );
            self.violate("S21", Some(id), what);
        }
    }

    /// Whatever the provider signed and we acknowledged is kept: what came first under an id, and all else for a person.
    fn judge_bodies(&mut self) {
        let others = self.bodies.iter().map(|(id, bodies)| match id.as_str() {
            "" => bodies.len(),
            _ => bodies.len() - 1,
        });
        let (others, kept) = (others.sum::<usize>(), self.unreadable.len());
        if others > kept {
            let what = format!(
                "{others} bodies were acknowledged beside the first of each id, and {kept} are kept"
            );
            self.violate("S4", None, what);
        }
    }

    /// Long after the world healed, with room for every call: nothing that is due lies about (L6).
    pub(crate) fn judge_overdue(&mut self, store: &SimulatedStore, now: i64) {
        for id in self.orders.clone() {
            let Some(Ok(tasks)) = store.tasks(id).now_or_never() else {
                continue;
            };
            let lies = |at: Timestamp| now - at.millis() > OVERDUE;
            let late = tasks
                .iter()
                .find(|row| lies(row.due) && row.leased_until.is_none_or(lies));
            if let Some(task) = late {
                let what = format!("its {} is overdue", task.id.action.name());
                return self.violate("L6", Some(id), what);
            }
        }
    }

    /// Whether a card is live that no order is known to have: the next reconciliation finds it.
    pub(crate) fn is_unreconciled(&self) -> bool {
        let verdict = self.checker.report(Ending::AtRest);
        let broken = |violation: &issuance_audit::Violation| violation.invariant.id() == "S19";
        verdict.violations.iter().any(broken)
    }

    /// The last judgement, once all is quiet.
    pub(crate) fn judge(&mut self, store: &SimulatedStore, calm: bool) {
        for id in self.orders.clone() {
            let Some(order) = self.checker.order(id) else {
                continue;
            };
            let poor = order.terms.product_id.as_str() == product::EMPTY_POOL.to_string();
            let well = !calm || poor || matches!(order.state, State::Active { .. });
            let broken = self.watch.at_rest(order).or_else(|| {
                let what = format!("nothing went wrong, and it is {}", order.state.name());
                (!well).then_some(("L2", Some(id), what))
            });
            self.take(broken);
        }
        let verdict = self.checker.report(Ending::AtRest);
        let ours = verdict.violations.iter().find(|other| self.is_ours(other));
        if let (Some(first), None) = (ours, &self.violation) {
            self.violation = Some(told(first));
        }
        let orders = self.orders.iter().filter_map(|id| self.checker.order(*id));
        let broken = rows::all(store, &orders.collect::<Vec<_>>());
        self.take(broken);
        if matches!(store.pending_messages(1).now_or_never(), Some(Ok(left)) if !left.is_empty()) {
            self.violate("L3", None, "a message lies unread in the inbox".into());
        }
        for id in self.orders.clone() {
            let is_erased = self.order(id).is_some_and(Order::is_erased);
            let sealed = store.sealed_of(id);
            if is_erased && sealed > 0 {
                let what = format!("its data was erased, and {sealed} things are sealed of it");
                self.violate("S21", Some(id), what);
            }
        }
        let parked = store.parked_messages(usize::MAX).now_or_never();
        for message in parked.into_iter().flatten().flatten() {
            let known = |alias: &Alias| {
                let found = store.find(alias).now_or_never();
                !matches!(alias, Alias::Cardholder(_))
                    && matches!(found, Some(Ok(orders)) if !orders.is_empty())
            };
            if message.aliases.iter().any(known) {
                let what = format!("message {} is parked, and its order is known", message.id);
                self.violate("L3", None, what);
            }
        }
        self.judge_bodies();
        for id in std::mem::take(&mut self.acknowledged) {
            if !is_known(store, &id) {
                self.violate(
                    "S4",
                    None,
                    format!("webhook {id} was acknowledged and is not there"),
                );
            }
        }
    }
}

/// Whether a call under this key is under way, by the log.
fn is_wanted(order: &Order, purpose: Purpose, key: &str) -> bool {
    let flies = order.submission(purpose).is_some_and(|submission| {
        matches!(submission.phase, Phase::InFlight { .. }) && submission.key.to_string() == key
    });
    flies && !order.paused
}

fn told(violation: &issuance_audit::Violation) -> Violation {
    Violation {
        invariant: violation.invariant.id(),
        order: violation.order,
        what: violation.what.clone(),
    }
}

/// Whether the inbox knows a message: another of the same id is a forgery to it.
fn is_known(store: &SimulatedStore, id: &str) -> bool {
    let (Ok(id), Ok(content)) = (id.parse(), serde_json::from_str("null")) else {
        return true;
    };
    let probe = Message {
        id,
        event_type: "probe".into(),
        received_at: Timestamp::from_millis(0),
        aliases: Vec::new(),
        body_digest: "probe".into(),
        content,
    };
    let mut receiving = Box::pin(store.receive(probe, None));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..8 {
        if let Poll::Ready(receipt) = receiving.as_mut().poll(&mut context) {
            return !matches!(receipt, Ok(Receipt::Stored));
        }
    }
    true
}

fn made(card: &CardEntry, order: Option<&str>) -> Option<Card> {
    Some(Card {
        card: card.card_id.to_string().parse().ok()?,
        order: order.map(Into::into),
        cardholder: card.cardholder_id.to_string().parse().ok(),
        product: Some(card.product_id.to_string().into()),
        currency: Some(card.currency.as_str().into()),
        limit: Some(card.limit),
        key: Some(card.idempotency_key.as_str().into()),
    })
}

fn heard(request: &RequestEntry) -> Request {
    Request {
        number: request.number,
        at: Timestamp::from_millis(request.at),
        call: match request.endpoint {
            Endpoint::Token => Call::Token,
            Endpoint::CreateCard => Call::CreateCard,
            Endpoint::GetCard
            | Endpoint::ListCards
            | Endpoint::GetCardOrder
            | Endpoint::GetCardholder
            | Endpoint::ListCardholders => Call::Read,
            _ => Call::Other,
        },
        key: request.idempotency_key.as_deref().map(Into::into),
        body: request.body_sha256.as_str().into(),
        client: request.client.as_deref().map(Into::into),
        status: request.status,
        answered: request.answer == Answer::Sent,
        effect: request.effect,
        card: request.card_id.and_then(|id| id.to_string().parse().ok()),
        cardholder: request
            .cardholder_id
            .and_then(|id| id.to_string().parse().ok()),
    }
}

/// The first order that still moves: neither ended and told, nor before a person, nor waiting behind an alarm of its pool.
pub(crate) fn restless<'a>(
    orders: impl Iterator<Item = &'a Order> + Clone,
    policy: &Policy,
    now: i64,
) -> Option<&'a Order> {
    orders
        .clone()
        .find(|order| !is_settled(order, policy, now) && !is_behind(order, orders.clone()))
}

/// Nothing on its way; or a person's to decide, and shown to one.
fn is_settled(order: &Order, policy: &Policy, now: i64) -> bool {
    if order.state.is_terminal() && outbox(order, policy).is_empty() {
        return true;
    }
    let shown = order
        .attention
        .as_ref()
        .is_some_and(|attention| now - attention.since.millis() > 3_600_000);
    // A call on its way may bring an end yet.
    let flies = order
        .submission(Purpose::CreateCard)
        .is_some_and(|submission| matches!(submission.phase, Phase::InFlight { .. }));
    shown && order.notice.told >= order.notice.owed && !flies
}

/// One cause raises one alarm (design §5): whoever waits until the pool has cards again needs none of its own.
fn is_behind<'a>(order: &Order, mut others: impl Iterator<Item = &'a Order>) -> bool {
    // What became of a call that may have arrived must be known all the same.
    let waits = matches!(&order.state, State::Requested { submission }
        if matches!(submission.phase, Phase::Owed { .. }) && !submission.outcome_unknown());
    waits
        && others.any(|other| {
            let reason = other.attention.as_ref().map(|called| &called.reason);
            other.terms.product_id == order.terms.product_id
                && *order.terms.product_id.as_str() == *product::EMPTY_POOL.to_string()
                && matches!(reason, Some(AttentionReason::Capacity { .. }))
        })
}
