//! `GET /v1/issuing/products` (contract §2.1).

use super::outgoing::Reply;
use crate::catalogue::products;
use crate::errors::Refusal;
use crate::requests::Page;
use crate::state::State;
use crate::variants::{self, shaped};
use crate::views::List;

pub(crate) fn list(state: &State, page: Page) -> Result<Reply, Refusal> {
    let all = products();
    let rows = all
        .iter()
        .skip(page.size.saturating_mul(page.number - 1))
        .take(page.size)
        .map(|product| shaped(state.choice(product.id), product, variants::product))
        .collect();
    Ok(Reply::of(&List::of(rows, all.len(), page.size)))
}
