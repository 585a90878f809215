//! Small worlds by hand: a log, the provider's side, and what the outside heard.

use std::collections::BTreeSet;
use std::time::Duration;

use issuance_audit::{
    Basis, Call, Card, Checker, Ending, Input, Invariant, Outcome, Outside, ProviderFact, Request,
    Rules, Verdict,
};
use issuance_domain::{
    CardId, CardStatus, Currency, Digest, Event, EventBody, Failure, FailureKind, Generation,
    IdempotencyKey, KycMethod, Link, MessageId, OperatorAct, OperatorAction, OrderId, Policy,
    ProviderIds, Purpose, Refusal, RefusalClass, Scan, SilenceCause, Source, Terms, Timestamp,
    Usage, Version, Who,
};
use issuance_store::{Alias, HostReference, Message, Position, Recorded, Standing};

pub(crate) const CREATE: Purpose = Purpose::CreateCard;

/// One fact, in the order of its happening.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Event(Recorded),
    Provider(ProviderFact),
    Outside(Outside),
    Message(Message),
    Settled(MessageId, Standing),
    /// The append that begins with this event settles a message.
    Settles(MessageId, Recorded),
}

/// Everything that happened, and the time.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) told: Vec<Told>,
    pub(crate) now: Timestamp,
    pub(crate) rules: Rules,
    requests: u64,
}

pub(crate) fn order(number: u128) -> OrderId {
    OrderId(uuid::Uuid::from_u128(
        0x0192_0000_0000_7000_8000_0000_0000_0000 + number,
    ))
}

pub(crate) fn card(number: u128) -> CardId {
    format!("card-{number}").parse().unwrap()
}

pub(crate) fn key(number: u128, purpose: Purpose, generation: u32) -> IdempotencyKey {
    IdempotencyKey::derive(order(number), purpose, Generation(generation))
}

pub(crate) fn answer() -> Source {
    Source::Answer {
        purpose: CREATE,
        generation: Generation(1),
    }
}

pub(crate) fn webhook(id: &str, event_type: &str) -> Source {
    Source::Webhook {
        event_id: id.parse().unwrap(),
        event_type: event_type.into(),
    }
}

pub(crate) fn succeeded() -> Source {
    webhook("event-1", "card.create.succeeded")
}

pub(crate) fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

// Events.

pub(crate) fn requested(reference: &str) -> EventBody {
    EventBody::OrderRequested {
        terms: Terms {
            reference: reference.parse().unwrap(),
            account: None,
            product_id: "product-1".parse().unwrap(),
            currency: "USD".parse::<Currency>().unwrap(),
            limit: Some("20.50".parse().unwrap()),
            spending_controls: Vec::new(),
            risk_controls: None,
            usage: Usage::Normal,
            cardholder_id: None,
            kyc: KycMethod::None,
        },
        personal_digest: Digest("00".into()),
        prepaid: false,
    }
}

pub(crate) fn started(number: u128, generation: u32, attempt: u32) -> EventBody {
    EventBody::SubmissionStarted {
        purpose: CREATE,
        generation: Generation(generation),
        attempt,
        key: key(number, CREATE, generation),
        body_digest: Digest(format!("body-{generation}").into()),
    }
}

pub(crate) fn unanswered(cause: SilenceCause, retry_at: Timestamp) -> EventBody {
    EventBody::SubmissionUnanswered {
        purpose: CREATE,
        generation: Generation(1),
        attempt: 1,
        cause,
        retry_at,
    }
}

pub(crate) fn refused(class: RefusalClass) -> EventBody {
    EventBody::SubmissionRefused {
        purpose: CREATE,
        generation: Generation(1),
        refusal: Refusal {
            class,
            code: "some_code".into(),
            http_status: 400,
            missing_fields: Vec::new(),
        },
        source: answer(),
    }
}

pub(crate) fn owed(generation: u32, due: Timestamp) -> EventBody {
    EventBody::ResubmissionOwed {
        purpose: CREATE,
        generation: Generation(generation),
        due,
        cardholder: None,
    }
}

pub(crate) fn ids(number: u128) -> ProviderIds {
    ProviderIds {
        card: Some(card(number)),
        card_order: Some(format!("card-order-{number}").parse().unwrap()),
        cardholder: Some(format!("person-{number}").parse().unwrap()),
    }
}

