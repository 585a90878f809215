//! The local check of a request against its product (contract §3): every missing path named, and no more than that.

use issuance_domain::{Field, FieldKind, Personal, Problem, Product, Terms};
use serde_json::{Value, json};

use crate::sample::{field, product, request};

fn text(name: &str) -> Field {
    field(name, true, FieldKind::Text)
}

fn object(name: &str, required: bool, members: Vec<Field>) -> Field {
    field(name, required, FieldKind::Object(members))
}

fn requiring(required: Vec<Field>) -> Product {
    Product {
        required,
        ..product()
    }
}

/// The sample request with these cardholder fields.
fn person(fields: Value) -> (Terms, Personal) {
    let (terms, mut personal) = request().split();
    personal.fields = serde_json::from_value(fields).unwrap();
    (terms, personal)
}

fn found(product: &Product, (terms, personal): (Terms, Personal)) -> Vec<String> {
    product
        .check(&terms, &personal)
        .into_iter()
        .map(|problem| match problem {
            Problem::Missing { path } => format!("{path} missing"),
            Problem::Invalid { path, rule } => format!("{path}: {rule}"),
        })
        .collect()
}

fn basic() -> Value {
    json!({"email": "a@b.example", "first_name": "A", "last_name": "B", "country_code": "SG", "phone_number": "81230947"})
}

fn basic_and(more: Value) -> (Terms, Personal) {
    let mut fields = basic();
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    person(fields)
}

#[test]
fn a_whole_request_fits() {
    assert_eq!(found(&product(), request().split()), Vec::<String>::new());
}

#[test]
fn contract_3_1_without_a_list_the_basic_five_are_required() {
    assert_eq!(
        found(&product(), person(json!({"first_name": "A"}))),
        [
            "cardholder.email missing",
            "cardholder.last_name missing",
            "cardholder.country_code missing",
            "cardholder.phone_number missing",
        ]
    );
}

#[test]
fn contract_3_2_blank_null_and_empty_are_missing() {
    let product = requiring(vec![
        text("email"),
        text("gender"),
        object("residential_address", true, vec![]),
    ]);
    let blank = person(json!({"email": "  \t", "gender": null, "residential_address": {}}));
    assert_eq!(
        found(&product, blank),
        [
            "cardholder.email missing",
            "cardholder.gender missing",
            "cardholder.residential_address missing"
        ]
    );
}

#[test]
fn contract_3_4_types_are_checked() {
    let product = requiring(vec![text("phone_number"), object("identity", true, vec![])]);
    let wrong = person(json!({"phone_number": 81_230_947, "identity": "passport"}));
    assert_eq!(
        found(&product, wrong),
        [
            "cardholder.phone_number: a string",
            "cardholder.identity: an object"
        ]
    );
}

#[test]
fn contract_3_5_every_nested_gap_is_named() {
    let product = requiring(vec![
        object(
            "residential_address",
            true,
            vec![
                text("country"),
                text("city"),
                text("line1"),
                field("line2", false, FieldKind::Text),
            ],
        ),
        object(
            "identity",
            true,
            vec![
                text("type"),
                text("number"),
                text("front_file"),
                text("back_file"),
            ],
        ),
    ]);
    let gaps = person(json!({
        "residential_address": {"country": "SG", "city": ""},
        "identity": {"type": "ID_CARD", "number": "X1"},
    }));
    assert_eq!(
        found(&product, gaps),
        [
            "cardholder.residential_address.city missing",
            "cardholder.residential_address.line1 missing",
            "cardholder.identity.front_file missing",
            "cardholder.identity.back_file missing",
        ]
    );
}

#[test]
fn contract_3_6_an_absent_optional_object_requires_nothing() {
    let product = requiring(vec![
        text("email"),
        object("residential_address", false, vec![text("city")]),
    ]);
    assert!(found(&product, person(json!({"email": "a@b.example"}))).is_empty());
    assert!(
        found(
            &product,
            person(json!({"email": "a@b.example", "residential_address": {}}))
        )
        .is_empty()
    );
}

