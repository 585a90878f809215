//! The host and the persons: what they want of the engine, and what they do with what they are told.

use async_trait::async_trait;
use issuance::{Engine, Notice, Notifier, NotifyError, PlaceError};
use issuance_domain::{CardRequest, Order, OrderId};
use issuance_simulator::{IdvOutcome, product};
use issuance_store::{Decision, HandleError, StoreError};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::asked::{self, Requests};
use crate::coverage::Point;
use crate::env::{Due, Env, Sim};
use crate::faults::Family;
use crate::rng::Rng;
use crate::tasks::Life;

/// One order as its host sees it.
pub(crate) struct Wish {
    pub(crate) request: CardRequest,
    /// The same reference, something else.
    pub(crate) other: CardRequest,
    pub(crate) attempt: u32,
    /// What the host was told once it was placed.
    pub(crate) id: Option<OrderId>,
    /// It will never be placed, and the host knows why.
    pub(crate) refused: bool,
    pub(crate) wants_none: bool,
    /// Something else was asked for under its reference.
    pub(crate) other_asked: bool,
}

/// What a node answered.
pub(crate) struct Asked {
    pub(crate) order: usize,
    pub(crate) is_other: bool,
    pub(crate) outcome: Result<OrderId, PlaceError>,
}

/// The host gives up waiting and asks again, each time after twice as long, up to half an hour.
const PATIENCE: i64 = 15_000;
const MOST_DOUBLINGS: u32 = 7;

/// What an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A card by data alone.
    Plain,
    /// A person visits a link first.
    Link,
    /// A card that carries money of its own.
    Prepaid,
    /// The provider reviews the person.
    Reviewed,
    /// A product whose pool of cards is empty.
    EmptyPool,
}

impl Kind {
    fn by_chance(rng: &mut Rng) -> Self {
        match rng.below(20) {
            0..=9 => Self::Plain,
            10..=15 => Self::Link,
            16 | 17 => Self::Prepaid,
            18 => Self::Reviewed,
            _ => Self::EmptyPool,
        }
    }
}

impl Wish {
    /// The product it is for, by the provider's name.
    pub(crate) fn product(&self) -> Option<Uuid> {
        self.request.product_id.to_string().parse().ok()
    }
}

/// What is asked for, by number.
pub(crate) fn wish(
    number: usize,
    kinds: &[Kind],
    rng: &mut Rng,
    own: &mut Rng,
    wanted: &mut Requests,
    (same_person_as, known, before): (Option<usize>, Option<Uuid>, Option<&Wish>),
) -> Wish {
    let kind = Kind::by_chance(rng);
    let kind = match kinds.len() {
        0 => kind,
        several => kinds[number % several],
    };
    let person = same_person_as.unwrap_or(number);
    let mut fields = json!({
        "email": format!("holder{person}@mail.example"),
        "first_name": "Mina",
        "last_name": "Okafor",
        "country_code": "SG",
        "phone_number": format!("8{person:07}"),
    });
    // Somebody else who gives the same e-mail and number.
    if kinds.is_empty() && same_person_as.is_some() && own.chance(0.4) {
        fields["last_name"] = json!("Abara");
    }
    let mut request = json!({
        "reference": format!("ref-{number}"),
        "product_id": product::SIMPLIFIED,
        "currency": "USD",
        "metadata": { "test": format!("{number}") },
    });
    match kind {
        Kind::Plain => {}
        Kind::Link => {
            fields["residential_address"] =
                json!({ "country": "SG", "city": "Singapore", "line1": "17 Keppel Bay Drive" });
            request["product_id"] = json!(product::ENHANCED);
            request["kyc"] = json!({ "method": "sumsub_redirect" });
        }
        Kind::Prepaid => {
            request["product_id"] = json!(product::PREPAID);
            request["limit"] = json!("5.00");
        }
        Kind::Reviewed => {
            fields["date_of_birth"] = json!("1990-04-05");
            fields["nationality"] = json!("SG");
            request["product_id"] = json!(product::STANDARD);
        }
        Kind::EmptyPool => request["product_id"] = json!(product::EMPTY_POOL),
    }
    request["cardholder"] = json!({ "type": "new", "fields": fields });
    // Stories are about what they say.
    if kinds.is_empty() {
        asked::dress(&mut request, own);
    }
    // A reference is one account's: a sub-account's order may have the name of one of the main account.
    let namesake = before.filter(|before| before.request.account.is_none());
    if let (Some(before), Some(_)) = (namesake, request.get("account")) {
        request["reference"] = json!(before.request.reference);
    }
    // Whom the provider knows it knows in the main account.
    if let Some(id) = known.filter(|_| request.get("account").is_none()) {
        let fields = request["cardholder"]["fields"].take();
        request["cardholder"] =
            json!({ "type": "existing", "cardholder_id": id, "supplement": supplement(fields) });
    }
    let mut other = request.clone();
    other["metadata"] = json!({ "test": format!("{number}"), "other": "yes" });
    wanted.note(request.clone());
    wanted.note(other.clone());
    #[expect(clippy::expect_used, reason = "written right above")]
    let read = |value| serde_json::from_value(value).expect("a well-formed request");
    Wish {
        request: read(request),
        other: read(other),
        attempt: 0,
        id: None,
        refused: false,
        wants_none: false,
        other_asked: false,
    }
}

