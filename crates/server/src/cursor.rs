//! List cursors: opaque to whoever carries them, so that what is in them may change.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use issuance::domain::OrderId;
use uuid::Uuid;

/// The form written today.
const FORM: u8 = 1;

pub(crate) fn write(before: OrderId) -> String {
    let mut bytes = [FORM; 17];
    bytes[1..].copy_from_slice(before.0.as_bytes());
    BASE64.encode(bytes)
}

pub(crate) fn read(cursor: &str) -> Option<OrderId> {
    let bytes: [u8; 17] = BASE64.decode(cursor).ok()?.try_into().ok()?;
    let [FORM, id @ ..] = bytes else { return None };
    Some(OrderId(Uuid::from_bytes(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_went_out_and_nothing_else_does() {
        let id = OrderId(Uuid::from_u128(7));
        assert_eq!(read(&write(id)), Some(id));
        let long = "A".repeat(10_000);
        for wrong in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAA", &id.to_string(), &long] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