#[test]
fn contract_3_7_unknown_types_and_bare_objects_are_checked_for_presence_only() {
    let product = requiring(vec![
        field("gender", true, FieldKind::Unknown("enum".into())),
        object("residential_address", true, vec![]),
        field("nationality", true, FieldKind::Unknown("list".into())),
    ]);
    let given = person(
        json!({"gender": 7, "residential_address": {"country": "SG", "city": "S", "line1": "1"}}),
    );
    assert_eq!(found(&product, given), ["cardholder.nationality missing"]);
}

#[test]
fn contract_3_8_a_schema_from_outside_is_followed_only_so_far() {
    // Deeper than eight levels: no further check, and no overflow.
    let mut kind = FieldKind::Text;
    let mut value = json!({});
    for _ in 0..10_000 {
        kind = FieldKind::Object(vec![Field {
            name: "number".into(),
            kind,
            required: true,
        }]);
    }
    for _ in 0..50 {
        value = json!({ "number": value });
    }
    let deep = requiring(vec![Field {
        name: "identity".into(),
        kind,
        required: true,
    }]);
    let whole = json!({"type": "PASSPORT", "number": value, "front_file": "aGk="});
    assert!(found(&deep, person(json!({ "identity": whole }))).is_empty());
    // Dropping ten thousand levels must not overflow either.
    std::mem::forget(deep);

    let long = requiring(
        (0..1000)
            .map(|index| text(&format!("field_{index}")))
            .collect(),
    );
    assert_eq!(found(&long, person(json!({}))).len(), 200);
}

#[test]
fn identity_cards_need_their_back_once() {
    let card = |back: Value| {
        basic_and(
            json!({"identity": {"type": "ID_CARD", "number": "X1", "front_file": "aGk=", "back_file": back}}),
        )
    };
    assert_eq!(
        found(&product(), card(Value::Null)),
        ["cardholder.identity.back_file missing"]
    );
    assert!(found(&product(), card(json!("aGk="))).is_empty());
    let passport =
        basic_and(json!({"identity": {"type": "PASSPORT", "number": "X1", "front_file": "aGk="}}));
    assert!(found(&product(), passport).is_empty());
    let asked = requiring(vec![object("identity", true, vec![text("back_file")])]);
    assert_eq!(
        found(&asked, card(Value::Null)),
        ["cardholder.identity.back_file missing"]
    );
}

#[test]
fn images_are_bounded() {
    let huge = "A".repeat(2_800_001);
    let given =
        basic_and(json!({"identity": {"type": "PASSPORT", "number": "X1", "front_file": huge}}));
    assert_eq!(
        found(&product(), given),
        ["cardholder.identity.front_file: at most 2 MB before base64"]
    );
}

#[test]
fn verification_is_asked_for_and_named_as_the_request_knows_it() {
    let proof = object(
        "kyc_proof",
        true,
        vec![text("provider"), text("reference_id")],
    );
    let product = requiring(vec![object(
        "kyc_verification",
        true,
        vec![text("method"), proof],
    )]);
    let with = |kyc: Value| {
        let (terms, mut personal) = request().split();
        personal.kyc = serde_json::from_value(kyc).unwrap();
        found(&product, (terms, personal))
    };
    assert_eq!(with(json!({"method": "none"})), ["kyc missing"]);
    assert_eq!(
        with(json!({"method": "sumsub_redirect"})),
        ["kyc.kyc_proof missing"]
    );
    let third = |provider: &str, id: &str| {
        with(json!({"method": "third_party", "provider": provider, "reference_id": id}))
    };
    assert!(third("JUMIO", "0123456789").is_empty());
    let providers = "one of SUMSUB, MYINFO, JUMIO, DIDIT, SHUFTI, REGTANK";
    assert_eq!(
        third("ACME", "012345678"),
        [
            format!("kyc.provider: {providers}"),
            "kyc.reference_id: 10 to 64 characters".into()
        ]
    );
    assert_eq!(
        third("", "0123456789"),
        [
            "kyc.provider missing".into(),
            format!("kyc.provider: {providers}")
        ]
    );
    assert_eq!(
        third("JUMIO", &"x".repeat(65)),
        ["kyc.reference_id: 10 to 64 characters"]
    );
}

