//! The person: fields of one-step create, and the two cardholder calls (contract §2.2, §2.3, §2.4).

use serde::Serialize;

use super::{Address, Body, Identity, KycVerification, SupportingDocument};
use crate::{Gender, Private};

/// `cardholder_required_fields`. Which of them a product wants is its `required_fields` (contract §3).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CardholderFields {
    /// Unique per account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Private>,
    /// 1 to 40 characters, as the person gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<Private>,
    /// 1 to 40 characters, as the person gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<Private>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<Private>,
    /// National digits without the country prefix; unique per account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<Private>,
    /// `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<Private>,
    /// Gender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nationality: Option<Private>,
    /// Home address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residential_address: Option<Address>,
    /// Identity document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// How the person is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kyc_verification: Option<KycVerification>,
}

/// Makes a cardholder (two-step). Nothing is announced by webhook: the answer is the result.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CreateCardholder {
    /// The person; e-mail, names, country and phone are required.
    #[serde(flatten)]
    pub fields: CardholderFields,
    /// One more document.
    #[serde(flatten)]
    pub document: Option<SupportingDocument>,
}

/// Changes a cardholder. Names cannot be changed, so they are not here.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct UpdateCardholder {
    /// E-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Private>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<Private>,
    /// Phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<Private>,
    /// `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<Private>,
    /// Gender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nationality: Option<Private>,
    /// Home address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residential_address: Option<Address>,
    /// Identity document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// How the person is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kyc_verification: Option<KycVerification>,
    /// One more document.
    #[serde(flatten)]
    pub document: Option<SupportingDocument>,
}

impl CreateCardholder {
    /// The body, the same bytes for the same request.
    #[must_use]
    pub fn to_bytes(&self) -> Body {
        Body::of(self)
    }
}

impl UpdateCardholder {
    /// Asks for a fresh IDV link: the only plausible way to one, and inferred (contract §2.4, §7).
    #[must_use]
    pub fn renew_idv_link() -> Self {
        Self {
            kyc_verification: Some(KycVerification::SumsubRedirect),
            ..Self::default()
        }
    }

    /// The body, the same bytes for the same request.
    #[must_use]
    pub fn to_bytes(&self) -> Body {
        Body::of(self)
    }
}
