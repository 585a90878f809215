//! What a caller asks for: parsed at the edge, performed on the state.

use axum::extract::Query;
use axum::http::Uri;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::outgoing::Reply;
use super::{cardholders, cards, products, simulation};
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::faults::{Endpoint, Subject};
use crate::requests::{
    Authorization, CreateCard, ListQuery, MoveFunds, Page, Reversal, UpdateCard, UpdateStatus,
};
use crate::state::{Caller, State, Way};
use crate::views::List;

pub(crate) enum Operation {
    Token,
    ListProducts(Page),
    CreateCard(Box<CreateCard>),
    GetCard(Uuid),
    ListCards(ListQuery, Page),
    GetCardOrder(Uuid),
    UpdateCard(Uuid, Box<UpdateCard>),
    UpdateCardStatus(Uuid, UpdateStatus),
    MoveFunds(Uuid, Way, MoveFunds),
    CreateCardholder(Map<String, Value>),
    GetCardholder(Uuid),
    ListCardholders(ListQuery, Page),
    UpdateCardholder(Uuid, Map<String, Value>),
    Authorize(Authorization),
    Reverse(Reversal),
    ListBalances(Page),
}

impl Operation {
    pub(crate) fn parse(
        endpoint: Endpoint,
        id: Option<&str>,
        uri: &Uri,
        body: &[u8],
        strict: bool,
    ) -> Result<Self, Refusal> {
        // An id that is none names nothing: the nil id is never handed out.
        let id = id
            .and_then(|id| Uuid::parse_str(id).ok())
            .unwrap_or_default();
        Ok(match endpoint {
            Endpoint::Token => Self::Token,
            Endpoint::ListProducts => Self::ListProducts(list(uri, 10, strict)?.1),
            Endpoint::CreateCard => Self::CreateCard(json(body)?),
            Endpoint::GetCard => Self::GetCard(id),
            Endpoint::ListCards => {
                let (query, page) = list(uri, 1, strict)?;
                Self::ListCards(query, page)
            }
            Endpoint::GetCardOrder => Self::GetCardOrder(id),
            Endpoint::UpdateCard => Self::UpdateCard(id, json(body)?),
            Endpoint::UpdateCardStatus => Self::UpdateCardStatus(id, json(body)?),
            Endpoint::RechargeCard => Self::MoveFunds(id, Way::OntoCard, json(body)?),
            Endpoint::WithdrawCard => Self::MoveFunds(id, Way::OffCard, json(body)?),
            Endpoint::CreateCardholder => Self::CreateCardholder(json(body)?),
            Endpoint::GetCardholder => Self::GetCardholder(id),
            Endpoint::ListCardholders => {
                let (query, page) = list(uri, 10, strict)?;
                Self::ListCardholders(query, page)
            }
            Endpoint::UpdateCardholder => Self::UpdateCardholder(id, json(body)?),
            Endpoint::SimulateAuthorization => Self::Authorize(json(body)?),
            Endpoint::SimulateReversal => Self::Reverse(json(body)?),
            Endpoint::ListBalances => Self::ListBalances(list(uri, 10, strict)?.1),
        })
    }

    /// What the fault script may match this call by.
    pub(crate) fn subject(&self, state: &State) -> Subject {
        let of_card = |id: Uuid| {
            state
                .card(id)
                .map(|card| state.subject_of_card(card))
                .unwrap_or_default()
        };
        let of_cardholder = |id: Uuid| {
            state
                .cardholder(id)
                .map(|holder| state.subject_of_cardholder(holder))
                .unwrap_or_default()
        };
        match self {
            Self::CreateCard(request) => request.subject(),
            Self::GetCard(id)
            | Self::UpdateCard(id, _)
            | Self::UpdateCardStatus(id, _)
            | Self::MoveFunds(id, ..) => of_card(*id),
            Self::GetCardOrder(id) => state
                .order(*id)
                .map(|order| of_card(order.card_id))
                .unwrap_or_default(),
            Self::GetCardholder(id) | Self::UpdateCardholder(id, _) => of_cardholder(*id),
            Self::CreateCardholder(person) => {
                let email = person
                    .get("email")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                Subject {
                    email,
                    ..Subject::default()
                }
            }
            Self::Token
            | Self::ListProducts(_)
            | Self::ListBalances(_)
            | Self::ListCards(..)
            | Self::ListCardholders(..)
            | Self::Authorize(_)
            | Self::Reverse(_) => Subject::default(),
        }
    }

    /// Everything but minting a token, which needs the credentials of the headers.
    pub(crate) fn perform(
        &self,
        state: &mut State,
        caller: &Caller,
        now: Millis,
    ) -> Result<Reply, Refusal> {
        match self {
            Self::Token => Err(errors::internal()),
            Self::ListProducts(page) => products::list(state, *page),
            Self::CreateCard(request) => cards::create(state, caller, request, now),
            Self::GetCard(id) => cards::get(state, caller, *id, now),
            Self::ListCards(query, page) => cards::list(state, caller, query, *page, now),
            Self::GetCardOrder(id) => cards::order(state, caller, *id),
            Self::UpdateCard(id, changes) => cards::update(state, caller, *id, changes, now),
            Self::UpdateCardStatus(id, request) => {
                cards::update_status(state, caller, *id, request, now)
            }
            Self::MoveFunds(id, way, request) => {
                cards::move_funds(state, caller, *id, *way, request.amount.0, now)
            }
            Self::CreateCardholder(person) => cardholders::create(state, caller, person, now),
            Self::GetCardholder(id) => cardholders::get(state, caller, *id),
            Self::ListCardholders(query, page) => cardholders::list(state, caller, query, *page),
            Self::UpdateCardholder(id, changes) => {
                cardholders::update(state, caller, *id, changes, now)
            }
            Self::Authorize(request) => simulation::authorize(state, caller, request, now),
            // Account balances are not issuing; clients make them their first call.
            Self::ListBalances(page) => Ok(Reply::of(&List::<()>::of(Vec::new(), 0, page.size))),
            Self::Reverse(request) => simulation::reverse(state, caller, request, now),
        }
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| errors::invalid(format!("body cannot be read: {error}")))
}

fn list(uri: &Uri, smallest: usize, strict: bool) -> Result<(ListQuery, Page), Refusal> {
    let Query(query) = Query::<ListQuery>::try_from_uri(uri)
        .map_err(|_| errors::invalid("query cannot be read"))?;
    let page = Page::of(&query, smallest, strict)?;
    Ok((query, page))
}
