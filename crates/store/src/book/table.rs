//! One table: new rows in memory over rows on the ground, read as one.

use std::cmp::Ordering;
use std::collections::btree_map::{BTreeMap, Range};
use std::collections::{HashSet, VecDeque};
use std::iter::Fuse;
use std::ops::Bound;
use std::sync::Arc;

use super::ground::{Entries, Ground, Span, TableId};
use super::row::Row;
use crate::error::StoreError;

/// Rows by key; `None` is a removed row.
pub(crate) type Layer<V> = BTreeMap<Vec<u8>, Option<V>>;

/// A table of rows.
#[derive(Debug)]
pub(crate) struct Table<V> {
    id: TableId,
    ground: Arc<dyn Ground>,
    /// Not on the ground yet.
    fresh: Layer<V>,
    /// Keys of fresh rows that are nowhere else.
    added: HashSet<Vec<u8>>,
    /// On its way to the ground.
    frozen: Arc<Layer<V>>,
    recent: Recent<V>,
}

/// Layers lately written to the ground, the newest first.
#[derive(Debug)]
struct Recent<V> {
    /// Rows that may be kept; the newest layer is kept whatever its size.
    room: usize,
    rows: usize,
    layers: VecDeque<Arc<Layer<V>>>,
}

/// Every read of an older row looks through all of them.
const LAYERS_MAX: usize = 8;

impl<V: Row> Table<V> {
    /// A table that keeps up to `room` rows at hand which are on the ground already.
    pub(crate) fn new(id: TableId, ground: Arc<dyn Ground>, room: usize) -> Self {
        let recent = Recent {
            room,
            rows: 0,
            layers: VecDeque::new(),
        };
        Self {
            id,
            ground,
            fresh: Layer::new(),
            added: HashSet::new(),
            frozen: Arc::default(),
            recent,
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<V>, StoreError> {
        if let Some(row) = self.fresh.get(key).or_else(|| self.frozen.get(key)) {
            return Ok(row.clone());
        }
        if let Some(row) = self.recent.layers.iter().find_map(|layer| layer.get(key)) {
            return Ok(row.clone());
        }
        self.ground
            .get(self.id, key)?
            .map(|bytes| self.decode(&bytes))
            .transpose()
    }

    pub(crate) fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        match self.fresh.get(key).or_else(|| self.frozen.get(key)) {
            Some(row) => Ok(row.is_some()),
            None => Ok(self.ground.get(self.id, key)?.is_some()),
        }
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, row: V) {
        self.fresh.insert(key, Some(row));
    }

    /// Puts a row that was not there. If it is removed before it is on its way to the ground, nothing of it gets there.
    pub(crate) fn add(&mut self, key: Vec<u8>, row: V) {
        if self.fresh.insert(key.clone(), Some(row)).is_none() {
            self.added.insert(key);
        }
    }

    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        if self.added.remove(&key) {
            self.fresh.remove(&key);
        } else {
            self.fresh.insert(key, None);
        }
    }

    /// Up to `limit` rows of a span.
    pub(crate) fn range(&self, span: &Span, limit: usize) -> Result<Vec<(Vec<u8>, V)>, StoreError> {
        let mut merged = Merge {
            fresh: walk(&self.fresh, span),
            frozen: walk(&self.frozen, span),
            ground: self.ground.range(self.id, span).fuse(),
            heads: [None, None],
            ground_head: None,
            descending: span.descending,
        };
        let mut rows = Vec::new();
        while rows.len() < limit {
            match merged.next()? {
                Some((key, Found::Memory(row))) => rows.push((key, row)),
                Some((key, Found::Ground(bytes))) => rows.push((key, self.decode(&bytes)?)),
                None => break,
            }
        }
        Ok(rows)
    }

    /// The keys of such rows.
    pub(crate) fn keys(&self, span: &Span, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = self.range(span, limit)?.into_iter();
        Ok(rows.map(|(key, _)| key).collect())
    }

    /// How many rows wait for the ground.
    pub(crate) fn fresh(&self) -> usize {
        self.fresh.len()
    }

