//! Reading orders: what needs somebody, and everything about one.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use issuance::Engine;
use issuance::store::{AttentionFilter, Query};
use serde::Deserialize;

use crate::cursor;
use crate::listing::{self, ListParams, MAX_LIMIT, Params, optional};
use crate::order_path::{OrderPath, etag, existing};
use crate::problem::{Code, Problem};
use crate::views::{
    AttentionGroupView, AttentionListView, AttentionOrderView, OrderDetailView, OrderPageView,
    OrderView, TaskView, TimelineEntryView, action_names,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttentionParams {
    cursor: Option<String>,
    limit: Option<String>,
}

/// Orders a person should look at, grouped by reason; those with more orders first.
pub(super) async fn attention(
    State(engine): State<Engine>,
    Params(params): Params<AttentionParams>,
) -> Result<Json<AttentionListView>, Problem> {
    let query = Query {
        attention: Some(AttentionFilter::Any),
        before: optional("cursor", params.cursor.as_deref(), |text| {
            cursor::read(text).ok_or(())
        })?,
        limit: listing::limit(params.limit.as_deref(), MAX_LIMIT)?,
        ..Query::default()
    };
    let page = engine.list(&query).await?;
    let mut groups: BTreeMap<String, AttentionGroupView> = BTreeMap::new();
    for (reason, count) in engine.counts().await?.attention {
        groups.insert(
            reason.clone(),
            AttentionGroupView {
                reason,
                count,
                orders: Vec::new(),
            },
        );
    }
    for order in &page.orders {
        let Some(attention) = &order.attention else {
            continue;
        };
        let reason = attention.reason.name();
        let group = groups
            .entry(reason.to_owned())
            .or_insert_with(|| AttentionGroupView {
                reason: reason.to_owned(),
                count: 0,
                orders: Vec::new(),
            });
        group.orders.push(AttentionOrderView {
            order: listing::view(&engine, order).await?,
            allowed_actions: action_names(&engine.allowed_actions(order)),
        });
        // The counts were read after the page, and may know less of it.
        group.count = group.count.max(group.orders.len() as u64);
    }
    let mut groups: Vec<_> = groups
        .into_values()
        .filter(|group| group.count > 0)
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    Ok(Json(AttentionListView {
        groups,
        next_cursor: page.next.map(cursor::write),
    }))
}

pub(super) async fn list(
    State(engine): State<Engine>,
    Params(params): Params<ListParams>,
) -> Result<Json<OrderPageView>, Problem> {
    Ok(Json(listing::page(&engine, &params).await?))
}

/// One order with its timeline, its tasks and what can be done.
pub(super) async fn show(
    State(engine): State<Engine>,
    OrderPath(id): OrderPath,
) -> Result<Response, Problem> {
    let order = existing(&engine, id).await?;
    let mut tasks = engine.tasks(id).await?;
    tasks.sort_by_key(|task| task.due);
    let history = engine.history(id).await?;
    let timeline: Result<Vec<_>, _> = history.iter().map(TimelineEntryView::try_from).collect();
    let view = OrderDetailView {
        order: OrderView::of(&order, &tasks),
        allowed_actions: action_names(&engine.allowed_actions(&order)),
        tasks: tasks.iter().map(TaskView::from).collect(),
        timeline: timeline.map_err(|_| Problem::from(Code::Internal))?,
    };
    Ok(([(ETAG, etag(order.version))], Json(view)).into_response())
}
