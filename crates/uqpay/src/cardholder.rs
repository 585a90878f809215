//! Cardholders as the provider tells them (contract §2.3, §2.4).

use jiff::Timestamp;
use serde::Deserialize;

use crate::{CardholderId, CardholderStatus, IdvStatus, Private, read};

/// A cardholder in reads, lists, inside cards and in webhooks; every member optional.
///
/// `create_time` is left out on purpose: it has no zone (contract §8 row 28). `review_status` is reserved.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Cardholder {
    /// The cardholder.
    #[serde(default, deserialize_with = "read::id")]
    pub cardholder_id: Option<CardholderId>,
    /// KYC status.
    #[serde(default, deserialize_with = "read::word")]
    pub cardholder_status: Option<CardholderStatus>,
    /// IDV status; absent or empty means no IDV.
    #[serde(default, deserialize_with = "read::word")]
    pub idv_status: Option<IdvStatus>,
    /// `SUMSUB` or nothing; in webhooks.
    #[serde(default, deserialize_with = "read::text")]
    pub idv_provider: Option<String>,
    /// The current link, if any. A secret.
    #[serde(default, deserialize_with = "read::private")]
    pub idv_verification_url: Option<Private>,
    /// End of the link.
    #[serde(default, deserialize_with = "read::time")]
    pub idv_url_expires_at: Option<Timestamp>,
    /// Explains a rejection or a request for more; never an outcome. It may name the person.
    #[serde(default, deserialize_with = "read::private")]
    pub reason: Option<Private>,
    /// Cards of every status.
    #[serde(default, deserialize_with = "read::count")]
    pub number_of_cards: Option<u64>,
    /// E-mail.
    #[serde(default, deserialize_with = "read::private")]
    pub email: Option<Private>,
    /// First name.
    #[serde(default, deserialize_with = "read::private")]
    pub first_name: Option<Private>,
    /// Last name.
    #[serde(default, deserialize_with = "read::private")]
    pub last_name: Option<Private>,
    /// Country of the phone number.
    #[serde(default, deserialize_with = "read::private")]
    pub country_code: Option<Private>,
    /// Phone.
    #[serde(default, deserialize_with = "read::private")]
    pub phone_number: Option<Private>,
    /// Birth date; webhooks may carry `0001-01-01`.
    #[serde(default, deserialize_with = "read::private")]
    pub date_of_birth: Option<Private>,
    /// Nationality.
    #[serde(default, deserialize_with = "read::private")]
    pub nationality: Option<Private>,
    /// When it was changed; in webhooks.
    #[serde(default, deserialize_with = "read::time")]
    pub update_time: Option<Timestamp>,
}

/// Answer of create and update cardholder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CardholderReply {
    /// The cardholder.
    pub cardholder_id: CardholderId,
    /// KYC status after the call; no webhook tells it (contract §2.3).
    #[serde(default, deserialize_with = "read::word")]
    pub cardholder_status: Option<CardholderStatus>,
    /// IDV status, should it come.
    #[serde(default, deserialize_with = "read::word")]
    pub idv_status: Option<IdvStatus>,
    /// A fresh link, when relevant. A secret.
    #[serde(default, deserialize_with = "read::private")]
    pub idv_verification_url: Option<Private>,
    /// End of the link.
    #[serde(default, deserialize_with = "read::time")]
    pub idv_url_expires_at: Option<Timestamp>,
}
