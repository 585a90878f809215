//! The provider's enumerations, all open: a word we do not know is kept, never an error (contract §2, §4).

use serde::{Serialize, Serializer};

/// Unknown words are cut to this many characters, so that a stranger's text stays small wherever it is kept.
const MAX_UNKNOWN: usize = 64;

fn unknown(text: &str) -> String {
    text.chars().take(MAX_UNKNOWN).collect()
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A word that is not in the contract, as received. Never terminal, never an approval.
            Unknown(String),
        }

        impl $name {
            /// Reads the provider's word, whatever its case.
            #[must_use]
            pub fn read(text: &str) -> Self {
                let text = text.trim();
                $(if text.eq_ignore_ascii_case($word) $(|| text.eq_ignore_ascii_case($alias))* {
                    return Self::$variant;
                })+
                Self::Unknown(unknown(text))
            }

            /// The provider's word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl crate::read::Word for $name {
            fn read(text: &str) -> Self {
                Self::read(text)
            }
        }
    };
}

words!(
    /// `card_status` (contract §4.1).
    CardStatus {
        /// Accepted, being processed, or waiting for IDV.
        Pending = "PENDING",
        /// Usable.
        Active = "ACTIVE",
        /// Creation failed.
        Failed = "FAILED",
        /// Declines everything; can be activated again.
        Frozen = "FROZEN",
        /// Blocked by the provider.
        Blocked = "BLOCKED",
        /// Cancelling: undone for our purposes (contract §2.7).
        PreCancel = "PRE_CANCEL" | "PRE-CANCEL",
        /// Gone for good.
        Cancelled = "CANCELLED" | "CANCELED",
        /// Physical cards only.
        Lost = "LOST",
        /// Physical cards only.
        Stolen = "STOLEN",
    }
);
words!(
    /// `order_status` of a card order (contract §4.2).
    OrderStatus {
        /// Not started.
        Pending = "PENDING",
        /// Wait for the webhook.
        Processing = "PROCESSING",
        /// Done.
        Success = "SUCCESS",
        /// Failed.
        Failed = "FAILED",
    }
);
words!(
    /// `order_type` (contract §2.6).
    OrderType {
        /// A card being made; both spellings occur.
        CreateCard = "CREATE_CARD" | "CARD_CREATE",
        /// Load.
        Recharge = "CARD_RECHARGE",
        /// Unload.
        Withdraw = "CARD_WITHDRAW",
        /// Change of limits, metadata or status.
        Update = "CARD_UPDATE",
        /// PIN orders.
        PinManagement = "PIN_MANAGEMENT",
    }
);
words!(
    /// `cardholder_status` (contract §4.3).
    CardholderStatus {
        /// Waiting for KYC.
        Pending = "PENDING",
        /// Documents missing, or the first state with an IDV link.
        Incomplete = "INCOMPLETE",
        /// Approved.
        Success = "SUCCESS",
        /// Rejected.
        Failed = "FAILED",
    }
);
words!(
    /// `verification_status` of the create-card answer (contract §4.4).
    VerificationStatus {
        /// Nothing to do.
        Verified = "VERIFIED",
        /// A person must visit the link.
        ActionRequired = "ACTION_REQUIRED",
        /// Wait.
        UnderReview = "UNDER_REVIEW",
    }
);
words!(
    /// `idv_status`; absent or empty means no IDV (contract §4.5).
    IdvStatus {
        /// A fresh link or a running review: it does not say which.
        Pending = "PENDING",
        /// Passed.
        Passed = "PASSED",
        /// Failed.
        Failed = "FAILED",
    }
);
words!(
    /// `kyc_method` (contract §4.6).
    KycMethod {
        /// The person visits the provider's link.
        SumsubRedirect = "SUMSUB_REDIRECT",
        /// The host brings a proof.
        ThirdParty = "THIRD_PARTY",
    }
);
words!(
    /// Provider of a third-party KYC proof (contract §2.2).
    ProofProvider {
        /// Sumsub.
        Sumsub = "SUMSUB",
        /// Myinfo.
        Myinfo = "MYINFO",
        /// Jumio.
        Jumio = "JUMIO",
        /// Didit.
        Didit = "DIDIT",
        /// Shufti.
        Shufti = "SHUFTI",
        /// Regtank.
        Regtank = "REGTANK",
    }
);
words!(
    /// `product_status` (contract §2.1).
    ProductStatus {
        /// Cards can be made.
        Enabled = "ENABLED",
        /// They cannot.
        Disabled = "DISABLED",
    }
);
words!(
    /// `card_form` of a product and `form_factor` of a card.
    CardForm {
        /// `VIR` on products, `VIRTUAL` on cards.
        Virtual = "VIR" | "VIRTUAL",
        /// `PHY` on products, `PHYSICAL` on cards.
        Physical = "PHY" | "PHYSICAL",
    }
);
words!(
    /// `mode_type` (contract §2.1).
    ModeType {
        /// Prepaid, funded at creation.
        Single = "SINGLE",
        /// Draws on the issuing balance.
        Share = "SHARE",
    }
);
words!(
    /// `kyc_level` of a product (contract §2.1).
    KycLevel {
        /// Basic fields.
        Simplified = "SIMPLIFIED",
        /// Reviewed.
        Standard = "STANDARD",
        /// IDV or a third-party proof.
        Enhanced = "ENHANCED",
    }
);
words!(
    /// `usage_type` of a card (contract §2.2).
    UsageType {
        /// The default.
        Normal = "NORMAL",
        /// Cancels itself; see [`AutoCancelTrigger`].
        OneTime = "ONE_TIME",
    }
);
words!(
    /// `auto_cancel_trigger` of a one-time card (contract §2.2).
    AutoCancelTrigger {
        /// At the first authorization.
        OnAuth = "ON_AUTH",
        /// At the first capture.
        OnCapture = "ON_CAPTURE",
    }
);
words!(
    /// `gender`.
    Gender {
        /// Male.
        Male = "MALE",
        /// Female.
        Female = "FEMALE",
        /// In one SDK only.
        Other = "OTHER",
    }
);
words!(
    /// `identity.type` (contract §2.2).
    IdentityType {
        /// Needs a back side.
        IdCard = "ID_CARD",
        /// Passport.
        Passport = "PASSPORT",
    }
);
words!(
    /// Interval of a spending control; only this one works (contract §2.2).
    SpendingInterval {
        /// Per transaction.
        PerTransaction = "PER_TRANSACTION",
    }
);
