//! Keys and values as sled has them. All tables share one tree; a value longer than sled likes is spread over rows.

use super::error::IndexError;
use crate::book::TableId;

/// The key of the row about all rows; no table has this number.
pub(super) const META: &[u8] = &[0];
/// Parts of long values lie under this number and the key they belong to.
const PARTS: u8 = 0xff;
/// sled puts longer values in files of their own, which it never syncs; far below that it is also faster.
const PART_MAX: usize = 32 << 10;

const WHOLE: u8 = 0;
const SPREAD: u8 = 1;

/// A table's key.
pub(super) fn key(table: TableId, key: &[u8]) -> Vec<u8> {
    [&[table as u8][..], key].concat()
}

fn part_key(key: &[u8], number: u16) -> Vec<u8> {
    [&[PARTS][..], key, &number.to_be_bytes()].concat()
}

/// Hands over the rows a value becomes, its parts first.
pub(super) fn split(
    table: TableId,
    row: &[u8],
    mut value: Vec<u8>,
    mut put: impl FnMut(&[u8], &[u8]) -> Result<(), IndexError>,
) -> Result<(), IndexError> {
    let key = key(table, row);
    if value.len() <= PART_MAX {
        value.insert(0, WHOLE);
        return put(&key, &value);
    }
    let mut count: u16 = 0;
    for part in value.chunks(PART_MAX) {
        put(&part_key(&key, count), part)?;
        count = count.checked_add(1).ok_or(IndexError::Row)?;
    }
    put(&key, &[&[SPREAD][..], &count.to_be_bytes()].concat())
}

/// The value behind what a key holds.
pub(super) fn join(
    key: &[u8],
    held: &[u8],
    part: impl Fn(&[u8]) -> Result<Option<sled::IVec>, IndexError>,
) -> Result<Vec<u8>, IndexError> {
    match held.split_first() {
        Some((&WHOLE, value)) => Ok(value.to_vec()),
        Some((&SPREAD, count)) => {
            let count = u16::from_be_bytes(count.try_into().map_err(|_| IndexError::Row)?);
            let mut value = Vec::with_capacity(usize::from(count) * PART_MAX);
            for number in 0..count {
                value.extend_from_slice(&part(&part_key(key, number))?.ok_or(IndexError::Row)?);
            }
            Ok(value)
        }
        _ => Err(IndexError::Row),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn long_values_are_spread_and_joined() {
        for length in [
            0,
            1,
            PART_MAX - 1,
            PART_MAX,
            PART_MAX + 1,
            5 * PART_MAX,
            5 * PART_MAX + 7,
        ] {
            let value: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            let mut rows = BTreeMap::new();
            split(TableId::Orders, b"key", value.clone(), |key, value| {
                assert!(value.len() < 64 << 10);
                rows.insert(key.to_vec(), sled::IVec::from(value));
                Ok(())
            })
            .unwrap();
            let key = key(TableId::Orders, b"key");
            let joined = join(&key, &rows[&key], |part| Ok(rows.get(part).cloned())).unwrap();
            assert_eq!(joined, value, "of {length} bytes");
        }
    }
}
