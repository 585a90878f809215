//! Where the records of one file are: of each order and field the latest in that file. Small on purpose: a map entry per
//! order, and a box for those with more than one record.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::open::DamagedRecord;
use super::record::{Change, Content, RawContent, Record};

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

/// One record of an order in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) field: FieldHash,
    pub(super) offset: u32,
}

/// What has to be known of a record besides its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Erased,
    /// The value is in the record, under this key.
    Inline(String),
    /// The value is in this file.
    Large(String),
}

/// A record as a table takes it.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) order: Uuid,
    pub(super) field: FieldHash,
    pub(super) kind: Kind,
}

impl About {
    pub(super) fn record(record: &Record<'_>) -> Self {
        match record {
            Record::Erased { order } => Self::erasure(*order),
            Record::Sealed(record) => Self {
                order: record.order,
                field: FieldHash::of(&record.field),
                kind: match &record.content {
                    RawContent::Inline(_) => Kind::Inline(record.key.clone().into_owned()),
                    RawContent::File { name, .. } => Kind::Large(name.clone().into_owned()),
                },
            },
        }
    }

    pub(super) fn change(change: &Change) -> Self {
        match change {
            Change::Erase(order) => Self::erasure(*order),
            Change::Put(sealed) => Self {
                order: sealed.order,
                field: FieldHash::of(&sealed.field),
                kind: match &sealed.content {
                    Content::Inline(_) => Kind::Inline(sealed.key.clone()),
                    Content::File { name, .. } => Kind::Large(name.clone()),
                },
            },
        }
    }

    fn erasure(order: Uuid) -> Self {
        Self {
            order,
            field: FieldHash::ERASED,
            kind: Kind::Erased,
        }
    }
}

/// An order's slots. Most have one, which then needs no room of its own.
#[derive(Clone, Debug)]
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

/// What stands in one file. An erasure leaves none of the order's slots before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    orders: BTreeMap<Uuid, Slots>,
    slots: u64,
    /// Records that a later one of the same file replaced.
    replaced: u64,
    /// By offset, the files that hold values of their own.
    large: BTreeMap<u32, String>,
    /// The last record under each key, of those that have their value with them.
    keys: Vec<(String, u32)>,
    /// Records that cannot be read: the first of them, and how many there are.
    damaged: (Vec<DamagedRecord>, u64),
}

/// Damaged records that are named one by one.
pub(super) const NAMED_MAX: usize = 100;

impl Table {
    /// The record at `offset` is the latest of its order and field.
    pub(super) fn take(&mut self, about: About, offset: u32) {
        match about.kind {
            Kind::Erased => return self.erase(about.order, offset),
            Kind::Inline(key) => match self.keys.iter_mut().find(|(of, _)| *of == key) {
                Some((_, last)) => *last = offset,
                None => self.keys.push((key, offset)),
            },
            Kind::Large(name) => drop(self.large.insert(offset, name)),
        }
        self.put(about.order, about.field, offset);
    }

    pub(super) fn put(&mut self, order: Uuid, field: FieldHash, offset: u32) {
        let slot = Slot { field, offset };
        match self.orders.entry(order) {
            Entry::Vacant(entry) => drop(entry.insert(Slots::One([slot]))),
            Entry::Occupied(entry) => {
                let slots = entry.into_mut();
                match slots.all_mut().iter_mut().find(|slot| slot.field == field) {
                    Some(old) => {
                        self.large.remove(&old.offset);
                        old.offset = offset;
                        self.replaced += 1;
                        return;
                    }
                    None => slots.push(slot),
                }
            }
        }
        self.slots += 1;
    }

    /// Nothing of the order counts any more but the record at `offset`, which says so.
    pub(super) fn erase(&mut self, order: Uuid, offset: u32) {
        let tombstone = Slot {
            field: FieldHash::ERASED,
            offset,
        };
        let old = self.orders.insert(order, Slots::One([tombstone]));
        self.slots += 1;
        for gone in old.iter().flat_map(Slots::all) {
            self.large.remove(&gone.offset);
            self.slots -= 1;
            self.replaced += 1;
        }
    }

    /// Notes a record that cannot be read.
    pub(super) fn damage(&mut self, record: DamagedRecord) {
        self.damaged.1 += 1;
        if self.damaged.0.len() < NAMED_MAX {
            self.damaged.0.push(record);
        }
    }

    /// The order's records.
    pub(super) fn of(&self, order: Uuid) -> &[Slot] {
        self.orders.get(&order).map_or(&[], Slots::all)
    }

    /// Every record, order by order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Uuid, Slot)> {
        let orders = self.orders.iter();
        orders.flat_map(|(order, slots)| slots.all().iter().map(|slot| (*order, *slot)))
    }

    pub(super) fn slots(&self) -> u64 {
        self.slots
    }

    pub(super) fn replaced(&self) -> u64 {
        self.replaced
    }

    pub(super) fn large(&self) -> &BTreeMap<u32, String> {
        &self.large
    }

    pub(super) fn keys(&self) -> &[(String, u32)] {
        &self.keys
    }

    /// The first records that cannot be read.
    pub(super) fn damaged(&self) -> &[DamagedRecord] {
        &self.damaged.0
    }

    pub(super) fn damaged_count(&self) -> u64 {
        self.damaged.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_knows_what_the_last_records_say() {
        let (order, field) = (Uuid::from_u128(1), FieldHash::of("request"));
        let mut table = Table::default();
        table.put(order, field, 0);
        table.put(order, FieldHash::of("body/1"), 9);
        table.put(order, field, 20);
        assert_eq!((table.replaced(), table.slots()), (1, 2));
        assert!(table.of(order).contains(&Slot { field, offset: 20 }));
        table.erase(order, 30);
        assert_eq!((table.replaced(), table.slots()), (3, 1));
        table.put(order, field, 40);
        let fields: Vec<_> = table.of(order).iter().map(|slot| slot.offset).collect();
        assert_eq!((fields, table.slots()), (vec![30, 40], 2));
        assert_eq!(table.of(Uuid::from_u128(2)), []);
    }
}
