//! What an operator may do, and when (design §3).

use issuance_domain::{
    Action, AttentionReason, By, Command, Discrepancy, EventBody, FailureKind, LookUpCause,
    OperatorAct, OperatorAction, Order, Purpose, RefusalClass, Rejection, Source, Version, Who,
    allowed_actions,
};

use crate::given::given;
use crate::sample::*;

fn allowed(order: &Order) -> Vec<&'static str> {
    let given = given([]);
    allowed_actions(order, &given.context())
        .into_iter()
        .map(OperatorAction::name)
        .collect()
}

#[test]
fn what_is_offered_in_each_state() {
    let open = ["look_up_now", "fail", "cancel", "pause", "note"];
    assert_eq!(
        allowed(&fold(requested())),
        [
            "retry_now",
            "look_up_now",
            "fail",
            "cancel",
            "pause",
            "note"
        ]
    );
    assert_eq!(
        allowed(&fold(sent())),
        ["look_up_now", "pause", "note"],
        "a call is on its way"
    );
    assert_eq!(allowed(&fold(accepted())), open);
    assert_eq!(
        allowed(&fold(idv_pending())),
        [
            "look_up_now",
            "refresh_idv_link",
            "fail",
            "cancel",
            "pause",
            "note"
        ]
    );
    assert_eq!(
        allowed(&fold(active())),
        ["look_up_now", "cancel", "erase_personal_data", "note"]
    );
    assert_eq!(
        allowed(&fold(failed())),
        ["look_up_now", "erase_personal_data", "note"]
    );
    assert_eq!(
        allowed(&fold(expired())),
        ["look_up_now", "fail", "cancel", "pause", "note"]
    );
    let paused = and(accepted(), [operated(OperatorAction::Pause)]);
    assert_eq!(allowed(&fold(paused)), ["fail", "cancel", "resume", "note"]);
}

#[test]
fn every_mark_on_the_list_has_an_action_that_frees_it() {
    let second = Discrepancy::SecondCard {
        card: "card-2".parse().unwrap(),
        status: None,
    };
    let stuck = [
        refused(RefusalClass::Capacity, "quota"),
        refused(RefusalClass::KeyConflict, "idempotency_error"),
        refused(RefusalClass::Duplicate, "email_duplicated"),
        and(
            failed(),
            [raised(AttentionReason::Refused {
                code: "new_code".into(),
            })],
        ),
        and(
            active(),
            [EventBody::DiscrepancyNoted {
                discrepancy: second,
                source: Source::LookUp,
            }],
        ),
        and(
            active(),
            [raised(AttentionReason::UnknownWord {
                field: "card_status".into(),
                word: "WARP".into(),
            })],
        ),
        and(accepted(), [raised(AttentionReason::ActivationOverdue)]),
        and(
            idv_without_link(),
            [raised(AttentionReason::IdvLinkMissing)],
        ),
    ];
    for history in stuck {
        let order = fold(history);
        let frees = allowed(&order)
            .into_iter()
            .any(|action| !["note", "pause", "look_up_now"].contains(&action));
        assert!(
            frees,
            "{:?} in {}: {:?}",
            order.attention,
            order.state.name(),
            allowed(&order)
        );
    }
}

#[test]
fn a_stale_page_and_a_missing_reason_are_refused() {
    let expected = Some(Version(1));
    given(accepted())
        .when(Command::Operate {
            act: act(OperatorAction::Note),
            expected,
        })
        .then_rejected(Rejection::StaleVersion {
            order: order_id(),
            expected: Version(1),
            actual: Version(3),
        });
    given(accepted())
        .when(Command::Operate {
            act: OperatorAct {
                reason: " ".into(),
                ..act(OperatorAction::Note)
            },
            expected: None,
        })
        .then_not_possible();
}

#[test]
fn retry_now_moves_only_the_due_time() {
    given(unknown())
        .at(minutes(1))
        .when(operate(OperatorAction::RetryNow))
        .then([operated(OperatorAction::RetryNow)])
        .owes([
            (
                Action::Submit {
                    purpose: Purpose::CreateCard,
                },
                minutes(1),
            ),
            (Action::LookUp, minutes(15)),
            (Action::Escalate, minutes(16)),
        ])
        .when(send(Purpose::CreateCard, 1))
        .then([started(Purpose::CreateCard, 1, 2)]);
    given(accepted())
        .when(operate(OperatorAction::RetryNow))
        .then_not_possible();
    given(refused(RefusalClass::Duplicate, "email_duplicated"))
        .when(operate(OperatorAction::RetryNow))
        .then_not_possible();
}

#[test]
fn look_up_now_is_a_task_due_now() {
    given(accepted())
        .at(seconds(10))
        .when(operate(OperatorAction::LookUpNow))
        .then([
            operated(OperatorAction::LookUpNow),
            EventBody::LookUpRequested {
                cause: LookUpCause::Operator,
            },
        ])
        .owes([
            (Action::LookUp, seconds(10)),
            (Action::Escalate, minutes(30) + seconds(10)),
        ]);
}

