//! One invented order and everything the provider may say about it.

use std::time::Duration;

use issuance_domain::{
    AttentionReason, By, CardRequest, CardStatus, CardholderStatus, Command, Creation, Digest,
    Echo, Event, EventBody, ExpiryCause, Fact, Failure, FailureKind, Field, FieldKind, Generation,
    Holder, IdempotencyKey, Likeness, Link, LookUpCause, Mismatch, Observation, OperatorAct,
    OperatorAction, Order, OrderId, Placement, Product, ProviderIds, Purpose, Refusal,
    RefusalClass, Scan, SilenceCause, Source, Terms, Timestamp, Who, evolve,
};
use serde_json::json;

pub(crate) fn start() -> Timestamp {
    "2026-10-03T00:00:00Z".parse().unwrap()
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn minutes(count: u64) -> Duration {
    seconds(count * 60)
}

pub(crate) fn hours(count: u64) -> Duration {
    minutes(count * 60)
}

pub(crate) fn order_id() -> OrderId {
    "01920000-0000-7000-8000-000000000001".parse().unwrap()
}

pub(crate) fn request() -> CardRequest {
    serde_json::from_value(json!({
        "reference": "ref-1",
        "product_id": "product-1",
        "currency": "USD",
        "limit": "120.50",
        "name_on_card": "MINA OKAFOR",
        "metadata": { "team": "violet" },
        "cardholder": { "type": "new", "fields": {
            "email": "mina.okafor@mail.example", "first_name": "Mina", "last_name": "Okafor",
            "country_code": "SG", "phone_number": "81230947",
        }},
        "kyc": { "method": "third_party", "provider": "SUMSUB", "reference_id": "proof-7781-violet" },
    }))
    .unwrap()
}

pub(crate) fn product() -> Product {
    Product {
        id: "product-1".parse().unwrap(),
        bin: "40963608".into(),
        enabled: true,
        is_virtual: true,
        currencies: vec!["USD".parse().unwrap(), "SGD".parse().unwrap()],
        prepaid: false,
        required: Vec::new(),
    }
}

pub(crate) fn field(name: &str, required: bool, kind: FieldKind) -> Field {
    Field {
        name: name.into(),
        kind,
        required,
    }
}

pub(crate) fn terms() -> Terms {
    request().split().0
}

pub(crate) fn placement() -> Placement {
    let (terms, personal) = request().split();
    Placement {
        terms,
        personal,
        personal_digest: Digest("d0".into()),
        product: product(),
    }
}

pub(crate) fn ids() -> ProviderIds {
    ProviderIds {
        card: Some("card-1".parse().unwrap()),
        card_order: Some("card-order-1".parse().unwrap()),
        cardholder: Some("cardholder-1".parse().unwrap()),
    }
}

pub(crate) fn second_card() -> ProviderIds {
    ProviderIds {
        card: Some("card-2".parse().unwrap()),
        ..ids()
    }
}

/// Link `number`, good for so many hours from the start of time.
pub(crate) fn link(number: u32, good_for: u64) -> Link {
    Link {
        digest: Digest(format!("link-{number}").into()),
        expires_at: start().after(hours(good_for)),
    }
}

// Sources.

pub(crate) fn answer(generation: u32) -> Source {
    Source::Answer {
        purpose: Purpose::CreateCard,
        generation: Generation(generation),
    }
}

pub(crate) fn answer_to(purpose: Purpose, generation: u32) -> Source {
    Source::Answer {
        purpose,
        generation: Generation(generation),
    }
}

pub(crate) fn webhook(event_type: &str) -> Source {
    Source::Webhook {
        event_id: "event-1".parse().unwrap(),
        event_type: event_type.into(),
    }
}

pub(crate) fn created_hook() -> Source {
    webhook("card.create.succeeded")
}

pub(crate) fn failed_hook() -> Source {
    webhook("card.create.failed")
}

pub(crate) fn kyc_hook() -> Source {
    webhook("cardholder.kyc.status_changed")
}

pub(crate) fn status_hook() -> Source {
    webhook("card.status.update.succeeded")
}

// Facts and commands.

pub(crate) fn learn(fact: Fact, source: Source) -> Command {
    // A refusal names nothing.
    let named = !matches!(fact, Fact::Refused(_));
    Command::Learn(Observation {
        fact,
        ids: named.then(ids).unwrap_or_default(),
        echo: Default::default(),
        source,
    })
}

/// What is said of a card with another order's mark.
pub(crate) fn strange(source: Source) -> Command {
    let fact = if let Source::Answer { .. } = source {
        Fact::Created(creation())
    } else {
        Fact::Card(CardStatus::Active)
    };
    Command::Learn(Observation {
        fact,
        ids: ids(),
        echo: Box::new(Echo {
            mark: Some("01920000-0000-7000-8000-000000000009".into()),
            ..Echo::default()
        }),
        source,
    })
}

pub(crate) fn read(fact: Fact) -> Command {
    learn(fact, Source::LookUp)
}

pub(crate) fn person(status: CardholderStatus, link: Option<Link>) -> Fact {
    Fact::Cardholder { status, link }
}

pub(crate) fn creation() -> Creation {
    Creation {
        card: CardStatus::Pending,
        order: Some("PROCESSING".into()),
        cardholder: Some(CardholderStatus::Success),
        verification: Some("VERIFIED".into()),
        link: None,
    }
}

pub(crate) fn idv_creation() -> Creation {
    Creation {
        card: CardStatus::Pending,
        order: None,
        cardholder: Some(CardholderStatus::Incomplete),
        verification: Some("ACTION_REQUIRED".into()),
        link: Some(link(1, 24)),
    }
}

pub(crate) fn refusal(class: RefusalClass, code: &str) -> Refusal {
    Refusal {
        class,
        code: code.into(),
        http_status: 400,
        missing_fields: Vec::new(),
    }
}

pub(crate) fn digest() -> Digest {
    Digest("body-1".into())
}

pub(crate) fn send(purpose: Purpose, generation: u32) -> Command {
    Command::StartSubmission {
        purpose,
        generation: Generation(generation),
        body_digest: digest(),
    }
}

/// Silence of the first send of a key.
pub(crate) fn silence(purpose: Purpose, generation: u32, cause: SilenceCause) -> Command {
    silence_of(purpose, generation, 1, cause)
}

pub(crate) fn silence_of(
    purpose: Purpose,
    generation: u32,
    attempt: u32,
    cause: SilenceCause,
) -> Command {
    Command::HearNothing {
        purpose,
        generation: Generation(generation),
        attempt,
        cause,
        retry_at: start().after(minutes(5)),
    }
}

pub(crate) fn operate(action: OperatorAction) -> Command {
    Command::Operate {
        act: act(action),
        expected: None,
    }
}

pub(crate) fn act(action: OperatorAction) -> OperatorAct {
    act_of("ada", action)
}

pub(crate) fn act_of(actor: &str, action: OperatorAction) -> OperatorAct {
    OperatorAct {
        actor: actor.into(),
        reason: "asked by the host".into(),
        action,
    }
}

// Events.

pub(crate) fn started(purpose: Purpose, generation: u32, attempt: u32) -> EventBody {
    let key = IdempotencyKey::derive(order_id(), purpose, Generation(generation));
    EventBody::SubmissionStarted {
        purpose,
        generation: Generation(generation),
        attempt,
        key,
        body_digest: digest(),
    }
}

pub(crate) fn unanswered(purpose: Purpose, attempt: u32, cause: SilenceCause) -> EventBody {
    let retry_at = start().after(minutes(5));
    EventBody::SubmissionUnanswered {
        purpose,
        generation: Generation(1),
        attempt,
        cause,
        retry_at,
    }
}

pub(crate) fn was_refused(generation: u32, refusal: Refusal) -> EventBody {
    let purpose = Purpose::CreateCard;
    EventBody::SubmissionRefused {
        purpose,
        generation: Generation(generation),
        refusal,
        source: answer(generation),
    }
}

pub(crate) fn was_accepted(source: Source) -> EventBody {
    EventBody::OrderAccepted {
        ids: ids(),
        under_review: false,
        source,
    }
}

pub(crate) fn look_up(source: Source) -> EventBody {
    EventBody::LookUpRequested {
        cause: LookUpCause::Confirm { source },
    }
}

pub(crate) fn activated(source: Source) -> EventBody {
    EventBody::CardActivated {
        card: "card-1".parse().unwrap(),
        status: CardStatus::Active,
        source,
    }
}

pub(crate) fn ended(
    kind: FailureKind,
    who: Who,
    code: Option<&str>,
    source: Option<Source>,
) -> EventBody {
    let code = code.map(Into::into);
    let failure = Failure {
        kind,
        code,
        missing_fields: Vec::new(),
        who,
        new_order_could_succeed: true,
    };
    EventBody::OrderFailed { failure, source }
}

/// What the answer of [`strange`] leaves.
pub(crate) fn another_orders_answer() -> Vec<EventBody> {
    let mismatch = Mismatch::Mark {
        order: "01920000-0000-7000-8000-000000000009".parse().ok(),
    };
    let cause = SilenceCause::Mismatched {
        mismatch: mismatch.clone(),
        card: ids().card,
    };
    vec![
        EventBody::SubmissionUnanswered {
            purpose: Purpose::CreateCard,
            generation: Generation(1),
            attempt: 1,
            cause,
            retry_at: start().after(minutes(15)),
        },
        raised(AttentionReason::AnswerMismatched { mismatch }),
    ]
}

pub(crate) fn raised(reason: AttentionReason) -> EventBody {
    EventBody::AttentionRaised { reason }
}

pub(crate) fn cancelling(by: By) -> EventBody {
    EventBody::CompensationStarted { by }
}

pub(crate) fn key_expired(purpose: Purpose, because: ExpiryCause) -> EventBody {
    EventBody::KeyExpired {
        purpose,
        generation: Generation(1),
        because: Some(because),
    }
}

/// The same under a new key.
pub(crate) fn again(purpose: Purpose, generation: u32, due: Timestamp) -> EventBody {
    EventBody::ResubmissionOwed {
        purpose,
        generation: Generation(generation),
        due,
        cardholder: None,
    }
}

pub(crate) fn observed(scan: Scan) -> EventBody {
    EventBody::AbsenceObserved {
        generation: Generation(1),
        scan,
        counts: true,
    }
}

pub(crate) fn operated(action: OperatorAction) -> EventBody {
    EventBody::OperatorActed { act: act(action) }
}

/// A complete search, begun this long after the start of time, that found nobody.
pub(crate) fn scan(after: Duration) -> Scan {
    Scan {
        began: start().after(after),
        pages: 3,
        rows: 207,
        holder: None,
    }
}

/// One that found a cardholder with our e-mail or phone.
pub(crate) fn scan_with(after: Duration, likeness: Likeness) -> Scan {
    let id = "cardholder-9".parse().unwrap();
    Scan {
        holder: Some(Holder { id, likeness }),
        ..scan(after)
    }
}

pub(crate) fn absent(scan: Scan) -> Command {
    let ids = ProviderIds::default();
    Command::Learn(Observation {
        fact: Fact::CardAbsent(scan),
        ids,
        echo: Default::default(),
        source: Source::LookUp,
    })
}

// Histories, each ending in one state.

pub(crate) fn requested() -> Vec<EventBody> {
    vec![EventBody::OrderRequested {
        terms: terms(),
        personal_digest: Digest("d0".into()),
        prepaid: false,
    }]
}

pub(crate) fn sent() -> Vec<EventBody> {
    and(requested(), [started(Purpose::CreateCard, 1, 1)])
}

pub(crate) fn unknown() -> Vec<EventBody> {
    and(
        sent(),
        [unanswered(Purpose::CreateCard, 1, SilenceCause::TimedOut)],
    )
}

pub(crate) fn refused(class: RefusalClass, code: &str) -> Vec<EventBody> {
    let reason = match class {
        RefusalClass::Capacity => AttentionReason::Capacity { code: code.into() },
        RefusalClass::KeyConflict => AttentionReason::KeyConflict,
        _ => AttentionReason::PossibleLeftover { code: code.into() },
    };
    and(
        sent(),
        [was_refused(1, refusal(class, code)), raised(reason)],
    )
}

/// A key too old to be sent, at the start of time.
pub(crate) fn expired() -> Vec<EventBody> {
    let key = key_expired(Purpose::CreateCard, ExpiryCause::TooOld);
    and(unknown(), [key, raised(AttentionReason::OutcomeUnknown)])
}

/// And proof that nothing came of it.
pub(crate) fn proved() -> Vec<EventBody> {
    let (first, second) = (scan(minutes(11)), scan(minutes(21)));
    let proof = EventBody::AbsenceProved {
        generation: Generation(1),
        first: first.clone(),
        second,
    };
    and(expired(), [observed(first), proof])
}

/// Refused for want of capacity, and to be tried again.
pub(crate) fn parked() -> Vec<EventBody> {
    let next = again(Purpose::CreateCard, 2, start().after(minutes(30)));
    and(refused(RefusalClass::Capacity, "some_code"), [next])
}

pub(crate) fn accepted() -> Vec<EventBody> {
    and(sent(), [was_accepted(answer(1))])
}

pub(crate) fn under_review() -> Vec<EventBody> {
    and(
        sent(),
        [EventBody::OrderAccepted {
            ids: ids(),
            under_review: true,
            source: answer(1),
        }],
    )
}

pub(crate) fn idv_pending() -> Vec<EventBody> {
    and(
        accepted(),
        [EventBody::IdvRequired {
            link: Some(link(1, 24)),
            source: answer(1),
        }],
    )
}

pub(crate) fn idv_without_link() -> Vec<EventBody> {
    and(
        accepted(),
        [EventBody::IdvRequired {
            link: None,
            source: answer(1),
        }],
    )
}

pub(crate) fn renewing() -> Vec<EventBody> {
    and(
        idv_pending(),
        [
            EventBody::IdvLinkExpired { link: 1 },
            started(Purpose::RenewIdvLink, 1, 1),
        ],
    )
}

pub(crate) fn active() -> Vec<EventBody> {
    and(accepted(), [activated(created_hook())])
}

pub(crate) fn failed() -> Vec<EventBody> {
    and(
        accepted(),
        [ended(
            FailureKind::CreationFailed,
            Who::Provider,
            None,
            Some(Source::LookUp),
        )],
    )
}

pub(crate) fn idv_expired() -> Vec<EventBody> {
    and(
        idv_pending(),
        [ended(FailureKind::IdvExpired, Who::Host, None, None)],
    )
}

pub(crate) fn and(
    mut history: Vec<EventBody>,
    more: impl IntoIterator<Item = EventBody>,
) -> Vec<EventBody> {
    history.extend(more);
    history
}

pub(crate) fn fold(history: impl IntoIterator<Item = EventBody>) -> Order {
    let order = history.into_iter().fold(None, |order, body| {
        Some(
            evolve(order_id(), order, &Event { at: start(), body })
                .expect("a history that can be true"),
        )
    });
    order.expect("at least one event")
}
