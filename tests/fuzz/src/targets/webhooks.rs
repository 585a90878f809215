//! What anybody can send to the webhook door.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use issuance_uqpay::webhook::{Rejected, Verifier, WebhookSecret, parse};
use sha2::Sha512;

const SECRET: &str = "whsec_fuzz_0123456789";
const NOW: i64 = 1_790_000_000;

fn sign(body: &[u8], timestamp: &[u8]) -> String {
    let mac = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap();
    hex::encode(
        mac.chain_update(body)
            .chain_update(timestamp)
            .finalize()
            .into_bytes(),
    )
}

/// Three lines: signature, timestamp, and the body to the end; a signature of `!` stands for the right one. What is
/// accepted is exactly what the secret signed, with ten or thirteen digits, inside the window.
pub(super) fn verifier(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let (signature, timestamp) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let body = parts.next().unwrap_or_default();
    let right = sign(body, timestamp);
    let signature = if signature == b"!" {
        right.as_bytes()
    } else {
        signature
    };
    let secret = WebhookSecret {
        secret: SECRET.to_owned().into(),
        valid_until: None,
    };
    let verifier = Verifier::new(vec![secret], Duration::from_secs(300)).unwrap();
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    let said = verifier.verify([signature], [timestamp], body, now);

    let digits = [10, 13].contains(&timestamp.len()) && timestamp.iter().all(u8::is_ascii_digit);
    let genuine = digits && signature.eq_ignore_ascii_case(right.as_bytes());
    let seconds = std::str::from_utf8(timestamp)
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    let seconds = seconds.map(|count| {
        if timestamp.len() == 13 {
            count.div_euclid(1000)
        } else {
            count
        }
    });
    let fresh = seconds.is_some_and(|sent| sent.abs_diff(NOW) <= 300);
    match said {
        Ok(_) => assert!(genuine && fresh, "accepted what was not signed now"),
        Err(Rejected::Stale(_)) => assert!(genuine && !fresh),
        Err(_) => assert!(!genuine, "refused what was signed"),
    }
    for headers in [vec![], vec![signature, signature]] {
        assert!(verifier.verify(headers, [timestamp], body, now).is_err());
    }
}

/// A signed body is an event or a reason; reading it twice gives the same.
pub(super) fn event(data: &[u8]) {
    let said = parse(data);
    assert_eq!(said, parse(data));
    let Ok(event) = said else { return };
    let _ = event.ids().card();
    assert!(
        serde_json::from_slice::<serde_json::Value>(data).is_ok(),
        "an event that is no JSON"
    );
    let shown = format!("{event:?}");
    assert!(!event.event_id.as_str().is_empty() && !shown.is_empty());
    // What stands after the body is never overlooked.
    let mut longer = data.to_vec();
    longer.extend_from_slice(b"1790000000");
    assert!(parse(&longer).is_err());
}
