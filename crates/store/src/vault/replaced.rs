//! Which records a newer file has replaced: all files side by side, order by order, in memory for one record of each.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::iter::Peekable;
use std::sync::Arc;

use uuid::Uuid;

use super::hint::Unsound;
use super::index::Places;
use super::table::{FieldHash, Slot};
use crate::journal::disk::DiskFile;

/// Records that a newer file replaced, or an erasure in one, by file and offset.
#[derive(Debug, Default)]
pub(super) struct Replaced(HashMap<u32, HashSet<u32>>);

impl Replaced {
    pub(super) fn contains(&self, file: u32, offset: u32) -> bool {
        self.0.get(&file).is_some_and(|at| at.contains(&offset))
    }

    pub(super) fn count(&self, file: u32) -> u64 {
        self.0.get(&file).map_or(0, |at| at.len() as u64)
    }
}

/// The records of one file.
pub(super) struct Source {
    pub(super) file: u32,
    pub(super) places: Arc<Places>,
}

/// Opens the hint of a file.
pub(super) type OpenHint<'a> = dyn Fn(u32) -> Result<Arc<dyn DiskFile>, Unsound> + 'a;
type Rows<'a> = Peekable<Box<dyn Iterator<Item = Result<(Uuid, Slot), Unsound>> + 'a>>;

impl Source {
    fn rows<'a>(&'a self, hint: &'a OpenHint<'a>) -> Rows<'a> {
        let rows: Box<dyn Iterator<Item = _>> = match &*self.places {
            Places::Known(table) => Box::new(table.rows().map(Ok)),
            Places::Hinted(of) => Box::new(of.rows(|| hint(self.file))),
        };
        rows.peekable()
    }
}

/// What has been said of an order by newer files.
#[derive(Default)]
struct Said {
    order: Uuid,
    fields: Vec<FieldHash>,
    erased: bool,
}

/// Compares all files. The number of one whose hint is not sound is the error.
pub(super) fn find(sources: &[Source], hint: &OpenHint<'_>) -> Result<Replaced, u32> {
    let mut rows: Vec<_> = sources.iter().map(|source| source.rows(hint)).collect();
    // The smallest order first, and of it the newest file.
    let mut next = BinaryHeap::new();
    for (at, source) in sources.iter().enumerate() {
        push(&mut next, &mut rows[at], source.file, at)?;
    }
    let mut replaced = Replaced::default();
    let mut said = Said::default();
    while let Some((Reverse(order), file, at)) = next.pop() {
        if said.order != order {
            said = Said {
                order,
                ..Said::default()
            };
        }
        let (fields, erased) = (said.fields.len(), said.erased);
        while let Some(row) = rows[at].next_if(|row| row.as_ref().is_ok_and(|row| row.0 == order)) {
            let (_, slot) = row.map_err(|Unsound| file)?;
            if erased || said.fields[..fields].contains(&slot.field) {
                replaced.0.entry(file).or_default().insert(slot.offset);
            }
            said.erased |= slot.field == FieldHash::ERASED;
            said.fields.push(slot.field);
        }
        push(&mut next, &mut rows[at], file, at)?;
    }
    Ok(replaced)
}

type Next = BinaryHeap<(Reverse<Uuid>, u32, usize)>;

fn push(next: &mut Next, rows: &mut Rows<'_>, file: u32, at: usize) -> Result<(), u32> {
    match rows.peek() {
        Some(Ok((order, _))) => next.push((Reverse(*order), file, at)),
        Some(Err(Unsound)) => return Err(file),
        None => {}
    }
    Ok(())
}
