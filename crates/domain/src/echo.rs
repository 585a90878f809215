//! Whether what we heard is about this order at all: what an answer or a message repeats is held against what was asked
//! (reliability F-040). What does not match is kept as evidence and never adopted.

use serde::{Deserialize, Serialize};

use crate::fact::ProviderIds;
use crate::ids::{CardholderId, OrderId, ProductId};
use crate::key::Purpose;
use crate::money::Currency;
use crate::order::Order;
use crate::planted::{self, Bug};

/// What an answer or a message says of whose it is, beside its ids: as much as the provider repeats, often nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Echo {
    /// The mark on the card, as it came: [`crate::METADATA_ORDER_KEY`] in its metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Box<str>>,
    /// The other order of ours that has this card, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OrderId>,
    /// The card's product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
    /// The card's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

/// By what something heard is another order's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Mismatch {
    /// The card bears another mark.
    Mark {
        /// Whose; none when it is no order id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<OrderId>,
    },
    /// Another order of ours has the card.
    Owner {
        /// Which.
        order: OrderId,
    },
    /// The card is of another product.
    Product {
        /// Which.
        said: ProductId,
    },
    /// The card is in another currency.
    Currency {
        /// Which.
        said: Currency,
    },
    /// The card is another person's.
    Cardholder {
        /// Whose.
        said: CardholderId,
    },
}

impl Mismatch {
    /// The name used in lists and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mark { .. } => "mark",
            Self::Owner { .. } => "owner",
            Self::Product { .. } => "product",
            Self::Currency { .. } => "currency",
            Self::Cardholder { .. } => "cardholder",
        }
    }

    /// By what the ids and the echo are not this order's; none when nothing said so.
    pub(crate) fn of(order: &Order, ids: &ProviderIds, echo: &Echo) -> Option<Self> {
        let mark = echo.mark.as_ref().map(|mark| mark.parse::<OrderId>().ok());
        if let Some(marked) =
            mark.filter(|marked| *marked != Some(order.id) && !planted::is(Bug::MarkIgnored))
        {
            return Some(Self::Mark { order: marked });
        }
        if let Some(owner) = echo.owner.filter(|owner| *owner != order.id) {
            return Some(Self::Owner { order: owner });
        }
        let terms = &order.terms;
        if let Some(said) = (echo.product.as_ref()).filter(|said| **said != terms.product_id) {
            return Some(Self::Product { said: said.clone() });
        }
        if let Some(said) = (echo.currency.as_ref()).filter(|said| **said != terms.currency) {
            return Some(Self::Currency { said: said.clone() });
        }
        // A card's person never changes (contract §2.3).
        let person = order
            .submission(Purpose::CreateCard)
            .and_then(|submission| submission.cardholder.as_ref())
            .or(order.ids.cardholder.as_ref())?;
        let said = ids.cardholder.as_ref().filter(|said| *said != person)?;
        Some(Self::Cardholder { said: said.clone() })
    }
}
