//! Rows in the order they were made, found by id.

use std::collections::HashMap;

use uuid::Uuid;

use super::entities::{Card, CardOrder, Cardholder};

pub(crate) trait Row {
    fn id(&self) -> Uuid;
}

impl Row for Card {
    fn id(&self) -> Uuid {
        self.id
    }
}

impl Row for CardOrder {
    fn id(&self) -> Uuid {
        self.id
    }
}

impl Row for Cardholder {
    fn id(&self) -> Uuid {
        self.id
    }
}

#[derive(Debug)]
pub(crate) struct Table<T> {
    rows: Vec<T>,
    places: HashMap<Uuid, usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<T: Row> Table<T> {
    pub(crate) fn get(&self, id: Uuid) -> Option<&T> {
        self.places.get(&id).and_then(|place| self.rows.get(*place))
    }

    /// Inserts or replaces; answers what stood there before.
    pub(crate) fn put(&mut self, row: T) -> Option<T> {
        match self.places.get(&row.id()) {
            Some(place) => self
                .rows
                .get_mut(*place)
                .map(|old| std::mem::replace(old, row)),
            None => {
                self.places.insert(row.id(), self.rows.len());
                self.rows.push(row);
                None
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter()
    }
}
