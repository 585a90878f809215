//! Single values that cross the edge.

use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

use issuance_domain::{
    Account, Amount, CardId, CardholderId, Currency, MessageId, OrderId, ProductId, Reference,
    Timestamp,
};

/// A time that is read is written and read as the same; arithmetic with it never overflows.
pub(super) fn timestamp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(time) = text.parse::<Timestamp>() else {
        return;
    };
    assert_eq!(time.to_string().parse(), Ok(time), "{text}");
    for wait in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
        assert!(time.after(wait) >= time && time.before(wait) <= time);
    }
}

/// An amount is exact, not negative, with at most two decimals.
pub(super) fn money(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(amount) = text.parse::<Amount>() {
        let value = amount.decimal();
        assert!(
            !value.is_sign_negative() && value.normalize().scale() <= 2,
            "{text}"
        );
        assert_eq!(value.to_string().parse(), Ok(amount));
        let written = serde_json::to_string(&amount).unwrap();
        assert_eq!(serde_json::from_str::<Amount>(&written).unwrap(), amount);
    }
    if let Ok(currency) = text.parse::<Currency>() {
        assert_eq!(currency.as_str(), text);
    }
}

/// An id is visible ASCII, bounded, and itself again when written, but for the case of a UUID.
pub(super) fn ids(data: &[u8]) {
    fn same<I: FromStr + ToString + PartialEq + Debug>(text: &str) {
        if let Ok(id) = text.parse::<I>() {
            let written = id.to_string();
            assert_eq!(written.parse().ok(), Some(id));
            let is_uuid = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
            assert!(
                written == text || is_uuid && written == text.to_ascii_lowercase(),
                "{text}"
            );
            assert!(!text.is_empty() && text.len() <= 128);
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
        }
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    same::<Account>(text);
    same::<CardId>(text);
    same::<CardholderId>(text);
    same::<MessageId>(text);
    same::<ProductId>(text);
    same::<Reference>(text);
    if let Ok(id) = text.parse::<OrderId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
