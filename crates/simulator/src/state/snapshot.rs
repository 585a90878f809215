//! The whole state as lines of changes: what the file is replaced by, so that it does not grow with the past.

use std::borrow::Cow;

use super::State;
use super::change::{Change, Line};
use crate::clock::Millis;

/// Changes in one line of a snapshot.
const LINE: usize = 500;

impl State {
    /// Whether more than half of what was read at start is superseded. Forgets answers past their time.
    pub(crate) fn is_mostly_past(&mut self, now: Millis) -> bool {
        self.idempotency.forget_old(now);
        self.replayed > 2 * self.rows().count()
    }

    /// Lines that make this state when replayed.
    pub(crate) fn snapshot(&self) -> impl Iterator<Item = Result<String, serde_json::Error>> {
        let mut rows = self.rows().peekable();
        std::iter::from_fn(move || {
            rows.peek()?;
            let line = Line {
                counter: self.rng.counter(),
                changes: rows.by_ref().take(LINE).collect(),
            };
            Some(serde_json::to_string(&line))
        })
    }

    /// Every row once, in the order of its table: lists show the newest first.
    fn rows(&self) -> impl Iterator<Item = Change<'_>> {
        let first = [
            Change::Clock {
                offset: self.clock_offset,
            },
            Change::Faults(Cow::Borrowed(&self.faults.rules)),
        ];
        let balances = self.balances.iter();
        let balances = balances.map(|((account, currency), amount)| Change::Balance {
            account: *account,
            currency: Cow::Borrowed(currency),
            amount: *amount,
        });
        first
            .into_iter()
            .chain(rows(self.tokens.iter(), Change::Token))
            .chain(rows(self.cardholders.iter(), Change::Cardholder))
            .chain([Change::Taken(Cow::Borrowed(self.index.taken()))])
            .chain(rows(self.cards.iter(), Change::Card))
            .chain(rows(self.orders.iter(), Change::Order))
            .chain(balances)
            .chain(rows(self.transactions.values(), Change::Transaction))
            .chain(rows(self.idempotency.iter(), Change::Answer))
            .chain(rows(self.timers.values(), Change::Timer))
            .chain(rows(self.deliveries.iter(), Change::Delivery))
            .chain(rows(self.requests.iter(), Change::Request))
    }
}

fn rows<'a, T: Clone + 'a>(
    rows: impl Iterator<Item = &'a T>,
    change: impl Fn(Cow<'a, T>) -> Change<'a>,
) -> impl Iterator<Item = Change<'a>> {
    rows.map(move |row| change(Cow::Borrowed(row)))
}
