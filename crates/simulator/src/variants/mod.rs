//! The documented forms of one and the same answer or webhook (contract §2, §5.4, §8), chosen by the seed.
//!
//! A form depends on the seed, the id of what is shown and the place it is shown at, and on nothing else: neither
//! the order of the calls nor a restart changes it. What is told never changes, only how it is written.

mod answers;
mod events;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

pub(crate) use self::answers::{
    card, card_order, cardholder, cardholder_answer, created, product, refusal,
};
pub(crate) use self::events::event;

use crate::clock::Millis;
use crate::rng::mix;

/// How long a card of one in four cannot be read after it was made (contract §2.5, read-after-write).
pub(crate) const LAG: Millis = 1000;

/// Whether answers and webhooks vary in form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variants {
    /// One form each, the provider's usual one.
    #[default]
    Off,
    /// Every documented form, chosen by the seed.
    BySeed,
}

/// The seed's opinion about one thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice(u64);

impl Choice {
    pub(crate) fn about(seed: u64, id: Uuid) -> Self {
        let (high, low) = id.as_u64_pair();
        Self(mix(mix(mix(seed) ^ high) ^ low))
    }

    /// The opinion about what goes by this name within the thing.
    pub(crate) fn within(self, name: &str) -> Self {
        // FNV-1a.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(mix(self.0 ^ hash))
    }

    /// One of `forms` numbers, the same each time the same place is asked for.
    pub(crate) fn one_of(self, place: &str, forms: u64) -> u64 {
        self.within(place).0 % forms.max(1)
    }

    /// True at one place of `n`.
    pub(crate) fn one_in(self, place: &str, n: u64) -> bool {
        self.one_of(place, n) == 0
    }
}

/// A view as it usually is, or in another form.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Shaped<T> {
    Usual(T),
    Varied(Map<String, Value>),
}

/// Lets `vary` rewrite the view if there is a choice to be made.
pub(crate) fn shaped<T: Serialize>(
    choice: Option<Choice>,
    usual: T,
    vary: impl FnOnce(Choice, &mut Map<String, Value>),
) -> Shaped<T> {
    match (choice, choice.map(|_| serde_json::to_value(&usual))) {
        (Some(choice), Some(Ok(Value::Object(mut view)))) => {
            vary(choice, &mut view);
            Shaped::Varied(view)
        }
        _ => Shaped::Usual(usual),
    }
}

/// Leaves an optional member out, one time in four.
fn perhaps_without(choice: Choice, view: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if choice.one_in(name, 4) {
            view.remove(*name);
        }
    }
}

/// An amount as text or as a number; a number only if every reader keeps its digits.
fn amount(choice: Choice, text: &str) -> Value {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    match serde_json::from_str::<Value>(text) {
        Ok(number @ Value::Number(_)) if digits <= 15 && choice.one_in("amount", 2) => number,
        _ => text.into(),
    }
}

/// Metadata as an object or as JSON text; if there is none, in any of the ways to say so. `None`: left out.
fn metadata(choice: Choice, metadata: &Map<String, Value>) -> Option<Value> {
    let object = || Value::Object(metadata.clone());
    if !metadata.is_empty() {
        return Some(match choice.one_of("metadata", 2) {
            0 => object(),
            _ => object().to_string().into(),
        });
    }
    match choice.one_of("metadata", 6) {
        0 => Some(Value::Null),
        1 => Some(object()),
        2 => Some("".into()),
        3 => Some("{}".into()),
        4 => Some(serde_json::json!({"": ""})),
        _ => None,
    }
}

fn put(view: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => view.insert(name.to_owned(), value),
        None => view.remove(name),
    };
}

fn rename(view: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = view.remove(from) {
        view.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rng::Generator;

    pub(super) fn choices() -> impl Iterator<Item = Choice> {
        let mut ids = Generator::new(11);
        std::iter::repeat_with(move || Choice::about(1, ids.uuid())).take(400)
    }

    #[test]
    fn a_choice_depends_on_seed_id_and_place_alone() {
        let id = Generator::new(1).uuid();
        let forms = |seed| {
            (0..64)
                .map(|place| Choice::about(seed, id).one_of(&place.to_string(), 1000))
                .collect::<Vec<_>>()
        };
        assert_eq!(forms(1), forms(1));
        assert_ne!(forms(1), forms(2));
    }

    #[test]
    fn every_form_of_metadata_comes() {
        let seen = |value: Value| {
            choices()
                .map(|choice| metadata(choice, value.as_object().unwrap()))
                .map(|form| form.map_or("absent".to_owned(), |form| form.to_string()))
                .collect::<BTreeSet<_>>()
        };
        let none = ["\"\"", "\"{}\"", "absent", "null", "{\"\":\"\"}", "{}"];
        assert_eq!(seen(serde_json::json!({})), none.map(str::to_owned).into());
        let some = ["\"{\\\"order\\\":\\\"o-1\\\"}\"", "{\"order\":\"o-1\"}"];
        assert_eq!(
            seen(serde_json::json!({"order": "o-1"})),
            some.map(str::to_owned).into()
        );
    }

    #[test]
    fn an_amount_is_a_number_only_if_no_digit_is_lost() {
        let forms: BTreeSet<String> = choices()
            .map(|choice| amount(choice, "120.50").to_string())
            .collect();
        assert_eq!(forms, ["\"120.50\"", "120.5"].map(str::to_owned).into());
        assert!(choices().all(|choice| amount(choice, "12345678901234567890.12").is_string()));
    }
}
