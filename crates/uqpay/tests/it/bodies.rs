//! The contract's example bodies, and the odd forms its §2.5 and §8 tell of.

use issuance_uqpay::{
    Card, CardForm, CardOrder, CardStatus, Cardholder, CardholderReply, CardholderStatus,
    CreatedCard, FieldKind, IdvStatus, KycLevel, KycMethod, ModeType, OrderStatus, OrderType, Page,
    Product, ProductStatus, RequiredFields, StatusUpdate, VerificationStatus,
};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned>(body: &str) -> T {
    serde_json::from_slice(body.as_bytes()).unwrap()
}

fn decimal(text: &str) -> Option<Decimal> {
    Some(text.parse().unwrap())
}

#[test]
fn products_with_their_schema() {
    let page: Page<Product> = read(
        r#"{"total_pages":1,"total_items":2,"data":[
 {"product_id":"6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8","card_bin":"40963608","card_scheme":"VISA","mode_type":"SHARE",
  "card_form":["VIR"],"card_currency":["USD","SGD"],"kyc_level":"SIMPLIFIED","max_card_quota":250,"product_status":"ENABLED",
  "required_fields":[
   {"name":"email","type":"string","required":true},{"name":"date_of_birth","type":"string","required":false}]},
 {"product_id":"b81d94e7-03fa-4c6d-8e25-71c0a9f3d562","card_bin":"46651711","card_scheme":"VISA","mode_type":"share",
  "card_form":["VIR"],"card_currency":["USD","HKD"],"kyc_level":"ENHANCED","product_status":"ENABLED",
  "no_pin_payment_amount":[{"amount":"200","currency":"USD"}],"a_new_member":{"x":[1]},
  "required_fields":[
   {"name":"residential_address","type":"object","required":true,"description":"home address","fields":[
     {"name":"country","type":"string","required":true},{"name":"postal_code","type":"string","required":false}]},
   {"name":"kyc_verification","type":"object","required":true,"fields":[
     {"name":"method","type":"string","required":true},
     {"name":"kyc_proof","type":"object","required":false,"fields":[
       {"name":"provider","type":"string","required":true},{"name":"reference_id","type":"string","required":true}]}]}]}]}"#,
    );
    assert_eq!(
        (page.total_pages, page.total_items, page.data.len()),
        (Some(1), Some(2), 2)
    );
    let [plain, enhanced] = &page.data[..] else {
        panic!()
    };
    assert_eq!(plain.card_form, [CardForm::Virtual]);
    assert_eq!(plain.card_currency, ["USD", "SGD"]);
    assert_eq!(plain.max_card_quota, Some(250));
    assert_eq!(plain.product_status, Some(ProductStatus::Enabled));
    assert_eq!(
        (&enhanced.mode_type, &enhanced.kyc_level),
        (&Some(ModeType::Share), &Some(KycLevel::Enhanced))
    );
    let RequiredFields::Schema(fields) = &enhanced.required_fields else {
        panic!()
    };
    assert_eq!(fields[0].description.as_deref(), Some("home address"));
    let FieldKind::Object(kyc) = &fields[1].kind else {
        panic!()
    };
    let FieldKind::Object(proof) = &kyc[1].kind else {
        panic!()
    };
    assert_eq!(
        (proof[1].name.as_str(), &proof[1].kind, proof[1].required),
        ("reference_id", &FieldKind::Text, true)
    );
}

