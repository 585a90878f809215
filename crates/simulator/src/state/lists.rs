//! List pages, newest first. The real order is undocumented (contract §1.7); rows shift while cards are made.

use uuid::Uuid;

use super::State;
use super::entities::{Account, Card, Cardholder};
use crate::requests::{ListQuery, Page};
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
    ) -> Listed<'_, Card> {
        let holder = query
            .cardholder_id
            .as_deref()
            .map(|id| Uuid::parse_str(id).unwrap_or_default());
        let ids = match holder {
            Some(holder) => self.index.cards_of(holder),
            None => self.index.cards_in(account),
        };
        if query.card_number.is_none() && query.card_status.is_none() && holder.is_none() {
            let rows = slice(ids, page).filter_map(|id| self.card(*id)).collect();
            return Listed {
                rows,
                total: ids.len(),
            };
        }
        let wanted = |card: &&Card| {
            card.account == account
                && query
                    .card_number
                    .as_ref()
                    .is_none_or(|number| *number == views::masked(card))
                && query
                    .card_status
                    .as_ref()
                    .is_none_or(|status| *status == views::word(&card.status))
        };
        cut(
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
            None => Listed {
                rows: slice(ids, page)
                    .filter_map(|id| self.cardholder(*id))
                    .collect(),
                total: ids.len(),
            },
            Some(status) => cut(
                ids.iter()
                    .rev()
                    .filter_map(|id| self.cardholder(*id))
                    .filter(|holder| views::word(&holder.status) == *status)
                    .collect(),
                page,
            ),
        }
    }

    pub(crate) fn number_of_cards(&self, holder: Uuid) -> usize {
        self.index.cards_of(holder).len()
    }
}

fn slice(ids: &[Uuid], page: Page) -> impl Iterator<Item = &Uuid> {
    ids.iter()
        .rev()
        .skip(page.size.saturating_mul(page.number - 1))
        .take(page.size)
}

fn cut<T>(rows: Vec<&T>, page: Page) -> Listed<'_, T> {
    let total = rows.len();
    Listed {
        rows: rows
            .into_iter()
            .skip(page.size.saturating_mul(page.number - 1))
            .take(page.size)
            .collect(),
        total,
    }
}
