//! `GET /v1/issuing/products` (contract §2.1).

use super::outgoing::Reply;
use crate::catalogue::products;
use crate::errors::Refusal;
use crate::requests::Page;
use crate::views::List;

pub(crate) fn list(page: Page) -> Result<Reply, Refusal> {
    let all = products();
    let rows = all
        .iter()
        .skip(page.size.saturating_mul(page.number - 1))
        .take(page.size)
        .collect();
    Ok(Reply::of(&List::of(rows, all.len(), page.size)))
}
