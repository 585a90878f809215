//! The provider's side, as small facts of its own: no type of a simulator, none of a client. What it shows against the
//! log: cards, people, and whether somebody asked before acting on an end.

use std::collections::{HashMap, VecDeque};

use issuance_domain::{
    CardId, CardStatus, CardholderId, FailureKind, Order, OrderId, ProviderIds, State, Timestamp,
};
use rust_decimal::Decimal;

use super::Checker;
use super::invariant::{Input, Invariant};
use super::order::{Seen, Tracked};
use super::rules::Rules;
use super::verdicts::Verdicts;
use super::violation::Evidence;

/// One thing that is so at the provider.
#[derive(Debug, Clone, PartialEq)]
pub enum ProviderFact {
    /// A card was made.
    Card(Card),
    /// A card took a status.
    CardStatus {
        /// Which.
        card: CardId,
        /// Its status from then on.
        status: CardStatus,
        /// When, by the provider's clock; none if only that it has it is known.
        at: Option<Timestamp>,
    },
    /// A call arrived and was answered.
    Request(Request),
}

/// A card at the provider. What its list does not show is none, and not judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Its id.
    pub card: CardId,
    /// The order it was made for, by its metadata.
    pub order: Option<Box<str>>,
    /// Whose it is.
    pub cardholder: Option<CardholderId>,
    /// Its product.
    pub product: Option<Box<str>>,
    /// Its currency.
    pub currency: Option<Box<str>>,
    /// Its limit, or what was loaded first.
    pub limit: Option<Decimal>,
    /// The key of the call that made it.
    pub key: Option<Box<str>>,
}

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A token.
    Token,
    /// Create card.
    CreateCard,
    /// A read of cards, card orders or people.
    Read,
    /// Anything else.
    Other,
}

/// A call the provider received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Counts calls from 1.
    pub number: u64,
    /// When it arrived, by the provider's clock.
    pub at: Timestamp,
    /// What it is about.
    pub call: Call,
    /// Its idempotency key.
    pub key: Option<Box<str>>,
    /// A hash of its body.
    pub body: Box<str>,
    /// Who called.
    pub client: Option<Box<str>>,
    /// Status of the answer.
    pub status: u16,
    /// The answer left whole.
    pub answered: bool,
    /// It changed something.
    pub effect: bool,
    /// The card it made or answered with.
    pub card: Option<CardId>,
    /// The person it made or answered with.
    pub cardholder: Option<CardholderId>,
}

impl Request {
    pub(super) fn is_read(&self) -> bool {
        self.call == Call::Read && self.answered && (200..300).contains(&self.status)
    }

    pub(super) fn seen(&self) -> Read {
        Read {
            at: self.at,
            card: self.card.clone(),
            cardholder: self.cardholder.clone(),
        }
    }
}

/// A read that was answered.
#[derive(Debug, Clone)]
pub(super) struct Read {
    at: Timestamp,
    card: Option<CardId>,
    cardholder: Option<CardholderId>,
}

/// A link's end that was acted on: somebody must have asked between the two.
#[derive(Debug, Clone)]
pub(super) struct Expiry {
    pub(super) order: OrderId,
    pub(super) over: Timestamp,
    pub(super) acted: Seen,
    pub(super) ids: ProviderIds,
}

/// What is known of the provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Provider {
    /// When the cards were listed, by the log's clock.
    pub(super) taken_at: Option<Timestamp>,
    cards: HashMap<CardId, Known>,
    by_order: HashMap<OrderId, Vec<CardId>>,
    holders: HashMap<OrderId, Vec<CardholderId>>,
    pub(super) reads: Vec<Read>,
    pub(super) expiries: Vec<Expiry>,
    /// Calls of the last minute, by who called: each credential has a budget of its own.
    minute: HashMap<Option<Box<str>>, VecDeque<Timestamp>>,
}

#[derive(Debug, Clone)]
struct Known {
    card: Card,
    /// Every status it is known to have had, oldest first.
    history: Vec<(CardStatus, Option<Timestamp>)>,
}

impl Checker {
    /// Something at the provider.
    pub fn provider(&mut self, fact: &ProviderFact) {
        match fact {
            ProviderFact::Request(request) => {
                let ours = self.rules.client.is_none() || self.rules.client == request.client;
                if ours {
                    self.judge_request(request);
                }
            }
            ProviderFact::Card(card) => self.judge_card(card),
            ProviderFact::CardStatus { card, status, at } => {
                if let Some(known) = self.provider.cards.get_mut(card) {
                    known.history.push((status.clone(), *at));
                }
            }
        }
    }

