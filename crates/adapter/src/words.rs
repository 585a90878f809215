//! Their words in ours. Every `match` is whole, so a new word of theirs or ours has to be placed.

use std::collections::BTreeMap;

use issuance_domain::{
    CardId, CardOrderId, CardOrderStatus, CardStatus, CardholderId, CardholderStatus, Echo, Fact,
    METADATA_ORDER_KEY, ProviderIds, Refusal, RefusalClass, SilenceCause, Timestamp, Verification,
    planted::{self, Bug},
};
use issuance_executor::{Outcome, Silence};
use issuance_uqpay as uqpay;
use uqpay::{Class, NotSent, Unknown, UnknownCause};

pub(crate) fn card_status(word: &uqpay::CardStatus) -> CardStatus {
    if planted::is(Bug::WordGuessed) {
        return CardStatus::from(word.as_str().split('_').next().unwrap_or_default());
    }
    CardStatus::from(word.as_str())
}

pub(crate) fn card_order_status(word: &uqpay::OrderStatus) -> CardOrderStatus {
    CardOrderStatus::from(word.as_str())
}

pub(crate) fn cardholder_status(word: &uqpay::CardholderStatus) -> CardholderStatus {
    CardholderStatus::from(word.as_str())
}

pub(crate) fn verification(word: &uqpay::VerificationStatus) -> Verification {
    Verification::from(word.as_str())
}

/// Ids of theirs that our types refuse are treated as not said.
pub(crate) fn card_id(id: &uqpay::CardId) -> Option<CardId> {
    id.as_str().parse().ok()
}

pub(crate) fn card_order_id(id: &uqpay::CardOrderId) -> Option<CardOrderId> {
    id.as_str().parse().ok()
}

pub(crate) fn cardholder_id(id: &uqpay::CardholderId) -> Option<CardholderId> {
    id.as_str().parse().ok()
}

pub(crate) fn ids(
    card: Option<&uqpay::CardId>,
    card_order: Option<&uqpay::CardOrderId>,
    cardholder: Option<&uqpay::CardholderId>,
) -> ProviderIds {
    ProviderIds {
        card: card.and_then(card_id),
        card_order: card_order.and_then(card_order_id),
        cardholder: cardholder.and_then(cardholder_id),
    }
}

/// What a card says of whose it is. A product or a currency we cannot read is not said.
pub(crate) fn echo(
    metadata: &BTreeMap<String, String>,
    product: Option<&uqpay::ProductId>,
    currency: Option<&str>,
) -> Echo {
    let mark = metadata.get(METADATA_ORDER_KEY);
    Echo {
        mark: mark.map(|mark| mark.chars().take(64).collect()),
        owner: None,
        product: product
            .filter(|_| !planted::is(Bug::ProductIgnored))
            .and_then(|id| id.as_str().parse().ok()),
        currency: currency.and_then(|word| word.to_ascii_uppercase().parse().ok()),
    }
}

pub(crate) fn echo_of(card: &uqpay::CardDetails) -> Echo {
    echo(
        &card.metadata,
        card.card_product_id.as_ref(),
        card.card_currency.as_deref(),
    )
}

