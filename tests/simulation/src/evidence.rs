//! What the provider really said, read here by other eyes than the engine's: which answers reached whom under which key,
//! and what each webhook is about. The log may not claim more.

use std::collections::{BTreeMap, BTreeSet};

use issuance_domain::{
    AttentionReason, Event, EventBody, Generation, Link, METADATA_ORDER_KEY, Order, OrderId, Phase,
    Purpose, Source,
};
use issuance_simulator::CardEntry;
use serde_json::Value;

use crate::watch::Broken;

/// What was heard under one key.
#[derive(Debug, Default)]
struct Heard {
    /// A success that is about what this key made.
    taken: bool,
    /// Definite refusals: status, and code if it has one.
    refused: BTreeSet<(u16, String)>,
    /// The card orders that successes named.
    card_orders: BTreeSet<String>,
}

/// What a webhook says.
#[derive(Debug)]
struct Said {
    name: String,
    /// Its card's or person's status, as it stands there.
    word: String,
    /// The mark of the card it names, by the provider's own record.
    about: Option<String>,
    /// Product, currency or mark are another card's.
    lies: bool,
    /// It is about cards (contract §5.2).
    is_issuing: bool,
    /// The card order it names.
    source: String,
}

#[derive(Debug, Default)]
pub(crate) struct Evidence {
    answers: BTreeMap<String, Heard>,
    said: BTreeMap<String, Said>,
    /// Ends of links that were told, in milliseconds.
    ends: BTreeSet<i64>,
    /// Cards of which a read was refused: a word that there is no such card has several forms.
    missing: BTreeSet<String>,
}

/// Where an answer says when a link ends.
pub(crate) const LINK_END: &str = "idv_url_expires_at";

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn mark_of(metadata: &serde_json::Map<String, Value>) -> Option<&str> {
    metadata.get(METADATA_ORDER_KEY)?.as_str()
}

/// Whether what is said of a card is said of another one: what is left out says nothing.
fn differs(body: &Value, card: &CardEntry) -> bool {
    let product = text(body, "card_product_id");
    let currency = match text(body, "card_currency") {
        "" => text(body, "currency"),
        currency => currency,
    };
    let other = |said: &str, is: &str| !said.trim().is_empty() && !said.eq_ignore_ascii_case(is);
    let parsed = match body.get("metadata") {
        Some(Value::Object(metadata)) => Some(metadata.clone()),
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        _ => None,
    };
    let mark = parsed.as_ref().and_then(mark_of);
    other(product, &card.product_id.to_string())
        || other(currency, &card.currency)
        || mark.is_some_and(|mark| Some(mark) != mark_of(&card.metadata))
}

impl Evidence {
    /// An answer reached whoever sent under this key, a create call's or another's; `card` finds a card of the provider by
    /// its id.
    pub(crate) fn answered(
        &mut self,
        (key, is_create): (&str, bool),
        status: u16,
        body: &Value,
        card: impl Fn(&str) -> Option<CardEntry>,
    ) {
        let heard = self.answers.entry(key.to_owned()).or_default();
        let code = text(body, "code").trim();
        let code = if code.is_empty() {
            text(body, "type").trim()
        } else {
            code
        };
        let is_word = code.contains(char::is_alphabetic);
        if (200..=299).contains(&status) {
            heard
                .card_orders
                .insert(text(body, "card_order_id").to_owned());
        }
        match status {
            200..=299 if !text(body, "card_id").is_empty() => {
                let made = card(text(body, "card_id"));
                heard.taken |= made.is_some_and(|card| {
                    !is_create || (card.idempotency_key == key && !differs(body, &card))
                });
            }
            200..=299 if !is_create && !text(body, "cardholder_id").is_empty() => {
                heard.taken = true
            }
            401 | 403 | 408 | 409 | 429 => {}
            200..=299 | 400..=499 => {
                // What is too large says so by its status alone.
                let plain = (status == 413).then(|| "too_large".to_owned());
                let word = is_word.then(|| code.to_ascii_lowercase());
                heard
                    .refused
                    .extend(plain.into_iter().chain(word).map(|code| (status, code)));
            }
            _ => {}
        }
    }

    /// The read of a card was refused.
    pub(crate) fn is_missing(&mut self, card: &str) {
        self.missing.insert(card.to_owned());
    }