    /// All cards of the provider were shown, even if there was none.
    pub fn cards_are_known(&mut self) {
        self.verdicts.see(Input::Cards);
    }

    fn judge_card(&mut self, card: &Card) {
        self.verdicts.see(Input::Cards);
        let evidence = || {
            vec![Evidence::Card {
                card: card.card.clone(),
            }]
        };
        // A list that grows while its pages are read shows a card on two of them.
        if self.provider.cards.contains_key(&card.card) {
            return;
        }
        let history = Vec::new();
        let known = Known {
            card: card.clone(),
            history,
        };
        self.provider.cards.insert(card.card.clone(), known);
        let Some(word) = &card.order else {
            return;
        };
        let id: Option<OrderId> = word.parse().ok();
        let Some((id, tracked)) = id.and_then(|id| Some((id, self.orders.get(&id)?))) else {
            if self.rules.sole {
                self.verdicts.hold(Invariant::S6, id, false, || {
                    let what =
                        format!("a card was made for {word}, of which the log knows nothing");
                    (what, evidence())
                });
            }
            return;
        };
        if let Some(key) = &card.key {
            let maker = self.creator(key);
            self.verdicts
                .hold(Invariant::S7, Some(id), maker == Some(id), || {
                    let what = format!(
                        "its card was made under key {key}, which is none of its create calls'"
                    );
                    (what, evidence())
                });
        }
        let cards = self.provider.by_order.entry(id).or_default();
        cards.push(card.card.clone());
        let allowed = 1 + tracked.resubmitted;
        let count = cards.len();
        self.verdicts
            .hold(Invariant::S1, Some(id), count <= allowed, || {
                let all = cards.iter().cloned().map(|card| Evidence::Card { card });
                (
                    format!("it has {count} cards, and {allowed} may be"),
                    all.collect(),
                )
            });
        if let Some(holder) = &card.cardholder {
            self.provider.add_holder(id, holder);
        }
    }
}

impl Provider {
    pub(super) fn add_holder(&mut self, id: OrderId, holder: &CardholderId) {
        let holders = self.holders.entry(id).or_default();
        if !holders.contains(holder) {
            holders.push(holder.clone());
        }
    }

    /// Whether a card had one of these statuses at some time up to then; none if nothing is known of it.
    pub(super) fn was(
        &self,
        card: &CardId,
        wanted: &[CardStatus],
        until: Option<Timestamp>,
    ) -> Option<bool> {
        let mut history = self.cards.get(card)?.history.iter();
        Some(history.any(|(status, at)| {
            let in_time = at.zip(until).is_none_or(|(at, until)| at <= until);
            wanted.contains(status) && in_time
        }))
    }

    /// Counts a call in its minute.
    pub(super) fn count(&mut self, request: &Request, rules: &Rules, verdicts: &mut Verdicts) {
        let Some(limit) = rules.calls_per_minute else {
            return;
        };
        let minute = std::time::Duration::from_secs(60);
        let calls = self.minute.entry(request.client.clone()).or_default();
        // A slow call is told of when it ends, after calls that came later.
        let place = calls.partition_point(|earlier| *earlier <= request.at);
        calls.insert(place, request.at);
        let newest = calls.back().copied().unwrap_or(request.at);
        while calls
            .front()
            .is_some_and(|oldest| newest.since(*oldest) >= minute)
        {
            calls.pop_front();
        }
        let spent = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        verdicts.hold(Invariant::S26, None, spent <= limit, || {
            let what = format!("{spent} calls arrived within a minute where {limit} may");
            let (number, at) = (request.number, request.at);
            (what, vec![Evidence::Request { number, at }])
        });
    }

