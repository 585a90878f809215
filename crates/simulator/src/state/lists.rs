//! List pages, newest first. The real order is undocumented (contract §1.7); rows shift while cards are made.

use uuid::Uuid;

use super::State;
use super::entities::{Account, Card, Cardholder};
use super::table::Row;
use crate::clock::Millis;
use crate::requests::{ListQuery, Page};
use crate::variants::LAG;
use crate::views;

/// One page and the number of all rows behind it.
pub(crate) struct Listed<'a, T> {
    pub(crate) rows: Vec<&'a T>,
    pub(crate) total: usize,
}

impl State {
    pub(crate) fn list_cards(
        &self,
        account: Account,
        query: &ListQuery,
        page: Page,
        now: Millis,
    ) -> Listed<'_, Card> {
        let holder = query
            .cardholder_id
            .as_deref()
            .map(|id| Uuid::parse_str(id).unwrap_or_default());
        let ids = match holder {
            Some(holder) => self.index.cards_of(holder),
            None => self.index.cards_in(account),
        };
        let varied = self.choice(Uuid::nil()).is_some();
        if !varied && query.card_number.is_none() && query.card_status.is_none() && holder.is_none()
        {
            let rows = slice(ids, page).filter_map(|id| self.card(*id)).collect();
            return Listed {
                rows,
                total: ids.len(),
            };
        }
        let wanted = |card: &&Card| {
            card.account == account
                && self.is_readable(card, now)
                && query
                    .card_number
                    .as_ref()
                    .is_none_or(|number| *number == views::masked(card))
                && query
                    .card_status
                    .as_ref()
                    .is_none_or(|status| *status == views::word(&card.status))
        };
        self.cut(
            ids.iter()
                .rev()
                .filter_map(|id| self.card(*id))
                .filter(wanted)
                .collect(),
            page,
        )
    }

    pub(crate) fn list_cardholders(
        &self,
        account: Account,
        query: &ListQuery,
        page: Page,
    ) -> Listed<'_, Cardholder> {
        let ids = self.index.cardholders_in(account);
        match &query.cardholder_status {
            None if self.choice(Uuid::nil()).is_none() => Listed {
                rows: slice(ids, page)
                    .filter_map(|id| self.cardholder(*id))
                    .collect(),
                total: ids.len(),
            },
            status => self.cut(
                ids.iter()
                    .rev()
                    .filter_map(|id| self.cardholder(*id))
                    .filter(|holder| {
                        status
                            .as_ref()
                            .is_none_or(|status| views::word(&holder.status) == *status)
                    })
                    .collect(),
                page,
            ),
        }
    }

    pub(crate) fn number_of_cards(&self, holder: Uuid) -> usize {
        self.index.cards_of(holder).len()
    }

    /// Whether reads see the card yet: nobody promises that they do at once (contract §2.5).
    pub(crate) fn is_readable(&self, card: &Card, now: Millis) -> bool {
        let lags = self
            .choice(card.id)
            .is_some_and(|choice| choice.one_in("lag", 4));
        !lags || now - card.created_at >= LAG
    }

    /// A page of rows that come newest first. Varied lists have another order, and another one within each page;
    /// the pages together are complete as long as nothing is added.
    fn cut<'a, T: Row>(&self, mut rows: Vec<&'a T>, page: Page) -> Listed<'a, T> {
        let total = rows.len();
        let choice = self.choice(Uuid::nil());
        match choice.map(|choice| choice.one_of("list order", 3)) {
            Some(1) => rows.reverse(),
            Some(2) => rows.sort_by_key(|row| row.id()),
            _ => {}
        }
        let mut rows: Vec<_> = rows
            .into_iter()
            .skip(page.size.saturating_mul(page.number - 1))
            .take(page.size)
            .collect();
        if let Some(choice) = choice {
            let page = choice.within(&format!("page {} of {total}", page.number));
            rows.sort_by_key(|row| page.one_of(&row.id().to_string(), u64::MAX));
        }
        Listed { rows, total }
    }
}

fn slice(ids: &[Uuid], page: Page) -> impl Iterator<Item = &Uuid> {
    ids.iter()
        .rev()
        .skip(page.size.saturating_mul(page.number - 1))
        .take(page.size)
}