pub(crate) fn accepted(number: u128) -> EventBody {
    EventBody::OrderAccepted {
        ids: ids(number),
        under_review: false,
        source: answer(),
    }
}

pub(crate) fn activated(number: u128, source: Source) -> EventBody {
    EventBody::CardActivated {
        card: card(number),
        status: CardStatus::Active,
        source,
    }
}

pub(crate) fn failed(kind: FailureKind, source: Option<Source>) -> EventBody {
    EventBody::OrderFailed {
        failure: Failure {
            kind,
            code: None,
            missing_fields: Vec::new(),
            who: Who::Nobody,
            new_order_could_succeed: true,
        },
        source,
    }
}

pub(crate) fn acted(action: OperatorAction, actor: &str) -> EventBody {
    EventBody::OperatorActed {
        act: OperatorAct {
            actor: actor.into(),
            reason: "because".into(),
            action,
        },
    }
}

pub(crate) fn idv_required(expires_at: Timestamp) -> EventBody {
    EventBody::IdvRequired {
        link: Some(Link {
            digest: Digest("link-1".into()),
            expires_at,
        }),
        source: answer(),
    }
}

pub(crate) fn notified(through: u64) -> EventBody {
    EventBody::HostNotified {
        through: Version(through),
    }
}

pub(crate) fn scan(began: Timestamp) -> Scan {
    Scan {
        began,
        pages: 1,
        rows: 0,
        holder: None,
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let mut rules = Rules::of(Policy::standard());
        rules.seed = Some(0x5eed);
        rules.clocks = Some(Duration::from_secs(1));
        rules.as_it_happens = true;
        Self {
            told: Vec::new(),
            now: "2026-10-03T00:00:00Z".parse().unwrap(),
            rules,
            requests: 0,
        }
    }

    /// Three orders that go as they should: one at once, one by an identity check whose first link runs out, one that is
    /// refused; with everything that was sent, made and said.
    pub(crate) fn good() -> Self {
        let mut world = Self::new();
        world.placed(1).accept(1).activate(1);
        world.placed(2).accept(2);
        let over = world.now.after(minutes(24 * 60));
        world.event(2, idv_required(over));
        world.wait(minutes(24 * 60 + 10));
        world.read(2);
        world.event(2, EventBody::IdvLinkExpired { link: 1 });
        world.renew(2);
        let passed = webhook("event-kyc", "cardholder.kyc.status_changed");
        let person = Alias::Cardholder("person-2".parse().unwrap());
        world.deliver_about("event-kyc", "cardholder.kyc.status_changed", vec![person]);
        world.event(2, EventBody::IdvPassed { source: passed });
        world.status(2, CardStatus::Active);
        world.event(2, activated(2, Source::LookUp));
        world.event(2, notified(9));
        world.placed(3).start(3, 1, 1);
        world.request(3, CREATE, 1, 400);
        world.together(
            3,
            [
                refused(RefusalClass::Input),
                failed(FailureKind::Refused, Some(answer())),
            ],
        );
        world
    }

    pub(crate) fn wait(&mut self, wait: Duration) -> &mut Self {
        self.now = self.now.after(wait);
        self
    }

    fn moment(&mut self) -> Timestamp {
        self.now = self.now.after(Duration::from_millis(250));
        self.now
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &Recorded> {
        self.told.iter().filter_map(|told| match told {
            Told::Event(recorded) => Some(recorded),
            _ => None,
        })
    }

    pub(crate) fn event(&mut self, number: u128, body: EventBody) -> &mut Self {
        self.together(number, [body])
    }

    /// Events of one append.
    pub(crate) fn together(
        &mut self,
        number: u128,
        bodies: impl IntoIterator<Item = EventBody>,
    ) -> &mut Self {
        let at = self.moment();
        let first = self.told.len();
        let mut message = None;
        for body in bodies {
            let is_reading = matches!(body, EventBody::LookUpRequested { .. });
            if let Some(Source::Webhook { event_id, .. }) = body.source().filter(|_| !is_reading) {
                message = Some(event_id.clone());
            }
            let position = self.events().count() as u64 + 1;
            let mine = |recorded: &&Recorded| recorded.order == order(number);
            let version = self.events().filter(mine).count() as u64 + 1;
            self.told.push(Told::Event(Recorded {
                position: Position(position),
                order: order(number),
                version: Version(version),
                event: Event { at, body },
            }));
        }
        if let (Some(message), Some(Told::Event(first))) = (message, self.told.get(first)) {
            let settles = Told::Settles(message, first.clone());
            self.told.push(settles);
        }
        self
    }

    pub(crate) fn placed(&mut self, number: u128) -> &mut Self {
        let reference = format!("ref-{number}");
        self.event(number, requested(&reference));
        let at = self.moment();
        self.told.push(Told::Outside(Outside::Placed {
            order: order(number),
            reference: Some(HostReference {
                account: None,
                reference: reference.parse().unwrap(),
            }),
            at,
        }));
        self
    }

    pub(crate) fn start(&mut self, number: u128, generation: u32, attempt: u32) -> &mut Self {
        self.event(number, started(number, generation, attempt))
    }

    /// A create call arrives, a card is made, and its answer is recorded.
    pub(crate) fn accept(&mut self, number: u128) -> &mut Self {
        self.start(number, 1, 1);
        self.request(number, CREATE, 1, 200);
        self.card(number, number);
        self.event(number, accepted(number))
    }

    /// The card becomes active, the message that says so comes in, and the host is told.
    pub(crate) fn activate(&mut self, number: u128) -> &mut Self {
        self.status(number, CardStatus::Active);
        self.deliver_about(
            "event-1",
            "card.create.succeeded",
            vec![Alias::Card(card(number))],
        );
        self.event(number, activated(number, succeeded()));
        self.event(number, notified(4))
    }

    fn renew(&mut self, number: u128) {
        let purpose = Purpose::RenewIdvLink;
        self.event(
            number,
            EventBody::SubmissionStarted {
                purpose,
                generation: Generation(1),
                attempt: 1,
                key: key(number, purpose, 1),
                body_digest: Digest("renewal".into()),
            },
        );
        self.request(number, purpose, 1, 200);
        let link = Link {
            digest: Digest("link-2".into()),
            expires_at: self.now.after(minutes(24 * 60)),
        };
        let source = Source::Answer {
            purpose,
            generation: Generation(1),
        };
        self.event(number, EventBody::IdvLinkIssued { link, source });
    }

    pub(crate) fn request(
        &mut self,
        number: u128,
        purpose: Purpose,
        generation: u32,
        status: u16,
    ) -> &mut Self {
        let call = if purpose == CREATE {
            Call::CreateCard
        } else {
            Call::Other
        };
        let key = key(number, purpose, generation).to_string();
        let body = format!("{}-{generation}", purpose.name());
        let at = self.moment();
        self.sent(number, at, call, Some(&key), &body, status);
        self
    }

    pub(crate) fn sent(
        &mut self,
        number: u128,
        at: Timestamp,
        call: Call,
        key: Option<&str>,
        body: &str,
        status: u16,
    ) {
        self.requests += 1;
        let ok = status == 200;
        self.told
            .push(Told::Provider(ProviderFact::Request(Request {
                number: self.requests,
                at,
                call,
                key: key.map(Into::into),
                body: body.into(),
                client: Some("tests".into()),
                status,
                answered: true,
                effect: ok && call != Call::Read,
                card: ok.then(|| card(number)),
                cardholder: ok.then(|| format!("person-{number}").parse().unwrap()),
            })));
    }

    /// Somebody asks for the card.
    pub(crate) fn read(&mut self, number: u128) {
        let at = self.moment();
        self.sent(number, at, Call::Read, None, "", 200);
    }

    /// Somebody else asks for it.
    pub(crate) fn read_by(&mut self, who: &str, number: u128) {
        self.read(number);
        if let Some(Told::Provider(ProviderFact::Request(request))) = self.told.last_mut() {
            request.client = Some(who.into());
        }
    }

    /// A card, made for an order.
    pub(crate) fn card(&mut self, number: u128, owner: u128) -> &mut Self {
        self.told.push(Told::Provider(ProviderFact::Card(Card {
            card: card(number),
            order: Some(order(owner).to_string().into()),
            cardholder: Some(format!("person-{owner}").parse().unwrap()),
            product: Some("product-1".into()),
            currency: Some("USD".into()),
            limit: Some("20.5".parse().unwrap()),
            key: Some(key(owner, CREATE, 1).to_string().into()),
        })));
        self.status(number, CardStatus::Pending)
    }

    pub(crate) fn status(&mut self, number: u128, status: CardStatus) -> &mut Self {
        let at = Some(self.moment());
        let card = card(number);
        self.told.push(Told::Provider(ProviderFact::CardStatus {
            card,
            status,
            at,
        }));
        self
    }

    /// A genuine message about the first card comes in.
    pub(crate) fn deliver(&mut self, id: &str, event_type: &str) -> &mut Self {
        self.deliver_about(id, event_type, vec![Alias::Card(card(1))])
    }

    /// A genuine message of this name, that names this, comes in, is stored and acknowledged.
    pub(crate) fn deliver_about(
        &mut self,
        id: &str,
        event_type: &str,
        aliases: Vec<Alias>,
    ) -> &mut Self {
        self.store_about(id, event_type, aliases)
            .delivered(id, true, true)
    }

    pub(crate) fn store(&mut self, id: &str) -> &mut Self {
        self.store_about(id, "card.create.succeeded", vec![Alias::Card(card(1))])
    }

    fn store_about(&mut self, id: &str, event_type: &str, aliases: Vec<Alias>) -> &mut Self {
        let received_at = self.moment();
        self.told.push(Told::Message(Message {
            id: id.parse().unwrap(),
            event_type: event_type.into(),
            received_at,
            aliases,
            body_digest: "digest".into(),
            content: serde_json::value::RawValue::from_string("{}".into()).unwrap(),
        }));
        self
    }

    pub(crate) fn delivered(&mut self, id: &str, genuine: bool, taken: bool) -> &mut Self {
        let at = self.moment();
        self.told.push(Told::Outside(Outside::Delivered {
            message: Some(id.parse().unwrap()),
            genuine,
            taken,
            at,
        }));
        self
    }

    pub(crate) fn outside(&mut self, fact: Outside) -> &mut Self {
        self.told.push(Told::Outside(fact));
        self
    }

    /// A checker that saw it as it happened.
    pub(crate) fn seen(&self) -> Checker {
        let mut checker = Checker::new(self.rules.clone());
        self.told.iter().for_each(|told| feed(&mut checker, told));
        checker
    }

    /// At rest.
    pub(crate) fn verdict(&self) -> Verdict {
        self.seen().report(Ending::AtRest)
    }

    /// Exactly this is found to be broken.
    #[track_caller]
    pub(crate) fn breaks(&self, invariant: Invariant) {
        let at_rest =
            matches!(invariant.basis(), Basis::Here(needs, _) if needs.contains(&Input::Rest));
        let ending = if at_rest { Ending::AtRest } else { Ending::Cut };
        let verdict = self.seen().report(ending);
        assert_eq!(broken(&verdict), [invariant.id()].into(), "{verdict}");
        assert!(verdict.to_string().contains("seed 0x5eed"), "{verdict}");
        let json = serde_json::to_value(&verdict).unwrap();
        assert_eq!(json["violations"][0]["invariant"], invariant.id());
    }

    /// Sound so far; not everything is over.
    #[track_caller]
    pub(crate) fn is_sound_so_far(&self) {
        let verdict = self.seen().report(Ending::Cut);
        assert!(verdict.is_sound(), "{verdict}");
    }

    #[track_caller]
    pub(crate) fn is_sound(&self) {
        let verdict = self.verdict();
        assert!(verdict.is_sound(), "{verdict}");
    }
}

pub(crate) fn feed(checker: &mut Checker, told: &Told) {
    match told {
        Told::Event(recorded) => checker.record(recorded),
        Told::Provider(fact) => checker.provider(fact),
        Told::Outside(fact) => checker.outside(fact),
        Told::Message(message) => checker.message(message),
        Told::Settled(id, standing) => checker.settled(id, standing),
        Told::Settles(id, first) => checker.settles(id, first),
    }
}

pub(crate) fn broken(verdict: &Verdict) -> BTreeSet<&'static str> {
    let violated = verdict
        .judgements
        .iter()
        .filter(|judgement| matches!(judgement.standing, Outcome::Violated { .. }));
    violated.map(|judgement| judgement.invariant.id()).collect()
}
