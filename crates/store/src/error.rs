//! What can go wrong with storage. Errors name the thing that failed and say what to do.

use issuance_domain::{CorruptHistory, OrderId, Version};

use crate::record::UnreadableEvent;

/// A store that could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The queue to the disk is full. Nothing was written; try again shortly.
    #[error("the store is overloaded; try again shortly")]
    Overloaded,
    /// The disk is full. Nothing was acknowledged; reads go on.
    #[error("the disk is full; free some space")]
    DiskFull,
    /// It is durable, and nobody can tell yet what came of it: read it again before it is tried again.
    #[error("what was asked is stored, but what came of it cannot be told yet; read it again")]
    Unconfirmed,
    /// A storage error stopped the store. Nothing more will be acknowledged by this process; restart it.
    #[error("the store has stopped: {why}; restart the process once the disk is sound")]
    Stopped {
        /// What happened.
        why: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Something stored cannot be read.
    #[error("stored data cannot be read: {what}")]
    Damaged {
        /// What and where.
        what: String,
    },
    /// The key that personal data is sealed with cannot be had now. What is sealed stays as it is.
    #[error("the vault's key cannot be had: {why}")]
    NoKey {
        /// What is in the way.
        why: String,
    },
    /// An event this engine does not know.
    #[error(transparent)]
    Unreadable(#[from] UnreadableEvent),
    /// An order's events do not fit together.
    #[error("order {order} has a corrupt history")]
    Corrupt {
        /// Which order.
        order: OrderId,
        /// Where.
        #[source]
        source: CorruptHistory,
    },
}

impl StoreError {
    /// Whether trying again can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Overloaded | Self::DiskFull | Self::Unconfirmed | Self::NoKey { .. } => true,
            Self::Stopped { .. }
            | Self::Closed
            | Self::Damaged { .. }
            | Self::Unreadable(_)
            | Self::Corrupt { .. } => false,
        }
    }
}

/// Why an append was not made. Nothing of it was, unless the store's error says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended first: load, decide again.
    #[error("order is at version {actual}, not {expected}")]
    Conflict {
        /// What the decision was based on.
        expected: Version,
        /// What it is.
        actual: Version,
    },
    /// The host's reference names another order.
    #[error("the reference belongs to order {order}")]
    ReferenceTaken {
        /// Which.
        order: OrderId,
    },
    /// The message was settled before.
    #[error("the message was settled before")]
    AlreadySettled,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}
