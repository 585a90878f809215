//! What webhooks say: the bodies of contract §5.4, their odd forms, and what is no event at all.

use issuance_uqpay::webhook::{EventData, EventName, SourceId, Unreadable, parse};
use issuance_uqpay::{CardStatus, CardholderStatus, IdvStatus};
use proptest::prelude::*;

#[test]
fn the_bodies_that_matter() {
    let created = parse(
        br#"{"version":"V1.6.0","event_name":"ISSUING","event_type":"card.create.succeeded",
 "event_id":"1d7e9b34-5a20-4c8f-b6d1-0e3f72a85c94","source_id":"0c6f7f7e-52b1-4d3c-a1de-94b70c28e613",
 "data":{"card_id":"d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946","card_bin":"40963608","card_number":"40963608****1207",
  "card_product_id":"6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8","card_scheme":"VISA","card_status":"ACTIVE",
  "card_available_balance":"120.5","form_factor":"VIRTUAL","mode_type":"SHARE","metadata":{"saga_id":"01JD3XK7"},
  "cardholder":{"cardholder_id":"7be0c9d3-1f24-4e6a-8a95-30d2f6b1c478","cardholder_status":"SUCCESS",
   "create_time":"2026-10-03T09:12:44+08:00","email":"mina.okafor@mail.example","first_name":"Mina","last_name":"Okafor"},
  "risk_control":{"enable_3ds":"Y","allow_3ds_transactions":"Y"},
  "spending_limits":[{"amount":"20000","interval":"PER_TRANSACTION"}]}}"#,
    )
    .unwrap();
    assert_eq!(created.name, EventName::CardCreateSucceeded);
    assert_eq!(
        (created.version.as_deref(), created.category.as_deref()),
        (Some("V1.6.0"), Some("ISSUING"))
    );
    let EventData::Card(card) = &created.data else {
        panic!()
    };
    assert_eq!(card.card_status, Some(CardStatus::Active));
    assert_eq!(card.available_balance, Some("120.5".parse().unwrap()));
    assert!(card.risk_controls.is_some() && card.spending_controls.len() == 1);
    let ids = created.ids();
    assert!(
        matches!(&ids.source, Some(SourceId::CardOrder(id)) if id.as_str() == "0c6f7f7e-52b1-4d3c-a1de-94b70c28e613")
    );
    assert_eq!(
        ids.card().unwrap().as_str(),
        "d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946"
    );
    assert_eq!(
        ids.cardholder().unwrap().as_str(),
        "7be0c9d3-1f24-4e6a-8a95-30d2f6b1c478"
    );
    assert_eq!(ids.metadata["saga_id"], "01JD3XK7");
    let printed = format!("{created:?}");
    assert!(
        !printed.contains("mina.okafor")
            && !printed.contains("Okafor")
            && !printed.contains("1207"),
        "{printed}"
    );

    let kyc = parse(
        br#"{"version":"V1.6.0","event_name":"ISSUING","event_type":"cardholder.kyc.status_changed",
 "event_id":"b2c8f0a6-7d13-4e95-8c4b-f61a09d3e527","source_id":"2d9f4a61-b7c8-4035-9e1d-68f0a3c5d724",
 "data":{"cardholder_id":"2d9f4a61-b7c8-4035-9e1d-68f0a3c5d724","cardholder_status":"SUCCESS","idv_status":"PASSED",
  "idv_provider":"SUMSUB","country_code":"SG","nationality":"NG","date_of_birth":"1991-02-11","email":"t.abara@mail.example",
  "first_name":"Tobi","last_name":"Abara","phone_number":"92218840","create_time":"2026-10-03T09:13:20+08:00",
  "update_time":"2026-10-03T10:02:51+08:00","reason":""}}"#,
    )
    .unwrap();
    let EventData::Cardholder(cardholder) = &kyc.data else {
        panic!()
    };
    assert_eq!(
        cardholder.cardholder_status,
        Some(CardholderStatus::Success)
    );
    assert_eq!(
        (&cardholder.idv_status, &cardholder.reason),
        (&Some(IdvStatus::Passed), &None)
    );
    assert!(matches!(&kyc.ids().source, Some(SourceId::Cardholder(_))));
    assert!(kyc.ids().cardholder().is_some() && kyc.ids().card_order().is_none());

    let cancelled = parse(
        br#"{"version":"V1.6.0","event_name":"ISSUING","event_type":"card.status.update.succeeded",
 "event_id":"c05d1e7f-2b48-49a3-9f60-8d7e4c3b2a19","source_id":"f7d3b1a9-40c6-4e82-9b5d-1c8e6f207a34",
 "data":{"card_id":"d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946","card_number":"40963608****1207","available_balance":"120.5",
  "currency":"USD","card_status":"PRE_CANCEL","update_reason":"saga rolled back","update_time":"2026-10-06T08:00:03+08:00"}}"#,
    )
    .unwrap();
    let EventData::Card(card) = &cancelled.data else {
        panic!()
    };
    assert_eq!(
        (&card.card_status, card.card_currency.as_deref()),
        (&Some(CardStatus::PreCancel), Some("USD"))
    );
}

