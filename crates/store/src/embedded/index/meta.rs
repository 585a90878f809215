//! What the index says of itself: the place in the journal it reflects, and sums.

use issuance_domain::Policy;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::error::IndexError;
use super::shape::SHAPE;
use crate::book::Totals;
use crate::journal::{ChainHash, Head};

/// Raised whenever a row's stored form changes. The form of an order tells of itself: see [`SHAPE`].
const FORMAT: u32 = 4;

/// The one row about all rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct Meta {
    format: u32,
    shape: String,
    position: u64,
    hash: String,
    pub(in super::super) totals: Totals,
    /// Stands for the policy by which orders are open.
    pub(super) policy: String,
}

impl Meta {
    pub(super) fn new(head: Head, totals: Totals, policy: String) -> Self {
        Self {
            format: FORMAT,
            shape: SHAPE.clone(),
            position: head.position,
            hash: head.hash.to_string(),
            totals,
            policy,
        }
    }

    pub(super) fn empty(policy: String) -> Self {
        Self::new(Head::EMPTY, Totals::default(), policy)
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, IndexError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(bytes).map_err(|_| IndexError::Row)?;
        if format != FORMAT {
            return Err(IndexError::Format { found: format });
        }
        let meta: Self = serde_json::from_slice(bytes).map_err(|_| IndexError::Row)?;
        if meta.shape == *SHAPE {
            Ok(meta)
        } else {
            Err(IndexError::Shape)
        }
    }

    /// The journal's head it reflects.
    pub(in super::super) fn head(&self) -> Result<Head, IndexError> {
        let hash = ChainHash::from_hex(self.hash.as_bytes()).ok_or(IndexError::Row)?;
        Ok(Head {
            position: self.position,
            hash,
        })
    }
}

pub(super) fn policy_mark(policy: &Policy) -> String {
    // A policy is plain data; without its JSON the mark only fits itself, and the next open looks at every order.
    let json = serde_json::to_vec(policy).unwrap_or_default();
    hex::encode(Sha256::digest(json))
}
