//! Nothing of a person is ever printed or written to the log by this crate (design §1.6, reliability S21).

use issuance_domain::{Command, Context, EventBody, Placement, Policy, Rejection, decide};
use serde_json::json;

use crate::given::given;
use crate::sample::{order_id, placement, product, request, start};

/// Every value of the sample request that belongs to a person or to the host alone.
const PLANTED: [&str; 9] = [
    "mina.okafor",
    "mail.example",
    "Mina",
    "Okafor",
    "MINA OKAFOR",
    "81230947",
    "violet",
    "proof-7781",
    "reference_id",
];

#[track_caller]
fn shows_nothing(text: &str) {
    for planted in PLANTED {
        assert!(!text.contains(planted), "`{planted}` in {text}");
    }
}

#[test]
fn debug_masks_a_person() {
    let placement = placement();
    shows_nothing(&format!("{:?}", request()));
    shows_nothing(&format!("{:#?}", placement.personal));
    shows_nothing(&format!("{:?}", placement.personal.fields));
    shows_nothing(&format!("{:#?}", Command::Place(Box::new(placement))));
    // It shows which members were given, so that it still helps.
    assert!(format!("{:?}", request().split().1).contains("phone_number"));
}

#[test]
fn a_rejection_names_paths_never_values() {
    let (terms, mut personal) = request().split();
    personal.name_on_card = Some("MINA OKAFOR ".repeat(9));
    personal.kyc = serde_json::from_value(json!({
        "method": "third_party", "provider": "violet", "reference_id": "violet",
    }))
    .unwrap();
    personal.fields =
        serde_json::from_value(json!({"email": ["mina.okafor@mail.example"]})).unwrap();
    let placement = Placement {
        terms,
        personal,
        product: product(),
        ..placement()
    };
    let policy = Policy::standard();
    let context = Context {
        order_id: order_id(),
        now: start(),
        policy: &policy,
    };
    let rejection = decide(None, Command::Place(Box::new(placement)), &context).unwrap_err();
    let Rejection::Unfit { problems } = &rejection else {
        panic!("{rejection:?}")
    };
    assert!(problems.len() > 5, "{problems:?}");
    let text = format!(
        "{rejection} {rejection:?} {}",
        serde_json::to_string(problems).unwrap()
    );
    shows_nothing(&text.replace("kyc.reference_id", ""));
}

#[test]
fn what_is_stored_of_a_request_holds_nothing_of_a_person() {
    let empty = crate::given::Given {
        order: None,
        now: start(),
        policy: Policy::standard(),
    };
    let placed = empty.when(Command::Place(Box::new(placement()))).then_on();
    let order = placed.order();
    shows_nothing(&serde_json::to_string(order).unwrap());
    shows_nothing(&format!("{order:?}"));
    let body = EventBody::OrderRequested {
        terms: order.terms.clone(),
        personal_digest: order.personal_digest.clone(),
        prepaid: false,
    };
    shows_nothing(&serde_json::to_string(&body).unwrap());
    shows_nothing(&format!("{body:?}"));
    shows_nothing(&format!("{:?}", given([body]).order()));
}

#[test]
fn the_planted_values_are_really_there() {
    let whole = serde_json::to_string(&request()).unwrap();
    for planted in PLANTED {
        assert!(whole.contains(planted), "`{planted}` is not in the sample");
    }
}
