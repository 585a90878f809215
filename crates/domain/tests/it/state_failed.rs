//! `Failed` absorbs, but a live card behind it is money (contract §9.2, "late success").

use issuance_domain::{
    Action, AttentionReason, By, CardOrderStatus, CardStatus, CardholderStatus, Creation,
    Discrepancy, EventBody, Fact, FailureKind, LateSuccess, OperatorAction, Purpose, RefusalClass,
    Source,
};

use crate::given::given;
use crate::sample::*;

fn late(source: Source) -> EventBody {
    EventBody::DiscrepancyNoted {
        discrepancy: Discrepancy::LateSuccess {
            card: "card-1".parse().unwrap(),
        },
        source,
    }
}

#[test]
fn contract_9_2_late_success_is_noted_once_and_changes_nothing() {
    for (fact, source) in [
        (Fact::Card(CardStatus::Active), created_hook()),
        (Fact::Card(CardStatus::Active), status_hook()),
        (Fact::Card(CardStatus::Frozen), Source::LookUp),
        (
            Fact::Created(Creation {
                card: CardStatus::Active,
                ..creation()
            }),
            answer(1),
        ),
    ] {
        given(idv_expired())
            .when(learn(fact.clone(), source.clone()))
            .then([late(source.clone())])
            .is("failed")
            .needs(AttentionReason::Discrepancy)
            .owes([])
            .when(learn(fact, source))
            .then_nothing();
    }
}

#[test]
fn contract_9_2_everything_else_is_a_no_op() {
    let facts = [
        Fact::Card(CardStatus::Pending),
        Fact::Card(CardStatus::Failed),
        Fact::Card(CardStatus::PreCancel),
        Fact::Card(CardStatus::Cancelled),
        Fact::CardMissing,
        Fact::CardCreationFailed { code: None },
        Fact::CardOrder {
            status: CardOrderStatus::Success,
            failure_code: None,
        },
        person(CardholderStatus::Success, None),
        person(CardholderStatus::Incomplete, Some(link(1, 24))),
        Fact::Created(creation()),
        Fact::Refused(refusal(RefusalClass::Input, "invalid_phone_number")),
        Fact::CancelTaken,
    ];
    for fact in facts {
        for source in [created_hook(), Source::LookUp, answer(1)] {
            given(failed())
                .when(learn(fact.clone(), source))
                .then_nothing()
                .is("failed");
        }
    }
}

/// Found by simulation: the looks for a card that may come all the same were paused for ever.
#[test]
fn a_paused_order_that_is_failed_by_hand_is_looked_after() {
    given(and(accepted(), [operated(OperatorAction::Pause)]))
        .when(operate(OperatorAction::Fail))
        .then([
            operated(OperatorAction::Fail),
            ended(
                FailureKind::OperatorFailed,
                issuance_domain::Who::Nobody,
                None,
                None,
            ),
        ])
        .is("failed")
        .needs(None)
        .owes([(Action::LookUp, minutes(30))])
        .when(read(Fact::Card(CardStatus::Active)))
        .then([late(Source::LookUp)])
        .needs(AttentionReason::Discrepancy);
}

#[test]
fn a_late_answer_leaves_its_ids_so_that_the_card_is_recognised() {
    let given_up = and(
        sent(),
        [ended(
            FailureKind::OperatorFailed,
            issuance_domain::Who::Nobody,
            None,
            None,
        )],
    );
    given(given_up)
        .when(learn(Fact::Created(creation()), answer(1)))
        .then([EventBody::ProviderIdsLearned {
            ids: ids(),
            source: answer(1),
        }])
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([late(created_hook())]);
}

#[test]
fn late_success_is_cancelled_when_policy_says_so() {
    given(idv_expired())
        .under(|policy| policy.late_success = LateSuccess::Cancel)
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([late(created_hook()), cancelling(By::Policy)])
        .owes([
            (
                Action::Submit {
                    purpose: Purpose::CancelCard,
                },
                seconds(0),
            ),
            (Action::LookUp, seconds(30)),
        ])
        .when(read(Fact::Card(CardStatus::PreCancel)))
        .then([EventBody::CompensationCompleted {
            status: Some(CardStatus::PreCancel),
        }])
        .is("failed")
        .needs(None)
        .owes([])
        // The message that told of the card comes once more, after the cancel.
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then_nothing()
        // A read that shows it live is another matter.
        .when(read(Fact::Card(CardStatus::Active)))
        .then([late(Source::LookUp)]);
}

#[test]
fn an_operator_cancels_a_card_behind_a_failed_order() {
    given(failed())
        .when(operate(OperatorAction::Cancel))
        .then_not_possible();
    given(and(failed(), [late(created_hook())]))
        .when(operate(OperatorAction::Cancel))
        .then([operated(OperatorAction::Cancel), cancelling(By::Operator)])
        .when(operate(OperatorAction::Cancel))
        .then_not_possible();
}

#[test]
fn nobody_wants_a_second_card_cancelled_in_the_firsts_name() {
    let second = Discrepancy::SecondCard {
        card: "card-2".parse().unwrap(),
        status: None,
    };
    let noted = EventBody::DiscrepancyNoted {
        discrepancy: second,
        source: Source::LookUp,
    };
    given(and(failed(), [noted]))
        .when(operate(OperatorAction::Cancel))
        .then_not_possible();
}

/// Found by simulation: the message that told of the card came after somebody else's cancel had been read, and a person was
/// called for a live card that was gone; where the policy cancels late cards, a cancel of it went out as well.
#[test]
fn f_049_an_older_message_about_a_card_that_others_cancelled_changes_nothing() {
    let gone = ended(
        FailureKind::CancelledByProvider,
        issuance_domain::Who::Operator,
        None,
        Some(Source::LookUp),
    );
    for policy in [LateSuccess::Attention, LateSuccess::Cancel] {
        given(and(accepted(), [gone.clone()]))
            .under(|waits| waits.late_success = policy)
            .when(learn(Fact::Card(CardStatus::Active), created_hook()))
            .then_nothing()
            .when(learn(Fact::Card(CardStatus::Frozen), status_hook()))
            .then_nothing()
            .owes([]);
    }
    // A read that shows it live is another matter.
    given(and(accepted(), [gone]))
        .when(read(Fact::Card(CardStatus::Blocked)))
        .then([late(Source::LookUp)]);
}

/// The same behind a cancel of ours: it was begun a second time.
#[test]
fn f_049_a_card_that_others_cancelled_before_our_cancel_is_cancelled() {
    given(and(accepted(), [cancelling(By::Host)]))
        .when(read(Fact::Card(CardStatus::PreCancel)))
        .then([
            ended(
                FailureKind::Cancelled,
                issuance_domain::Who::Operator,
                None,
                Some(Source::LookUp),
            ),
            EventBody::CompensationCompleted {
                status: Some(CardStatus::PreCancel),
            },
        ])
        .is("failed")
        .needs(None)
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then_nothing()
        .owes([]);
}
