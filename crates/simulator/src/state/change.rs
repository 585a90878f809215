//! The durable form of the state: one line per commit, holding the whole of every row that changed.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::State;
use super::deliveries::Delivery;
use super::entities::{Account, Card, CardOrder, Cardholder, Timer, Token, Transaction};
use super::idempotency::StoredAnswer;
use super::index::Taken;
use crate::clock::Millis;
use crate::faults::FaultRule;
use crate::ledger::RequestEntry;

/// The name of a row. The order is that of writing and reading: what others refer to comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Clock,
    Faults,
    Token(String),
    Cardholder(Uuid),
    Card(Uuid),
    Order(Uuid),
    Balance(Account, String),
    Transaction(Uuid),
    Answer(String),
    Timer(Millis, u64),
    Delivery(u64),
    Request(u64),
}

/// The content of a row.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Change<'a> {
    Clock {
        offset: Millis,
    },
    Faults(Cow<'a, [FaultRule]>),
    Token(Cow<'a, Token>),
    Cardholder(Cow<'a, Cardholder>),
    Card(Cow<'a, Card>),
    Order(Cow<'a, CardOrder>),
    Balance {
        account: Account,
        currency: Cow<'a, str>,
        amount: Decimal,
    },
    Transaction(Cow<'a, Transaction>),
    Answer(Cow<'a, StoredAnswer>),
    Timer(Cow<'a, Timer>),
    TimerGone {
        due_at: Millis,
        id: u64,
    },
    Delivery(Cow<'a, Delivery>),
    Request(Cow<'a, RequestEntry>),
    /// Only in snapshots: what was once taken stays known, although no row tells of it any more.
    Taken(Cow<'a, Taken>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) counter: u64,
    pub(super) changes: Vec<Change<'a>>,
}

/// Rows that changed since the last commit; nobody asks where nothing is written down.
#[derive(Debug)]
pub(super) struct Changed {
    is_kept: bool,
    rows: BTreeSet<Row>,
}

impl Changed {
    pub(super) fn new(is_kept: bool) -> Self {
        let rows = BTreeSet::new();
        Self { is_kept, rows }
    }

    pub(super) fn insert(&mut self, row: Row) {
        if self.is_kept {
            self.rows.insert(row);
        }
    }
}

impl State {
    /// What changed since the last commit, as one line; `None` if nothing did.
    pub(crate) fn commit(&mut self) -> Option<String> {
        if self.changed.rows.is_empty() {
            return None;
        }
        let changed = std::mem::take(&mut self.changed.rows);
        let line = Line {
            counter: self.rng.counter(),
            changes: changed.iter().filter_map(|row| self.change(row)).collect(),
        };
        serde_json::to_string(&line).ok()
    }

    /// Takes a line back in. The rows read are not changes of the running state.
    pub(crate) fn replay(&mut self, line: &str) -> Result<(), serde_json::Error> {
        let line: Line<'_> = serde_json::from_str(line)?;
        self.rng.resume(line.counter);
        self.replayed += line.changes.len();
        for change in line.changes {
            self.apply(change);
        }
        self.changed.rows.clear();
        Ok(())
    }

    fn change(&self, row: &Row) -> Option<Change<'_>> {
        Some(match row {
            Row::Clock => Change::Clock {
                offset: self.clock_offset,
            },
            Row::Faults => Change::Faults(Cow::Borrowed(&self.faults.rules)),
            Row::Token(client) => Change::Token(Cow::Borrowed(self.tokens.newest_of(client)?)),
            Row::Cardholder(id) => Change::Cardholder(Cow::Borrowed(self.cardholders.get(*id)?)),
            Row::Card(id) => Change::Card(Cow::Borrowed(self.cards.get(*id)?)),
            Row::Order(id) => Change::Order(Cow::Borrowed(self.orders.get(*id)?)),
            Row::Balance(account, currency) => Change::Balance {
                account: *account,
                currency: Cow::Owned(currency.clone()),
                amount: self.balance(*account, currency),
            },
            Row::Transaction(id) => Change::Transaction(Cow::Borrowed(self.transactions.get(id)?)),
            Row::Answer(key) => Change::Answer(Cow::Borrowed(self.idempotency.get(key)?)),
            Row::Timer(due_at, id) => match self.timers.get(&(*due_at, *id)) {
                Some(timer) => Change::Timer(Cow::Borrowed(timer)),
                None => Change::TimerGone {
                    due_at: *due_at,
                    id: *id,
                },
            },
            Row::Delivery(number) => Change::Delivery(Cow::Borrowed(self.deliveries.get(*number)?)),
            Row::Request(number) => Change::Request(Cow::Borrowed(
                self.requests
                    .iter()
                    .rev()
                    .find(|request| request.number == *number)?,
            )),
        })
    }

    fn apply(&mut self, change: Change<'_>) {
        match change {
            Change::Clock { offset } => self.clock_offset = offset,
            Change::Faults(rules) => self.faults.restore(rules.into_owned()),
            Change::Token(token) => self.put_token(token.into_owned()),
            Change::Cardholder(holder) => self.put_cardholder(holder.into_owned()),
            Change::Card(card) => self.put_card(card.into_owned()),
            Change::Order(order) => self.put_order(order.into_owned()),
            Change::Balance {
                account,
                currency,
                amount,
            } => self.put_balance(account, &currency, amount),
            Change::Transaction(transaction) => self.put_transaction(transaction.into_owned()),
            Change::Answer(answer) => self.keep_answer(answer.into_owned()),
            Change::Timer(timer) => self.put_timer(timer.into_owned()),
            Change::TimerGone { due_at, id } => {
                self.timers.remove(&(due_at, id));
            }
            Change::Delivery(delivery) => self
                .deliveries
                .put(delivery.into_owned(), self.config.request_log_cap),
            Change::Request(request) => {
                self.last_request = request.number - 1;
                self.log_request(request.into_owned());
            }
            Change::Taken(taken) => self.index.restore(taken.into_owned()),
        }
    }
}
