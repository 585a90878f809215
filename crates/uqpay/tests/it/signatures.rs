//! Signature vectors of contract §5.7, and everything that must be refused.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use issuance_uqpay::webhook::{
    InvalidVerifier, Rejected, Unreadable, Verified, Verifier, WebhookSecret, parse,
};
use jiff::Timestamp;
use proptest::prelude::*;
use sha2::Sha512;

const SECRET: &str = "whsec_unit_7Q2mX0kPzr4";
const BODY_1: &str = r#"{"version":"V1.6.0","event_name":"ISSUING","event_type":"card.create.succeeded","event_id":"5b0c6a52-4c6e-4a8e-9d0a-1f2e3d4c5b6a","source_id":"9a1d7f10-2b3c-4d5e-8f60-718293a4b5c6","data":{"card_id":"3e9f0c1d-7a6b-4c5d-9e8f-0a1b2c3d4e5f","card_status":"ACTIVE"}}"#;
const BODY_2: &str = r#"{"version":"V1.6.0","event_name":"ISSUING","event_type":"cardholder.kyc.status_changed","event_id":"0d4f2b8e-91c7-4e35-a6d0-5c7b8e9f0a12","source_id":"c7d8e9f0-1a2b-4c3d-8e4f-5a6b7c8d9e0f","data":{"cardholder_id":"c7d8e9f0-1a2b-4c3d-8e4f-5a6b7c8d9e0f","cardholder_status":"FAILED","first_name":"Zoë","last_name":"林","idv_status":"FAILED","reason":""}}"#;
const SIGNATURE_1: &str = "667107cf984797a6ad8f28d4caa0905c2c981549b564202473021745bcac23059822b379d126d59af569e17d87a5eddbe81eb5ef30b5c37f0725fed4b070f302";
const SIGNATURE_2: &str = "45ce29b70ec7c2824d727550c1023f5a18bcb553093f9c83563509f79e0bd3a13cc131923bf3e2a354365f2ded06c07f13ba0717ffd3c8471dcd11366da781b3";
const SIGNATURE_3: &str = "31f9768afb157094775ce8222b4517277f9b1981ebade76acdc80deb4bc1c898d8a31188035f54e14e55f2b9148dc3071177b181716c2799d3ab9c0fe3afba08";
/// Body, timestamp header, signature.
const VECTORS: [(&str, &str, &str); 3] = [
    (BODY_1, "1790000000123", SIGNATURE_1),
    (BODY_2, "1790000000", SIGNATURE_2),
    (BODY_1, "1790000000", SIGNATURE_3),
];
const SENT_AT: i64 = 1_790_000_000;

fn secret(text: &str, valid_until: Option<i64>) -> WebhookSecret {
    WebhookSecret {
        secret: text.into(),
        valid_until: valid_until.map(at),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(vec![secret(SECRET, None)], Duration::from_secs(300)).unwrap()
}

fn verify(
    verifier: &Verifier,
    body: &[u8],
    timestamp: &[u8],
    signature: &[u8],
    now: i64,
) -> Result<Verified, Rejected> {
    verifier.verify([signature], [timestamp], body, at(now))
}

fn sign(secret: &str, body: &[u8], timestamp: &[u8]) -> String {
    let mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).unwrap();
    hex::encode(
        mac.chain_update(body)
            .chain_update(timestamp)
            .finalize()
            .into_bytes(),
    )
}

#[test]
fn vectors_are_accepted_to_the_edge_of_the_window() {
    assert_eq!((BODY_1.len(), BODY_2.len()), (262, 354));
    for (body, timestamp, signature) in VECTORS {
        for now in [SENT_AT - 300, SENT_AT, SENT_AT + 300] {
            let verified = verify(
                &verifier(),
                body.as_bytes(),
                timestamp.as_bytes(),
                signature.as_bytes(),
                now,
            )
            .unwrap();
            assert_eq!(verified.sent_at.as_second(), SENT_AT);
            parse(body.as_bytes()).unwrap();
        }
        let upper = signature.to_uppercase();
        assert!(
            verify(
                &verifier(),
                body.as_bytes(),
                timestamp.as_bytes(),
                upper.as_bytes(),
                SENT_AT
            )
            .is_ok()
        );
        assert_eq!(
            sign(SECRET, body.as_bytes(), timestamp.as_bytes()),
            signature
        );
    }
}

#[test]
fn outside_the_window_is_told_apart_from_forged() {
    for (body, timestamp, signature) in VECTORS {
        for now in [SENT_AT - 301, SENT_AT + 301, 0, SENT_AT + 10_000_000] {
            let refused = verify(
                &verifier(),
                body.as_bytes(),
                timestamp.as_bytes(),
                signature.as_bytes(),
                now,
            );
            assert!(
                matches!(refused, Err(Rejected::Stale(hint)) if hint.sent_at.as_second() == SENT_AT),
                "{now}"
            );
            let forged = verify(
                &verifier(),
                b"{}",
                timestamp.as_bytes(),
                signature.as_bytes(),
                now,
            );
            assert_eq!(forged, Err(Rejected::Signature));
        }
    }
}