    /// The end of a link was told.
    pub(crate) fn ends(&mut self, body: &Value) {
        match body {
            Value::Object(members) => {
                let end = text(body, LINK_END);
                self.ends.extend(
                    end.trim()
                        .parse::<jiff::Timestamp>()
                        .ok()
                        .map(|end| end.as_millisecond()),
                );
                members.values().for_each(|value| self.ends(value));
            }
            Value::Array(rows) => rows.iter().for_each(|row| self.ends(row)),
            _ => {}
        }
    }

    /// A genuine webhook arrives.
    pub(crate) fn comes(&mut self, body: &str, card: impl Fn(&str) -> Option<CardEntry>) {
        let Ok(body) = serde_json::from_str::<Value>(body) else {
            return;
        };
        let dotted = [text(&body, "event_type"), text(&body, "event_name")];
        let name = dotted.into_iter().find(|name| name.contains('.'));
        let data = body.get("data").unwrap_or(&Value::Null);
        let is_card = name.is_some_and(|name| name.starts_with("card."));
        let word = text(
            data,
            if is_card {
                "card_status"
            } else {
                "cardholder_status"
            },
        );
        let known = is_card.then(|| card(text(data, "card_id"))).flatten();
        // Of the two names, in either order, one is the category.
        let category = dotted.into_iter().find(|name| !name.contains('.'));
        let category = category.unwrap_or_default().trim();
        let said = Said {
            is_issuing: category.is_empty() || category.eq_ignore_ascii_case("ISSUING"),
            name: name.unwrap_or_default().to_owned(),
            word: word.trim().to_ascii_uppercase(),
            source: text(&body, "source_id").to_owned(),
            lies: known.as_ref().is_some_and(|card| differs(data, card)),
            about: known.and_then(|card| mark_of(&card.metadata).map(str::to_owned)),
        };
        self.said.insert(text(&body, "event_id").to_owned(), said);
    }

    /// An event is in the log, `order` as it was before: what it says was said.
    pub(crate) fn judge(
        &self,
        id: OrderId,
        order: Option<&Order>,
        event: &Event,
        link_life: Option<i64>,
        differs: i64,
    ) -> Option<Broken> {
        let body = &event.body;
        self.refused(id, order, body)
            .or_else(|| self.gone(id, order, body))
            .or_else(|| self.link(id, event, link_life, differs))
            .or_else(|| match body.source()? {
                Source::Answer {
                    purpose,
                    generation,
                } => self.taken(id, order, body, (*purpose, *generation)),
                Source::Webhook { event_id, .. } => self.told(id, body, event_id.as_str()),
                Source::LookUp => None,
            })
    }

    fn heard(&self, order: Option<&Order>, purpose: Purpose) -> Option<&Heard> {
        let key = order?.submission(purpose)?.key.to_string();
        Some(self.answers.get(&key).unwrap_or(&NOTHING))
    }

    fn refused(&self, id: OrderId, order: Option<&Order>, body: &EventBody) -> Option<Broken> {
        let EventBody::SubmissionRefused {
            purpose,
            generation,
            refusal,
            source: Source::Answer { .. } | Source::LookUp,
        } = body
        else {
            return None;
        };
        let submission = order?.submission(*purpose)?;
        let heard = self.heard(order, *purpose)?;
        let code = refusal.code.to_ascii_lowercase();
        let said = heard.refused.iter().any(|(status, said)| {
            *status == refusal.http_status && said.chars().take(64).eq(code.chars())
        });
        let ours = heard.taken && *code == *"no_link_in_answer";
        (submission.generation == *generation && !said && !ours).then(|| {
            let what = format!(
                "a refusal {code} ({}) of its {} is recorded, which nobody was told",
                refusal.http_status,
                purpose.name()
            );
            ("S30", Some(id), what)
        })
    }

    /// A person is called for a card that cannot be found: somebody said so.
    fn gone(&self, id: OrderId, order: Option<&Order>, body: &EventBody) -> Option<Broken> {
        let EventBody::AttentionRaised {
            reason: AttentionReason::CardNotFound,
        } = body
        else {
            return None;
        };
        let card = order?.ids.card.as_ref()?;
        (!self.missing.contains(card.as_str())).then(|| {
            let what = format!("card {card} is called missing, and no read of it was refused");
            ("S30", Some(id), what)
        })
    }