#[test]
fn schemas_that_are_absent_odd_or_too_large() {
    let schema = |member: &str| {
        read::<Product>(&format!(r#"{{"product_id":"p-1"{member}}}"#)).required_fields
    };
    for basic in ["", r#","required_fields":null"#, r#","required_fields":[]"#] {
        assert_eq!(schema(basic), RequiredFields::Basic, "{basic}");
    }
    for odd in [
        r#""email""#,
        r#"{"email":true}"#,
        "[1]",
        r#"[{"type":"string"}]"#,
        r#"[{"name":"a","type":"object","fields":3}]"#,
    ] {
        assert_eq!(
            schema(&format!(r#","required_fields":{odd}"#)),
            RequiredFields::Unreadable,
            "{odd}"
        );
    }
    let nested = |levels: usize| {
        let inner = r#"{"name":"n","type":"object","fields":["#.repeat(levels - 1);
        format!(
            r#","required_fields":[{inner}{{"name":"n","type":"string"}}{}]"#,
            "]}".repeat(levels - 1)
        )
    };
    assert!(matches!(schema(&nested(8)), RequiredFields::Schema(_)));
    assert_eq!(schema(&nested(9)), RequiredFields::TooLarge);
    assert_eq!(schema(&nested(5_000)), RequiredFields::TooLarge);
    let wide = |entries: usize| {
        format!(
            r#","required_fields":[{}]"#,
            vec![r#"{"name":"n"}"#; entries].join(",")
        )
    };
    assert!(matches!(schema(&wide(200)), RequiredFields::Schema(_)));
    assert_eq!(schema(&wide(201)), RequiredFields::TooLarge);
    // All levels count together.
    let object = format!(
        r#"{{"name":"o","type":"object","fields":[{}]}}"#,
        vec![r#"{"name":"n"}"#; 100].join(",")
    );
    let both = format!(r#","required_fields":[{object},{object}]"#);
    assert_eq!(schema(&both), RequiredFields::TooLarge);
    let RequiredFields::Schema(fields) =
        schema(r#","required_fields":[{"name":"a","type":"date"}]"#)
    else {
        panic!()
    };
    assert_eq!(
        (&fields[0].kind, fields[0].required),
        (&FieldKind::Unknown("date".into()), false)
    );
}

#[test]
fn the_three_branches_of_create() {
    let plain: CreatedCard = read(
        r#"{"card_order_id":"0c6f7f7e-52b1-4d3c-a1de-94b70c28e613","card_id":"d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946",
 "cardholder_id":"7be0c9d3-1f24-4e6a-8a95-30d2f6b1c478","card_status":"PENDING","order_status":"PROCESSING",
 "create_time":"2026-10-03T09:12:44+08:00","cardholder_status":"SUCCESS","cardholder_created":true,
 "verification_status":"VERIFIED","message":"card creation in progress"}"#,
    );
    assert_eq!(
        plain.card_id.as_str(),
        "d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946"
    );
    assert_eq!(
        plain.card_order_id.unwrap().as_str(),
        "0c6f7f7e-52b1-4d3c-a1de-94b70c28e613"
    );
    assert_eq!(
        (plain.card_status, plain.order_status),
        (Some(CardStatus::Pending), Some(OrderStatus::Processing))
    );
    assert_eq!(
        (plain.cardholder_created, plain.verification_status),
        (Some(true), Some(VerificationStatus::Verified))
    );
    assert_eq!(
        plain.create_time.unwrap().to_string(),
        "2026-10-03T01:12:44Z"
    );

    let idv: CreatedCard = read(
        r#"{"card_id":"e8a37c10-94d2-4b6f-8f01-c2d5b7e60a39","cardholder_id":"2d9f4a61-b7c8-4035-9e1d-68f0a3c5d724",
 "card_status":"PENDING","cardholder_status":"INCOMPLETE","kyc_method":"SUMSUB_REDIRECT",
 "verification_status":"ACTION_REQUIRED","idv_verification_url":"https://in.sumsub.com/websdk/p/sbx_q81LmZ",
 "idv_url_expires_at":"2026-10-04T09:13:20+08:00"}"#,
    );
    assert_eq!(
        (idv.card_order_id, idv.order_status, idv.create_time),
        (None, None, None)
    );
    assert_eq!(idv.kyc_method, Some(KycMethod::SumsubRedirect));
    assert_eq!(
        idv.verification_status,
        Some(VerificationStatus::ActionRequired)
    );
    assert_eq!(
        idv.idv_verification_url.unwrap().expose(),
        "https://in.sumsub.com/websdk/p/sbx_q81LmZ"
    );
    assert_eq!(
        idv.idv_url_expires_at.unwrap().to_string(),
        "2026-10-04T01:13:20Z"
    );

    let proof: CreatedCard = read(
        r#"{"card_id":"5f2b8e90-3a7d-4c14-a6b9-d0e1f4872c63","card_order_id":"91c0d7f2-68be-4a35-b4d7-2e9a50c3f816",
 "cardholder_id":"c4a5e6d7-08f9-4b1a-92c3-7d4e5f60a1b2","card_status":"PENDING","order_status":"PROCESSING",
 "create_time":"2026-10-03T09:20:01+08:00","cardholder_status":"SUCCESS","cardholder_created":true,
 "kyc_method":"THIRD_PARTY","verification_status":"VERIFIED"}"#,
    );
    assert_eq!(proof.kyc_method, Some(KycMethod::ThirdParty));
}

#[test]
fn words_are_open_and_any_case() {
    let answer: CreatedCard = read(
        r#"{"card_id":"d1e4","card_status":"new_thing","order_status":"success","cardholder_status":"",
            "verification_status":null,"kyc_method":7,"cardholder_created":"TRUE","message":{"odd":[]}}"#,
    );
    assert_eq!(
        answer.card_status,
        Some(CardStatus::Unknown("new_thing".into()))
    );
    assert_eq!(answer.order_status, Some(OrderStatus::Success));
    assert_eq!(
        (answer.cardholder_status, answer.verification_status),
        (None, None)
    );
    assert_eq!(answer.kyc_method, Some(KycMethod::Unknown("7".into())));
    assert_eq!(
        (answer.cardholder_created, answer.message),
        (Some(true), None)
    );
    let long = CardStatus::read(&"X".repeat(5_000));
    assert_eq!(long.as_str().len(), 64);
}

#[test]
fn cards_in_detail_and_in_lists() {
    let card: Card = read(
        r#"{"card_id":"d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946","card_bin":"40963608","card_scheme":"VISA","card_currency":"USD",
 "card_number":"40963608****1207","form_factor":"VIRTUAL","mode_type":"SHARE",
 "card_product_id":"6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8","card_limit":120.5,"available_balance":"120.50",
 "cardholder":{"cardholder_id":"7be0c9d3-1f24-4e6a-8a95-30d2f6b1c478","cardholder_status":"SUCCESS","number_of_cards":1},
 "spending_controls":[{"amount":"20000","interval":"PER_TRANSACTION"}],"risk_controls":null,
 "metadata":{"saga_id":"01JD3XK7","attempt":"1"},"card_status":"ACTIVE","consumed_amount":"0.00"}"#,
    );
    let details = &card.details;
    assert_eq!(details.card_status, Some(CardStatus::Active));
    assert_eq!(
        (details.card_limit, details.available_balance),
        (decimal("120.5"), decimal("120.50"))
    );
    assert_eq!(details.form_factor, Some(CardForm::Virtual));
    assert_eq!(
        details.cardholder_id().unwrap().as_str(),
        "7be0c9d3-1f24-4e6a-8a95-30d2f6b1c478"
    );
    assert_eq!(details.spending_controls[0].amount, decimal("20000"));
    assert_eq!(details.metadata["saga_id"], "01JD3XK7");
    assert_eq!(details.risk_controls, None);

    let page: Page<Card> = read(
        r#"{"total_pages":"1","total_items":3,"data":[
            {"card_id":"a","card_limit":"12345678901234567890.12","metadata":"{\"saga_id\":\"01JD3XK7\"}","cardholder":{},
             "no_pin_payment_amount":"200USD","risk_controls":{},"spending_controls":null},
            {"card_id":"b","metadata":"","available_balance":7,"card_limit":""},
            {"card_id":"c","metadata":"{}","cardholder":"","cardholder_id":"h-1"}]}"#,
    );
    let [first, second, third] = &page.data[..] else {
        panic!()
    };
    assert_eq!(page.total_pages, Some(1));
    assert_eq!(first.details.card_limit, decimal("12345678901234567890.12"));
    assert_eq!(first.details.metadata["saga_id"], "01JD3XK7");
    assert!(first.details.cardholder_id().is_none());
    assert!(second.details.metadata.is_empty() && third.details.metadata.is_empty());
    assert_eq!(
        (second.details.available_balance, second.details.card_limit),
        (decimal("7"), None)
    );
    assert_eq!(third.details.cardholder_id().unwrap().as_str(), "h-1");
}

#[test]
fn both_names_of_a_member_are_read_even_together() {
    let card: Card = read(
        r#"{"card_id":"a","card_available_balance":"1.5","risk_control":{"enable_3ds":"Y"},
            "spending_limits":[{"amount":"3","interval":"PER_TRANSACTION"}],"currency":"SGD"}"#,
    );
    assert_eq!(
        (
            card.details.available_balance,
            card.details.card_currency.as_deref()
        ),
        (decimal("1.5"), Some("SGD"))
    );
    assert_eq!(
        card.details.risk_controls.unwrap().enable_3ds.as_deref(),
        Some("Y")
    );
    assert_eq!(card.details.spending_controls[0].amount, decimal("3"));
    let card: Card = read(
        r#"{"card_id":"a","available_balance":"2","card_available_balance":"1","risk_control":null,"risk_controls":{},
            "spending_limits":[],"spending_controls":[{"amount":4}]}"#,
    );
    assert_eq!(card.details.available_balance, decimal("2"));
    assert_eq!(card.details.spending_controls[0].amount, decimal("4"));
}

