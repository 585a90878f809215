//! Amounts of money: exact decimals, never floats.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// Why an amount or a currency was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoney {
    /// Not a plain decimal number.
    #[error("an amount is a plain decimal number such as \"120.50\"")]
    NotANumber,
    /// Negative.
    #[error("an amount cannot be negative")]
    Negative,
    /// The provider takes at most two decimals (contract §2.2).
    #[error("an amount has at most two decimals")]
    TooFine,
    /// Not three or four capital letters.
    #[error("a currency is three or four capital letters")]
    Currency,
}

/// A non-negative amount with at most two decimals. Written as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Amount(Decimal);

impl Amount {
    /// The value.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        self.0
    }
}

impl TryFrom<Decimal> for Amount {
    type Error = InvalidMoney;
    fn try_from(value: Decimal) -> Result<Self, InvalidMoney> {
        if value.is_sign_negative() && !value.is_zero() {
            return Err(InvalidMoney::Negative);
        }
        if value.normalize().scale() > 2 {
            return Err(InvalidMoney::TooFine);
        }
        Ok(Self(value.abs()))
    }
}

impl From<Amount> for Decimal {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

impl FromStr for Amount {
    type Err = InvalidMoney;
    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        Decimal::from_str_exact(text)
            .map_err(|_| InvalidMoney::NotANumber)?
            .try_into()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A currency word. Which ones a product takes is the product's to say (contract §2.2), so the set is open.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Currency(Arc<str>);

impl Currency {
    /// The word, e.g. `USD`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Currency {
    type Err = InvalidMoney;
    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        let word =
            (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if word {
            Ok(Self(text.into()))
        } else {
            Err(InvalidMoney::Currency)
        }
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::parse(deserializer)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_money() {
        for (text, error) in [
            ("-1", InvalidMoney::Negative),
            ("0.001", InvalidMoney::TooFine),
            ("NaN", InvalidMoney::NotANumber),
            ("1e3", InvalidMoney::NotANumber),
            ("", InvalidMoney::NotANumber),
        ] {
            assert_eq!(text.parse::<Amount>().unwrap_err(), error, "{text:?}");
        }
        assert_eq!("00.10".parse::<Amount>().unwrap(), "0.1".parse().unwrap());
        assert!("usd".parse::<Currency>().is_err());
        assert!("XUSD".parse::<Currency>().is_ok());
    }
}
