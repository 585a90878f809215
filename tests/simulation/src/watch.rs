//! What only shows outside the log: what each process sends and when, what the host was told, what came in and what was
//! made of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use issuance::Notice;
use issuance_domain::{MessageId, Order, OrderId, State, TaskId, Timestamp, Version};
use issuance_store::{Alias, Lease, LeaseAsk, Message, Receipt, Standing, TaskRow};

use crate::tasks::Life;

const MINUTE: i64 = 60_000;
/// Mints a minute (contract §1.6).
const MINTS: usize = 10;
/// Sends of one key in one minute: retries that double, each played twice for its token, and operators who hurry them.
const SENDS: usize = 24;
/// Reads of one record in one minute: each webhook may ask for one, and operators who hurry.
const READS: usize = 40;
/// A token is renewed no earlier than this; half of its life is more.
const YOUNG: i64 = 10 * MINUTE;

/// A broken invariant, whose, and the facts.
pub(crate) type Broken = (&'static str, Option<OrderId>, String);

/// One process's token.
#[derive(Debug, Default)]
struct Token {
    /// The newest it has.
    value: Option<String>,
    since: i64,
    /// The provider refused it.
    refused: bool,
    mints: VecDeque<i64>,
}

#[derive(Debug, Default)]
pub(crate) struct Watch {
    tokens: BTreeMap<Life, Token>,
    sends: BTreeMap<String, VecDeque<i64>>,
    bodies: BTreeMap<String, u64>,
    reads: BTreeMap<String, VecDeque<i64>>,
    /// Claims of tasks: which, and until when.
    claims: BTreeMap<TaskId, (u64, Timestamp)>,
    /// When a page of the list of people was asked for last.
    people_read: Option<i64>,
    /// The newest that each host was told.
    told: BTreeMap<OrderId, (Version, String)>,
    /// Cancels that were answered with yes.
    cancelled: BTreeSet<OrderId>,
    /// Messages that are durable in the inbox.
    stored: BTreeSet<MessageId>,
    /// Those of them that led to events.
    applied: BTreeSet<MessageId>,
    /// Those of them that say something of a card.
    speak: BTreeSet<MessageId>,
    /// Messages that a person was shown.
    shown: BTreeSet<MessageId>,
    /// Messages that nobody can read and nobody was shown yet.
    unread: BTreeSet<MessageId>,
}

fn pass(times: &mut VecDeque<i64>, now: i64) -> usize {
    while times.front().is_some_and(|time| now - time >= MINUTE) {
        times.pop_front();
    }
    times.push_back(now);
    times.len()
}

impl Watch {
    /// A process claims tasks. Clocks of several that differ end each other's claims early.
    pub(crate) fn claims(
        &mut self,
        ask: &LeaseAsk,
        leases: &[Lease],
        believed: bool,
    ) -> Option<Broken> {
        let mut broken = None;
        for lease in leases {
            let id = lease.task.id;
            let held = self.claims.insert(id, (lease.epoch, lease.until));
            let twice = held.filter(|(_, until)| believed && *until > ask.now);
            let what = if twice.is_some() {
                "claimed while another's claim lasts"
            } else if lease.task.due > ask.now {
                "claimed before it is due"
            } else if lease.until != ask.until {
                "claimed for another time than was asked for"
            } else {
                continue;
            };
            let what = format!("its {} was {what}", id.action.name());
            broken = broken.or(Some(("S17", Some(id.order), what)));
        }
        broken
    }

    /// A claim is given back: the newest puts the task off, an older one changes nothing.
    pub(crate) fn gives_back(
        &mut self,
        lease: &Lease,
        due: Option<Timestamp>,
        before: &[TaskRow],
        after: &[TaskRow],
    ) -> Option<Broken> {
        let id = lease.task.id;
        let row = |rows: &[TaskRow]| rows.iter().find(|row| row.id == id).cloned();
        let (before, after) = (row(before)?, row(after)?);
        let holds = match self.claims.get(&id) {
            Some((epoch, _)) if *epoch == lease.epoch => {
                self.claims.remove(&id);
                // Its time was over, or two events at once took the task away and brought it anew.
                let over = before.leased_until.is_none() && after == before;
                let put_off = due.is_none_or(|due| after.due == due);
                over || (after.leased_until.is_none() && put_off)
            }
            Some(_) => after == before,
            // Given back before, or owed anew.
            None => true,
        };
        (!holds).then(|| {
            let what = format!("its {} was given back, and is {after:?}", id.action.name());
            ("S17", Some(id.order), what)
        })
    }

    /// What an order owes now: claims of anything else are over.
    pub(crate) fn owes(&mut self, order: OrderId, tasks: &[TaskId]) {
        self.claims
            .retain(|id, _| id.order != order || tasks.contains(id));
    }

    /// The store was opened anew: claims live in memory.
    pub(crate) fn reopened(&mut self) {
        self.claims.clear();
    }

    /// A process asks for a token. `believed` is whether its clock can be.
    pub(crate) fn mints(&mut self, life: Life, now: i64, believed: bool) -> Option<Broken> {
        let token = self.tokens.entry(life).or_default();
        if pass(&mut token.mints, now) > MINTS && believed {
            let what = format!(
                "node {} asked for more than {MINTS} tokens in a minute",
                life.node
            );
            return Some(("S26", None, what));
        }
        let age = now - token.since;
        let works = token.value.take().is_some() && !token.refused;
        (works && believed && age < YOUNG).then(|| {
            let what = format!(
                "node {} voids a token of {age} ms that nobody refused",
                life.node
            );
            ("S26", None, what)
        })
    }

    /// Whether a process has had its token since before this.
    pub(crate) fn had_token(&self, life: Life, before: i64) -> bool {
        let token = self.tokens.get(&life);
        token.is_some_and(|token| token.value.is_some() && token.since < before)
    }

    /// A record is read: a card, a card order or a person, by its address. Pages of lists are read for many.
    /// `sharers` may ask for the same person.
    pub(crate) fn reads(&mut self, address: &str, sharers: usize, now: i64) -> Option<Broken> {
        if address.contains('?') {
            if address.contains("/issuing/cardholders?") {
                self.people_read = Some(now);
            }
            return None;
        }
        let reads = pass(self.reads.entry(address.to_owned()).or_default(), now);
        let many = address.contains("/issuing/cardholders/");
        let most = READS * if many { sharers.max(1) } else { 1 };
        (reads > most).then(|| {
            let what = format!("{reads} reads of {address} in a minute");
            ("S26", None, what)
        })
    }

    /// When a page of the list of people was asked for last.
    pub(crate) fn people_read(&self) -> Option<i64> {
        self.people_read
    }

    /// A process has a token.
    pub(crate) fn minted(&mut self, life: Life, value: String, now: i64) {
        let token = self.tokens.entry(life).or_default();
        token.value = Some(value);
        token.since = now;
        token.refused = false;
    }

    /// A process was told that the token of its call is none.
    pub(crate) fn refused(&mut self, life: Life, value: &str) {
        if let Some(token) = self.tokens.get_mut(&life) {
            token.refused |= token.value.as_ref().is_some_and(|own| value.ends_with(own));
        }
    }

    /// A keyed call leaves.
    pub(crate) fn sends(&mut self, key: &str, body: u64, now: i64) -> Option<Broken> {
        let first = *self.bodies.entry(key.to_owned()).or_insert(body);
        if first != body {
            return Some(("S7", None, format!("another body leaves under key {key}")));
        }
        let times = self.sends.entry(key.to_owned()).or_default();
        let sends = pass(times, now);
        (sends > SENDS).then(|| {
            let what = format!("{sends} sends of key {key} in a minute");
            ("S26", None, what)
        })
    }

    /// A host hears of its order: what it is told is how the order stood when that notice became owed.
    pub(crate) fn told(&mut self, notice: &Notice, order: Option<&Order>) -> Option<Broken> {
        let news = (notice.version, notice.state.clone());
        let known = self
            .told
            .entry(notice.order_id)
            .or_insert_with(|| news.clone());
        if known.0 <= news.0 {
            *known = news;
        }
        if order.is_some_and(|order| notice.version > order.notice.owed) {
            let what = format!(
                "its host is told of version {}, which is no news",
                notice.version
            );
            return Some(("notices", Some(notice.order_id), what));
        }
        // What it came to since, without news for the host, a process that stood still cannot know.
        let order = order.filter(|order| {
            order.notice.owed == notice.version && order.state.name() == notice.state
        })?;
        let (card, link_ends, failure) = match &order.state {
            State::Active { card, .. } => (Some(card), None, None),
            State::Failed { failure, .. } => (None, None, Some(failure)),
            State::IdvPending { idv } => {
                let ends = idv.link.as_ref().map(|link| link.expires_at);
                (None, ends, None)
            }
            State::Requested { .. } | State::Accepted { .. } => (None, None, None),
        };
        let cancelled = order.compensation.as_ref().is_some_and(|over| over.done);
        let is_whole = notice.card_id.as_ref() == card
            && notice.idv_expires_at == link_ends
            && notice.failure.as_ref() == failure
            && notice.occurred_at == order.notice.owed_at
            // A second cancel, begun since, is no news yet.
            && (notice.cancelled == cancelled
                || order.is_compensating() && matches!(order.state, State::Failed { .. }));
        (!is_whole).then(|| {
            let what = format!("its host is told {notice:?}, and it stands otherwise");
            ("notices", Some(order.id), what)
        })
    }

    /// A host was told that its cancel is taken.
    pub(crate) fn cancelled(&mut self, order: OrderId) {
        self.cancelled.insert(order);
    }

    /// The inbox took a message, or knew it.
    pub(crate) fn received(&mut self, message: &Message, receipt: Receipt) -> Option<Broken> {
        let id = &message.id;
        match receipt {
            Receipt::Stored => {
                let names = |alias: &Alias| !matches!(alias, Alias::Cardholder(_));
                let content = message.content.get();
                if message.aliases.iter().any(names)
                    && !content.contains("\"fact\":null")
                    && !content.contains("\"unreadable\"")
                {
                    self.speak.insert(id.clone());
                }
                // Whoever stored it may be told later than others work on it.
                if content.contains("\"unreadable\"") && !self.shown.contains(id) {
                    self.unread.insert(id.clone());
                }
                (!self.stored.insert(id.clone())).then(|| {
                    let what = format!("message {id} is in the inbox and was stored again");
                    ("S14", None, what)
                })
            }
            Receipt::Repeat => None,
            Receipt::Forged => None,
        }
    }

    /// A message led to events.
    pub(crate) fn applied(&mut self, id: &MessageId, order: OrderId) -> Option<Broken> {
        (!self.applied.insert(id.clone())).then(|| {
            let what = format!("message {id} led to events before");
            ("S14", Some(order), what)
        })
    }

    /// The log says what became of a message; whoever did it may have died.
    pub(crate) fn stands(&mut self, id: &MessageId, standing: &Standing) {
        if matches!(standing, Standing::Quarantined { .. }) {
            self.unread.remove(id);
            self.shown.insert(id.clone());
        }
    }

    /// Whether a message led to events, or a person was shown it, or it never came to lie in the inbox.
    pub(crate) fn is_heeded(&self, id: &str) -> bool {
        let is = |messages: &BTreeSet<MessageId>| messages.iter().any(|other| other.as_str() == id);
        is(&self.applied) || is(&self.shown) || !is(&self.stored)
    }

    /// A message was put aside without an event.
    pub(crate) fn settled(&mut self, id: &MessageId, standing: &Standing) -> Option<Broken> {
        if matches!(standing, Standing::Quarantined { .. }) {
            self.unread.remove(id);
        } else if self.unread.contains(id) {
            let what = format!("message {id} cannot be read, and nobody is shown it");
            return Some(("L3", None, what));
        }
        let dropped =
            matches!(standing, Standing::Settled { order: None }) && self.speak.contains(id);
        dropped.then(|| {
            let what = format!("message {id} speaks of a card and was settled for nobody");
            ("L3", None, what)
        })
    }

    /// An order at rest: its host knows how it stands, and its cancel was not forgotten.
    pub(crate) fn at_rest(&self, order: &Order) -> Option<Broken> {
        let state = order.state.name();
        let told = self.told.get(&order.id);
        let heard = told.map(|(_, state)| state.as_str());
        let waits = matches!(order.state, State::IdvPending { .. });
        let missed = told.is_none_or(|(version, _)| *version < order.notice.owed);
        if (order.state.is_terminal() || waits) && (heard != Some(state) || missed) {
            let what = format!("it is {state}, and its host last heard {heard:?}");
            return Some(("notices", Some(order.id), what));
        }
        let over = matches!(order.state, State::Failed { .. }) || order.compensation.is_some();
        (self.cancelled.contains(&order.id) && !over).then(|| {
            let what = format!("its cancel was taken, and it is {state}");
            ("S3", Some(order.id), what)
        })
    }
}
