//! `Active` absorbs (contract §9.2).

use issuance_domain::{
    Action, AttentionReason, CardOrderStatus, CardStatus, CardholderStatus, Command, Discrepancy,
    EventBody, Fact, OperatorAction, Source,
};

use crate::given::given;
use crate::sample::*;

#[test]
fn contract_9_2_everything_that_fits_is_a_no_op() {
    let facts = [
        Fact::Card(CardStatus::Active),
        Fact::Card(CardStatus::Pending),
        Fact::Card(CardStatus::Frozen),
        Fact::Card(CardStatus::Blocked),
        Fact::Card(CardStatus::PreCancel),
        Fact::Card(CardStatus::Cancelled),
        Fact::CardMissing,
        Fact::CardOrder {
            status: CardOrderStatus::Failed,
            failure_code: None,
        },
        person(CardholderStatus::Incomplete, Some(link(1, 24))),
        person(CardholderStatus::Pending, None),
        person(CardholderStatus::Success, None),
        Fact::Created(idv_creation()),
        Fact::CancelTaken,
    ];
    for fact in facts {
        for source in [created_hook(), Source::LookUp, answer(1)] {
            given(active())
                .when(learn(fact.clone(), source))
                .then_nothing()
                .is("active");
        }
    }
    for timer in [Command::Escalate, Command::ExpireIdv { link: 1 }] {
        given(active())
            .at(hours(1000))
            .when(timer)
            .then_nothing()
            .owes([]);
    }
}

#[test]
fn contract_9_2_a_message_against_an_active_card_is_read_once() {
    for (fact, source) in [
        (Fact::CardCreationFailed { code: None }, failed_hook()),
        (Fact::Card(CardStatus::Failed), status_hook()),
    ] {
        let doubted = given(active())
            .when(learn(fact.clone(), source.clone()))
            .then([look_up(source.clone())])
            .owes([(Action::LookUp, seconds(0))])
            .when(learn(fact, source))
            .then_nothing();
        let cause = doubted.order().version;
        let looked_up = EventBody::LookedUp { cause };
        doubted
            .clone()
            .when(read(Fact::Card(CardStatus::Active)))
            .then_nothing()
            .when(Command::EndLookUp { cause })
            .then([looked_up.clone()])
            .needs(None)
            .owes([]);
        let noted = EventBody::DiscrepancyNoted {
            discrepancy: Discrepancy::ActiveCardFailed,
            source: Source::LookUp,
        };
        doubted
            .when(read(Fact::Card(CardStatus::Failed)))
            .then([noted])
            .when(Command::EndLookUp { cause })
            .then([looked_up])
            .needs(AttentionReason::Discrepancy)
            .owes([]);
    }
}

#[test]
fn contract_9_2_failed_after_active_is_shown_and_stays() {
    for (fact, source, discrepancy) in [
        (
            Fact::Card(CardStatus::Failed),
            Source::LookUp,
            Discrepancy::ActiveCardFailed,
        ),
        (
            person(CardholderStatus::Failed, None),
            kyc_hook(),
            Discrepancy::ActivePersonRejected,
        ),
    ] {
        given(active())
            .when(learn(fact.clone(), source.clone()))
            .then([EventBody::DiscrepancyNoted {
                discrepancy,
                source: source.clone(),
            }])
            .is("active")
            .needs(AttentionReason::Discrepancy)
            .when(learn(fact, source))
            .then_nothing()
            .when(operate(OperatorAction::ResolveDiscrepancy))
            .then([operated(OperatorAction::ResolveDiscrepancy)])
            .needs(None);
    }
}

#[test]
fn an_unknown_word_is_shown() {
    let reason = AttentionReason::UnknownWord {
        field: "card_status".into(),
        word: "WARP".into(),
    };
    given(active())
        .when(read(Fact::Card("WARP".into())))
        .then([raised(reason)]);
}

#[test]
fn nothing_but_the_notice_is_owed() {
    let owed = issuance_domain::outbox(&fold(active()), &issuance_domain::Policy::standard());
    assert_eq!(
        owed.iter().map(|task| task.id.action).collect::<Vec<_>>(),
        [Action::NotifyHost]
    );
    given(active())
        .under(|policy| policy.notify_host = false)
        .owes_a_notice(false);
}