/// Persons whom the provider knows from the beginning, by number.
pub(crate) fn known_person(number: u64) -> Map<String, Value> {
    [
        ("email", format!("known{number}@mail.example")),
        ("first_name", "Mina".to_owned()),
        ("last_name", "Okafor".to_owned()),
        ("country_code", "SG".to_owned()),
        ("phone_number", format!("9{number:07}")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.into()))
    .collect()
}

/// What a product needs beyond what is known of everybody.
fn supplement(mut fields: Value) -> Option<Value> {
    let members = fields.as_object_mut()?;
    members.retain(|name, _| !known_person(0).contains_key(name));
    (!members.is_empty()).then_some(fields)
}

/// The host asks a node that is up.
pub(crate) fn ask(sim: &Sim, order: usize, wish: &mut Wish, engines: &[Option<Engine>]) {
    let mut env = sim.lock();
    if wish.id.is_some() || wish.refused {
        return;
    }
    wish.attempt += 1;
    let again = Due::AskAgain {
        order,
        attempt: wish.attempt,
    };
    env.after(PATIENCE << (wish.attempt - 1).min(MOST_DOUBLINGS), again);
    place(&mut env, sim, order, wish.request.clone(), false, engines);
    if env.draw(Family::AskedTwice).is_some() {
        place(&mut env, sim, order, wish.request.clone(), false, engines);
    }
    if env.draw(Family::AskedOther).is_some() {
        wish.other_asked = true;
        place(&mut env, sim, order, wish.other.clone(), true, engines);
    }
}

fn place(
    env: &mut Env,
    sim: &Sim,
    order: usize,
    request: CardRequest,
    is_other: bool,
    engines: &[Option<Engine>],
) {
    let number = env.rng.next();
    let Some((life, engine)) = node(env, number, engines) else {
        return;
    };
    let now = env.now;
    env.trace.line(now, || {
        format!("host asks node {} for order {order}", life.node)
    });
    let sim = sim.clone();
    let work = async move {
        let outcome = engine.place(request).await.map(|placed| placed.order.id);
        let mut env = sim.lock();
        if env.draw(Family::ReplyLost).is_some() {
            return;
        }
        let wait = env.latency();
        let asked = Asked {
            order,
            is_other,
            outcome,
        };
        env.after(wait, Due::Asked(Box::new(asked)));
    };
    env.spawned.push((life, Box::pin(work)));
}

/// The host hears of an order.
pub(crate) fn asked(env: &mut Env, asked: Asked, wish: &mut Wish) {
    let Asked {
        order,
        is_other,
        outcome,
    } = asked;
    let now = env.now;
    env.trace.line(now, || match &outcome {
        Ok(id) => format!("host hears that order {order} is {id}"),
        Err(error) => format!("host hears of order {order}: {error}"),
    });
    match outcome {
        Ok(id) if is_other => {
            // Whoever came first under the reference is the order; the other must have been refused, as long as there
            // is something left to tell them apart by.
            let erased = env.history.order(id).is_some_and(Order::is_erased);
            if !erased && wish.id.is_some_and(|known| known == id) {
                let what = "other content under the same reference was taken for the same".into();
                env.history.violate("S15", Some(id), what);
            }
            wish.refused = wish.id.is_none();
        }
        Ok(id) => {
            let reference = issuance_store::HostReference {
                account: wish.request.account.clone(),
                reference: wish.request.reference.clone(),
            };
            env.history.placed(id, reference, now);
            let is_news = wish.id.replace(id).is_none();
            if is_news && let Some(details) = env.draw(Family::Cancel) {
                let wait = Rng::new(details).millis(1.0, 7_200_000.0);
                wish.wants_none = true;
                env.after(wait, Due::Cancel(order));
            }
        }
        Err(PlaceError::ReferenceTaken { .. }) if is_other => {}
        // The other content came first: then this one is the other.
        Err(PlaceError::ReferenceTaken { .. }) if wish.other_asked => wish.refused = true,
        Err(error @ PlaceError::ReferenceTaken { .. }) => {
            env.history
                .violate("S15", None, format!("its host used it once: {error}"));
            wish.refused = true;
        }
        Err(PlaceError::Unfit { problems }) => {
            env.history.violate(
                "host",
                None,
                format!("a good request was refused: {problems:?}"),
            );
        }
        Err(
            PlaceError::UnknownProduct(_)
            | PlaceError::ProductsUnavailable
            | PlaceError::Store(_)
            | PlaceError::Unwritable,
        ) => {}
    }
}

