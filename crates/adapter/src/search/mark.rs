//! A card is known by our mark in its metadata.

use std::collections::BTreeMap;

use issuance_domain::{METADATA_ORDER_KEY, OrderId};
use issuance_uqpay::{Card, CardId};

use super::desk::{Question, Sought};

/// The card with an order's mark, once it was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marked(pub(super) Option<CardId>);

/// Whose card it is by its mark; none when it has none that could be ours.
pub(super) fn mark(card: &Card) -> Option<OrderId> {
    card.details.metadata.get(METADATA_ORDER_KEY)?.parse().ok()
}

impl Sought for Marked {
    type Row = Card;

    fn row_id(card: &Card) -> Option<&str> {
        Some(card.card_id.as_str())
    }

    fn note(cards: &[Card], asked: &mut BTreeMap<OrderId, Question<Self>>) {
        for card in cards {
            if let Some(question) = mark(card).and_then(|order| asked.get_mut(&order)) {
                question
                    .sought
                    .0
                    .get_or_insert_with(|| card.card_id.clone());
            }
        }
    }

    fn is_found(&self) -> bool {
        self.0.is_some()
    }
}
