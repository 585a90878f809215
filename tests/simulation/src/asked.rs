//! What hosts ask for beyond the usual, and whether the create call carries just that (X5, S16): the request as the host
//! wrote it, held against the bytes that leave, by other eyes than the engine's.

use std::collections::BTreeMap;

use issuance_domain::{METADATA_ORDER_KEY, Order, OrderId};
use issuance_simulator::{SUB_ACCOUNT, product};
use serde_json::{Map, Value, json};

use crate::rng::{Rng, mix};
use crate::watch::Broken;

/// Made with the person who is named instead of sent anew (contract §6.5).
const OF_THE_PERSON: [&str; 5] = [
    "email",
    "first_name",
    "last_name",
    "country_code",
    "phone_number",
];

/// So many orders are a sub-account's.
const ACCOUNT: f64 = 0.1;

/// Adds what a host may ask for to what it asks for anyway.
pub(crate) fn dress(request: &mut Value, rng: &mut Rng) {
    let is = |request: &Value, product: &str| request["product_id"] == *product;
    let (simplified, enhanced) = (
        product::SIMPLIFIED.to_string(),
        product::ENHANCED.to_string(),
    );
    let is_shared = is(request, &simplified) || is(request, &enhanced);
    if rng.chance(ACCOUNT) {
        request["account"] = json!(SUB_ACCOUNT);
    }
    if is_shared && rng.chance(0.25) {
        request["limit"] = json!("25.50");
    }
    if is_shared && rng.chance(0.15) {
        let other = if is(request, &simplified) {
            "SGD"
        } else {
            "HKD"
        };
        request["currency"] = json!(other);
    }
    if rng.chance(0.25) {
        request["spending_controls"] =
            json!([{ "amount": "10.25", "interval": "PER_TRANSACTION" }]);
    }
    if rng.chance(0.25) {
        let codes = ["5411", "5812"];
        let merchants = match rng.below(3) {
            0 => json!({ "allowed": codes }),
            1 => json!({ "blocked": codes }),
            _ => Value::Null,
        };
        request["risk_controls"] = json!({ "allow_3ds_transactions": rng.chance(0.5) });
        if is_shared && rng.chance(0.5) {
            request["risk_controls"]["enable_3ds"] = json!(rng.chance(0.5));
        }
        if !merchants.is_null() {
            request["risk_controls"]["merchants"] = merchants;
        }
    }
    if rng.chance(0.25) {
        let once = ["normal", "one_time_on_authorization", "one_time_on_capture"];
        request["usage"] = json!(once[usize::try_from(rng.below(3)).unwrap_or(0)]);
    }
    if rng.chance(0.25) {
        request["name_on_card"] = json!("THE HOLDER");
    }
    if is(request, &simplified) && rng.chance(0.25) {
        request["cardholder"]["fields"]["date_of_birth"] = json!("1990-04-05");
    }
}

/// The chance that order `number` is dressed by: its own, so that leaving others out changes nothing of it.
pub(crate) fn chance(base: u64, number: usize) -> Rng {
    Rng::new(mix(base ^ mix(number as u64)))
}

/// What hosts asked for, by their own names and by what tells two of one name apart.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    asked: BTreeMap<String, Vec<Value>>,
    /// Who the provider's people are, by the calls that made them.
    people: BTreeMap<String, Vec<Value>>,
}

impl Requests {
    /// A host will ask for this.
    pub(crate) fn note(&mut self, request: Value) {
        let reference = request["reference"].as_str().unwrap_or_default();
        self.asked
            .entry(reference.to_owned())
            .or_default()
            .push(request);
    }

    /// The provider took a create call with this body, whether or not its answer arrives.
    pub(crate) fn made(&mut self, body: &[u8], answer: &str) {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let answer: Value = serde_json::from_str(answer).unwrap_or_default();
        let fields = body.get("cardholder_required_fields");
        if let (None, Some(fields), Some(id)) = (
            body.get("cardholder_id"),
            fields,
            answer["cardholder_id"].as_str(),
        ) {
            self.people
                .entry(id.to_owned())
                .or_insert_with(|| who(fields));
        }
    }

