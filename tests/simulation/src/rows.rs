//! What a store keeps beside its log to find orders by: each row is there, and none is left behind (S10).

use std::collections::BTreeMap;

use futures_util::FutureExt;
use issuance_domain::Order;
use issuance_store::{Alias, AttentionFilter, HostReference, Query, SimulatedStore, Store};

use crate::watch::Broken;

/// An order is found by each of its names.
pub(crate) fn found(store: &SimulatedStore, order: &Order) -> Option<Broken> {
    let lost = Alias::of(&order.ids).into_iter().find(|alias| {
        let found = store.find(alias).now_or_never();
        matches!(found, Some(Ok(orders)) if !orders.contains(&order.id))
    });
    if let Some(alias) = lost {
        let what = format!("it is not found by {}", alias.key());
        return Some(("S10", Some(order.id), what));
    }
    let reference = HostReference::of(&order.terms);
    let found = store.find_reference(&reference).now_or_never();
    matches!(found, Some(Ok(found)) if found != Some(order.id)).then(|| {
        let what = format!(
            "it is not found by its host's name {}",
            order.terms.reference
        );
        ("S10", Some(order.id), what)
    })
}

/// Every list and every sum is what the orders make it.
pub(crate) fn all(store: &SimulatedStore, orders: &[&Order]) -> Option<Broken> {
    let listed = |query: Query| {
        let page = store.list(&query).now_or_never()?.ok()?;
        Some(page.orders.iter().map(|order| order.id).collect::<Vec<_>>())
    };
    for order in orders {
        let state = Some(order.state.name().to_owned());
        let before = Query {
            limit: 1_000,
            ..Query::default()
        };
        let called = Query {
            attention: Some(AttentionFilter::Any),
            ..before.clone()
        };
        let here = listed(Query { state, ..before })?.contains(&order.id);
        let called = listed(called)?.contains(&order.id) == order.attention.is_some();
        if !here || !called {
            let list = if here {
                "of those a person is called to"
            } else {
                "of its state"
            };
            let what = format!("the list {list} is not what its events make it");
            return Some(("S10", Some(order.id), what));
        }
    }
    let counts = store.counts().now_or_never()?.ok()?;
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    let mut attention: BTreeMap<String, u64> = BTreeMap::new();
    for order in orders {
        *states.entry(order.state.name().to_owned()).or_default() += 1;
        if let Some(called) = &order.attention {
            *attention
                .entry(called.reason.name().to_owned())
                .or_default() += 1;
        }
    }
    (counts.states != states || counts.attention != attention).then(|| {
        let what = format!(
            "the store counts {:?} and {:?}, its orders are {states:?} and {attention:?}",
            counts.states, counts.attention
        );
        ("S10", None, what)
    })
}