#[test]
fn on_the_two_step_road_the_provider_knows_the_person() {
    let (mut terms, personal) = person(json!({}));
    terms.cardholder_id = Some("cardholder-1".parse().unwrap());
    assert!(found(&product(), (terms, personal)).is_empty());
}

#[test]
fn some_bins_insist_on_a_limit() {
    let insisting = Product {
        bin: "52773501".into(),
        ..product()
    };
    let limited = |limit: Option<&str>| {
        let (mut terms, personal) = request().split();
        terms.limit = limit.map(|limit| limit.parse().unwrap());
        (terms, personal)
    };
    assert_eq!(found(&insisting, limited(None)), ["limit missing"]);
    assert_eq!(
        found(&insisting, limited(Some("0"))),
        ["limit: at least 0.01 for this product"]
    );
    assert!(found(&insisting, limited(Some("0.01"))).is_empty());
    for bin in ["555071", "55524399"] {
        assert_eq!(
            found(
                &Product {
                    bin: bin.into(),
                    ..product()
                },
                limited(None)
            ),
            ["limit missing"]
        );
    }
    assert!(found(&product(), limited(None)).is_empty());
}

#[test]
fn one_bin_has_region_rules() {
    let regional = Product {
        bin: "40433705".into(),
        ..product()
    };
    let living = |country: &str, nationality: &str| {
        let address = json!({"country": country, "city": "C", "line1": "1"});
        basic_and(json!({"residential_address": address, "nationality": nationality}))
    };
    assert!(found(&regional, living("JP", "NG")).is_empty());
    assert_eq!(
        found(&regional, living("DE", "KP")),
        [
            "cardholder.residential_address.country: one of AU, JP, KR, MY, PH, TW, TH, VN for this product",
            "cardholder.nationality: a nationality this product accepts",
        ]
    );
    assert!(found(&product(), living("DE", "KP")).is_empty());
}

#[test]
fn the_product_itself_must_fit() {
    let off = Product {
        enabled: false,
        is_virtual: false,
        currencies: vec!["HKD".parse().unwrap()],
        ..product()
    };
    assert_eq!(
        found(&off, request().split()),
        [
            "product_id: a product that is enabled at the provider",
            "product_id: a product that issues virtual cards",
            "currency: one of HKD",
        ]
    );
}

#[test]
fn lengths_are_checked_in_characters_and_bytes() {
    let named = |name: &str| {
        let (terms, mut personal) = request().split();
        personal.name_on_card = Some(name.into());
        (terms, personal)
    };
    assert!(found(&product(), named(&"É".repeat(26))).is_empty());
    assert_eq!(
        found(&product(), named(&"E".repeat(27))),
        ["name_on_card: at most 26 characters"]
    );

    let noted = |metadata: Value| {
        let (terms, mut personal) = request().split();
        personal.metadata = serde_json::from_value(metadata).unwrap();
        (terms, personal)
    };
    // {"k":"…"} is eight bytes around the value; 64 of the provider's 3200 are kept for our own id.
    assert!(found(&product(), noted(json!({"k": "x".repeat(3136 - 8)}))).is_empty());
    assert_eq!(
        found(&product(), noted(json!({"k": "x".repeat(3136 - 7)}))),
        ["metadata: at most 3136 bytes as JSON"]
    );
    assert_eq!(
        found(&product(), noted(json!({"issuance_order": "mine"}))),
        ["metadata: without the key `issuance_order`, which is ours"]
    );
}

#[test]
fn spending_controls_are_above_zero() {
    let (mut terms, personal) = request().split();
    terms.spending_controls = serde_json::from_value(json!([
        {"amount": "5", "interval": "PER_TRANSACTION"},
        {"amount": "0.00", "interval": "PER_TRANSACTION"},
    ]))
    .unwrap();
    assert_eq!(
        found(&product(), (terms, personal)),
        ["spending_controls.1.amount: above zero"]
    );
}
