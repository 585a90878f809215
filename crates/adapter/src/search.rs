//! The search for an order the provider never named to us (contract §6.5): there is no filter for our mark, so lists are
//! read. Only a search that read all of them says that there is nothing.

use std::collections::HashSet;
use std::hash::Hash;

use issuance_domain::{
    Holder, Likeness, METADATA_ORDER_KEY, Order, Phase, RefusalClass, Scan, State, Submission,
    Timestamp,
};
use issuance_executor::Silence;
use issuance_store::SealedRequest;
use issuance_uqpay as uqpay;
use serde_json::{Map, Value};
use uqpay::{Page, PageRequest, Private};

use crate::provider::UqpayProvider;
use crate::words;

/// What a search found.
pub(crate) enum Search {
    /// The card with our mark.
    Found(Box<uqpay::Card>),
    /// Everything was read, and it is not there.
    Absent(Scan),
    /// Not there, as far as was read, which proves nothing.
    Incomplete,
}

/// Rows read so far, repeated ones once: they shift between pages (contract §1.7).
struct Pages<I> {
    seen: HashSet<I>,
    read: u32,
    complete: bool,
}

impl<I: Eq + Hash> Pages<I> {
    fn new() -> Self {
        Self {
            seen: HashSet::new(),
            read: 0,
            complete: false,
        }
    }

    /// Counts a page; whether there are more.
    fn more<T>(&mut self, page: &Page<T>, ids: impl Iterator<Item = I>) -> bool {
        self.read += 1;
        self.seen.extend(ids);
        let last = match page.total_pages {
            Some(total) => u64::from(self.read) >= total,
            None => page.data.len() < PageRequest::MAX_SIZE as usize,
        };
        // Fewer rows than there are said to be: some moved past us.
        self.complete = last
            && page
                .total_items
                .is_none_or(|total| self.seen.len() as u64 >= total);
        !last
    }

    fn rows(&self) -> u32 {
        u32::try_from(self.seen.len()).unwrap_or(u32::MAX)
    }
}

impl UqpayProvider {
    /// Looks for the card with our mark; when it is not there and that matters, for the person we sent as well.
    pub(crate) async fn search(
        &self,
        order: &Order,
        sealed: Option<&SealedRequest>,
    ) -> Result<Search, Silence> {
        let began = self.now();
        // A card's person never changes (contract §2.3).
        let known = order
            .terms
            .cardholder_id
            .as_ref()
            .and_then(|id| uqpay::CardholderId::parse(id.as_str()).ok());
        let mut scan = match self.search_cards(order, known.as_ref(), began).await? {
            Search::Absent(scan) => scan,
            other => return Ok(other),
        };
        if !is_spent(order) || known.is_some() {
            return Ok(Search::Absent(scan));
        }
        let Some(sealed) = sealed else {
            return Ok(Search::Incomplete);
        };
        let Some(people) = self
            .search_person(order, &sealed.personal.provider_fields())
            .await?
        else {
            return Ok(Search::Incomplete);
        };
        scan.pages += people.pages;
        scan.rows += people.rows;
        if let Some((id, likeness)) = people.found {
            match self.search_cards(order, Some(&id), began).await? {
                Search::Absent(theirs) => {
                    scan.pages += theirs.pages;
                    scan.rows += theirs.rows;
                }
                other => return Ok(other),
            }
            scan.holder = words::cardholder_id(&id).map(|id| Holder { id, likeness });
        }
        Ok(Search::Absent(scan))
    }

    async fn search_cards(
        &self,
        order: &Order,
        holder: Option<&uqpay::CardholderId>,
        began: Timestamp,
    ) -> Result<Search, Silence> {
        let ours = order.id.to_string();
        let mut pages = Pages::new();
        for number in 1..=self.search_pages() {
            let Ok(request) = PageRequest::new(number, PageRequest::MAX_SIZE) else {
                break;
            };
            let Some(page) = self.card_page(order, holder, request).await? else {
                break;
            };
            let is_ours =
                |card: &&uqpay::Card| card.details.metadata.get(METADATA_ORDER_KEY) == Some(&ours);
            if let Some(card) = page.data.iter().find(is_ours) {
                return Ok(Search::Found(Box::new(card.clone())));
            }
            if !pages.more(&page, page.data.iter().map(|card| card.card_id.clone())) {
                break;
            }
        }
        if !pages.complete {
            tracing::warn!(order_id = %order.id, pages = pages.read, "the card list was not read to its end");
            return Ok(Search::Incomplete);
        }
        Ok(Search::Absent(Scan {
            began,
            pages: pages.read,
            rows: pages.rows(),
            holder: None,
        }))
    }