    /// The card behind an order that the log calls active was active.
    pub(super) fn judge_active(&self, tracked: &Tracked, rules: &Rules, verdicts: &mut Verdicts) {
        let Some(order) = &tracked.order else {
            return;
        };
        let State::Active { card, .. } = &order.state else {
            return;
        };
        let newer =
            (tracked.ended.zip(self.taken_at)).is_some_and(|(ended, taken)| ended.at >= taken);
        if newer || !verdicts.has_seen(Input::Cards) {
            return;
        }
        let known = self.cards.get(card);
        let ours = known.is_some_and(|known| {
            let order = known.card.order.as_deref();
            order.is_none_or(|order| order == tracked.id.to_string())
        });
        let until = tracked
            .ended
            .zip(rules.clocks)
            .map(|(ended, clocks)| ended.at.after(clocks));
        let was_active = known.is_some_and(|known| {
            known.history.iter().any(|(status, at)| {
                let in_time = at.zip(until).is_none_or(|(at, until)| at <= until);
                was_usable(status) && in_time
            })
        });
        verdicts.hold(Invariant::S18, Some(tracked.id), ours && was_active, || {
            let what = match known {
                None => match &order.terms.account {
                    None => format!("it is active with card {card}, which the provider does not have"),
                    Some(account) => format!(
                        "it is active with card {card} of account {account}, which the provider does not have; is the account's list among those given?"
                    ),
                },
                Some(_) if !ours => {
                    format!("it is active with card {card}, made for somebody else")
                }
                Some(_) => format!("it is active with card {card}, which never was active by then"),
            };
            let ended = tracked.ended.map(Evidence::from).into_iter();
            let card = Evidence::Card { card: card.clone() };
            (what, ended.chain([card]).collect())
        });
    }

    /// A card that may still come is believed to have failed after a wait only, and not once a message announced it.
    pub(super) fn judge_failed(
        &self,
        tracked: &Tracked,
        seen: Seen,
        rules: &Rules,
        verdicts: &mut Verdicts,
    ) {
        let order = tracked.order.as_ref();
        let card = order.and_then(|order| order.ids.card.as_ref());
        let newest = card
            .and_then(|card| self.cards.get(card))
            .and_then(|known| known.history.last());
        let pending = newest.is_some_and(|(status, _)| *status == CardStatus::Pending);
        let believed = tracked.standing.believes(seen.at, rules);
        verdicts.hold(
            Invariant::S30,
            Some(tracked.id),
            !pending || believed,
            || {
                let what = "it failed, and its card may still come".to_owned();
                (what, vec![seen.into()])
            },
        );
    }

    /// What the cards show of one order, whatever it is waiting for.
    pub(super) fn judge_order(&self, tracked: &Tracked, rules: &Rules, verdicts: &mut Verdicts) {
        let Some(order) = &tracked.order else {
            return;
        };
        if !verdicts.has_seen(Input::Cards) {
            return;
        }
        self.judge_active(tracked, rules, verdicts);
        let id = Some(tracked.id);
        if let Some(holders) = self.holders.get(&tracked.id) {
            let named = order.terms.cardholder_id.as_ref();
            let allowed = 1 + tracked.resubmitted;
            let strange = named.is_some_and(|named| holders.iter().any(|holder| holder != named));
            verdicts.hold(
                Invariant::S2,
                id,
                holders.len() <= allowed && !strange,
                || {
                    let count = holders.len();
                    let what = format!("{count} people stand behind it, and {allowed} may");
                    (what, tracked.newest())
                },
            );
        }
        self.judge_end(tracked, order, verdicts);
        for card in self.by_order.get(&tracked.id).into_iter().flatten() {
            let Some(known) = self.cards.get(card) else {
                continue;
            };
            judge_terms(tracked, order, &known.card, verdicts);
        }
    }

    /// An order that ended by what became of its card: the card came to that.
    fn judge_end(&self, tracked: &Tracked, order: &Order, verdicts: &mut Verdicts) {
        let State::Failed { failure, .. } = &order.state else {
            return;
        };
        let word = match failure.kind {
            // A message that no read could deny for long is believed in the end.
            FailureKind::CreationFailed if tracked.standing.report.is_some() => return,
            FailureKind::CreationFailed => CardStatus::Failed,
            FailureKind::CancelledByProvider => CardStatus::Cancelled,
            FailureKind::Refused
            | FailureKind::Duplicate
            | FailureKind::KycRejected
            | FailureKind::IdvExpired
            | FailureKind::Cancelled
            | FailureKind::OperatorFailed => return,
        };
        let newer =
            (tracked.ended.zip(self.taken_at)).is_some_and(|(ended, taken)| ended.at >= taken);
        let card = order.ids.card.as_ref().filter(|_| !newer);
        let Some((card, known)) = card.and_then(|card| Some((card, self.cards.get(card)?))) else {
            return;
        };
        let said = known.history.iter().any(|(status, _)| {
            let leaves = *status == CardStatus::PreCancel && word == CardStatus::Cancelled;
            *status == word || leaves
        });
        verdicts.hold(Invariant::S30, Some(tracked.id), said, || {
            let what = format!("it failed ({:?}), and its card never did", failure.kind);
            let ended = tracked.ended.map(Evidence::from).into_iter();
            let card = Evidence::Card { card: card.clone() };
            (what, ended.chain([card]).collect())
        });
    }

