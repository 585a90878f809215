//! The calls this client can make.

use std::fmt;

/// A call, for telling errors apart; its text is a stable label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/connect/token`
    MintToken,
    /// `GET /v1/issuing/products`
    ListProducts,
    /// `POST /v1/issuing/cards`
    CreateCard,
    /// `GET /v1/issuing/cards/{card_id}`
    GetCard,
    /// `GET /v1/issuing/cards`
    ListCards,
    /// `GET /v1/issuing/cards/{card_order_id}/order`
    GetCardOrder,
    /// `POST /v1/issuing/cards/{card_id}/status`
    UpdateCardStatus,
    /// `POST /v1/issuing/cardholders`
    CreateCardholder,
    /// `GET /v1/issuing/cardholders/{cardholder_id}`
    GetCardholder,
    /// `GET /v1/issuing/cardholders`
    ListCardholders,
    /// `POST /v1/issuing/cardholders/{cardholder_id}`
    UpdateCardholder,
}

impl Endpoint {
    /// A stable label, fit for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MintToken => "mint_token",
            Self::ListProducts => "list_products",
            Self::CreateCard => "create_card",
            Self::GetCard => "get_card",
            Self::ListCards => "list_cards",
            Self::GetCardOrder => "get_card_order",
            Self::UpdateCardStatus => "update_card_status",
            Self::CreateCardholder => "create_cardholder",
            Self::GetCardholder => "get_cardholder",
            Self::ListCardholders => "list_cardholders",
            Self::UpdateCardholder => "update_cardholder",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
