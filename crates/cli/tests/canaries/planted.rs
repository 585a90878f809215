//! What is planted: a value of its own for every personal field and every secret, and the requests that carry them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

const SIMPLIFIED: &str = "6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8";
const ENHANCED: &str = "b81d94e7-03fa-4c6d-8e25-71c0a9f3d562";

/// Values by their names.
pub(crate) struct Planted(BTreeMap<&'static str, String>);

/// Of a person or their host: sealed in the vault, and nowhere else.
const PERSONAL: [(&str, &str); 24] = [
    ("e-mail", "zqv.arnulf@canary-mail.example"),
    ("first name", "Zqvarnûlf"),
    ("last name", "Zqv O'Birdcage"),
    ("phone number", "+447700993186402"),
    ("date of birth", "1903-08-27"),
    ("city", "Zqv-Cîtadel"),
    ("line 1", "17 \"Zqvlane\" & <Söhne>/West"),
    ("line 2", "Zqvfloor 9%20"),
    ("English line", "17 Zqvlane Street"),
    ("district", "Zqvdistrict"),
    ("state", "Zqvstate"),
    ("postal code", "ZQV4P97"),
    ("document number", "K77zqv0181"),
    ("back of the document", "ZqvBackOfDocumentImage"),
    ("hand with the document", "ZqvHandWithDocument"),
    ("proof of address", "ZqvProofOfAddressImage"),
    ("name on card", "ZQVARNULF BIRDCAGE"),
    ("metadata", "zqv=host's own,\r\nwords\u{1b}[2J"),
    ("proof of identity", "zqv-proof-000417"),
    ("e-mail of the second", "zqv.berthe@canary-mail.example"),
    ("e-mail of the third", "zqv.clovis@canary-mail.example"),
    ("e-mail of the fourth", "zqv.dagobert@canary-mail.example"),
    ("e-mail of the fifth", "zqv.ermine@canary-mail.example"),
    (
        "identity-check link",
        "http://127.0.0.1:9/zqv-link?token=zqvLinkToken71",
    ),
];

/// What must not be kept at all, or was never meant for us.
const OTHERS: [(&str, &str); 24] = [
    ("client id", "zqv-client-id-55"),
    ("API key", "zqv-api-key-0123456789abcdef"),
    ("webhook secret", "whsec_zqv_0123456789abcdef"),
    ("old webhook secret", "whsec_zqv_old_0123456789ab"),
    (
        "vault key",
        "9c7a51d3e80f42b6c1d4a97e35f0826b9c7a51d3e80f42b6c1d4a97e35f0aa17",
    ),
    ("operator's token", "zqv-operator-token-0123456789abcdef"),
    ("host's token", "zqv-host-token-0123456789abcdefghij"),
    (
        "notice secret",
        "whsec_enF2LW5vdGljZS1zZWNyZXQtMDEyMzQ1Njc4OQ==",
    ),
    ("wrong token", "zqv-wrong-token-0123456789abcdef"),
    ("provider's token", "zqv-provider-token-0123456789"),
    ("PAN", "4096360899417723"),
    ("PAN token", "zqv-pan-token-73"),
    ("CVV and more", "zqv-cvv-917"),
    ("one-time password", "zqv-otp-448120"),
    ("activation code", "zqv-activation-code-31"),
    ("refused e-mail", "zqv.refused@canary-mail.example"),
    ("refused word", "zqv-no-such-method"),
    ("refused amount", "zqv-not-an-amount"),
    ("torn JSON", "zqv-torn-json"),
    (
        "e-mail in an unreadable webhook",
        "zqv.webhook@canary-mail.example",
    ),
    ("name in an unreadable webhook", "Zqvwebhook Person"),
    ("name in a webhook of nobody's", "Zqvnobody Person"),
    ("name in a forged webhook", "Zqvforged Person"),
    ("words of the host's answer", "zqv-answer-of-the-host"),
];

impl Planted {
    pub(crate) fn new() -> Self {
        let fixed = PERSONAL.iter().chain(&OTHERS);
        let mut all: BTreeMap<_, _> = fixed
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        // Large enough for a sealed file of its own.
        let document: String = (0..9_000).map(|n| format!("ZqvDocument{n:04}")).collect();
        all.insert("document", document);
        Self(all)
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        &self.0[name]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        // Of the document one part tells as much as the whole.
        let short = |value: &str| value.len().min(200);
        self.0
            .iter()
            .map(move |(name, value)| (*name, &value[..short(value)]))
    }

    /// Those that must be in the vault: a search that finds nothing proves nothing if they never came in.
    pub(crate) fn personal(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all()
            .filter(|(name, _)| *name == "document" || PERSONAL.iter().any(|(of, _)| of == name))
    }

    /// A person who tells everything, but with an e-mail and a phone of their own.
    fn person(&self, email: &str, phone: &str) -> Value {
        json!({
            "email": email, "phone_number": phone, "country_code": "GB", "nationality": "GB", "gender": "OTHER",
            "first_name": self.get("first name"), "last_name": self.get("last name"),
            "date_of_birth": self.get("date of birth"),
            "residential_address": {
                "country": "GB", "city": self.get("city"), "state": self.get("state"), "district": self.get("district"),
                "line1": self.get("line 1"), "line2": self.get("line 2"), "line_en": self.get("English line"),
                "postal_code": self.get("postal code"),
            },
        })
    }

    fn order(&self, reference: &str, fields: Value) -> Value {
        json!({
            "reference": reference, "product_id": SIMPLIFIED, "currency": "USD",
            "name_on_card": self.get("name on card"), "metadata": { "note": self.get("metadata"), "road": reference },
            "cardholder": { "type": "new", "fields": fields },
        })
    }

    /// An order that has all there is, documents included.
    pub(crate) fn happy(&self) -> Value {
        let mut fields = self.person(self.get("e-mail"), self.get("phone number"));
        fields["identity"] = json!({
            "type": "ID_CARD", "number": self.get("document number"),
            "front_file": self.get("document"), "back_file": self.get("back of the document"),
            "hand_file": self.get("hand with the document"), "proof_of_address": self.get("proof of address"),
        });
        self.order("happy", fields)
    }

    /// The same person again, whom the provider knows by then.
    pub(crate) fn duplicate(&self) -> Value {
        let fields = self.person(self.get("e-mail"), self.get("phone number"));
        self.order("duplicate", fields)
    }

    /// An identity check on a link.
    pub(crate) fn checked(&self) -> Value {
        let fields = self.person(self.get("e-mail of the second"), "447700900002");
        let mut order = self.order("checked", fields);
        order["product_id"] = ENHANCED.into();
        order["kyc"] = json!({ "method": "sumsub_redirect" });
        order
    }

    /// Proof of identity that the host brings along.
    pub(crate) fn proven(&self) -> Value {
        let fields = self.person(self.get("e-mail of the third"), "447700900003");
        let mut order = self.order("proven", fields);
        order["product_id"] = ENHANCED.into();
        order["kyc"] = json!({
            "method": "third_party", "provider": "JUMIO", "reference_id": self.get("proof of identity"),
        });
        order
    }

    /// An order whose card fails.
    pub(crate) fn failing(&self) -> Value {
        let fields = self.person(self.get("e-mail of the fourth"), "447700900004");
        self.order("failing", fields)
    }

    /// An order the provider answers with its own words at first, and refuses in the end.
    pub(crate) fn echoed(&self) -> Value {
        let fields = self.person(self.get("e-mail of the fifth"), "447700900005");
        self.order("echoed", fields)
    }

    /// Bodies that are not taken.
    pub(crate) fn refused(&self) -> Vec<String> {
        let fields = self.person(self.get("refused e-mail"), "447700900006");
        let order = self.order("refused", fields.clone());
        let with = |member: &str, value: Value| {
            let mut order = order.clone();
            order[member] = value;
            order.to_string()
        };
        let mut gaps = fields.clone();
        gaps["last_name"] = Value::Null;
        let word = self.get("refused word");
        let mut torn = order.to_string();
        torn.truncate(torn.len() - 2);
        vec![
            with("limit", self.get("refused amount").into()),
            with("currency", self.get("refused amount").into()),
            with("kyc", json!({ "method": word })),
            with("usage", word.into()),
            with("cardholder", json!({ "type": word, "fields": fields })),
            with("cardholder", json!({ "type": "new", "fields": gaps })),
            with("cardholder", fields.to_string().into()),
            with("metadata", json!({ "note": [fields] })),
            with("name_on_card", fields.to_string().into()),
            with("reference", format!("{word} with a space").into()),
            with("product_id", word.into()),
            with("risk_controls", json!({ "merchants": { "allowed": word } })),
            with(
                "spending_controls",
                json!([{ "amount": 1, "interval": word }]),
            ),
            torn,
            format!("{{\"reference\": {}", self.get("torn JSON")),
            json!([order]).to_string(),
        ]
    }
}