    /// What must be known of a live card behind an order that has none, once everything came to rest.
    pub(super) fn judge_contradiction(&self, tracked: &Tracked, verdicts: &mut Verdicts) {
        let Some(order) = &tracked.order else {
            return;
        };
        let cancelled =
            (order.compensation.as_ref()).is_some_and(|over| over.done && over.ended.is_some());
        let (why, own_told) = match &order.state {
            _ if cancelled => ("was cancelled".to_owned(), !order.discrepancies.is_empty()),
            State::Failed { failure, .. } => {
                (format!("failed ({:?})", failure.kind), tracked.contradicted)
            }
            // Its own card is no contradiction, another is.
            State::Active { .. } => ("is active".to_owned(), true),
            State::Requested { .. } | State::Accepted { .. } | State::IdvPending { .. } => return,
        };
        for card in self.by_order.get(&tracked.id).into_iter().flatten() {
            let newest = self.cards.get(card).and_then(|known| known.history.last());
            let live = newest.is_some_and(|(status, _)| is_live(status));
            let own = order.ids.card.as_ref().is_none_or(|own| own == card);
            let told = tracked.noted.contains(card) || (own && own_told);
            verdicts.hold(Invariant::S19, Some(tracked.id), !live || told, || {
                let what = format!("it {why}, its card is live, and nobody was told");
                let ended = tracked.ended.map(Evidence::from).into_iter();
                let card = Evidence::Card { card: card.clone() };
                (what, ended.chain([card]).collect())
            });
        }
    }

    /// Whether somebody asked between the end of a link and what was made of it.
    pub(super) fn judge_expiries(&self, rules: &Rules, verdicts: &mut Verdicts) {
        let Some(clocks) = rules.clocks.filter(|_| verdicts.has_seen(Input::Requests)) else {
            return;
        };
        for expiry in &self.expiries {
            let (from, until) = (expiry.over.before(clocks), expiry.acted.at.after(clocks));
            let asked = self.reads.iter().any(|read| {
                let about = match (&read.card, &read.cardholder) {
                    (None, None) => true,
                    (card, person) => {
                        (card.is_some() && *card == expiry.ids.card)
                            || (person.is_some() && *person == expiry.ids.cardholder)
                    }
                };
                about && from <= read.at && read.at <= until
            });
            verdicts.hold(Invariant::S24, Some(expiry.order), asked, || {
                let what = format!(
                    "a link's end at {} was acted on, and nobody had asked the provider since",
                    expiry.over
                );
                (what, vec![expiry.acted.into()])
            });
        }
    }
}

fn judge_terms(
    tracked: &Tracked,
    order: &issuance_domain::Order,
    card: &Card,
    verdicts: &mut Verdicts,
) {
    let terms = &order.terms;
    let differs = [
        (
            "product",
            card.product
                .as_deref()
                .is_some_and(|is| is != terms.product_id.as_str()),
        ),
        (
            "currency",
            card.currency
                .as_deref()
                .is_some_and(|is| is != terms.currency.as_str()),
        ),
        (
            "limit",
            card.limit
                .zip(terms.limit)
                .is_some_and(|(is, asked)| is != asked.decimal()),
        ),
        (
            "cardholder",
            card.cardholder
                .as_ref()
                .zip(order.ids.cardholder.as_ref())
                .is_some_and(|(is, known)| is != known),
        ),
    ];
    let wrong: Vec<_> = differs
        .iter()
        .filter(|(_, differs)| *differs)
        .map(|(what, _)| *what)
        .collect();
    verdicts.hold(Invariant::X5, Some(tracked.id), wrong.is_empty(), || {
        let what = format!(
            "its card has another {} than was asked for",
            wrong.join(", ")
        );
        let card = Evidence::Card {
            card: card.card.clone(),
        };
        (what, tracked.newest().into_iter().chain([card]).collect())
    });
}

fn is_live(status: &CardStatus) -> bool {
    match status {
        CardStatus::Active | CardStatus::Frozen | CardStatus::Blocked => true,
        CardStatus::Pending
        | CardStatus::Failed
        | CardStatus::PreCancel
        | CardStatus::Cancelled
        | CardStatus::Unknown(_) => false,
    }
}

/// Active, or something that only follows it.
fn was_usable(status: &CardStatus) -> bool {
    is_live(status) || matches!(status, CardStatus::PreCancel | CardStatus::Cancelled)
}
