//! What the world outside was told, and when: what was acknowledged must be so, in every later reading of the log.

use std::collections::HashMap;

use issuance_domain::{MessageId, OrderId, Timestamp, Version};
use issuance_store::{HostReference, Position};
use serde::{Deserialize, Serialize};

use super::Checker;
use super::invariant::{Input, Invariant};
use super::violation::Evidence;

/// One thing that somebody outside knows. As JSON, one a line, it is a history file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outside", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outside {
    /// A host was told that its order is taken.
    Placed {
        /// Which.
        order: OrderId,
        /// By which name it asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<HostReference>,
        /// When.
        at: Timestamp,
    },
    /// An operator's command was answered: taken, or not.
    Operated {
        /// Whose.
        order: OrderId,
        /// Whether it was taken.
        taken: bool,
        /// When.
        at: Timestamp,
    },
    /// A webhook was handed in.
    Delivered {
        /// Which, if it could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<MessageId>,
        /// Whether the provider sent it: signed by its secret, in time, one signature.
        genuine: bool,
        /// Whether it was acknowledged.
        taken: bool,
        /// When.
        at: Timestamp,
    },
    /// A host acknowledged a notice.
    Told {
        /// Whose.
        order: OrderId,
        /// Of which version.
        version: Version,
        /// When.
        at: Timestamp,
    },
    /// A process was started on the log, and read it up to here.
    Started {
        /// The newest position it found.
        head: Position,
        /// When.
        at: Timestamp,
    },
}

/// What was acknowledged, to be held against the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Acknowledged {
    references: HashMap<HostReference, OrderId>,
    /// Operators' commands that were taken, by order.
    operated: HashMap<OrderId, (u32, Timestamp)>,
}

impl Checker {
    /// What somebody outside knows.
    pub fn outside(&mut self, fact: &Outside) {
        self.verdicts.see(Input::Outside);
        match fact {
            Outside::Placed {
                order,
                reference,
                at,
            } => self.judge_placed(*order, reference.as_ref(), *at),
            Outside::Operated { order, taken, at } => {
                let (count, last) = self.outside.operated.entry(*order).or_insert((0, *at));
                *count += u32::from(*taken);
                *last = *at;
                let (count, at) = (*count, *last);
                let acts = self.orders.get(order).map_or(0, |tracked| tracked.acts);
                self.verdicts
                    .hold(Invariant::S3, Some(*order), acts >= count, || {
                        let what =
                            format!("{count} commands of operators were taken, the log has {acts}");
                        (what, vec![Evidence::Outside { at }])
                    });
            }
            Outside::Delivered {
                message,
                genuine,
                taken,
                at,
            } => self.judge_delivery(message.as_ref(), *genuine, *taken, *at),
            Outside::Told { order, version, at } => {
                let known = self.orders.get(order).map(|tracked| tracked.version());
                let happened = known.is_some_and(|known| *version <= known);
                self.verdicts
                    .hold(Invariant::S3, Some(*order), happened, || {
                        let what = format!(
                            "its host was told of version {version}, which the log does not have"
                        );
                        (what, vec![Evidence::Outside { at: *at }])
                    });
            }
            Outside::Started { head, at } => {
                let known = self.head;
                self.verdicts.hold(Invariant::S3, None, *head >= known, || {
                    let what = format!(
                        "a start found the log at position {head}, and it had been at {known}"
                    );
                    (what, vec![Evidence::Outside { at: *at }])
                });
            }
        }
    }

    fn judge_placed(&mut self, order: OrderId, reference: Option<&HostReference>, at: Timestamp) {
        let evidence = vec![Evidence::Outside { at }];
        let known = self.orders.contains_key(&order);
        self.verdicts.hold(Invariant::S3, Some(order), known, || {
            let what = "it was acknowledged, and the log does not have it".to_owned();
            (what, evidence.clone())
        });
        let Some(reference) = reference else {
            return;
        };
        let first = self
            .outside
            .references
            .entry(reference.clone())
            .or_insert(order);
        let first = *first;
        self.verdicts
            .hold(Invariant::S15, Some(order), first == order, || {
                let what = format!(
                    "{} was acknowledged as order {first} before",
                    reference.reference
                );
                (what, evidence)
            });
    }
}
