//! `/v1/issuing/cards` (contract §2.2, §2.5, §2.6, §2.7).

use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::outgoing::Reply;
use crate::clock::{Millis, rfc3339};
use crate::errors::{self, Refusal};
use crate::requests::{CreateCard, ListQuery, Page, UpdateCard, UpdateStatus};
use crate::state::{Caller, Card, CardOrder, CardholderStatus, Created, State, Verification, Way};
use crate::variants::{self, Shaped, shaped};
use crate::views::{self, CardView, CreateAnswer, List, Place};

pub(crate) fn create(
    state: &mut State,
    caller: &Caller,
    request: &CreateCard,
    now: Millis,
) -> Result<Reply, Refusal> {
    let created = state.create_card(caller, request, now)?;
    let answer = shaped(
        state.choice(created.card.id),
        create_answer(state, &created),
        variants::created,
    );
    let reply = Reply::of(&answer);
    let mut reply = reply.about(Some(created.card.id), Some(created.cardholder.id));
    reply.early = created.early;
    Ok(reply)
}

fn create_answer(state: &State, created: &Created) -> CreateAnswer {
    let Created {
        card,
        order,
        cardholder,
        verification,
        one_step,
        ..
    } = created;
    let brief = CreateAnswer {
        card_id: card.id,
        cardholder_id: one_step.then_some(cardholder.id),
        card_status: views::word(&card.status),
        // A two-step answer speaks of the cardholder only while something is owed.
        cardholder_status: (*one_step || cardholder.status != CardholderStatus::Success)
            .then(|| views::word(&cardholder.status)),
        risk_controls: card.risk_controls.clone(),
        ..CreateAnswer::default()
    };
    let full = |brief: CreateAnswer| CreateAnswer {
        card_order_id: Some(order.id),
        order_status: Some(views::word(&order.status)),
        create_time: Some(rfc3339(order.created_at)),
        cardholder_created: one_step.then_some(true),
        ..brief
    };
    match verification {
        Verification::Verified => CreateAnswer {
            verification_status: one_step.then_some("VERIFIED"),
            message: Some("card creation in progress"),
            ..full(brief)
        },
        Verification::Proven => CreateAnswer {
            kyc_method: Some("THIRD_PARTY"),
            verification_status: Some("VERIFIED"),
            ..full(brief)
        },
        Verification::UnderReview => CreateAnswer {
            verification_status: Some("UNDER_REVIEW"),
            ..full(brief)
        },
        // The short answer: no order id, no order status, no time (contract §2.2).
        Verification::Redirected => CreateAnswer {
            cardholder_id: Some(cardholder.id),
            kyc_method: Some("SUMSUB_REDIRECT"),
            verification_status: Some("ACTION_REQUIRED"),
            idv_verification_url: cardholder.link.as_ref().map(|link| state.idv_url(link)),
            idv_url_expires_at: cardholder
                .link
                .as_ref()
                .map(|link| rfc3339(link.expires_at)),
            ..brief
        },
    }
}

pub(crate) fn get(state: &State, caller: &Caller, id: Uuid, now: Millis) -> Result<Reply, Refusal> {
    let card = state
        .card(id)
        .filter(|card| card.account == caller.account && state.is_readable(card, now))
        .ok_or_else(errors::card_not_found)?;
    Ok(Reply::of(&card_view(state, card, Place::Detail)).about(Some(id), Some(card.cardholder_id)))
}

fn card_view<'a>(state: &'a State, card: &'a Card, place: Place) -> Shaped<CardView<'a>> {
    shaped(
        state.choice(card.id),
        views::card(state, card, place),
        |choice, view| variants::card(choice, view, card, place),
    )
}

pub(crate) fn list(
    state: &State,
    caller: &Caller,
    query: &ListQuery,
    page: Page,
    now: Millis,
) -> Result<Reply, Refusal> {
    let listed = state.list_cards(caller.account, query, page, now);
    let rows = listed
        .rows
        .into_iter()
        .map(|card| card_view(state, card, Place::ListRow))
        .collect();
    Ok(Reply::of(&List::of(rows, listed.total, page.size)))
}

pub(crate) fn order(state: &State, caller: &Caller, id: Uuid) -> Result<Reply, Refusal> {
    let order = state.order(id).ok_or_else(errors::order_not_found)?;
    let card = state
        .card(order.card_id)
        .filter(|card| card.account == caller.account)
        .ok_or_else(errors::order_not_found)?;
    let view = shaped(
        state.choice(id),
        views::order(order, card),
        variants::card_order,
    );
    Ok(Reply::of(&view).about(Some(card.id), None))
}

pub(crate) fn update_status(
    state: &mut State,
    caller: &Caller,
    id: Uuid,
    request: &UpdateStatus,
    now: Millis,
) -> Result<Reply, Refusal> {
    let (card, order) = state.update_status(caller, id, request, now)?;
    let mut view = accepted(&order);
    if let Some(reason) = &card.update_reason {
        view["update_reason"] = reason.as_str().into();
    }
    Ok(Reply::of(&view).about(Some(id), None))
}

pub(crate) fn update(
    state: &mut State,
    caller: &Caller,
    id: Uuid,
    changes: &UpdateCard,
    now: Millis,
) -> Result<Reply, Refusal> {
    let (card, order) = state.update_card(caller, id, changes, now)?;
    Ok(Reply::of(&accepted(&order)).about(Some(card.id), None))
}

pub(crate) fn move_funds(
    state: &mut State,
    caller: &Caller,
    id: Uuid,
    way: Way,
    amount: Decimal,
    now: Millis,
) -> Result<Reply, Refusal> {
    let (card, order) = state.move_funds(caller, id, way, amount, now)?;
    Ok(Reply::of(&accepted(&order)).about(Some(card.id), None))
}

fn accepted(order: &CardOrder) -> Value {
    json!({"card_id": order.card_id, "card_order_id": order.id, "order_status": order.status})
}
