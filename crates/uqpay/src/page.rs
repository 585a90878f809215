//! Paging: always both parameters; sort order is undocumented and rows can shift (contract §1.7).

use serde::Deserialize;
use thiserror::Error;

use crate::read;

/// Which page to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    number: u32,
    size: u32,
}

/// A page that the provider would refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("page {number} of size {size}: want a number from 1 and a size from 10 to 100")]
pub struct InvalidPage {
    number: u32,
    size: u32,
}

impl PageRequest {
    /// Largest page.
    pub const MAX_SIZE: u32 = 100;
    /// Smallest page that every list accepts.
    pub const MIN_SIZE: u32 = 10;

    /// Page `number`, counted from 1, of `size` rows.
    ///
    /// # Errors
    /// [`InvalidPage`] outside the documented ranges.
    pub fn new(number: u32, size: u32) -> Result<Self, InvalidPage> {
        if number >= 1 && (Self::MIN_SIZE..=Self::MAX_SIZE).contains(&size) {
            Ok(Self { number, size })
        } else {
            Err(InvalidPage { number, size })
        }
    }

    /// The first page of the largest size.
    #[must_use]
    pub fn first() -> Self {
        Self {
            number: 1,
            size: Self::MAX_SIZE,
        }
    }

    /// The page after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            number: self.number.saturating_add(1),
            ..self
        }
    }

    /// Page number, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number
    }

    /// Rows asked for.
    #[must_use]
    pub fn size(self) -> u32 {
        self.size
    }
}

/// One page of a list. Scans overlap pages and drop repeated ids; one scan proves nothing (contract §1.7).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Page<T> {
    /// How many pages there are, if said.
    #[serde(default, deserialize_with = "read::count")]
    pub total_pages: Option<u64>,
    /// How many rows there are in all pages, if said.
    #[serde(default, deserialize_with = "read::count")]
    pub total_items: Option<u64>,
    /// The rows; one unreadable row makes the page unreadable, since a list also serves as proof of absence.
    #[serde(deserialize_with = "read::list")]
    pub data: Vec<T>,
}
