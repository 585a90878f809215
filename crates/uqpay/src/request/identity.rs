//! Address, identity document and KYC proof of a person (contract §2.2).

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::{IdentityType, Private, ProofProvider};

/// Home address. Longest: city, state and district 128, lines 255, postal code 16 characters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Address {
    /// ISO 3166-1 alpha-2.
    pub country: Private,
    /// City.
    pub city: Private,
    /// First line.
    pub line1: Private,
    /// State.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Private>,
    /// District.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub district: Option<Private>,
    /// Second line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<Private>,
    /// The address in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_en: Option<Private>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<Private>,
}

/// Identity document. Files are base64 without a data-URI prefix, 2 MB or less each.
///
/// An ID card needs its back; a passport wants `hand_file`. Left out on update, the proof of address stays as stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identity {
    /// Which document.
    #[serde(rename = "type")]
    pub kind: IdentityType,
    /// Its number.
    pub number: Private,
    /// Front side.
    pub front_file: Private,
    /// Back side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_file: Option<Private>,
    /// The person holding it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hand_file: Option<Private>,
    /// Proof of address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof_of_address: Option<Private>,
    /// Date of that proof, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof_of_address_issue_date: Option<Private>,
    /// Country of that proof, alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof_of_address_issuing_country: Option<Private>,
    /// Further verification text, passed on as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_verification: Option<Private>,
}

/// How the person is verified.
#[derive(Debug, Clone, PartialEq)]
pub enum KycVerification {
    /// The provider answers with a link.
    SumsubRedirect,
    /// The host brings a proof.
    ThirdParty {
        /// Who verified.
        provider: ProofProvider,
        /// 10 to 64 characters, globally unique: a new attempt with the same proof may be refused.
        reference_id: Private,
    },
}

impl Serialize for KycVerification {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Proof<'a> {
            provider: &'a ProofProvider,
            reference_id: &'a Private,
        }
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::SumsubRedirect => map.serialize_entry("method", "SUMSUB_REDIRECT")?,
            Self::ThirdParty {
                provider,
                reference_id,
            } => {
                map.serialize_entry("method", "THIRD_PARTY")?;
                map.serialize_entry(
                    "kyc_proof",
                    &Proof {
                        provider,
                        reference_id,
                    },
                )?;
            }
        }
        map.end()
    }
}

/// One more document of the cardholder calls (contract §2.3).
#[derive(Debug, Clone, PartialEq)]
pub enum SupportingDocument {
    /// `pdf`, base64.
    Pdf(Private),
    /// `png`, base64.
    Png(Private),
    /// `jpg`, base64.
    Jpg(Private),
    /// `jpeg`, base64.
    Jpeg(Private),
}

impl Serialize for SupportingDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, document) = match self {
            Self::Pdf(document) => ("pdf", document),
            Self::Png(document) => ("png", document),
            Self::Jpg(document) => ("jpg", document),
            Self::Jpeg(document) => ("jpeg", document),
        };
        let mut members = serializer.serialize_struct("SupportingDocument", 2)?;
        members.serialize_field("document_type", kind)?;
        members.serialize_field("document", document)?;
        members.end()
    }
}
