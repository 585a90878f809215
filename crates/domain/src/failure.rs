//! How an order ended without a card: what happened, who must act, and whether another try could succeed.

use serde::{Deserialize, Serialize};

/// Why an order ended without a card, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// The provider's code, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Box<str>>,
    /// Dotted paths the provider missed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_fields: Vec<Box<str>>,
    /// Who must act.
    pub who: Who,
    /// Whether a new order, once they acted, could succeed.
    pub new_order_could_succeed: bool,
}

/// What ended an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The provider refused the data.
    Refused,
    /// E-mail or phone belongs to somebody else.
    Duplicate,
    /// The card could not be made.
    CreationFailed,
    /// The person was rejected.
    KycRejected,
    /// The person did not act in time: our decision, not the provider's.
    IdvExpired,
    /// The provider cancelled the card before it was active.
    CancelledByProvider,
    /// The host or an operator cancelled it.
    Cancelled,
    /// An operator ended it.
    OperatorFailed,
}

impl FailureKind {
    /// The name used in lists and in what hosts read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Duplicate => "duplicate",
            Self::CreationFailed => "creation_failed",
            Self::KycRejected => "kyc_rejected",
            Self::IdvExpired => "idv_expired",
            Self::CancelledByProvider => "cancelled_by_provider",
            Self::Cancelled => "cancelled",
            Self::OperatorFailed => "operator_failed",
        }
    }

    /// What ended it, in words: part of a sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Refused => "the provider refused the request",
            Self::Duplicate => "e-mail or phone belongs to somebody else",
            Self::CreationFailed => "the provider could not make the card",
            Self::KycRejected => "the provider rejected the person",
            Self::IdvExpired => "the person did not pass the identity check in time",
            Self::CancelledByProvider => "the provider cancelled the card before it was active",
            Self::Cancelled => "the order was cancelled",
            Self::OperatorFailed => "an operator ended the order",
        }
    }

    /// Whether we ended the order, rather than the provider: it may make a card all the same.
    pub(crate) fn is_our_decision(self) -> bool {
        match self {
            Self::IdvExpired | Self::OperatorFailed => true,
            Self::Refused
            | Self::Duplicate
            | Self::CreationFailed
            | Self::KycRejected
            | Self::CancelledByProvider
            | Self::Cancelled => false,
        }
    }
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Whoever placed the order.
    Host,
    /// Whoever runs this engine.
    Operator,
    /// UQPAY.
    Provider,
    /// Nobody.
    Nobody,
}

impl Who {
    /// The name used in what hosts read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Operator => "operator",
            Self::Provider => "provider",
            Self::Nobody => "nobody",
        }
    }
}
