//! How a request reads and writes: strict at the edge, the same after a round trip.

use issuance_domain::{
    Account, CardId, CardRequest, KycMethod, Merchants, OrderId, Reference, Usage,
};
use serde_json::{Value, json};

use crate::sample::request;

fn written() -> Value {
    serde_json::to_value(request()).unwrap()
}

/// The sample with one member put at a JSON pointer's parent, read again.
fn with(pointer: &str, value: Value) -> Result<CardRequest, String> {
    let mut whole = written();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    whole
        .pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .insert(member.into(), value);
    serde_json::from_value(whole).map_err(|error| error.to_string())
}

#[test]
fn a_request_survives_a_round_trip() {
    let again: CardRequest = serde_json::from_value(written()).unwrap();
    assert_eq!(serde_json::to_value(again).unwrap(), written());
    assert_eq!(written()["limit"], "120.50", "amounts travel as text");
}

#[test]
fn unknown_members_are_refused_at_every_depth() {
    for pointer in [
        "/colour",
        "/cardholder/colour",
        "/cardholder/fields/colour",
        "/kyc/colour",
        "/risk_controls",
        "/usage_type",
    ] {
        assert!(
            with(pointer, json!({"colour": 1})).is_err(),
            "{pointer} was taken"
        );
    }
    for kyc in [
        json!({"method": "none", "provider": "SUMSUB"}),
        json!({"method": "sumsub_redirect", "kyc_proof": {}}),
        json!({"method": "third_party", "provider": "SUMSUB"}),
        json!({"method": "third_party", "provider": "SUMSUB", "reference_id": "0123456789", "colour": 1}),
        json!({"method": "carrier_pigeon"}),
    ] {
        assert!(with("/kyc", kyc.clone()).is_err(), "{kyc} was taken");
    }
}

#[test]
fn verification_has_one_place() {
    let error = with(
        "/cardholder/fields/kyc_verification",
        json!({"method": "SUMSUB_REDIRECT"}),
    )
    .unwrap_err();
    assert!(error.contains("kyc_verification"), "{error}");
    for (kyc, method) in [
        (json!({"method": "none"}), KycMethod::None),
        (
            json!({"method": "sumsub_redirect"}),
            KycMethod::SumsubRedirect,
        ),
    ] {
        let request = with("/kyc", kyc.clone()).unwrap();
        assert_eq!(serde_json::to_value(&request.kyc).unwrap(), kyc);
        assert_eq!(request.split().0.kyc, method);
    }
}

#[test]
fn nested_strangers_are_named_by_their_path() {
    let error = with(
        "/cardholder/fields/residential_address",
        json!({"country": "SG", "planet": "Mars"}),
    )
    .unwrap_err();
    assert!(error.contains("residential_address.planet"), "{error}");
}

#[test]
fn merchants_are_allowed_or_blocked_never_both() {
    let request = with(
        "/risk_controls",
        json!({"merchants": {"blocked": ["5734"]}}),
    )
    .unwrap();
    assert_eq!(
        request.risk_controls.unwrap().merchants,
        Some(Merchants::Blocked(vec!["5734".into()]))
    );
    assert!(
        with(
            "/risk_controls",
            json!({"merchants": {"blocked": [], "allowed": []}})
        )
        .is_err()
    );
    assert!(with("/risk_controls", json!({"blocked_mcc": []})).is_err());
}

#[test]
fn words_outside_the_contract_are_refused() {
    assert_eq!(
        with("/usage", json!("one_time_on_capture")).unwrap().usage,
        Usage::OneTimeOnCapture
    );
    for (pointer, value) in [
        ("/usage", json!("TWICE")),
        ("/currency", json!("usd")),
        ("/limit", json!("-1")),
        ("/limit", json!("0.001")),
        (
            "/spending_controls",
            json!([{"amount": "5", "interval": "DAILY"}]),
        ),
        ("/reference", json!("")),
        ("/reference", json!("two words")),
        ("/reference", json!("x".repeat(129))),
        ("/metadata", json!({"depth": {"more": 1}})),
        ("/cardholder", json!({"type": "existing"})),
    ] {
        assert!(
            with(pointer, value.clone()).is_err(),
            "{pointer} = {value} was taken"
        );
    }
}

#[test]
fn the_two_roads_split_alike() {
    let (terms, personal) = request().split();
    assert_eq!(terms.cardholder_id, None);
    assert_eq!(
        personal.provider_fields()["kyc_verification"]["kyc_proof"]["provider"],
        "SUMSUB"
    );

    let supplement = json!({"date_of_birth": "1991-02-11"});
    let existing =
        json!({"type": "existing", "cardholder_id": "cardholder-1", "supplement": supplement});
    let (terms, personal) = with("/cardholder", existing).unwrap().split();
    assert_eq!(terms.cardholder_id.unwrap().as_str(), "cardholder-1");
    assert_eq!(personal.fields.as_map().len(), 1);
}

#[test]
fn ids_are_bounded_and_visible() {
    assert!("a".repeat(128).parse::<Reference>().is_ok());
    for text in ["", "a b", "a\nb", "ä", "a\0"] {
        assert!(text.parse::<CardId>().is_err(), "{text:?}");
    }
    let error = "x".repeat(65).parse::<Account>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "account must be 1 to 64 visible ASCII characters"
    );
    assert!("not-a-uuid".parse::<OrderId>().is_err());
}
