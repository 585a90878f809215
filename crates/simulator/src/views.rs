//! Answers and webhook parts in the provider's words and shapes (contract §2, §5.4).

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::catalogue::{self, Mode};
use crate::clock::{Millis, rfc3339, without_zone};
use crate::state::{
    Card, CardOrder, CardStatus, Cardholder, CardholderStatus, IdvStatus, OrderStatus, OrderType,
    State, Transaction,
};

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
pub(crate) struct CardView<'a> {
    card_id: Uuid,
    card_bin: &'static str,
    card_scheme: &'static str,
    card_currency: &'a str,
    card_number: String,
    form_factor: &'static str,
    mode_type: Option<Mode>,
    card_product_id: Uuid,
    card_limit: Box<RawValue>,
    available_balance: String,
    cardholder: HolderOf<'a>,
    spending_controls: [SpendingLimit; 1],
    risk_controls: Option<&'a Value>,
    metadata: Metadata<'a>,
    card_status: CardStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_reason: Option<&'a str>,
    consumed_amount: String,
    create_time: String,
}

/// A card's person, as the card names them.
#[derive(Serialize)]
#[serde(untagged)]
enum HolderOf<'a> {
    Known {
        cardholder_id: Uuid,
        cardholder_status: CardholderStatus,
        number_of_cards: usize,
        email: &'a str,
        first_name: &'a str,
        last_name: &'a str,
    },
    Unknown {},
}

#[derive(Serialize)]
#[serde(untagged)]
enum Metadata<'a> {
    Object(&'a Map<String, Value>),
    Text(String),
    None,
}

#[derive(Serialize)]
struct SpendingLimit {
    amount: String,
    interval: &'static str,
}

/// A card order as it is read back.
#[derive(Serialize)]
pub(crate) struct OrderView<'a> {
    card_id: Uuid,
    card_order_id: Uuid,
    order_type: OrderType,
    amount: String,
    card_currency: &'a str,
    create_time: String,
    update_time: String,
    complete_time: String,
    order_status: OrderStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<&'a str>,
}

/// A cardholder as it is read back.
#[derive(Serialize)]
pub(crate) struct CardholderView<'a> {
    cardholder_id: Uuid,
    email: &'a str,
    number_of_cards: usize,
    first_name: &'a str,
    last_name: &'a str,
    create_time: String,
    cardholder_status: CardholderStatus,
    country_code: &'a str,
    phone_number: &'a str,
    date_of_birth: &'a str,
    gender: &'a str,
    nationality: &'a str,
    idv_status: IdvWord,
    #[serde(skip_serializing_if = "Option::is_none")]
    residential_address: Option<&'a Value>,
    #[serde(flatten)]
    link: Option<LinkView>,
}

/// What making or updating a cardholder answers.
#[derive(Serialize)]
pub(crate) struct CardholderAnswer {
    cardholder_id: Uuid,
    cardholder_status: CardholderStatus,
    #[serde(flatten)]
    link: Option<LinkView>,
}

/// Empty where nobody was ever asked to prove who they are.
#[derive(Serialize)]
#[serde(untagged)]
enum IdvWord {
    Asked(IdvStatus),
    Never(&'static str),
}

/// What a person is to open, while they owe something.
#[derive(Serialize)]
struct LinkView {
    idv_verification_url: String,
    idv_url_expires_at: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Detail,
    ListRow,
}

pub(crate) fn card<'a>(state: &'a State, card: &'a Card, place: Place) -> CardView<'a> {
    let product = catalogue::product(card.product_id);
    let limit = card.limit.normalize().to_string();
    CardView {
        card_id: card.id,
        card_bin: product.map_or("", |product| product.bin),
        card_scheme: product.map_or("", |product| product.scheme),
        card_currency: &card.currency,
        card_number: masked(card),
        form_factor: "VIRTUAL",
        mode_type: product.map(|product| product.mode),
        card_product_id: card.product_id,
        card_limit: match place {
            Place::Detail => raw(limit),
            Place::ListRow => raw(format!("\"{}\"", cents(card.limit))),
        },
        available_balance: cents(card.limit - card.consumed),
        cardholder: state
            .cardholder(card.cardholder_id)
            .map_or(HolderOf::Unknown {}, |holder| HolderOf::Known {
                cardholder_id: holder.id,
                cardholder_status: holder.status,
                number_of_cards: state.number_of_cards(holder.id),
                email: holder.text("email"),
                first_name: holder.text("first_name"),
                last_name: holder.text("last_name"),
            }),
        spending_controls: spending(card),
        risk_controls: card.risk_controls.as_ref(),
        metadata: match (place, &card.metadata) {
            (Place::Detail, Some(metadata)) => Metadata::Object(metadata),
            (Place::Detail, None) => Metadata::None,
            (Place::ListRow, Some(metadata)) => {
                Metadata::Text(serde_json::to_string(metadata).unwrap_or_default())
            }
            (Place::ListRow, None) => Metadata::Text("{}".into()),
        },
        card_status: card.status,
        update_reason: card.update_reason.as_deref(),
        consumed_amount: cents(card.consumed),
        create_time: rfc3339(card.created_at),
    }
}

pub(crate) fn order<'a>(order: &'a CardOrder, card: &'a Card) -> OrderView<'a> {
    OrderView {
        card_id: order.card_id,
        card_order_id: order.id,
        order_type: order.kind,
        amount: cents(card.limit),
        card_currency: &card.currency,
        create_time: rfc3339(order.created_at),
        update_time: rfc3339(order.updated_at),
        complete_time: order.completed_at.map(rfc3339).unwrap_or_default(),
        order_status: order.status,
        failure_code: order.failure_code.as_deref(),
    }
}

pub(crate) fn cardholder<'a>(state: &State, holder: &'a Cardholder) -> CardholderView<'a> {
    CardholderView {
        cardholder_id: holder.id,
        email: holder.text("email"),
        number_of_cards: state.number_of_cards(holder.id),
        first_name: holder.text("first_name"),
        last_name: holder.text("last_name"),
        create_time: without_zone(holder.created_at),
        cardholder_status: holder.status,
        country_code: holder.text("country_code"),
        phone_number: holder.text("phone_number"),
        date_of_birth: holder.text("date_of_birth"),
        gender: holder.text("gender"),
        nationality: holder.text("nationality"),
        idv_status: holder.idv.map_or(IdvWord::Never(""), IdvWord::Asked),
        residential_address: holder.person.get("residential_address"),
        link: link(state, holder),
    }
}

fn link(state: &State, holder: &Cardholder) -> Option<LinkView> {
    let link = holder.open_link()?;
    Some(LinkView {
        idv_verification_url: state.idv_url(link),
        idv_url_expires_at: rfc3339(link.expires_at),
    })
}

/// The short answer of creating or updating a cardholder: a link only while the person owes something.
pub(crate) fn cardholder_answer(state: &State, holder: &Cardholder) -> CardholderAnswer {
    CardholderAnswer {
        cardholder_id: holder.id,
        cardholder_status: holder.status,
        link: link(state, holder),
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

fn spending(card: &Card) -> [SpendingLimit; 1] {
    let amount = card.spending_limit.unwrap_or_else(|| Decimal::from(20_000));
    [SpendingLimit {
        amount: amount.normalize().to_string(),
        interval: "PER_TRANSACTION",
    }]
}

pub(crate) fn cents(amount: Decimal) -> String {
    format!("{amount:.2}")
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