pub(crate) fn theirs(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(time.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

pub(crate) fn ours(time: jiff::Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millisecond())
}

/// What a refused call means (contract §6.3, §9.1): a definite no about this order, or no answer yet.
pub(crate) enum Meaning {
    No(Refusal),
    NotYet(Silence),
}

pub(crate) fn meaning(refusal: &uqpay::Refusal, now: Timestamp) -> Meaning {
    let class = refusal.class();
    let code: Box<str> = refusal
        .code
        .as_deref()
        .or(refusal.kind.as_deref())
        .unwrap_or(class.name())
        .chars()
        .take(64)
        .collect();
    let no = |class| {
        let missing = refusal
            .missing_fields
            .as_ref()
            .map(|missing| missing.paths.clone())
            .unwrap_or_default();
        Meaning::No(Refusal {
            class,
            code: code.clone(),
            http_status: refusal.status,
            missing_fields: missing.into_iter().map(String::into_boxed_str).collect(),
        })
    };
    let not_yet = |cause| Meaning::NotYet(Silence::new(cause));
    // At the door the codes are too few to tell what to mend.
    let blocked = || {
        not_yet(SilenceCause::Blocked {
            code: class.name().into(),
        })
    };
    match class {
        Class::NeedsInput | Class::InvalidPhoneNumber | Class::TooLarge => no(RefusalClass::Input),
        Class::Duplicate(_) if planted::is(Bug::TakenIsWrong) => no(RefusalClass::Input),
        Class::Duplicate(_) => no(RefusalClass::Duplicate),
        Class::EmptyPool | Class::NoBalance | Class::NoQuota | Class::ProductDisabled => {
            no(RefusalClass::Capacity)
        }
        // A sub-account that is not set up holds for its orders alone: they wait for an operator, the rest go on.
        Class::Configuration if &*code == "sub_account_not_found" => no(RefusalClass::Capacity),
        Class::InvalidRequest | Class::Configuration => no(RefusalClass::Configuration),
        Class::IdempotencyConflict => no(RefusalClass::KeyConflict),
        Class::NotFound | Class::UnknownCode => no(RefusalClass::Unknown),
        Class::Processing if planted::is(Bug::ProcessingRefuses) => no(RefusalClass::Unknown),
        Class::Unclear if planted::is(Bug::UnclearRefuses) => no(RefusalClass::Unknown),
        Class::Processing => not_yet(SilenceCause::Processing),
        Class::RateLimited { retry_after } => Meaning::NotYet(Silence::wishing(
            SilenceCause::RateLimited,
            retry_after.map(|wish| wish.delay(theirs(now))),
        )),
        // Somebody else keeps minting with our credential: the call did not get in.
        Class::TokenExpired => not_yet(SilenceCause::TokenRefused),
        Class::MalformedToken
        | Class::CredentialsRejected
        | Class::IpNotAllowed
        | Class::Forbidden => blocked(),
        Class::NoSuchRoute => blocked(),
        Class::Unclear => not_yet(SilenceCause::Unreadable {
            http_status: refusal.status,
        }),
    }
}

pub(crate) fn unknown(unknown: &Unknown, now: Timestamp) -> Silence {
    let http_status = unknown.status.unwrap_or_default();
    let cause = match unknown.cause {
        UnknownCause::Timeout if planted::is(Bug::TimeoutNotSent) => SilenceCause::NotSent,
        UnknownCause::Timeout => SilenceCause::TimedOut,
        UnknownCause::ConnectionLost | UnknownCause::Truncated => SilenceCause::ConnectionLost,
        UnknownCause::ServerError | UnknownCause::RequestTimeout | UnknownCause::Conflict => {
            SilenceCause::ServerError { http_status }
        }
        UnknownCause::TooLarge
        | UnknownCause::Redirect
        | UnknownCause::UnexpectedStatus
        | UnknownCause::Unreadable
        | UnknownCause::Incomplete
        | UnknownCause::WrongResource
        | UnknownCause::UnreadableRefusal => SilenceCause::Unreadable { http_status },
    };
    let wish = unknown.retry_after.map(|wish| wish.delay(theirs(now)));
    Silence::wishing(cause, wish)
}

pub(crate) fn not_sent(_: &NotSent) -> Silence {
    Silence::new(SilenceCause::NotSent)
}

/// A refused submission as an outcome.
pub(crate) fn refused(refusal: &uqpay::Refusal, now: Timestamp) -> Outcome {
    match meaning(refusal, now) {
        Meaning::No(refusal) => Outcome::Heard(vec![issuance_executor::Heard {
            fact: Fact::Refused(refusal),
            ids: ProviderIds::default(),
            echo: Echo::default(),
            sealed: Vec::new(),
        }]),
        Meaning::NotYet(silence) => Outcome::Silent(silence),
    }
}