    /// Looks for the person by e-mail or phone, each of which belongs to one cardholder of an account; none when the
    /// list was not read to its end.
    async fn search_person(
        &self,
        order: &Order,
        sent: &Map<String, Value>,
    ) -> Result<Option<People>, Silence> {
        let mut pages = Pages::new();
        let mut found: Option<(uqpay::CardholderId, Likeness)> = None;
        for number in 1..=self.search_pages() {
            let Ok(request) = PageRequest::new(number, PageRequest::MAX_SIZE) else {
                break;
            };
            let Some(page) = self.cardholder_page(order, request).await? else {
                break;
            };
            for person in &page.data {
                let (Some(id), Some(likeness)) = (&person.cardholder_id, likeness(person, sent))
                else {
                    continue;
                };
                // Ourselves before anybody else.
                if found
                    .as_ref()
                    .is_none_or(|(_, before)| rank(likeness) < rank(*before))
                {
                    found = Some((id.clone(), likeness));
                }
            }
            if !pages.more(
                &page,
                page.data
                    .iter()
                    .filter_map(|person| person.cardholder_id.clone()),
            ) {
                break;
            }
        }
        Ok(pages.complete.then(|| People {
            pages: pages.read,
            rows: pages.rows(),
            found,
        }))
    }
}

struct People {
    pages: u32,
    rows: u32,
    found: Option<(uqpay::CardholderId, Likeness)>,
}

/// Whether the create call's key is spent and its outcome asked for: only then the person matters.
fn is_spent(order: &Order) -> bool {
    let State::Requested {
        submission: Submission { phase, .. },
    } = &order.state
    else {
        return false;
    };
    match phase {
        Phase::Expired { .. } => true,
        Phase::Refused { refusal } => matches!(
            refusal.class,
            RefusalClass::Duplicate | RefusalClass::KeyConflict
        ),
        Phase::Owed { .. } | Phase::InFlight { .. } | Phase::Done => false,
    }
}

fn rank(likeness: Likeness) -> u8 {
    match likeness {
        Likeness::Ours => 0,
        Likeness::Stranger => 1,
        Likeness::Unclear => 2,
    }
}

/// How like the person we sent a cardholder is; none when neither e-mail nor phone is ours.
fn likeness(person: &uqpay::Cardholder, sent: &Map<String, Value>) -> Option<Likeness> {
    let text = |name: &str| {
        sent.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim()
    };
    let compare = |theirs: Option<&Private>, same: fn(&str, &str) -> bool, name: &str| {
        let theirs = theirs
            .map(|theirs| theirs.expose().trim())
            .filter(|theirs| !theirs.is_empty());
        theirs.map(|theirs| same(theirs, text(name)))
    };
    let email = compare(person.email.as_ref(), same_words, "email");
    let country = compare(person.country_code.as_ref(), same_words, "country_code");
    let phone = compare(person.phone_number.as_ref(), same_number, "phone_number");
    let first_name = compare(person.first_name.as_ref(), same_words, "first_name");
    let last_name = compare(person.last_name.as_ref(), same_words, "last_name");
    let is_taken = email == Some(true) || (phone == Some(true) && country != Some(false));
    let all = [email, country, phone, first_name, last_name];
    is_taken.then(|| {
        if all.contains(&Some(false)) {
            Likeness::Stranger
        } else if all.contains(&None) {
            Likeness::Unclear
        } else {
            Likeness::Ours
        }
    })
}

fn same_words(theirs: &str, ours: &str) -> bool {
    theirs.to_lowercase() == ours.to_lowercase()
}

/// National digits, with the country's prefix or without (contract §2.2).
fn same_number(theirs: &str, ours: &str) -> bool {
    let digits = |number: &str| {
        number
            .chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    let (theirs, ours) = (digits(theirs), digits(ours));
    let long_enough = theirs.len().min(ours.len()) >= 5;
    theirs == ours || (long_enough && (theirs.ends_with(&ours) || ours.ends_with(&theirs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn person(changes: Value) -> uqpay::Cardholder {
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
        let sent = sent.as_object().unwrap();
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
                likeness(&person(changes.clone()), sent),
                expected,
                "{changes}"
            );
        }
    }

    fn page(rows: usize, total_pages: Option<u64>, total_items: Option<u64>) -> Page<usize> {
        Page {
            total_pages,
            total_items,
            data: vec![0; rows],
        }
    }

    /// Contract §1.7, §6.5: what was not read to its end proves nothing.
    #[test]
    fn contract_6_5_only_a_list_read_to_its_end_is_complete() {
        let mut pages = Pages::new();
        assert!(
            pages.more(&page(100, None, None), 0..100),
            "a full page may have another behind it"
        );
        assert!(!pages.complete);
        assert!(!pages.more(&page(7, None, None), 100..107));
        assert!(pages.complete);
        assert_eq!((pages.read, pages.rows()), (2, 107));

        let mut shifted = Pages::new();
        assert!(shifted.more(&page(100, Some(2), Some(150)), 0..100));
        assert!(
            !shifted.more(&page(50, Some(2), Some(150)), 90..140),
            "ten rows twice, ten rows never"
        );
        assert!(!shifted.complete);
    }
}