#[test]
fn everything_that_must_be_refused() {
    let refused = |body: &str, timestamp: &str, signature: &str| {
        verify(
            &verifier(),
            body.as_bytes(),
            timestamp.as_bytes(),
            signature.as_bytes(),
            SENT_AT,
        )
        .unwrap_err()
    };
    let pretty = {
        let value: serde_json::Value = serde_json::from_str(BODY_1).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    assert_eq!(
        refused(&format!("{BODY_1} "), "1790000000123", SIGNATURE_1),
        Rejected::Signature
    );
    assert_eq!(
        refused(BODY_1, "1790000000", SIGNATURE_1),
        Rejected::Signature
    );
    assert_eq!(
        refused(BODY_1, "1790000000000", SIGNATURE_3),
        Rejected::Signature
    );
    assert_eq!(
        refused(BODY_1, "01790000000123", SIGNATURE_1),
        Rejected::Timestamp
    );
    assert_eq!(
        refused(&pretty, "1790000000123", SIGNATURE_1),
        Rejected::Signature
    );

    for timestamp in [
        "",
        "1",
        "179000000",
        "17900000000",
        "179000000012",
        "17900000001234",
        "-790000000",
        "+790000000",
        " 790000000",
        "1790000000 ",
        "1e9",
        "1790000.00",
        "0x6ab13b00",
        "179000000\u{0663}",
        "9223372036854775808",
        "1790000000123\0",
    ] {
        assert_eq!(
            refused(BODY_1, timestamp, SIGNATURE_1),
            Rejected::Timestamp,
            "{timestamp:?}"
        );
    }
    let long = SIGNATURE_1.repeat(1_000);
    for signature in [
        "",
        "0",
        &SIGNATURE_1[1..],
        &SIGNATURE_1[..126],
        &format!("{SIGNATURE_1}0"),
        &format!("{SIGNATURE_1}00"),
        &format!(" {}", &SIGNATURE_1[1..]),
        &format!("0x{}", &SIGNATURE_1[2..]),
        &"z".repeat(128),
        &"é".repeat(64),
        &"0".repeat(128),
        SIGNATURE_2,
        SIGNATURE_3,
        &long,
    ] {
        assert_eq!(
            refused(BODY_1, "1790000000123", signature),
            Rejected::Signature,
            "{signature:.140}"
        );
    }
    assert_eq!(
        verify(
            &verifier(),
            BODY_1.as_bytes(),
            &[0xff; 13],
            SIGNATURE_1.as_bytes(),
            0
        ),
        Err(Rejected::Timestamp)
    );
    // A dummy must not be something one can sign: an all-zero MAC is as wrong as any.
    assert_eq!(
        refused(
            "",
            "1790000000123",
            &sign("another-secret-of-length", b"", b"1790000000123")
        ),
        Rejected::Signature
    );
}

#[test]
fn exactly_one_of_each_header() {
    let (body, timestamp, signature) = VECTORS[0];
    let (timestamp, signature) = (timestamp.as_bytes(), signature.as_bytes());
    let verify = |signatures: &[&[u8]], timestamps: &[&[u8]]| {
        verifier().verify(
            signatures.iter().copied(),
            timestamps.iter().copied(),
            body.as_bytes(),
            at(SENT_AT),
        )
    };
    assert!(verify(&[signature], &[timestamp]).is_ok());
    for (signatures, timestamps) in [
        (&[][..], &[timestamp][..]),
        (&[signature], &[]),
        (&[signature, signature], &[timestamp]),
        (&[signature], &[timestamp, timestamp]),
        (&[], &[]),
    ] {
        assert_eq!(verify(signatures, timestamps), Err(Rejected::Headers));
    }
}

#[test]
fn size_is_looked_at_first() {
    let small = verifier().with_max_body(10);
    assert_eq!(small.max_body(), 10);
    assert_eq!(
        verify(&small, b"01234567890", b"", b"", 0),
        Err(Rejected::TooLarge)
    );
    assert_eq!(
        verify(&small, b"0123456789", b"", b"", 0),
        Err(Rejected::Timestamp)
    );
    let large = vec![b' '; Verifier::MAX_BODY + 1];
    assert_eq!(
        verify(
            &verifier(),
            &large,
            b"1790000000",
            SIGNATURE_1.as_bytes(),
            0
        ),
        Err(Rejected::TooLarge)
    );
}

#[test]
fn two_secrets_live_while_one_is_replaced() {
    let old = "the-old-secret-0123";
    let both = || vec![secret(SECRET, None), secret(old, Some(SENT_AT + 10))];
    let (body, timestamp) = (BODY_1.as_bytes(), "1790000000");
    for secrets in [both(), both().into_iter().rev().collect()] {
        let verifier = Verifier::new(secrets, Duration::from_secs(300)).unwrap();
        for signed_with in [SECRET, old] {
            let signature = sign(signed_with, body, timestamp.as_bytes());
            assert!(
                verify(
                    &verifier,
                    body,
                    timestamp.as_bytes(),
                    signature.as_bytes(),
                    SENT_AT + 9
                )
                .is_ok()
            );
        }
        let retired = sign(old, body, timestamp.as_bytes());
        let refused = verify(
            &verifier,
            body,
            timestamp.as_bytes(),
            retired.as_bytes(),
            SENT_AT + 10,
        );
        assert_eq!(refused, Err(Rejected::Signature));
    }
}

#[test]
fn weak_secrets_make_no_verifier() {
    let new =
        |secrets: Vec<WebhookSecret>| Verifier::new(secrets, Duration::from_secs(300)).map(|_| ());
    assert_eq!(new(vec![]), Err(InvalidVerifier::NoSecret));
    assert_eq!(
        new(vec![secret("", None)]),
        Err(InvalidVerifier::ShortSecret { index: 0 })
    );
    assert_eq!(
        new(vec![secret(SECRET, None), secret("15-bytes-secret", None)]),
        Err(InvalidVerifier::ShortSecret { index: 1 })
    );
    assert_eq!(
        new(vec![secret(&" ".repeat(40), None)]),
        Err(InvalidVerifier::ShortSecret { index: 0 })
    );
    assert_eq!(
        new(vec![secret(SECRET, None); 9]),
        Err(InvalidVerifier::TooManySecrets)
    );
    assert_eq!(new(vec![secret("16-bytes-secret!", None)]), Ok(()));
    let printed = format!("{:?}", verifier());
    assert!(!printed.contains("7Q2mX0kPzr4"), "{printed}");
}

/// The one weakness of the scheme: every split of `body ‖ timestamp` has the same MAC. None but the true one may pass.
#[test]
fn no_other_split_of_body_and_timestamp_passes() {
    for (body, timestamp, signature) in VECTORS {
        let joined = [body.as_bytes(), timestamp.as_bytes()].concat();
        for split in (0..=joined.len()).filter(|split| *split != body.len()) {
            let (other_body, other_timestamp) = joined.split_at(split);
            let accepted = verify(
                &verifier(),
                other_body,
                other_timestamp,
                signature.as_bytes(),
                SENT_AT,
            )
            .is_ok()
                && parse(other_body).is_ok();
            assert!(!accepted, "split at {split}");
        }
    }
    // A time of 13 digits whose last ten are a fresh time as well: the signature holds, the body does not parse.
    let tricky = "1791790000000";
    let signature = sign(SECRET, BODY_1.as_bytes(), tricky.as_bytes());
    let spliced = format!("{BODY_1}179");
    assert!(
        verify(
            &verifier(),
            spliced.as_bytes(),
            b"1790000000",
            signature.as_bytes(),
            SENT_AT
        )
        .is_ok()
    );
    assert_eq!(parse(spliced.as_bytes()), Err(Unreadable::NotJson));
}

proptest! {
    #[test]
    fn what_was_signed_passes_and_what_was_changed_does_not(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        second in 1_000_000_000_i64..9_000_000_000,
        flip in any::<(usize, u8)>(),
    ) {
        let timestamp = second.to_string();
        let signature = sign(SECRET, &body, timestamp.as_bytes());
        let verifier = verifier();
        prop_assert!(verify(&verifier, &body, timestamp.as_bytes(), signature.as_bytes(), second).is_ok());
        let (place, bit) = flip;
        let flip = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let place = place % bytes.len();
            bytes[place] ^= 1 << (bit % 8);
            bytes
        };
        if !body.is_empty() {
            prop_assert!(verify(&verifier, &flip(&body), timestamp.as_bytes(), signature.as_bytes(), second).is_err());
        }
        prop_assert!(verify(&verifier, &body, &flip(timestamp.as_bytes()), signature.as_bytes(), second).is_err());
        let changed = flip(signature.as_bytes());
        if !changed.eq_ignore_ascii_case(signature.as_bytes()) {
            prop_assert!(verify(&verifier, &body, timestamp.as_bytes(), &changed, second).is_err());
        }
        prop_assert!(verify(&verifier, &body, timestamp.as_bytes(), sign("another-secret-of-length", &body, timestamp.as_bytes()).as_bytes(), second).is_err());
    }
}
