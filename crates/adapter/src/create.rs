//! Our order as their create call (contract §2.2). The same order and data give the same bytes, always.

use issuance_domain::planted::{self, Bug};
use issuance_domain::{
    METADATA_ORDER_KEY, Merchants, Order, Personal, Purpose, RiskControls, SpendingControl,
    SpendingInterval, Usage,
};
use issuance_executor::PrepareError;
use issuance_uqpay as uqpay;
use serde_json::{Map, Value};
use uqpay::{Amount, Body, CreateCard, Holder, MccRule, OneTime, Private};

/// What every cardholder is made from (contract §2.3).
const BASIC_FIVE: [&str; 5] = [
    "email",
    "first_name",
    "last_name",
    "country_code",
    "phone_number",
];

/// The exact body of the create call.
pub(crate) fn body(order: &Order, personal: &Personal) -> Result<Body, PrepareError> {
    let terms = &order.terms;
    let mut given = personal.provider_fields();
    // The body belongs to the key: whom this one names was settled when it became owed.
    let left_behind = order
        .submission(Purpose::CreateCard)
        .and_then(|submission| submission.cardholder.as_ref());
    if left_behind.is_some() {
        // What made the person is not sent again: names cannot change, e-mail and phone are taken by themselves.
        given.retain(|name, _| !BASIC_FIVE.contains(&name.as_str()));
    }
    let fields = cardholder_fields(&given)?;
    let holder = match left_behind.or(terms.cardholder_id.as_ref()) {
        None => Holder::New(fields),
        Some(id) => Holder::Existing {
            cardholder_id: uqpay::CardholderId::parse(id.as_str())
                .map_err(|_| unsendable("cardholder_id"))?,
            supplement: (fields != uqpay::CardholderFields::default()).then_some(fields),
        },
    };
    let mut metadata = personal.metadata.clone();
    metadata.insert(METADATA_ORDER_KEY.into(), order.id.to_string());
    if let Some(submission) = order
        .submission(Purpose::CreateCard)
        .filter(|_| planted::is(Bug::BodyPerAttempt))
    {
        metadata.insert("attempt".into(), submission.attempts.to_string());
    }
    let create = CreateCard {
        card_product_id: uqpay::ProductId::parse(terms.product_id.as_str())
            .map_err(|_| unsendable("product_id"))?,
        card_currency: terms.currency.as_str().to_owned(),
        card_limit: terms
            .limit
            .map(|limit| amount(limit, "limit"))
            .transpose()?,
        holder,
        name_on_card: personal.name_on_card.as_deref().map(Private::from),
        spending_controls: terms
            .spending_controls
            .iter()
            .filter(|_| !planted::is(Bug::ControlsLost))
            .map(spending_control)
            .collect::<Result<_, _>>()?,
        risk_controls: terms.risk_controls.as_ref().map(risk_controls),
        metadata,
        one_time: one_time(terms.usage),
        expiry_at: None,
        card_art_id: None,
    };
    Ok(create.to_bytes())
}

fn amount(amount: issuance_domain::Amount, name: &'static str) -> Result<Amount, PrepareError> {
    Amount::new(amount.decimal()).map_err(|_| unsendable(name))
}

fn spending_control(control: &SpendingControl) -> Result<uqpay::SpendingControl, PrepareError> {
    let interval = match control.interval {
        SpendingInterval::PerTransaction => uqpay::SpendingInterval::PerTransaction,
    };
    Ok(uqpay::SpendingControl {
        amount: amount(control.amount, "spending_controls")?,
        interval,
    })
}

fn risk_controls(controls: &RiskControls) -> uqpay::RiskControls {
    uqpay::RiskControls {
        enable_3ds: controls.enable_3ds,
        allow_3ds_transactions: controls.allow_3ds_transactions,
        mcc: controls
            .merchants
            .as_ref()
            .map(|merchants| match merchants {
                Merchants::Allowed(codes) => MccRule::Allowed(codes.clone()),
                Merchants::Blocked(codes) => MccRule::Blocked(codes.clone()),
            }),
    }
}

fn one_time(usage: Usage) -> Option<OneTime> {
    let auto_cancel_trigger = match usage {
        Usage::Normal => return None,
        Usage::OneTimeOnAuthorization => uqpay::AutoCancelTrigger::OnAuth,
        Usage::OneTimeOnCapture => uqpay::AutoCancelTrigger::OnCapture,
    };
    Some(OneTime {
        auto_cancel_trigger,
    })
}

fn cardholder_fields(fields: &Map<String, Value>) -> Result<uqpay::CardholderFields, PrepareError> {
    Ok(uqpay::CardholderFields {
        email: text(fields, "email"),
        first_name: text(fields, "first_name"),
        last_name: text(fields, "last_name"),
        country_code: text(fields, "country_code"),
        phone_number: text(fields, "phone_number"),
        date_of_birth: text(fields, "date_of_birth"),
        gender: text(fields, "gender").map(|word| uqpay::Gender::read(word.expose())),
        nationality: text(fields, "nationality"),
        residential_address: object(fields, "residential_address")
            .map(address)
            .transpose()?,
        identity: object(fields, "identity").map(identity).transpose()?,
        kyc_verification: object(fields, "kyc_verification").map(kyc).transpose()?,
    })
}

fn address(fields: &Map<String, Value>) -> Result<uqpay::Address, PrepareError> {
    Ok(uqpay::Address {
        country: need(fields, "country")?,
        city: need(fields, "city")?,
        line1: need(fields, "line1")?,
        state: text(fields, "state"),
        district: text(fields, "district"),
        line2: text(fields, "line2"),
        line_en: text(fields, "line_en"),
        postal_code: text(fields, "postal_code"),
    })
}

fn identity(fields: &Map<String, Value>) -> Result<uqpay::Identity, PrepareError> {
    Ok(uqpay::Identity {
        kind: uqpay::IdentityType::read(need(fields, "type")?.expose()),
        number: need(fields, "number")?,
        front_file: need(fields, "front_file")?,
        back_file: text(fields, "back_file"),
        hand_file: text(fields, "hand_file"),
        proof_of_address: text(fields, "proof_of_address"),
        proof_of_address_issue_date: text(fields, "proof_of_address_issue_date"),
        proof_of_address_issuing_country: text(fields, "proof_of_address_issuing_country"),
        identity_verification: text(fields, "identity_verification"),
    })
}

fn kyc(fields: &Map<String, Value>) -> Result<uqpay::KycVerification, PrepareError> {
    match object(fields, "kyc_proof") {
        None => Ok(uqpay::KycVerification::SumsubRedirect),
        Some(proof) => Ok(uqpay::KycVerification::ThirdParty {
            provider: uqpay::ProofProvider::read(need(proof, "provider")?.expose()),
            reference_id: need(proof, "reference_id")?,
        }),
    }
}

/// What the person gave, as given: the provider judges (contract §2.2).
fn text(fields: &Map<String, Value>, name: &str) -> Option<Private> {
    fields.get(name).and_then(Value::as_str).map(Private::from)
}

fn need(fields: &Map<String, Value>, name: &str) -> Result<Private, PrepareError> {
    text(fields, name).ok_or_else(|| unsendable(name))
}

fn object<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    fields
        .get(name)
        .and_then(Value::as_object)
        .filter(|object| !object.is_empty())
}

fn unsendable(name: &str) -> PrepareError {
    PrepareError::Unsendable(name.to_owned())
}
