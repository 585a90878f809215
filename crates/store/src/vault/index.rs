//! Where the latest record of each order and field is. Small on purpose: a map entry per order, and a box for those with
//! more than one record.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::mem;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A record's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) offset: u32,
}

/// A field's name, shortened. An order has a handful of fields, so 64 bits tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldHash(u64);

impl FieldHash {
    /// Stands for the record that says the order was erased.
    pub(super) const ERASED: Self = Self(0);

    pub(super) fn of(field: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(field).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self(u64::from_le_bytes([a, b, c, d, e, f, g, h]).max(1))
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    field: FieldHash,
    place: Place,
}

/// An order's slots. Most have one, which then needs no room of its own.
#[derive(Debug)]
enum Slots {
    One([Slot; 1]),
    Many(Box<[Slot]>),
}

impl Slots {
    fn all(&self) -> &[Slot] {
        match self {
            Self::One(slot) => slot,
            Self::Many(slots) => slots,
        }
    }

    fn all_mut(&mut self) -> &mut [Slot] {
        match self {
            Self::One(slot) => slot,
            Self::Many(slots) => slots,
        }
    }

    fn push(&mut self, slot: Slot) {
        *self = Self::Many(self.all().iter().copied().chain([slot]).collect());
    }
}

/// The map, and how many records of each file no longer count.
#[derive(Debug, Default)]
pub(super) struct Index {
    orders: HashMap<[u8; 16], Slots>,
    garbage: BTreeMap<u32, u64>,
}

impl Index {
    pub(super) fn get(&self, order: Uuid, field: FieldHash) -> Option<Place> {
        let slots = self.orders.get(order.as_bytes())?;
        slots
            .all()
            .iter()
            .find(|slot| slot.field == field)
            .map(|slot| slot.place)
    }

    /// Whether anything of the order counts but its erasure.
    pub(super) fn holds(&self, order: Uuid) -> bool {
        let slots = self.orders.get(order.as_bytes());
        slots.is_some_and(|slots| {
            slots
                .all()
                .iter()
                .any(|slot| slot.field != FieldHash::ERASED)
        })
    }

    /// The record at `place` is the latest of its order and field.
    pub(super) fn put(&mut self, order: Uuid, field: FieldHash, place: Place) {
        let slot = Slot { field, place };
        let slots = match self.orders.entry(*order.as_bytes()) {
            Entry::Vacant(entry) => {
                entry.insert(Slots::One([slot]));
                return;
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        match slots.all_mut().iter_mut().find(|slot| slot.field == field) {
            Some(slot) => {
                let old = mem::replace(&mut slot.place, place);
                *self.garbage.entry(old.file).or_default() += 1;
            }
            None => slots.push(slot),
        }
    }

    /// Nothing of the order counts any more but the record at `place`, which says so.
    pub(super) fn erase(&mut self, order: Uuid, place: Place) {
        let tombstone = Slot {
            field: FieldHash::ERASED,
            place,
        };
        let tombstone = Slots::One([tombstone]);
        let old = self.orders.insert(*order.as_bytes(), tombstone);
        for slot in old.iter().flat_map(Slots::all) {
            *self.garbage.entry(slot.place.file).or_default() += 1;
        }
    }

    /// Compaction copied a record; false when a later one has taken its place meanwhile.
    pub(super) fn moved(&mut self, order: Uuid, field: FieldHash, from: Place, to: Place) -> bool {
        let slots = self
            .orders
            .get_mut(order.as_bytes())
            .map(Slots::all_mut)
            .unwrap_or_default();
        let slot = slots
            .iter_mut()
            .find(|slot| slot.field == field && slot.place == from);
        let live = slot.map(|slot| slot.place = to).is_some();
        if !live {
            *self.garbage.entry(to.file).or_default() += 1;
        }
        live
    }

    /// How many records of the file no longer count.
    pub(super) fn garbage(&self, file: u32) -> u64 {
        self.garbage.get(&file).copied().unwrap_or(0)
    }

    /// The file holds nothing but what counts.
    pub(super) fn is_clean(&mut self, file: u32) {
        self.garbage.remove(&file);
    }

    /// Records that count.
    pub(super) fn records(&self) -> u64 {
        self.orders
            .values()
            .map(|slots| slots.all().len() as u64)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_replaced_while_it_is_copied_stays_replaced() {
        let (order, field) = (Uuid::from_u128(1), FieldHash::of("request"));
        let place = |file, offset| Place { file, offset };
        let mut index = Index::default();
        index.put(order, field, place(1, 0));
        index.put(order, FieldHash::of("body/1"), place(1, 9));
        index.put(order, field, place(2, 0));
        assert_eq!((index.garbage(1), index.records()), (1, 2));

        assert!(!index.moved(order, field, place(1, 0), place(1, 7)));
        assert_eq!(index.get(order, field), Some(place(2, 0)));
        assert!(index.moved(order, field, place(2, 0), place(3, 0)));
        assert_eq!(index.get(order, field), Some(place(3, 0)));

        index.erase(order, place(4, 0));
        assert!(!index.moved(order, field, place(3, 0), place(5, 0)));
        assert_eq!((index.get(order, field), index.records()), (None, 1));
    }
}
