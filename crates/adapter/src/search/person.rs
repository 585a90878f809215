//! A person is known by e-mail and phone, each of which belongs to one cardholder of an account (contract §2.2).

use std::collections::BTreeMap;

use issuance_domain::planted::{self, Bug};
use issuance_domain::{Likeness, OrderId};
use issuance_uqpay::{Cardholder, CardholderId, Private};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::desk::{Question, Sought};

/// The person a one-step request sent, and whoever has their e-mail or phone.
#[derive(Clone)]
pub(super) struct Person {
    sent: Traits,
    /// Ourselves before anybody else.
    pub(super) found: Option<(CardholderId, Likeness)>,
}

impl Person {
    pub(super) fn of(sent: &Map<String, Value>) -> Self {
        Self {
            sent: Traits::sent(sent),
            found: None,
        }
    }
}

impl Sought for Person {
    type Row = Cardholder;

    fn row_id(person: &Cardholder) -> Option<&str> {
        person.cardholder_id.as_ref().map(CardholderId::as_str)
    }

    fn note(people: &[Cardholder], asked: &mut BTreeMap<OrderId, Question<Self>>) {
        for row in people {
            let Some(id) = &row.cardholder_id else {
                continue;
            };
            let shown = Traits::shown(row);
            for Question { sought, .. } in asked.values_mut() {
                let Some(likeness) = shown.likeness(&sought.sent) else {
                    continue;
                };
                let before = sought.found.as_ref().map(|(_, likeness)| rank(*likeness));
                if before.is_none_or(|before| rank(likeness) < before) {
                    sought.found = Some((id.clone(), likeness));
                }
            }
        }
    }

    /// A better one may come yet.
    fn is_found(&self) -> bool {
        false
    }
}

fn rank(likeness: Likeness) -> u8 {
    match likeness {
        Likeness::Ours => 0,
        Likeness::Stranger => 1,
        Likeness::Unclear => 2,
    }
}

/// What a person is told by, written so that the same is equal; none of what is not shown.
#[derive(Clone)]
struct Traits {
    email: Option<Zeroizing<String>>,
    country: Option<Zeroizing<String>>,
    phone: Option<Zeroizing<String>>,
    first_name: Option<Zeroizing<String>>,
    last_name: Option<Zeroizing<String>>,
}

impl Traits {
    /// What was sent; what was not is nothing, and equal to nothing.
    fn sent(fields: &Map<String, Value>) -> Self {
        Self::read(|name| Some(fields.get(name).and_then(Value::as_str).unwrap_or_default()))
    }

    /// What the provider shows.
    fn shown(person: &Cardholder) -> Self {
        Self::read(|name| {
            let text: &Option<Private> = match name {
                "email" => &person.email,
                "country_code" => &person.country_code,
                "phone_number" => &person.phone_number,
                "first_name" => &person.first_name,
                _ => &person.last_name,
            };
            text.as_ref()
                .map(Private::expose)
                .filter(|text| !text.trim().is_empty())
        })
    }

    fn read<'a>(text: impl Fn(&'static str) -> Option<&'a str>) -> Self {
        let words = |name| text(name).map(|text| Zeroizing::new(text.trim().to_lowercase()));
        Self {
            email: words("email"),
            country: words("country_code"),
            phone: text("phone_number")
                .map(|text| Zeroizing::new(text.chars().filter(char::is_ascii_digit).collect())),
            first_name: words("first_name"),
            last_name: words("last_name"),
        }
    }

    /// How like the person we sent this is; none when neither e-mail nor phone is ours.
    fn likeness(&self, sent: &Self) -> Option<Likeness> {
        let email = same(&self.email, &sent.email);
        let phone = self.phone.as_ref().map(|theirs| {
            sent.phone
                .as_ref()
                .is_some_and(|ours| same_number(theirs, ours))
        });
        if email != Some(true) && phone != Some(true) {
            return None;
        }
        let country = same(&self.country, &sent.country);
        if email != Some(true) && country == Some(false) {
            return None;
        }
        let first_name = same(&self.first_name, &sent.first_name);
        let mut last_name = same(&self.last_name, &sent.last_name);
        if planted::is(Bug::SomebodyElse) {
            last_name = Some(true);
        }
        let all = [email, country, phone, first_name, last_name];
        Some(if all.contains(&Some(false)) {
            Likeness::Stranger
        } else if all.contains(&None) {
            Likeness::Unclear
        } else {
            Likeness::Ours
        })
    }
}

/// None when theirs is not shown.
fn same(theirs: &Option<Zeroizing<String>>, ours: &Option<Zeroizing<String>>) -> Option<bool> {
    theirs.as_ref().map(|theirs| ours.as_ref() == Some(theirs))
}

/// National digits, with the country's prefix or without (contract §2.2).
fn same_number(theirs: &str, ours: &str) -> bool {
    let long_enough = theirs.len().min(ours.len()) >= 5;
    theirs == ours || (long_enough && (theirs.ends_with(ours) || ours.ends_with(theirs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn person(changes: Value) -> Cardholder {
        let mut fields = json!({
            "cardholder_id": "2d9f4a61-b7c8-4035-9e1d-68f0a3c5d724", "email": "Mina@mail.example", "first_name": "Mina",
            "last_name": "Okafor", "country_code": "SG", "phone_number": "+6581230947",
        });
        for (name, value) in changes.as_object().into_iter().flatten() {
            fields[name] = value.clone();
        }
        serde_json::from_value(fields).unwrap()
    }

    /// F-034: our own leftover is told from somebody else, and what cannot be told is neither.
    #[test]
    fn f_034_the_person_we_sent_is_known_by_all_they_have() {
        let sent = json!({
            "email": "mina@mail.example", "first_name": "Mina", "last_name": "Okafor", "country_code": "SG",
            "phone_number": "81230947",
        });
        let sent = Traits::sent(sent.as_object().unwrap());
        for (changes, expected) in [
            (json!({}), Some(Likeness::Ours)),
            (json!({ "last_name": "Abara" }), Some(Likeness::Stranger)),
            (
                json!({ "phone_number": "92218840" }),
                Some(Likeness::Stranger),
            ),
            (
                json!({ "email": "other@mail.example" }),
                Some(Likeness::Stranger),
            ),
            (
                json!({ "email": "other@mail.example", "country_code": "MY" }),
                None,
            ),
            (
                json!({ "email": "other@mail.example", "phone_number": "92218840" }),
                None,
            ),
            (json!({ "first_name": "" }), Some(Likeness::Unclear)),
            (json!({ "phone_number": null }), Some(Likeness::Unclear)),
        ] {
            assert_eq!(
                Traits::shown(&person(changes.clone())).likeness(&sent),
                expected,
                "{changes}"
            );
        }
    }
}