#[test]
fn metadata_in_every_form() {
    let metadata = |text: &str| {
        let card: Card = read(&format!(r#"{{"card_id":"a","metadata":{text}}}"#));
        card.details.metadata.into_iter().collect::<Vec<_>>()
    };
    for empty in [
        "null",
        "{}",
        r#""""#,
        r#""{}""#,
        r#"{"":""}"#,
        r#""{\"\":\"\"}""#,
        "[]",
        "3",
        r#""not json""#,
        r#""null""#,
    ] {
        assert_eq!(metadata(empty), [], "{empty}");
    }
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        metadata(r#"{"b":"2","a":"1","":"x","n":null}"#),
        [pair("a", "1"), pair("b", "2")]
    );
    assert_eq!(
        metadata(r#""{\"a\":\"1\",\"n\":7}""#),
        [pair("a", "1"), pair("n", "7")]
    );
}

#[test]
fn amounts_are_decimals_or_nothing() {
    let limit = |text: &str| {
        read::<Card>(&format!(r#"{{"card_id":"a","card_limit":{text}}}"#))
            .details
            .card_limit
    };
    assert_eq!(limit("2100.02"), decimal("2100.02"));
    assert_eq!(limit("0.1"), decimal("0.1"));
    assert_eq!(limit("1e3"), decimal("1000"));
    assert_eq!(limit("-0"), decimal("0"));
    assert_eq!(limit(r#"" 00.10 ""#), decimal("0.10"));
    assert_eq!(limit(r#""1.5E-1""#), decimal("0.15"));
    let junk = [
        "null",
        "true",
        "[]",
        "{}",
        "1e400",
        "-1e-400",
        r#""200USD""#,
        r#""NaN""#,
        r#""1_000""#,
        r#""1,000""#,
        r#""""#,
        r#""٣""#,
        r#""e""#,
        r#""1e99999999999999999999""#,
        r#""--1""#,
        r#"".""#,
        "1234567890123456789012345678901234567890",
        r#""0.12345678901234567890123456789012""#,
    ];
    for text in junk {
        assert_eq!(limit(text), None, "{text}");
    }
}

#[test]
fn times_have_an_offset_or_are_nothing() {
    let ends = |text: &str| {
        read::<Cardholder>(&format!(r#"{{"idv_url_expires_at":{text}}}"#))
            .idv_url_expires_at
            .map(|time| time.to_string())
    };
    assert_eq!(
        ends(r#""2026-10-04T09:13:20+08:00""#).as_deref(),
        Some("2026-10-04T01:13:20Z")
    );
    assert_eq!(
        ends(r#""2026-10-04T01:13:20.5Z""#).as_deref(),
        Some("2026-10-04T01:13:20.5Z")
    );
    for none in [
        r#""2026-10-04 09:13:20""#,
        r#""2026-10-04T09:13:20""#,
        r#""2026-10-04""#,
        r#""0001-01-01T00:00:00Z""#,
        r#""""#,
        "null",
        "1790000000",
        "[]",
        r#""2026-02-30T00:00:00Z""#,
        r#""10000-01-01T00:00:00Z""#,
        r#""soon""#,
    ] {
        assert_eq!(ends(none), None, "{none}");
    }
}

#[test]
fn cardholders() {
    let read_back: Cardholder = read(
        r#"{"cardholder_id":"2d9f4a61-b7c8-4035-9e1d-68f0a3c5d724","email":"t.abara@mail.example","number_of_cards":1,
 "first_name":"Tobi","last_name":"Abara","create_time":"2026-10-03 09:13:20","cardholder_status":"INCOMPLETE",
 "country_code":"SG","phone_number":"92218840","date_of_birth":"1991-02-11","gender":"","nationality":"NG",
 "idv_status":"PENDING","idv_verification_url":"https://in.sumsub.com/websdk/p/sbx_q81LmZ",
 "idv_url_expires_at":"2026-10-04T09:13:20+08:00"}"#,
    );
    assert_eq!(
        read_back.cardholder_status,
        Some(CardholderStatus::Incomplete)
    );
    assert_eq!(
        (read_back.idv_status.clone(), read_back.number_of_cards),
        (Some(IdvStatus::Pending), Some(1))
    );
    let printed = format!("{read_back:?}");
    for planted in [
        "t.abara",
        "Tobi",
        "Abara",
        "92218840",
        "1991-02-11",
        "sbx_q81LmZ",
    ] {
        assert!(!printed.contains(planted), "{planted} in {printed}");
    }
    assert_eq!(read::<Cardholder>("{}"), Cardholder::default());
    assert_eq!(read::<Cardholder>(r#"{"idv_status":""}"#).idv_status, None);

    for body in [
        r#"{"cardholder_id":"2d9f4a61-b7c8-4035-9e1d-68f0a3c5d724","cardholder_status":"INCOMPLETE",
 "idv_verification_url":"https://in.sumsub.com/websdk/p/sbx_k0WcT4","idv_url_expires_at":"2026-10-04T11:05:00+08:00"}"#,
        r#"{"cardholder_id":"2d9f4a61-b7c8-4035-9e1d-68f0a3c5d724","cardholder_status":"INCOMPLETE",
 "idv_verification_url":"https://in.sumsub.com/websdk/p/sbx_Y2nV77","idv_url_expires_at":"2026-10-05T16:40:09+08:00"}"#,
    ] {
        let reply: CardholderReply = read(body);
        assert!(reply.idv_verification_url.is_some() && reply.idv_url_expires_at.is_some());
    }
}

#[test]
fn card_orders_and_status_updates() {
    let order: CardOrder = read(
        r#"{"card_id":"d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946","card_order_id":"0c6f7f7e-52b1-4d3c-a1de-94b70c28e613",
 "order_type":"CREATE_CARD","amount":"120.50","card_currency":"USD","create_time":"2026-10-03T09:12:44+08:00",
 "update_time":"2026-10-03T09:12:47+08:00","complete_time":"","order_status":"PROCESSING"}"#,
    );
    assert_eq!(
        (order.order_type, order.order_status),
        (Some(OrderType::CreateCard), Some(OrderStatus::Processing))
    );
    assert_eq!(
        (order.amount, order.complete_time, order.failure_code),
        (decimal("120.50"), None, None)
    );
    let failed: CardOrder = read(
        r#"{"order_type":"card_create","order_status":"FAILED","failure_code":"INVALID_PIN","amount":3}"#,
    );
    assert_eq!(
        (failed.order_type, failed.failure_code.as_deref()),
        (Some(OrderType::CreateCard), Some("INVALID_PIN"))
    );
    assert_eq!(
        read::<CardOrder>(r#"{"order_type":"PIN_MANAGEMENT"}"#).order_type,
        Some(OrderType::PinManagement)
    );

    let update: StatusUpdate = read(
        r#"{"card_id":"d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946","card_order_id":"f7d3b1a9-40c6-4e82-9b5d-1c8e6f207a34","order_status":"PENDING","update_reason":"saga rolled back"}"#,
    );
    assert_eq!(update.order_status, Some(OrderStatus::Pending));
}

#[test]
fn lists_may_be_null_but_not_missing_and_no_row_is_skipped() {
    assert_eq!(
        read::<Page<Card>>(r#"{"total_items":0,"data":null}"#).data,
        []
    );
    assert!(serde_json::from_str::<Page<Card>>(r#"{"total_items":0}"#).is_err());
    assert!(
        serde_json::from_str::<Page<Card>>(
            r#"{"data":[{"card_id":"a"},{"card_status":"ACTIVE"}]}"#
        )
        .is_err()
    );
}
