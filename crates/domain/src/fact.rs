//! What the provider said, whichever way we heard it: the answer to our call, a webhook, or a look-up. Not yet judged.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::absence::Scan;
use crate::echo::Echo;
use crate::ids::{CardId, CardOrderId, CardholderId, Digest, MessageId};
use crate::key::{Generation, Purpose};
use crate::time::Timestamp;

/// The provider's names for what belongs to one order. Each is learned once and never replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProviderIds {
    /// The card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardId>,
    /// The provider's card order. Absent from the answer when an identity check comes first (contract §2.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_order: Option<CardOrderId>,
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cardholder: Option<CardholderId>,
}

impl ProviderIds {
    /// What `heard` knows and `self` does not.
    #[must_use]
    pub fn news_in(&self, heard: &Self) -> Self {
        Self {
            card: heard.card.clone().filter(|_| self.card.is_none()),
            card_order: heard
                .card_order
                .clone()
                .filter(|_| self.card_order.is_none()),
            cardholder: heard
                .cardholder
                .clone()
                .filter(|_| self.cardholder.is_none()),
        }
    }

    /// Adds what is not known yet.
    pub fn learn(&mut self, heard: &Self) {
        let news = self.news_in(heard);
        self.card = self.card.take().or(news.card);
        self.card_order = self.card_order.take().or(news.card_order);
        self.cardholder = self.cardholder.take().or(news.cardholder);
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.card.is_none() && self.card_order.is_none() && self.cardholder.is_none()
    }
}

/// One thing heard about one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// What was said.
    pub fact: Fact,
    /// The ids that came with it.
    pub ids: ProviderIds,
    /// What else it says of whose it is.
    #[serde(default)]
    pub echo: Box<Echo>,
    /// How we heard it.
    pub source: Source,
}

/// How we heard a fact: the evidence an event names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Source {
    /// The answer to a call of ours.
    Answer {
        /// What the call was for.
        purpose: Purpose,
        /// Which key it carried.
        generation: Generation,
    },
    /// A verified webhook.
    Webhook {
        /// The inbox message.
        event_id: MessageId,
        /// The provider's name for the event.
        event_type: Box<str>,
    },
    /// We read the provider's own record. The strongest evidence (contract §4.7).
    LookUp,
}

impl Source {
    /// Whether the provider's own record was read, rather than a message believed.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::LookUp)
    }

    /// Whether it is the message that tells how the person was judged (contract §9.2).
    #[must_use]
    pub fn judges_person(&self) -> bool {
        matches!(self, Self::Webhook { event_type, .. } if &**event_type == "cardholder.kyc.status_changed")
    }

    /// Whether it is the one message that announces a card (contract §9.2).
    #[must_use]
    pub fn announces_card(&self) -> bool {
        matches!(self, Self::Webhook { event_type, .. } if &**event_type == "card.create.succeeded")
    }
}

/// What the provider said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", content = "said", rename_all = "snake_case")]
pub enum Fact {
    /// It took the order: a 2xx to our create call that names a card.
    Created(Creation),
    /// It definitely refused a call of ours.
    Refused(Refusal),
    /// A card has this status.
    Card(CardStatus),
    /// A webhook claims that the card could not be made. To be confirmed by a read (contract §9.2).
    CardCreationFailed {
        /// The provider's reason, if it gave one.
        code: Option<Box<str>>,
    },
    /// A read found no such card.
    CardMissing,
    /// A complete search found no card of this order (contract §6.5).
    CardAbsent(Scan),
    /// The card order has this status.
    CardOrder {
        /// Its status.
        status: CardOrderStatus,
        /// The provider's reason, on failure.
        failure_code: Option<Box<str>>,
    },
    /// The person has this status.
    Cardholder {
        /// Its status.
        status: CardholderStatus,
        /// The link that came with it.
        link: Option<Link>,
    },
    /// The provider took our cancel call; the card's status will say the rest.
    CancelTaken,
    /// The provider took our cancel call and could not carry it out: `card.status.update.failed` (contract §9.2).
    CancelFailed,
    /// Something about the person changed: `cardholder.updated`. It says nothing by itself (contract §9.2).
    CardholderUpdated,
}