    /// Takes what waits, to be written to the ground; stays readable until [`Table::thaw`].
    pub(crate) fn freeze(&mut self) -> Arc<Layer<V>> {
        self.added.clear();
        self.frozen = Arc::new(std::mem::take(&mut self.fresh));
        Arc::clone(&self.frozen)
    }

    /// What was frozen is on the ground. Returns what is no longer kept, for the caller to drop where nobody waits.
    pub(crate) fn thaw(&mut self) -> Vec<Arc<Layer<V>>> {
        let frozen = std::mem::take(&mut self.frozen);
        let recent = &mut self.recent;
        if recent.room == 0 {
            return vec![frozen];
        }
        recent.rows += frozen.len();
        recent.layers.push_front(frozen);
        let mut dropped = Vec::new();
        while recent.layers.len() > 1
            && (recent.rows > recent.room || recent.layers.len() > LAYERS_MAX)
        {
            let oldest = recent.layers.pop_back();
            recent.rows -= oldest.as_ref().map_or(0, |layer| layer.len());
            dropped.extend(oldest);
        }
        dropped
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, StoreError> {
        V::decode(bytes).ok_or_else(|| StoreError::Damaged {
            what: format!("a row of index table {:?}", self.id),
        })
    }
}

/// A layer's rows of a span; nothing of an empty one.
type Walk<'a, V> = Option<Range<'a, Vec<u8>, Option<V>>>;

fn walk<'a, V>(layer: &'a Layer<V>, span: &Span) -> Walk<'a, V> {
    (!is_empty(span)).then(|| layer.range::<Vec<u8>, _>((span.from.as_ref(), span.to.as_ref())))
}

/// A range whose end is not after its start makes a map panic.
fn is_empty(span: &Span) -> bool {
    match (&span.from, &span.to) {
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to)) => from >= to,
        (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

enum Found<V> {
    Memory(V),
    Ground(Vec<u8>),
}

/// A key, and what is found under it.
type Merged<V> = (Vec<u8>, Found<V>);

/// Three sorted walks as one; of equal keys the newest layer's row counts.
struct Merge<'a, V> {
    fresh: Walk<'a, V>,
    frozen: Walk<'a, V>,
    /// Written to meanwhile: what comes after its end was in memory, and has been passed.
    ground: Fuse<Entries<'a>>,
    heads: [Option<(&'a Vec<u8>, &'a Option<V>)>; 2],
    ground_head: Option<(Vec<u8>, Vec<u8>)>,
    descending: bool,
}

impl<'a, V: Row> Merge<'a, V> {
    fn next(&mut self) -> Result<Option<Merged<V>>, StoreError> {
        loop {
            self.fill()?;
            let memory = self.heads.iter().flatten().map(|head| head.0);
            let ground = self.ground_head.as_ref().map(|head| &head.0);
            let order =
                |a: &&Vec<u8>, b: &&Vec<u8>| if self.descending { b.cmp(a) } else { a.cmp(b) };
            let Some(key) = memory.chain(ground).min_by(order).cloned() else {
                return Ok(None);
            };
            let taken = self
                .heads
                .each_mut()
                .map(|head| head.take_if(|head| head.0.cmp(&key) == Ordering::Equal));
            let below = self.ground_head.take_if(|head| head.0 == key);
            match (taken.into_iter().flatten().next(), below) {
                (Some((_, Some(row))), _) => return Ok(Some((key, Found::Memory(row.clone())))),
                (Some((_, None)), _) | (None, None) => {}
                (None, Some((_, bytes))) => return Ok(Some((key, Found::Ground(bytes)))),
            }
        }
    }

    fn fill(&mut self) -> Result<(), StoreError> {
        let descending = self.descending;
        let step = |walk: &mut Walk<'a, V>| match descending {
            true => walk.as_mut()?.next_back(),
            false => walk.as_mut()?.next(),
        };
        let [fresh, frozen] = &mut self.heads;
        *fresh = fresh.take().or_else(|| step(&mut self.fresh));
        *frozen = frozen.take().or_else(|| step(&mut self.frozen));
        if self.ground_head.is_none() {
            self.ground_head = self.ground.next().transpose()?;
        }
        Ok(())
    }
}