    /// The order's create call leaves with this body, on behalf of this account.
    pub(crate) fn judge<'a>(
        &self,
        body: &[u8],
        account: Option<&str>,
        order: impl FnOnce(OrderId) -> Option<&'a Order>,
    ) -> Option<Broken> {
        let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let mark = body.get("metadata")?.get(METADATA_ORDER_KEY)?.as_str()?;
        let order = order(mark.parse().ok()?)?;
        let told = |invariant, what: &str| {
            let what = format!("its create call does not carry the {what} its host asked for");
            Some((invariant, Some(order.id), what))
        };
        let same = |request: &&Value| {
            let mut metadata = request["metadata"].clone();
            metadata[METADATA_ORDER_KEY] = json!(mark);
            body.get("metadata") == Some(&metadata)
        };
        let asked = self.asked.get(order.terms.reference.as_str())?;
        let Some(request) = asked.iter().find(same) else {
            return told("X5", "metadata");
        };
        if request.get("account").and_then(Value::as_str) != account {
            return told("S16", "account");
        }
        let named = body.get("cardholder_id").and_then(Value::as_str);
        let known = named.and_then(|id| self.people.get(id));
        if known.is_some_and(|known| *known != who(&request["cardholder"]["fields"])) {
            return told("X5", "person");
        }
        let wanted = wanted(request, named.is_some());
        let names = wanted.keys().chain(body.keys());
        let differs = names
            .filter(|name| !["metadata", "cardholder_id"].contains(&name.as_str()))
            .find(|name| !is_same(wanted.get(*name), body.get(*name)));
        told("X5", differs?)
    }
}

/// What tells a person from others.
fn who(fields: &Value) -> Vec<Value> {
    OF_THE_PERSON.map(|name| fields[name].clone()).to_vec()
}

/// The body of contract §2.2.
fn wanted(request: &Value, names_a_person: bool) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<&Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            body.insert(name.to_owned(), value.clone());
        }
    };
    put("card_product_id", request.get("product_id"));
    put("card_currency", request.get("currency"));
    put("card_limit", request.get("limit"));
    put("name_on_card", request.get("name_on_card"));
    put("spending_controls", request.get("spending_controls"));
    let trigger = match request.get("usage").and_then(Value::as_str) {
        Some("one_time_on_authorization") => Some(json!("ON_AUTH")),
        Some("one_time_on_capture") => Some(json!("ON_CAPTURE")),
        _ => None,
    };
    put(
        "usage_type",
        trigger.as_ref().map(|_| json!("ONE_TIME")).as_ref(),
    );
    put("auto_cancel_trigger", trigger.as_ref());
    if let Some(risk) = request.get("risk_controls") {
        let mut theirs = Map::new();
        for name in ["enable_3ds", "allow_3ds_transactions"] {
            if let Some(yes) = risk.get(name).and_then(Value::as_bool) {
                theirs.insert(name.into(), json!(if yes { "Y" } else { "N" }));
            }
        }
        for (ours, name) in [("allowed", "allowed_mcc"), ("blocked", "blocked_mcc")] {
            if let Some(codes) = risk.get("merchants").and_then(|rule| rule.get(ours)) {
                theirs.insert(name.into(), codes.clone());
            }
        }
        put("risk_controls", Some(&Value::Object(theirs)));
    }
    let person = &request["cardholder"];
    let fields = person.get("fields").or_else(|| person.get("supplement"));
    let mut fields = fields
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    if names_a_person {
        fields.retain(|name, _| !OF_THE_PERSON.contains(&name.as_str()));
    }
    if request["kyc"]["method"] == "sumsub_redirect" {
        let kyc = json!({ "method": "SUMSUB_REDIRECT" });
        fields.insert("kyc_verification".into(), kyc);
    }
    if !fields.is_empty() {
        put("cardholder_required_fields", Some(&Value::Object(fields)));
    }
    body
}

/// Amounts are the same however they are written.
fn is_same(wanted: Option<&Value>, said: Option<&Value>) -> bool {
    match (wanted, said) {
        (Some(Value::String(amount)), Some(Value::Number(said))) => {
            amount.parse::<f64>().ok() == said.as_f64()
        }
        (Some(Value::Array(wanted)), Some(Value::Array(said))) => {
            let each = |(wanted, said)| is_same(Some(wanted), Some(said));
            wanted.len() == said.len() && wanted.iter().zip(said).all(each)
        }
        (Some(Value::Object(wanted)), Some(Value::Object(said))) => {
            let each = |(name, wanted)| is_same(Some(wanted), said.get(name));
            wanted.len() == said.len() && wanted.iter().all(each)
        }
        (wanted, said) => wanted == said,
    }
}