/// A 2xx to our create call (contract §2.2). Which of the three branches it is, is judged in `decide`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// Status of the card.
    pub card: CardStatus,
    /// Status of the card order, absent in the IDV branch.
    pub order: Option<CardOrderStatus>,
    /// Status of the person.
    pub cardholder: Option<CardholderStatus>,
    /// Whether the person must act.
    pub verification: Option<Verification>,
    /// Where the person must go.
    pub link: Option<Link>,
}

/// An identity-check link. The address itself is sealed in the vault; here are only its digest and its expiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Salted digest of the address: tells two links apart without being one.
    pub digest: Digest,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// A definite refusal, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What it means for the order.
    pub class: RefusalClass,
    /// The provider's code, e.g. `email_duplicated`.
    pub code: Box<str>,
    /// HTTP status.
    pub http_status: u16,
    /// Dotted paths of what the provider missed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_fields: Vec<Box<str>>,
}

/// What a refusal means for an order (contract §6.3, §9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalClass {
    /// The host must correct or complete its data.
    Input,
    /// E-mail or phone is taken: somebody else, or a leftover of our own earlier attempt (contract §6.5).
    Duplicate,
    /// No cards, no money, no quota: the order waits for an operator.
    Capacity,
    /// Same key, other body: a bug of ours, or somebody else's key. Nothing more is sent by itself.
    KeyConflict,
    /// Our configuration or our request is wrong.
    Configuration,
    /// A code nobody documented. Final, and an operator should look.
    Unknown,
}

macro_rules! open_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A word we do not know: never a guess, always attention.
            Unknown(Box<str>),
        }

        impl $name {
            /// The word, if it is one we do not know.
            #[must_use]
            pub fn unknown_word(&self) -> Option<&str> {
                match self {
                    $(Self::$variant)|+ => None,
                    Self::Unknown(word) => Some(word),
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word.to_ascii_uppercase().as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Unknown(word.chars().take(64).collect()),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl FromStr for $name {
            type Err = std::convert::Infallible;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(word))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown(word) => word,
                })
            }
        }
    };
}

open_words!(
    /// `card_status` (contract §4.1). Compared without regard to case.
    CardStatus {
        /// Accepted, being made, or waiting for the identity check.
        Pending = "PENDING",
        /// Usable.
        Active = "ACTIVE",
        /// Could not be made.
        Failed = "FAILED",
        /// Was active; declines everything until re-activated.
        Frozen = "FROZEN",
        /// Was active; blocked by the provider.
        Blocked = "BLOCKED",
        /// Being cancelled; the compensation is complete for us.
        PreCancel = "PRE_CANCEL",
        /// Gone for good.
        Cancelled = "CANCELLED",
    }
);

open_words!(
    /// `order_status` of a card order (contract §4.2).
    CardOrderStatus {
        /// Waiting.
        Pending = "PENDING",
        /// Being worked on.
        Processing = "PROCESSING",
        /// Done.
        Success = "SUCCESS",
        /// Failed.
        Failed = "FAILED",
    }
);

open_words!(
    /// `cardholder_status` (contract §4.3).
    CardholderStatus {
        /// Under review.
        Pending = "PENDING",
        /// Something is missing from the person.
        Incomplete = "INCOMPLETE",
        /// Verified.
        Success = "SUCCESS",
        /// Rejected.
        Failed = "FAILED",
    }
);

open_words!(
    /// `verification_status` of a create answer (contract §4.4).
    Verification {
        /// Nothing to do.
        Verified = "VERIFIED",
        /// The person must visit the link.
        ActionRequired = "ACTION_REQUIRED",
        /// Wait.
        UnderReview = "UNDER_REVIEW",
    }
);
