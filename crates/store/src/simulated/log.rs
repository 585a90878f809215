//! The log of a simulated store: what a disk would hold.

use issuance_domain::planted::{self, Bug};
use issuance_domain::{Event, MessageId, OrderId, Version, evolve};

use crate::book::{Change, OrderChange, Place, Rows};
use crate::error::StoreError;
use crate::message::{Message, Standing};
use crate::position::Position;
use crate::projection::Projection;
use crate::record::Recorded;
use crate::store::{Sealing, erases};

/// One atomic append.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Events {
        order: OrderId,
        before: Version,
        events: Vec<Event>,
        settles: Option<MessageId>,
        sealed: Vec<Sealing>,
    },
    Received {
        message: Message,
        sealed: Option<Sealing>,
    },
    Settled {
        id: MessageId,
        standing: Standing,
    },
}

/// A record of a simulated log, as whoever judges it reads it.
#[derive(Debug, Clone)]
pub enum Kept {
    /// An event, and the message it settles with its append: the append's first event has it.
    Event(Recorded, Option<MessageId>),
    /// A webhook came in.
    Received(Message),
    /// A webhook was dealt with, without events.
    Settled(MessageId, Standing),
}

/// An entry with the position of its first record.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) first: Position,
    pub(super) entry: Entry,
}

impl Entry {
    pub(super) fn records(&self) -> u64 {
        match self {
            Self::Events { events, .. } => events.len() as u64,
            Self::Received { .. } | Self::Settled { .. } => 1,
        }
    }

    /// Under which name something is sealed with it.
    pub(super) fn owner(&self) -> String {
        match self {
            Self::Events { order, .. } => order.to_string(),
            Self::Received { message, .. } => message.id.to_string(),
            Self::Settled { id, .. } => id.to_string(),
        }
    }

    /// What is sealed with it.
    pub(super) fn sealed(&self) -> &[Sealing] {
        match self {
            Self::Events { sealed, .. } => sealed,
            Self::Received { sealed, .. } => sealed.as_slice(),
            Self::Settled { .. } => &[],
        }
    }

    /// Under which name sealed data ends with it.
    pub(super) fn erases(&self) -> Option<String> {
        let ends = match self {
            Self::Events { events, .. } => erases(events),
            Self::Settled { standing, .. } => matches!(standing, Standing::Settled { .. }),
            Self::Received { .. } => false,
        };
        ends.then(|| self.owner())
    }

    /// Forgets what was sealed with it, if under this name. How much that was.
    pub(super) fn unseal(&mut self, of: &str) -> u64 {
        if self.sealed().is_empty() || self.owner() != of {
            return 0;
        }
        match self {
            Self::Events { sealed, .. } => std::mem::take(sealed).len() as u64,
            Self::Received { sealed, .. } => u64::from(sealed.take().is_some()),
            Self::Settled { .. } => 0,
        }
    }
}

impl Logged {
    pub(super) fn last(&self) -> Position {
        Position(self.first.0 + self.entry.records() - 1)
    }

    /// The events in it, as a reader of the log gets them.
    pub(super) fn recorded(&self) -> impl Iterator<Item = Recorded> + '_ {
        let events = match &self.entry {
            Entry::Events {
                order,
                before,
                events,
                ..
            } => Some((*order, before.0, events)),
            Entry::Received { .. } | Entry::Settled { .. } => None,
        };
        events.into_iter().flat_map(move |(order, before, events)| {
            events.iter().zip(1..).map(move |(event, nth)| Recorded {
                position: Position(self.first.0 + nth - 1),
                order,
                version: Version(before + nth),
                event: event.clone(),
            })
        })
    }

    /// All records in it.
    pub(super) fn kept(&self) -> Vec<Kept> {
        match &self.entry {
            Entry::Events { settles, .. } => {
                let mut settles = settles.clone();
                let event = |recorded| Kept::Event(recorded, settles.take());
                self.recorded().map(event).collect()
            }
            Entry::Received { message, .. } => vec![Kept::Received(message.clone())],
            Entry::Settled { id, standing } => {
                vec![Kept::Settled(id.clone(), standing.clone())]
            }
        }
    }

    /// What it does to the rows, and to the tasks of its order.
    pub(super) fn change(
        &self,
        rows: &Rows,
        policy: &issuance_domain::Policy,
    ) -> Result<(Change, Option<Projection>), StoreError> {
        let (order, events, settles) = match &self.entry {
            Entry::Events {
                order,
                events,
                settles,
                ..
            } => (*order, events, settles),
            Entry::Received { message, .. } => {
                return Ok((Change::Received(message.clone()), None));
            }
            Entry::Settled { id, standing } => {
                return Ok((
                    Change::Settled {
                        id: id.clone(),
                        standing: standing.clone(),
                    },
                    None,
                ));
            }
        };
        let mut folded = rows.order(order)?.map(|row| (*row.order).clone());
        let missing = usize::from(planted::is(Bug::ProjectionOneOff) && events.len() > 1);
        for event in &events[..events.len() - missing] {
            folded = Some(
                evolve(order, folded, event)
                    .map_err(|source| StoreError::Corrupt { order, source })?,
            );
        }
        let folded = folded.ok_or_else(|| StoreError::Damaged {
            what: "an append without events".into(),
        })?;
        let projection = Projection::of(folded.into(), policy);
        let change = Change::Order(OrderChange {
            order: projection.order.clone(),
            owed: projection.owed(),
            places: (self.first.0..=self.last().0).map(place).collect(),
            settles: settles.clone(),
        });
        Ok((change, Some(projection)))
    }
}

/// A place in this log is a position.
fn place(position: u64) -> Place {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&position.to_be_bytes());
    Place(bytes)
}

pub(super) fn position_of(place: Place) -> Position {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&place.0[..8]);
    Position(u64::from_be_bytes(bytes))
}
