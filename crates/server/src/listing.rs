//! Lists of orders, as both interfaces give them: filters in, a page out.

use axum::extract::FromRequestParts;
use axum::extract::Query as UrlQuery;
use axum::http::request::Parts;
use issuance::Engine;
use issuance::domain::{Account, Order, ProductId, Reference};
use issuance::store::{AttentionFilter, HostReference, Query};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cursor;
use crate::problem::{Code, FieldError, Problem};
use crate::views::{OrderPageView, OrderView};

/// Orders on a page unless asked otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Most orders on a page.
pub(crate) const MAX_LIMIT: usize = 200;

const STATES: [&str; 5] = ["requested", "accepted", "idv_pending", "active", "failed"];

/// Query parameters, every one of which is known, given at most once and readable.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match UrlQuery::from_request_parts(parts, state).await {
            Ok(UrlQuery(params)) => Ok(Self(params)),
            Err(_) => Err(Code::InvalidQuery.into()),
        }
    }
}

/// What a list of orders can be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParams {
    state: Option<String>,
    attention: Option<String>,
    account: Option<String>,
    product: Option<String>,
    reference: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

/// The page that was asked for.
pub(crate) async fn page(engine: &Engine, params: &ListParams) -> Result<OrderPageView, Problem> {
    let query = query(params)?;
    let Some(reference) = optional(
        "reference",
        params.reference.as_deref(),
        str::parse::<Reference>,
    )?
    else {
        let page = engine.list(&query).await?;
        let next_cursor = page.next.map(cursor::write);
        let mut orders = Vec::with_capacity(page.orders.len());
        for order in &page.orders {
            orders.push(view(engine, order).await?);
        }
        return Ok(OrderPageView {
            orders,
            next_cursor,
        });
    };
    // At most one order of an account has a reference; without an account it is the main one's.
    let found = engine
        .find(&HostReference {
            account: query.account.clone(),
            reference,
        })
        .await?;
    let fits =
        |order: &Order| query.matches(order) && query.before.is_none_or(|before| order.id < before);
    let mut orders = Vec::new();
    if let Some(order) = found.filter(|order| fits(order)) {
        orders.push(view(engine, &order).await?);
    }
    Ok(OrderPageView {
        orders,
        next_cursor: None,
    })
}

/// An order with its next step.
pub(crate) async fn view(engine: &Engine, order: &Order) -> Result<OrderView, Problem> {
    Ok(OrderView::of(order, &engine.tasks(order.id).await?))
}

fn query(params: &ListParams) -> Result<Query, Problem> {
    let known_state = |word: &str| STATES.contains(&word).then(|| word.to_owned()).ok_or(());
    Ok(Query {
        state: optional("state", params.state.as_deref(), known_state)?,
        attention: optional("attention", params.attention.as_deref(), attention)?,
        account: optional("account", params.account.as_deref(), str::parse::<Account>)?,
        product: optional(
            "product",
            params.product.as_deref(),
            str::parse::<ProductId>,
        )?,
        before: optional("cursor", params.cursor.as_deref(), |text| {
            cursor::read(text).ok_or(())
        })?,
        limit: limit(params.limit.as_deref(), DEFAULT_LIMIT)?,
    })
}

/// `any`, or a reason's name. Reasons grow, so a name nobody has matches nothing rather than being refused.
fn attention(word: &str) -> Result<AttentionFilter, ()> {
    let is_name = (1..=64).contains(&word.len())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match word {
        "any" => Ok(AttentionFilter::Any),
        name if is_name => Ok(AttentionFilter::Reason(name.to_owned())),
        _ => Err(()),
    }
}

/// 1 to [`MAX_LIMIT`].
pub(crate) fn limit(text: Option<&str>, otherwise: usize) -> Result<usize, Problem> {
    let within = |text: &str| {
        text.parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or(())
    };
    Ok(optional("limit", text, within)?.unwrap_or(otherwise))
}

/// A parameter that may be absent.
pub(crate) fn optional<T, E>(
    name: &'static str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Problem> {
    let rule = match name {
        "state" => "one of requested, accepted, idv_pending, active, failed",
        "attention" => "`any` or the name of a reason",
        "cursor" => "the `next_cursor` of the page before",
        "limit" => "1 to 200",
        "after" => "a position of the log",
        _ => "1 to 64 visible ASCII characters (a reference: 128)",
    };
    let wrong = |_| Problem::with_errors(Code::InvalidQuery, vec![FieldError::invalid(name, rule)]);
    text.map(|text| read(text).map_err(wrong)).transpose()
}
