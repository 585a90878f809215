//! Bodies are the same bytes for ever: a replay under an old key must not change by an upgrade (design §3).

use std::collections::BTreeMap;

use issuance_uqpay::{
    Address, Amount, AutoCancelTrigger, CardholderFields, CreateCard, CreateCardholder, Gender,
    Holder, Identity, IdentityType, KycVerification, MccRule, OneTime, ProofProvider, RiskControls,
    SpendingControl, SpendingInterval, SupportingDocument, TargetStatus, UpdateCardStatus,
    UpdateCardholder,
};
use rust_decimal::Decimal;

fn amount(text: &str) -> Amount {
    Amount::new(text.parse().unwrap()).unwrap()
}

fn person() -> CardholderFields {
    CardholderFields {
        email: Some("mina.okafor@mail.example".into()),
        first_name: Some("Mina".into()),
        last_name: Some("Okafor".into()),
        country_code: Some("SG".into()),
        phone_number: Some("81230947".into()),
        ..CardholderFields::default()
    }
}

fn one_step() -> CreateCard {
    CreateCard {
        card_product_id: "6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8".parse().unwrap(),
        card_currency: "USD".into(),
        card_limit: Some(amount("120.50")),
        holder: Holder::New(person()),
        name_on_card: None,
        spending_controls: Vec::new(),
        risk_controls: None,
        metadata: BTreeMap::from([
            ("saga_id".into(), "01JD3XK7".into()),
            ("attempt".into(), "1".into()),
        ]),
        one_time: None,
        expiry_at: None,
        card_art_id: None,
    }
}

fn text(body: &issuance_uqpay::Body) -> &str {
    std::str::from_utf8(body.as_bytes()).unwrap()
}

#[test]
fn one_step_create() {
    let body = one_step().to_bytes();
    assert_eq!(
        text(&body),
        concat!(
            r#"{"card_product_id":"6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8","card_currency":"USD","card_limit":120.5,"#,
            r#""cardholder_required_fields":{"email":"mina.okafor@mail.example","first_name":"Mina","#,
            r#""last_name":"Okafor","country_code":"SG","phone_number":"81230947"},"#,
            r#""metadata":{"attempt":"1","saga_id":"01JD3XK7"}}"#
        )
    );
    assert_eq!(body, one_step().to_bytes());
}

