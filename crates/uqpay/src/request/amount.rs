//! Amounts as sent: JSON numbers with at most two decimals (contract §2.2, §8 row 5).

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;

/// A non-negative amount with at most two decimals, in units of the card's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(Decimal);

/// The amount cannot be sent as it is; round it where the money is decided, not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("amount {0} cannot be sent: want zero or more, with at most two decimals")]
pub struct InvalidAmount(Decimal);

impl Amount {
    /// Takes an amount; `120.50` and `120.5` are the same.
    ///
    /// # Errors
    /// [`InvalidAmount`] when negative or with a third decimal that is not zero.
    pub fn new(amount: Decimal) -> Result<Self, InvalidAmount> {
        let normal = amount.normalize();
        if normal.is_sign_negative() && !normal.is_zero() || normal.scale() > 2 {
            return Err(InvalidAmount(amount));
        }
        Ok(Self(normal.abs()))
    }

    /// The amount, normalized.
    #[must_use]
    pub fn get(self) -> Decimal {
        self.0
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A raw value keeps every digit; a float would not.
        RawValue::from_string(self.0.to_string())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}
