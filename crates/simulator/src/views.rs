//! Answers and webhook parts in the provider's words and shapes (contract §2, §5.4).

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::catalogue;
use crate::clock::{Millis, rfc3339, without_zone};
use crate::state::{Card, CardOrder, Cardholder, State, Transaction};

#[derive(Serialize)]
pub(crate) struct List<T> {
    pub(crate) total_pages: usize,
    pub(crate) total_items: usize,
    pub(crate) data: Vec<T>,
}

impl<T> List<T> {
    pub(crate) fn of(data: Vec<T>, total: usize, page_size: usize) -> Self {
        Self {
            total_pages: total.div_ceil(page_size.max(1)),
            total_items: total,
            data,
        }
    }
}

#[derive(Default, Serialize)]
pub(crate) struct CreateAnswer {
    pub(crate) card_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) card_order_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cardholder_id: Option<Uuid>,
    pub(crate) card_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) create_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cardholder_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cardholder_created: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kyc_method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verification_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idv_verification_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idv_url_expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) risk_controls: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'static str>,
}

/// A card as a call of its own shows it, or as a row of a list: there the limit is text and so is the metadata.
#[derive(Serialize)]
pub(crate) struct CardView {
    card_id: Uuid,
    card_bin: &'static str,
    card_scheme: &'static str,
    card_currency: String,
    card_number: String,
    form_factor: &'static str,
    mode_type: String,
    card_product_id: Uuid,
    card_limit: Box<RawValue>,
    available_balance: String,
    cardholder: Value,
    spending_controls: Value,
    risk_controls: Option<Value>,
    metadata: Value,
    card_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_reason: Option<String>,
    consumed_amount: String,
    create_time: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Detail,
    ListRow,
}

pub(crate) fn card(state: &State, card: &Card, place: Place) -> CardView {
    let product = catalogue::product(card.product_id);
    let limit = card.limit.normalize().to_string();
    let metadata = card.metadata.clone();
    CardView {
        card_id: card.id,
        card_bin: product.map_or("", |product| product.bin),
        card_scheme: product.map_or("", |product| product.scheme),
        card_currency: card.currency.clone(),
        card_number: masked(card),
        form_factor: "VIRTUAL",
        mode_type: product
            .map(|product| word(&product.mode))
            .unwrap_or_default(),
        card_product_id: card.product_id,
        card_limit: match place {
            Place::Detail => raw(limit),
            Place::ListRow => raw(format!("\"{}\"", cents(card.limit))),
        },
        available_balance: cents(card.limit - card.consumed),
        cardholder: state
            .cardholder(card.cardholder_id)
            .map_or(json!({}), |holder| {
                json!({
                    "cardholder_id": holder.id,
                    "cardholder_status": holder.status,
                    "number_of_cards": state.number_of_cards(holder.id),
                    "email": holder.text("email"),
                    "first_name": holder.text("first_name"),
                    "last_name": holder.text("last_name"),
                })
            }),
        spending_controls: spending(card),
        risk_controls: card.risk_controls.clone(),
        metadata: match place {
            Place::Detail => metadata.map_or(Value::Null, Value::Object),
            Place::ListRow => Value::Object(metadata.unwrap_or_default())
                .to_string()
                .into(),
        },
        card_status: word(&card.status),
        update_reason: card.update_reason.clone(),
        consumed_amount: cents(card.consumed),
        create_time: rfc3339(card.created_at),
    }
}

pub(crate) fn order(order: &CardOrder, card: Option<&Card>) -> Value {
    let mut view = json!({
        "card_id": order.card_id,
        "card_order_id": order.id,
        "order_type": order.kind,
        "amount": card.map(|card| cents(card.limit)).unwrap_or_default(),
        "card_currency": card.map(|card| card.currency.as_str()).unwrap_or_default(),
        "create_time": rfc3339(order.created_at),
        "update_time": rfc3339(order.updated_at),
        "complete_time": order.completed_at.map(rfc3339).unwrap_or_default(),
        "order_status": order.status,
    });
    if let Some(code) = &order.failure_code {
        view["failure_code"] = code.as_str().into();
    }
    view
}

