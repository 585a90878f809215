//! The authenticated calls (contract §2). The path of each stands in [`Endpoint`].

use reqwest::Url;
use uuid::Uuid;

use super::{Auth, Client};
use crate::{
    Answer, Body, Card, CardFilter, CardId, CardOrder, CardOrderId, Cardholder, CardholderId,
    CardholderReply, CardholderStatus, CreatedCard, Endpoint, Page, PageRequest, Product,
    StatusUpdate, UnknownCause,
};

impl Client {
    /// Lists products. Cache for minutes: products get disabled, requirements grow (contract §2.1).
    pub async fn list_products<'a>(
        &self,
        auth: impl Into<Auth<'a>>,
        page: PageRequest,
    ) -> Answer<Page<Product>> {
        let url = paged(self.base_url.join(&["v1", "issuing", "products"]), page);
        self.get(Endpoint::ListProducts, auth.into(), url, in_range(page))
            .await
    }

    /// Asks for a card with a body from [`crate::CreateCard::to_bytes`]. The answer is an acknowledgement only.
    pub async fn create_card<'a>(
        &self,
        auth: impl Into<Auth<'a>>,
        key: Uuid,
        body: &Body,
    ) -> Answer<CreatedCard> {
        let url = self.base_url.join(&["v1", "issuing", "cards"]);
        self.post(
            Endpoint::CreateCard,
            auth.into(),
            url,
            key,
            body,
            |_| Ok(()),
        )
        .await
    }

    /// Reads a card. Right after creation it may not be found yet (contract §2.5).
    pub async fn get_card<'a>(&self, auth: impl Into<Auth<'a>>, card: &CardId) -> Answer<Card> {
        let url = self
            .base_url
            .join(&["v1", "issuing", "cards", card.as_str()]);
        let check = |answer: &Card| same(answer.card_id.as_str(), card.as_str());
        self.get(Endpoint::GetCard, auth.into(), url, check).await
    }

    /// Lists cards, in no documented order.
    pub async fn list_cards<'a>(
        &self,
        auth: impl Into<Auth<'a>>,
        filter: &CardFilter,
        page: PageRequest,
    ) -> Answer<Page<Card>> {
        let mut url = paged(self.base_url.join(&["v1", "issuing", "cards"]), page);
        if let Some(status) = &filter.card_status {
            url.query_pairs_mut()
                .append_pair("card_status", status.as_str());
        }
        if let Some(cardholder) = &filter.cardholder_id {
            url.query_pairs_mut()
                .append_pair("cardholder_id", cardholder.as_str());
        }
        self.get(Endpoint::ListCards, auth.into(), url, in_range(page))
            .await
    }

    /// Reads a card order by the **order's** id, although the path says cards (contract §2.6).
    pub async fn get_card_order<'a>(
        &self,
        auth: impl Into<Auth<'a>>,
        order: &CardOrderId,
    ) -> Answer<CardOrder> {
        let url = self
            .base_url
            .join(&["v1", "issuing", "cards", order.as_str(), "order"]);
        let check = |answer: &CardOrder| match (&answer.order_status, &answer.card_order_id) {
            (None, _) => Err(UnknownCause::Incomplete),
            (Some(_), None) => Ok(()),
            (Some(_), Some(id)) => same(id.as_str(), order.as_str()),
        };
        self.get(Endpoint::GetCardOrder, auth.into(), url, check)
            .await
    }

    /// Freezes, unfreezes or cancels with a body from [`crate::UpdateCardStatus::to_bytes`].
    pub async fn update_card_status<'a>(
        &self,
        auth: impl Into<Auth<'a>>,
        card: &CardId,
        key: Uuid,
        body: &Body,
    ) -> Answer<StatusUpdate> {
        let url = self
            .base_url
            .join(&["v1", "issuing", "cards", card.as_str(), "status"]);
        let check = |answer: &StatusUpdate| same(answer.card_id.as_str(), card.as_str());
        self.post(
            Endpoint::UpdateCardStatus,
            auth.into(),
            url,
            key,
            body,
            check,
        )
        .await
    }

    /// Makes a cardholder with a body from [`crate::CreateCardholder::to_bytes`].
    pub async fn create_cardholder<'a>(
        &self,
        auth: impl Into<Auth<'a>>,
        key: Uuid,
        body: &Body,
    ) -> Answer<CardholderReply> {
        let url = self.base_url.join(&["v1", "issuing", "cardholders"]);
        self.post(
            Endpoint::CreateCardholder,
            auth.into(),
            url,
            key,
            body,
            |_| Ok(()),
        )
        .await
    }

    /// Reads a cardholder.
    pub async fn get_cardholder<'a>(
        &self,
        auth: impl Into<Auth<'a>>,
        cardholder: &CardholderId,
    ) -> Answer<Cardholder> {
        let url = self
            .base_url
            .join(&["v1", "issuing", "cardholders", cardholder.as_str()]);
        let check = |answer: &Cardholder| match (&answer.cardholder_id, &answer.cardholder_status) {
            (Some(id), _) => same(id.as_str(), cardholder.as_str()),
            (None, Some(_)) => Ok(()),
            (None, None) => Err(UnknownCause::Incomplete),
        };
        self.get(Endpoint::GetCardholder, auth.into(), url, check)
            .await
    }

    /// Lists cardholders; there is no filter by e-mail or phone.
    pub async fn list_cardholders<'a>(
        &self,
        auth: impl Into<Auth<'a>>,
        status: Option<&CardholderStatus>,
        page: PageRequest,
    ) -> Answer<Page<Cardholder>> {
        let mut url = paged(self.base_url.join(&["v1", "issuing", "cardholders"]), page);
        if let Some(status) = status {
            url.query_pairs_mut()
                .append_pair("cardholder_status", status.as_str());
        }
        self.get(Endpoint::ListCardholders, auth.into(), url, in_range(page))
            .await
    }

    /// Changes a cardholder with a body from [`crate::UpdateCardholder::to_bytes`].
    pub async fn update_cardholder<'a>(
        &self,
        auth: impl Into<Auth<'a>>,
        cardholder: &CardholderId,
        key: Uuid,
        body: &Body,
    ) -> Answer<CardholderReply> {
        let url = self
            .base_url
            .join(&["v1", "issuing", "cardholders", cardholder.as_str()]);
        let check =
            |answer: &CardholderReply| same(answer.cardholder_id.as_str(), cardholder.as_str());
        self.post(
            Endpoint::UpdateCardholder,
            auth.into(),
            url,
            key,
            body,
            check,
        )
        .await
    }
}

/// Both parameters are always sent (contract §1.7).
fn paged(mut url: Url, page: PageRequest) -> Url {
    url.query_pairs_mut()
        .append_pair("page_number", &page.number().to_string())
        .append_pair("page_size", &page.size().to_string());
    url
}

/// A proxy that mixes up answers must not end an order (reliability F-040).
fn same(told: &str, asked: &str) -> Result<(), UnknownCause> {
    if told == asked {
        Ok(())
    } else {
        Err(UnknownCause::WrongResource)
    }
}

/// An empty page where the answer itself counts rows is no proof of absence.
fn in_range<T>(page: PageRequest) -> impl FnOnce(&Page<T>) -> Result<(), UnknownCause> {
    move |answer| {
        let before = u64::from(page.number() - 1) * u64::from(page.size());
        let expected = answer.total_items.is_some_and(|total| total > before);
        if answer.data.is_empty() && expected {
            Err(UnknownCause::Incomplete)
        } else {
            Ok(())
        }
    }
}
