//! What is done to a store, drawn at random and made smaller when it fails; and in the words of the seam.

use std::sync::Arc;

use issuance_domain::{Event, Policy, Version};
use issuance_store::{Append, AppendError, Message, Projection, Standing, Store, StoreError};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::reference::Reference;
use crate::hands::{accepted, activated, at, follow, id, message, noticed, requested, sealing};

/// Numbers are small, so that operations meet.
const ORDERS: u64 = 4;
const MESSAGES: u64 = 3;

#[derive(Debug, Clone)]
pub(super) enum Op {
    Write(Write),
    /// The process ends well, and another begins.
    Restart,
    /// The power goes.
    Crash(u64),
    /// The disk fails or the power goes while this is done: it happened, or it did not.
    Torn(Write, u64),
}

#[derive(Debug, Clone)]
pub(super) enum Write {
    /// A new order, under a reference that may be taken.
    Place {
        order: u64,
        reference: u64,
    },
    /// The next events of an order; decided on an older version when `stale`.
    Grow {
        order: u64,
        events: Vec<u8>,
        stale: bool,
        settles: Option<u64>,
    },
    /// A message about an order; with another body when `forged`.
    Receive {
        message: u64,
        forged: bool,
    },
    Settle {
        message: u64,
        to: Standing,
    },
}

fn write() -> impl Strategy<Value = Write> {
    let to = prop_oneof![
        2 => Just(Standing::Parked),
        1 => Just(Standing::Settled { order: None }),
        1 => Just(Standing::Quarantined { why: "odd".into() }),
    ];
    prop_oneof![
        3 => (0..ORDERS, 0..ORDERS + 2).prop_map(|(order, reference)| Write::Place { order, reference }),
        4 => (0..ORDERS, vec(0_u8..3, 1..4), prop::bool::weighted(0.1), option::of(0..MESSAGES)).prop_map(
            |(order, events, stale, settles)| Write::Grow { order, events, stale, settles }
        ),
        3 => (0..MESSAGES, prop::bool::weighted(0.2)).prop_map(|(message, forged)| Write::Receive { message, forged }),
        2 => (0..MESSAGES, to).prop_map(|(message, to)| Write::Settle { message, to }),
    ]
}

pub(super) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        14 => write().prop_map(Op::Write),
        1 => Just(Op::Restart),
        1 => any::<u64>().prop_map(Op::Crash),
        2 => (write(), any::<u64>()).prop_map(|(write, seed)| Op::Torn(write, seed)),
    ];
    vec(op, 1..60)
}

/// One write as the seam takes it.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Append(Box<Append>),
    Receive(Message),
    Settle(Message, Standing),
}

impl Write {
    /// None when it makes no sense now, as an event that cannot follow.
    pub(super) fn call(&self, reference: &Reference) -> Option<Call> {
        Some(match self {
            Self::Place { order, reference } => {
                let mut append = follow(id(*order), None, vec![requested(*reference)]);
                append.sealed = vec![sealing(&format!("personal data of {order}, {reference}"))];
                Call::Append(Box::new(append))
            }
            Self::Grow {
                order: number,
                events,
                stale,
                settles,
            } => {
                let before = reference.order(id(*number))?;
                let bodies = events.iter().map(|event| match event {
                    0 => accepted(*number),
                    1 => activated(*number),
                    _ => noticed(0),
                });
                let events: Vec<_> = bodies.map(|body| Event { at: at(0), body }).collect();
                let policy = Policy::standard();
                let projection = Projection::after(before.id, Some(&before), &events, &policy);
                let mut projection = projection.ok()??;
                let older = u64::from(*stale);
                Arc::make_mut(&mut projection.order).version.0 -= older;
                Call::Append(Box::new(Append {
                    order: before.id,
                    expected: Version(before.version.0 - older),
                    events,
                    projection,
                    sealed: Vec::new(),
                    settles: settles.map(|number| message(number).id),
                }))
            }
            Self::Receive {
                message: number,
                forged,
            } => {
                let mut message = message(*number);
                if *forged {
                    message.body_digest = "another".into();
                }
                Call::Receive(message)
            }
            Self::Settle {
                message: number,
                to,
            } => Call::Settle(message(*number), to.clone()),
        })
    }
}

impl Call {
    /// What the reference answers.
    pub(super) fn tell(&self, reference: &mut Reference) -> String {
        match self {
            Self::Append(append) => format!("{:?}", reference.append(append)),
            Self::Receive(message) => format!("{:?}", Ok::<_, &str>(reference.receive(message))),
            Self::Settle(message, to) => format!("{:?}", reference.settle(message, to)),
        }
    }

    /// What the store answers, in the same words.
    pub(super) async fn ask(self, store: &dyn Store) -> String {
        match self {
            Self::Append(append) => {
                let appended = store.append(*append).await;
                let appended = appended.map(|appended| (appended.version.0, appended.position.0));
                format!("{:?}", appended.map_err(|error| refusal(&error)))
            }
            Self::Receive(message) => {
                let received = store.receive(message, None).await;
                format!("{:?}", received.map_err(|error| refusal(&error.into())))
            }
            Self::Settle(message, to) => {
                let settled = store.settle(&message.id, to, at(0)).await;
                format!("{:?}", settled.map_err(|error| refusal(&error.into())))
            }
        }
    }
}

fn refusal(error: &AppendError) -> &'static str {
    match error {
        AppendError::Conflict { .. } => "conflict",
        AppendError::ReferenceTaken { .. } => "reference taken",
        AppendError::AlreadySettled => "already settled",
        AppendError::Store(StoreError::Damaged { .. }) => "damaged",
        AppendError::Store(_) => "the store could not",
    }
}