#[test]
fn two_step_create_with_everything() {
    let request = CreateCard {
        card_limit: Some(amount("500")),
        holder: Holder::Existing {
            cardholder_id: "7be0c9d3-1f24-4e6a-8a95-30d2f6b1c478".parse().unwrap(),
            supplement: Some(CardholderFields {
                date_of_birth: Some("1991-02-11".into()),
                gender: Some(Gender::Female),
                nationality: Some("NG".into()),
                residential_address: Some(Address {
                    country: "SG".into(),
                    city: "Singapore".into(),
                    line1: "1 Quay".into(),
                    state: None,
                    district: None,
                    line2: None,
                    line_en: None,
                    postal_code: Some("018989".into()),
                }),
                identity: Some(Identity {
                    kind: IdentityType::IdCard,
                    number: "S1234567D".into(),
                    front_file: "QUJD".into(),
                    back_file: Some("REVG".into()),
                    hand_file: None,
                    proof_of_address: None,
                    proof_of_address_issue_date: None,
                    proof_of_address_issuing_country: None,
                    identity_verification: None,
                }),
                kyc_verification: Some(KycVerification::ThirdParty {
                    provider: ProofProvider::Jumio,
                    reference_id: "ref-0123456789".into(),
                }),
                ..CardholderFields::default()
            }),
        },
        name_on_card: Some("MINA OKAFOR".into()),
        spending_controls: vec![SpendingControl {
            amount: amount("20000"),
            interval: SpendingInterval::PerTransaction,
        }],
        risk_controls: Some(RiskControls {
            enable_3ds: Some(true),
            allow_3ds_transactions: Some(false),
            mcc: Some(MccRule::Blocked(vec!["7995".into()])),
        }),
        metadata: BTreeMap::new(),
        one_time: Some(OneTime {
            auto_cancel_trigger: AutoCancelTrigger::OnCapture,
        }),
        expiry_at: Some("2027-01-31T00:00:00Z".parse().unwrap()),
        card_art_id: Some("art-1".into()),
        ..one_step()
    };
    assert_eq!(
        text(&request.to_bytes()),
        concat!(
            r#"{"card_product_id":"6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8","card_currency":"USD","card_limit":500,"#,
            r#""cardholder_id":"7be0c9d3-1f24-4e6a-8a95-30d2f6b1c478","cardholder_required_fields":{"#,
            r#""date_of_birth":"1991-02-11","gender":"FEMALE","nationality":"NG","residential_address":{"#,
            r#""country":"SG","city":"Singapore","line1":"1 Quay","postal_code":"018989"},"#,
            r#""identity":{"type":"ID_CARD","number":"S1234567D","front_file":"QUJD","back_file":"REVG"},"#,
            r#""kyc_verification":{"method":"THIRD_PARTY","#,
            r#""kyc_proof":{"provider":"JUMIO","reference_id":"ref-0123456789"}}},"#,
            r#""name_on_card":"MINA OKAFOR","spending_controls":[{"amount":20000,"interval":"PER_TRANSACTION"}],"#,
            r#""risk_controls":{"enable_3ds":"Y","allow_3ds_transactions":"N","blocked_mcc":["7995"]},"#,
            r#""usage_type":"ONE_TIME","auto_cancel_trigger":"ON_CAPTURE","expiry_at":"2027-01-31T00:00:00Z","#,
            r#""card_art_id":"art-1"}"#
        )
    );
}

#[test]
fn the_other_calls() {
    let create = CreateCardholder {
        fields: person(),
        document: Some(SupportingDocument::Png("QUJD".into())),
    };
    assert_eq!(
        text(&create.to_bytes()),
        concat!(
            r#"{"email":"mina.okafor@mail.example","first_name":"Mina","last_name":"Okafor","country_code":"SG","#,
            r#""phone_number":"81230947","document_type":"png","document":"QUJD"}"#
        )
    );
    let renew = UpdateCardholder::renew_idv_link();
    assert_eq!(
        text(&renew.to_bytes()),
        r#"{"kyc_verification":{"method":"SUMSUB_REDIRECT"}}"#
    );
    let cancel = UpdateCardStatus {
        card_status: TargetStatus::Cancelled,
        update_reason: Some("rolled back".into()),
    };
    assert_eq!(
        text(&cancel.to_bytes()),
        r#"{"card_status":"CANCELLED","update_reason":"rolled back"}"#
    );
}

#[test]
fn amounts_keep_every_digit_and_no_more_than_two_decimals() {
    for (given, sent) in [
        ("0", "0"),
        ("-0", "0"),
        ("0.01", "0.01"),
        ("120.500", "120.5"),
        ("100", "100"),
        ("12345678901234567890.12", "12345678901234567890.12"),
        (
            "79228162514264337593543950335",
            "79228162514264337593543950335",
        ),
    ] {
        let request = CreateCard {
            card_limit: Some(amount(given)),
            ..one_step()
        };
        assert!(
            text(&request.to_bytes()).contains(&format!("\"card_limit\":{sent},")),
            "{given}"
        );
    }
    for refused in ["-0.01", "-1", "0.001", "1.999"] {
        assert!(
            Amount::new(refused.parse::<Decimal>().unwrap()).is_err(),
            "{refused}"
        );
    }
}

#[test]
fn debug_masks_the_person() {
    let printed = format!("{:?} {:?}", one_step(), one_step().to_bytes());
    for planted in ["mina.okafor", "Mina", "Okafor", "81230947"] {
        assert!(!printed.contains(planted), "{planted} in {printed}");
    }
}