    fn taken(
        &self,
        id: OrderId,
        order: Option<&Order>,
        body: &EventBody,
        (purpose, generation): (Purpose, Generation),
    ) -> Option<Broken> {
        // What an earlier key brought after all is judged by its card.
        if order?.submission(purpose)?.generation != generation {
            return None;
        }
        let claims = matches!(
            body,
            EventBody::OrderAccepted { .. }
                | EventBody::SubmissionAnswered { .. }
                | EventBody::ProviderIdsLearned { .. }
                | EventBody::IdvRequired { .. }
                | EventBody::IdvLinkIssued { .. }
        );
        let heard = self.heard(order, purpose)?;
        (claims && !heard.taken).then(|| {
            let (name, purpose) = (body.name(), purpose.name());
            let what = format!("{name} rests on an answer to its {purpose} that nobody was given");
            ("X5", Some(id), what)
        })
    }

    /// The message that nothing came of the cancel that an order counts as taken, if there was one and `heeded` does not
    /// know what was made of it.
    pub(crate) fn in_vain(&self, order: &Order, heeded: impl Fn(&str) -> bool) -> Option<Broken> {
        let cancel = order.submission(Purpose::CancelCard)?;
        let heard = self.answers.get(&cancel.key.to_string())?;
        let own = order.id.to_string();
        let (message, _) = self.said.iter().find(|(message, said)| {
            said.name == "card.status.update.failed"
                && said.is_issuing
                && !said.lies
                && said.about.as_deref() == Some(&*own)
                && heard.card_orders.contains(&said.source)
                && !heeded(message)
        })?;
        (cancel.phase == Phase::Done).then(|| {
            let what = format!("its cancel counts as taken, and {message} says that it failed");
            ("S19", Some(order.id), what)
        })
    }

    fn link(&self, id: OrderId, event: &Event, life: Option<i64>, differs: i64) -> Option<Broken> {
        let link: &Link = match &event.body {
            EventBody::IdvRequired { link, .. } => link.as_ref()?,
            EventBody::IdvLinkIssued { link, .. } => link,
            _ => return None,
        };
        let ends = link.expires_at.millis();
        // One whose end nobody can read, or that lives longer than is believed, ends by our own clock.
        let by_ours =
            life.is_some_and(|life| (ends - event.at.millis() - life).abs() <= differs + 600_000);
        let is_long = life.is_some_and(|life| ends > event.at.millis() + life + differs + 600_000);
        (is_long || !by_ours && !self.ends.contains(&ends)).then(|| {
            let what = format!(
                "its link is said to end at {}, which nobody said, or no link lives for so long",
                link.expires_at
            );
            ("S24", Some(id), what)
        })
    }

    fn told(&self, id: OrderId, body: &EventBody, message: &str) -> Option<Broken> {
        let said = self.said.get(message)?;
        let (name, word) = (&*said.name, &*said.word);
        let reading = matches!(
            body,
            EventBody::LookUpRequested { .. } | EventBody::DiscrepancyNoted { .. }
        );
        if !reading
            && said
                .about
                .as_ref()
                .is_some_and(|mark| *mark != id.to_string())
        {
            let what = format!(
                "{} comes of a message about another order's card",
                body.name()
            );
            return Some(("S18", Some(id), what));
        }
        if !reading && !said.is_issuing {
            let what = format!("{} comes of a message of another product", body.name());
            return Some(("S18", Some(id), what));
        }
        if !reading && said.lies {
            let what = format!(
                "{} comes of a message that does not match its card",
                body.name()
            );
            return Some(("X5", Some(id), what));
        }
        let person = name == "cardholder.kyc.status_changed";
        let fits = match body {
            EventBody::CardActivated { .. } => name == "card.create.succeeded" && word == "ACTIVE",
            EventBody::IdvPassed { .. } => person && word == "SUCCESS",
            EventBody::IdvSubmitted { .. } => person && word == "PENDING",
            EventBody::FailureReported { .. } => {
                name == "card.create.failed" || person && word == "FAILED"
            }
            EventBody::OrderFailed { .. } | EventBody::IdvLinkIssued { .. } => false,
            // Only of a cancel does a message say that nothing came of it.
            EventBody::SubmissionRefused { purpose, .. } => {
                *purpose == Purpose::CancelCard && name == "card.status.update.failed"
            }
            EventBody::CompensationCompleted { .. } => {
                name == "card.status.update.succeeded" && matches!(word, "PRE_CANCEL" | "CANCELLED")
            }
            EventBody::OrderAccepted { .. } => name.starts_with("card."),
            _ => true,
        };
        (!fits).then(|| {
            let what = format!("{} comes of {name:?} with {word:?}", body.name());
            ("S18", Some(id), what)
        })
    }
}

static NOTHING: Heard = Heard {
    taken: false,
    refused: BTreeSet::new(),
    card_orders: BTreeSet::new(),
};