pub(crate) fn cardholder(state: &State, holder: &Cardholder) -> Value {
    let mut view = json!({
        "cardholder_id": holder.id,
        "email": holder.text("email"),
        "number_of_cards": state.number_of_cards(holder.id),
        "first_name": holder.text("first_name"),
        "last_name": holder.text("last_name"),
        "create_time": without_zone(holder.created_at),
        "cardholder_status": holder.status,
        "country_code": holder.text("country_code"),
        "phone_number": holder.text("phone_number"),
        "date_of_birth": holder.text("date_of_birth"),
        "gender": holder.text("gender"),
        "nationality": holder.text("nationality"),
        "idv_status": holder.idv.map_or_else(|| "".into(), |status| json!(status)),
    });
    if let Some(address) = holder.person.get("residential_address") {
        view["residential_address"] = address.clone();
    }
    add_link(&mut view, state, holder);
    view
}

/// The short answer of creating or updating a cardholder: a link only while the person owes something.
pub(crate) fn cardholder_answer(state: &State, holder: &Cardholder) -> Value {
    let mut view = json!({"cardholder_id": holder.id, "cardholder_status": holder.status});
    add_link(&mut view, state, holder);
    view
}

fn add_link(view: &mut Value, state: &State, holder: &Cardholder) {
    if let Some(link) = holder.open_link() {
        view["idv_verification_url"] = state.idv_url(link).into();
        view["idv_url_expires_at"] = rfc3339(link.expires_at).into();
    }
}

/// `data` of the card events, without the members only some of them have.
pub(crate) fn webhook_card(state: &State, card: &Card) -> Value {
    let product = catalogue::product(card.product_id);
    let cardholder = state.cardholder(card.cardholder_id).map(|holder| {
        json!({
            "cardholder_id": holder.id,
            "cardholder_status": holder.status,
            "create_time": rfc3339(holder.created_at),
            "email": holder.text("email"),
            "first_name": holder.text("first_name"),
            "last_name": holder.text("last_name"),
        })
    });
    json!({
        "card_id": card.id,
        "card_bin": product.map_or("", |product| product.bin),
        "card_number": masked(card),
        "card_product_id": card.product_id,
        "card_scheme": product.map_or("", |product| product.scheme),
        "card_status": card.status,
        "form_factor": "VIRTUAL",
        "mode_type": product.map(|product| product.mode),
        "metadata": card.metadata.clone().unwrap_or_default(),
        "cardholder": cardholder.unwrap_or_else(|| Value::Object(Map::new())),
        "risk_control": card.risk_controls.clone().unwrap_or_else(|| json!({"allow_3ds_transactions": "Y"})),
        "spending_limits": spending(card),
    })
}

pub(crate) fn webhook_cardholder(holder: &Cardholder) -> Value {
    let born = match holder.text("date_of_birth") {
        "" => "0001-01-01",
        date => date,
    };
    json!({
        "cardholder_id": holder.id,
        "cardholder_status": holder.status,
        "country_code": holder.text("country_code"),
        "nationality": holder.text("nationality"),
        "date_of_birth": born,
        "email": holder.text("email"),
        "first_name": holder.text("first_name"),
        "last_name": holder.text("last_name"),
        "phone_number": holder.text("phone_number"),
        "create_time": rfc3339(holder.created_at),
    })
}

pub(crate) fn transaction(card: &Card, transaction: &Transaction, at: Millis) -> Value {
    json!({
        "transaction_id": transaction.id,
        "card_id": card.id,
        "card_number": masked(card),
        "transaction_amount": cents(transaction.amount),
        "transaction_currency": transaction.currency,
        "merchant_data": {"name": transaction.merchant_name, "category_code": "5734"},
        "transaction_status": if transaction.reversed { "REVERSED" } else { "APPROVED" },
        "transaction_time": rfc3339(at),
    })
}

pub(crate) fn masked(card: &Card) -> String {
    let bin = catalogue::product(card.product_id).map_or("", |product| product.bin);
    format!("{bin}****{}", card.last_four)
}

/// A status as the wire writes it.
pub(crate) fn word<T: Serialize>(status: &T) -> String {
    serde_json::to_value(status)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn spending(card: &Card) -> Value {
    let amount = card.spending_limit.unwrap_or_else(|| Decimal::from(20_000));
    json!([{"amount": amount.normalize().to_string(), "interval": "PER_TRANSACTION"}])
}

pub(crate) fn cents(amount: Decimal) -> String {
    format!("{amount:.2}")
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