/// The host cancels, until it hears that it was heard.
pub(crate) fn cancel(sim: &Sim, order: usize, id: OrderId, engines: &[Option<Engine>]) {
    let mut env = sim.lock();
    let number = env.rng.next();
    let Some((life, engine)) = node(&env, number, engines) else {
        env.after(PATIENCE, Due::Cancel(order));
        return;
    };
    let now = env.now;
    env.trace
        .line(now, || format!("host cancels order {order}"));
    let sim = sim.clone();
    let work = async move {
        // A business no is an answer, too.
        let outcome = engine.cancel(id).await;
        let mut env = sim.lock();
        if outcome.is_ok() {
            env.history.watch.cancelled(id);
        }
        answered(&mut env, id, &outcome);
    };
    env.spawned.push((life, Box::pin(work)));
}

pub(crate) fn node(env: &Env, number: u64, engines: &[Option<Engine>]) -> Option<(Life, Engine)> {
    let node = env.some_node(number)?;
    Some((env.nodes[node].life?, engines[node].clone()?))
}

/// The host's ear.
#[derive(Debug)]
pub(crate) struct Ear {
    pub(crate) sim: Sim,
    pub(crate) life: Life,
}

#[async_trait]
impl Notifier for Ear {
    async fn notify(&self, notice: Notice) -> Result<(), NotifyError> {
        self.sim.boundary(self.life, Point::Notify).await;
        let (wait, lost) = {
            let mut env = self.sim.lock();
            (env.latency(), env.draw(Family::NoticeLost))
        };
        self.sim.sleep(wait).await;
        let heard = lost.is_none_or(|details| details & 1 == 0);
        if heard {
            hear(&mut self.sim.lock(), &notice);
        }
        self.sim.boundary(self.life, Point::Notified).await;
        if lost.is_some() {
            return Err(NotifyError {
                why: "the host was not reached".into(),
            });
        }
        Ok(())
    }
}

fn hear(env: &mut Env, notice: &Notice) {
    let now = env.now;
    env.follow();
    env.history.told(notice, now);
    env.trace.line(now, || {
        format!("host is told that {} is {}", notice.order_id, notice.state)
    });
    if notice.state != "idv_pending" {
        return;
    }
    let order = notice.order_id;
    if env.draw(Family::LateRefresh).is_some() {
        env.refreshed_late.insert(order);
        return;
    }
    let wait = match env.draw(Family::PersonFails) {
        // Some never come, some come when the link is over.
        Some(details) if details % 4 == 0 => return,
        Some(details) => Rng::new(details).millis(1_000.0, 2.0 * 86_400_000.0),
        None => env.rng.millis(5_000.0, 600_000.0),
    };
    env.after(wait, Due::Person { order, tries: 0 });
}

/// A person asks for their link and does what it says, or does not.
pub(crate) fn person(sim: &Sim, order: OrderId, tries: u32, engines: &[Option<Engine>]) {
    let mut env = sim.lock();
    let number = env.rng.next();
    let Some((life, engine)) = node(&env, number, engines) else {
        env.after(PATIENCE, Due::Person { order, tries });
        return;
    };
    let sim = sim.clone();
    let work = async move {
        let link = engine.idv_link(order).await;
        let mut env = sim.lock();
        let Ok(Some(link)) = link else {
            if tries < 3 {
                let tries = tries + 1;
                env.after(3_600_000, Due::Person { order, tries });
            }
            return;
        };
        let clock = env.now + env.nodes[life.node].offset;
        if link.expires_at.millis() + 1_000 < clock {
            let what = "a person is sent to a link that has ended".to_owned();
            env.history.violate("S24", Some(order), what);
        }
        let outcome = match env.draw(Family::PersonFails) {
            None => IdvOutcome::Pass,
            Some(details) => match details % 4 {
                0 => IdvOutcome::Fail,
                1 => IdvOutcome::Submit,
                2 => IdvOutcome::Incomplete,
                _ => IdvOutcome::Leave,
            },
        };
        let now = env.now;
        let holder = env.provider.act_at(link.url.expose_secret(), outcome, now);
        env.trace.line(now, || {
            format!("a person of {order} does {outcome:?}: {}", holder.is_some())
        });
        if let (Some(holder), IdvOutcome::Submit) = (holder, outcome) {
            let wait = env.rng.millis(60_000.0, 86_400_000.0);
            let verdict = if env.rng.chance(0.7) {
                IdvOutcome::Pass
            } else {
                IdvOutcome::Fail
            };
            env.after(wait, Due::Review(holder, verdict));
        } else if outcome == IdvOutcome::Incomplete {
            env.after(600_000, Due::Person { order, tries });
        }
        env.watch_provider();
    };
    env.spawned.push((life, Box::pin(work)));
}

/// No decision may be one that its own history cannot hold.
pub(crate) fn answered(env: &mut Env, order: OrderId, outcome: &Result<Decision, HandleError>) {
    if let Err(HandleError::Store(
        error @ (StoreError::Corrupt { .. } | StoreError::Damaged { .. }),
    )) = outcome
    {
        env.history.violate("S12", Some(order), error.to_string());
    }
}