#[test]
fn an_ended_order_is_looked_up_once() {
    for history in [active(), failed()] {
        let asked = given(history)
            .at(hours(40))
            .when(operate(OperatorAction::LookUpNow))
            .then([
                operated(OperatorAction::LookUpNow),
                EventBody::LookUpRequested {
                    cause: LookUpCause::Operator,
                },
            ])
            .owes([(Action::LookUp, hours(40))]);
        let cause = asked.order().version;
        asked
            .when(Command::EndLookUp { cause: Version(1) })
            .then_nothing()
            .when(Command::EndLookUp { cause })
            .then([EventBody::LookedUp { cause }])
            .owes([])
            .when(Command::EndLookUp { cause })
            .then_nothing();
    }
    let open = given(accepted())
        .when(operate(OperatorAction::LookUpNow))
        .then_on();
    let cause = open.order().version;
    open.when(Command::EndLookUp { cause }).then_nothing();
}

#[test]
fn refresh_asks_for_a_link_once() {
    given(idv_pending())
        .when(operate(OperatorAction::RefreshIdvLink))
        .then([operated(OperatorAction::RefreshIdvLink)])
        .owes([
            (
                Action::Submit {
                    purpose: Purpose::RenewIdvLink,
                },
                seconds(0),
            ),
            (Action::LookUp, minutes(15)),
        ])
        .when(operate(OperatorAction::RefreshIdvLink))
        .then_not_possible();
    given(accepted())
        .when(operate(OperatorAction::RefreshIdvLink))
        .then_not_possible();
}

#[test]
fn fail_ends_the_order_and_a_card_that_turns_up_is_a_discrepancy() {
    given(unknown())
        .when(operate(OperatorAction::Fail))
        .then([
            operated(OperatorAction::Fail),
            ended(FailureKind::OperatorFailed, Who::Nobody, None, None),
        ])
        .when(operate(OperatorAction::Fail))
        .then_not_possible();
    given(sent())
        .when(operate(OperatorAction::Fail))
        .then_rejected(Rejection::CallInFlight { order: order_id() });
}

#[test]
fn resuming_and_resolving_uncover_what_was_beneath() {
    let capacity = AttentionReason::Capacity {
        code: "quota".into(),
    };
    let second = Discrepancy::SecondCard {
        card: "card-2".parse().unwrap(),
        status: None,
    };
    let expired = key_expired(Purpose::CreateCard, issuance_domain::ExpiryCause::TooOld);
    for (history, beneath) in [
        (refused(RefusalClass::Capacity, "quota"), Some(capacity)),
        (
            refused(RefusalClass::KeyConflict, "idempotency_error"),
            Some(AttentionReason::KeyConflict),
        ),
        (
            and(unknown(), [expired]),
            Some(AttentionReason::OutcomeUnknown),
        ),
        (requested(), None),
    ] {
        given(history.clone())
            .when(operate(OperatorAction::Pause))
            .then([operated(OperatorAction::Pause)])
            .needs(AttentionReason::Paused)
            .owes([])
            .when(operate(OperatorAction::Resume))
            .then([operated(OperatorAction::Resume)])
            .needs(beneath.clone());
        given(and(
            history,
            [EventBody::DiscrepancyNoted {
                discrepancy: second.clone(),
                source: Source::LookUp,
            }],
        ))
        .needs(AttentionReason::Discrepancy)
        .when(operate(OperatorAction::ResolveDiscrepancy))
        .then([operated(OperatorAction::ResolveDiscrepancy)])
        .needs(beneath);
    }
}

#[test]
fn an_operator_who_acts_restarts_the_alarm() {
    given(accepted())
        .at(minutes(30))
        .when(Command::Escalate)
        .then_on()
        .when(operate(OperatorAction::Pause))
        .then_on()
        .at(minutes(40))
        .when(operate(OperatorAction::Resume))
        .then_on()
        .needs(None)
        .owes([
            (Action::LookUp, seconds(30)),
            (Action::Escalate, minutes(70)),
        ]);
}

#[test]
fn a_note_changes_nothing_else() {
    let before = fold(accepted());
    let after = given(accepted())
        .when(operate(OperatorAction::Note))
        .then([operated(OperatorAction::Note)]);
    let (version, updated_at) = (after.order().version, after.order().updated_at);
    assert_eq!(
        *after.order(),
        Order {
            version,
            updated_at,
            ..before
        }
    );
}

#[test]
fn cancelling_twice_is_said_to_be_useless() {
    given(and(accepted(), [cancelling(By::Host)]))
        .when(operate(OperatorAction::Cancel))
        .then_not_possible();
}
