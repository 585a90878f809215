//! Request bodies and queries as callers may send them; members nobody knows are ignored.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::errors::{self, Refusal};
use crate::faults::Subject;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct CreateCard {
    pub(crate) card_product_id: Option<String>,
    pub(crate) card_currency: Option<String>,
    pub(crate) card_limit: Option<Amount>,
    pub(crate) cardholder_id: Option<String>,
    pub(crate) cardholder_required_fields: Option<Map<String, Value>>,
    pub(crate) name_on_card: Option<String>,
    pub(crate) spending_controls: Option<Vec<SpendingControl>>,
    pub(crate) risk_controls: Option<Map<String, Value>>,
    pub(crate) metadata: Option<Map<String, Value>>,
    pub(crate) usage_type: Option<String>,
    pub(crate) auto_cancel_trigger: Option<String>,
    pub(crate) card_art_id: Option<String>,
}

impl CreateCard {
    /// What the fault script may match the call and its card by.
    pub(crate) fn subject(&self) -> Subject {
        let email = self
            .cardholder_required_fields
            .as_ref()
            .and_then(|person| person.get("email"));
        Subject {
            product_id: self
                .card_product_id
                .as_deref()
                .and_then(|id| Uuid::parse_str(id).ok()),
            metadata: self.metadata.clone().unwrap_or_default(),
            email: email.and_then(Value::as_str).map(str::to_owned),
            ..Subject::default()
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct SpendingControl {
    pub(crate) amount: Amount,
    pub(crate) interval: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct UpdateCard {
    pub(crate) card_limit: Option<Amount>,
    pub(crate) name_on_card: Option<String>,
    pub(crate) spending_controls: Option<Vec<SpendingControl>>,
    pub(crate) risk_controls: Option<Map<String, Value>>,
    pub(crate) metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct UpdateStatus {
    pub(crate) card_status: String,
    pub(crate) update_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MoveFunds {
    pub(crate) amount: Amount,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Authorization {
    pub(crate) card_id: String,
    pub(crate) transaction_amount: Amount,
    pub(crate) transaction_currency: String,
    pub(crate) merchant_name: Option<String>,
    pub(crate) merchant_category_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Reversal {
    pub(crate) transaction_id: String,
}

/// Paging and filters of the list calls, as text: their ranges are judged in [`Page::of`].
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ListQuery {
    page_size: Option<String>,
    page_number: Option<String>,
    pub(crate) card_number: Option<String>,
    pub(crate) card_status: Option<String>,
    pub(crate) cardholder_id: Option<String>,
    pub(crate) cardholder_status: Option<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) size: usize,
    pub(crate) number: usize,
}

impl Page {
    /// 1 to 100 for cards, 10 to 100 elsewhere (contract §1.7); a lenient simulator clamps instead of refusing.
    pub(crate) fn of(query: &ListQuery, smallest: usize, strict: bool) -> Result<Self, Refusal> {
        let read = |value: &Option<String>, default| match value.as_deref() {
            None | Some("") => Ok(default),
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| errors::invalid("page_size and page_number are numbers")),
        };
        let (size, number) = (read(&query.page_size, 10)?, read(&query.page_number, 1)?);
        if strict && !(smallest..=100).contains(&size) {
            return Err(errors::invalid(format!(
                "page_size must be between {smallest} and 100"
            )));
        }
        if strict && number < 1 {
            return Err(errors::invalid("page_number starts at 1"));
        }
        Ok(Self {
            size: size.clamp(1, 100),
            number: number.max(1),
        })
    }
}

/// A decimal that may come as a JSON number or as a string, read without a detour over floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount(pub(crate) Decimal);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        Decimal::from_str(text)
            .or_else(|_| Decimal::from_scientific(text))
            .map(Self)
            .map_err(|_| serde::de::Error::custom("not a decimal amount"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_come_as_numbers_or_strings_and_keep_every_digit() {
        for text in ["120.5", "\"120.50\"", "12345678901234567890.12", "1e2"] {
            assert!(serde_json::from_str::<Amount>(text).is_ok(), "{text}");
        }
        let long = serde_json::from_str::<Amount>("12345678901234567890.12").unwrap();
        assert_eq!(long.0.to_string(), "12345678901234567890.12");
        assert!(serde_json::from_str::<Amount>("\"much\"").is_err());
    }
}