#[test]
fn names_swap_data_goes_missing_and_strangers_are_let_through() {
    let swapped = parse(br#"{"version":"V1.5.2","event_type":"ISSUING","event_name":"card.create.failed","event_id":"e-1","data":null}"#).unwrap();
    assert_eq!(
        (&swapped.name, swapped.category.as_deref()),
        (&EventName::CardCreateFailed, Some("ISSUING"))
    );
    assert!(matches!(&swapped.data, EventData::Card(card) if card.card_id.is_none()));
    assert_eq!(swapped.ids().source, None);

    let bare = parse(br#"{"event_type":"card.create.failed","event_id":"e-2","source_id":"o-1"}"#)
        .unwrap();
    assert!(matches!(&bare.ids().source, Some(SourceId::CardOrder(id)) if id.as_str() == "o-1"));

    let odd_metadata = parse(br#"{"event_type":"card.update.succeeded","event_id":"e-3","data":{"metadata":{"":""},"card_order_id":"o-2"}}"#).unwrap();
    assert!(odd_metadata.ids().metadata.is_empty());
    assert_eq!(odd_metadata.ids().card_order().unwrap().as_str(), "o-2");

    let stranger = parse(br#"{"event_type":"issuing.transaction.declined","event_id":"e-4","source_id":"t 1","data":{"card_id":"c-1","otp":"1"}}"#).unwrap();
    assert_eq!(
        stranger.name,
        EventName::Other("issuing.transaction.declined".into())
    );
    assert_eq!(stranger.data, EventData::Unread);
    assert_eq!(stranger.ids().source, Some(SourceId::Other("t 1".into())));
    assert_eq!(stranger.ids().card().unwrap().as_str(), "c-1");
    assert!(!stranger.name.carries_secret());

    for (name, secret) in [
        ("card.3ds.otp", true),
        ("card.verification.otp", true),
        ("card.activation.code", true),
        ("card.activation.status", false),
    ] {
        let event = parse(
            format!(r#"{{"event_type":"{name}","event_id":"e","source_id":"c-9","data":[1]}}"#)
                .as_bytes(),
        )
        .unwrap();
        assert_eq!(event.name.carries_secret(), secret, "{name}");
        assert_eq!(event.ids().card().unwrap().as_str(), "c-9");
    }
}

#[test]
fn bodies_that_are_no_event() {
    for (body, why) in [
        (
            r#"{"event_type":"card.create.failed"}"#,
            Unreadable::NoEventId,
        ),
        (
            r#"{"event_type":"card.create.failed","event_id":""}"#,
            Unreadable::NoEventId,
        ),
        (
            r#"{"event_type":"card.create.failed","event_id":"a b"}"#,
            Unreadable::NoEventId,
        ),
        (r#"{"event_id":"e"}"#, Unreadable::NoName),
        (
            r#"{"event_id":"e","event_type":"","event_name":null}"#,
            Unreadable::NoName,
        ),
        (
            r#"{"event_id":"e","event_type":"card.create.failed","data":[]}"#,
            Unreadable::Data,
        ),
        (
            r#"{"event_id":"e","event_type":"cardholder.updated","data":"x"}"#,
            Unreadable::Data,
        ),
        (
            r#"{"event_id":"e","event_id":"f","event_type":"card.create.failed"}"#,
            Unreadable::DuplicateKey,
        ),
        (
            r#"[{"event_id":"e","event_type":"card.create.failed"}]"#,
            Unreadable::NotAnObject,
        ),
        (
            r#"{"event_id":"e","event_type":"card.create.failed"}1"#,
            Unreadable::NotJson,
        ),
    ] {
        assert_eq!(parse(body.as_bytes()), Err(why), "{body}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(body in proptest::collection::vec(any::<u8>(), 0..300), text in "[\\[\\]{}\":,0-9a-z.\\\\ ]{0,120}") {
        let _ = parse(&body);
        let _ = parse(text.as_bytes());
        let _ = parse(format!(r#"{{"event_id":"e","event_type":"card.create.failed","data":{text}}}"#).as_bytes());
    }
}
