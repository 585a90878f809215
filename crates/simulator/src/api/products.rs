//! `GET /v1/issuing/products` (contract §2.1).

use std::sync::LazyLock;

use serde_json::value::{RawValue, to_raw_value};

use super::outgoing::Reply;
use crate::catalogue::products;
use crate::errors::Refusal;
use crate::requests::Page;
use crate::state::State;
use crate::variants::{self, Shaped, shaped};
use crate::views::List;

/// Each as it usually stands in the list: the catalogue never changes.
static USUAL: LazyLock<Vec<Box<RawValue>>> = LazyLock::new(|| {
    let written = |product| to_raw_value(product).unwrap_or_else(|_| RawValue::NULL.to_owned());
    products().iter().map(written).collect()
});

pub(crate) fn list(state: &State, page: Page) -> Result<Reply, Refusal> {
    let all = products()
        .iter()
        .zip(USUAL.iter())
        .filter(|(product, _)| state.offers(product.id));
    let rows = all
        .clone()
        .skip(page.size.saturating_mul(page.number - 1))
        .take(page.size)
        .map(|(product, usual)| match state.choice(product.id) {
            None => Shaped::Usual(usual),
            Some(choice) => match shaped(Some(choice), product, variants::product) {
                Shaped::Varied(view) => Shaped::Varied(view),
                Shaped::Usual(_) => Shaped::Usual(usual),
            },
        })
        .collect();
    Ok(Reply::of(&List::of(rows, all.count(), page.size)))
}
