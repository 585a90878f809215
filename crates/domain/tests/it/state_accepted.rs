//! `Accepted`: the provider has the order and makes the card (contract §9.2, §9.3, §9.4).

use issuance_domain::{
    Action, Activation, AttentionReason, CardOrderStatus, CardStatus, CardholderStatus, Command,
    Discrepancy, EventBody, Fact, FailureKind, Observation, OperatorAction, ProviderIds, Purpose,
    Source, Who,
};

use crate::given::given;
use crate::sample::*;

fn reported(code: Option<&str>, source: Source) -> EventBody {
    EventBody::FailureReported {
        code: code.map(Into::into),
        source,
    }
}

fn claimed() -> Vec<EventBody> {
    and(accepted(), [reported(None, failed_hook())])
}

#[test]
fn contract_9_2_created_and_active_is_enough() {
    given(accepted())
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([activated(created_hook())])
        .is("active")
        .owes([])
        .owes_a_notice(true);
}

#[test]
fn contract_9_2_created_but_not_active_is_read() {
    given(accepted())
        .under(|policy| policy.activation = Activation::Read)
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([look_up(created_hook())])
        .owes([
            (Action::LookUp, seconds(0)),
            (Action::Escalate, minutes(30)),
        ]);
    given(accepted())
        .when(learn(Fact::Card(CardStatus::Pending), created_hook()))
        .then_nothing();
}

#[test]
fn contract_9_2_a_status_update_is_read_before_it_is_believed() {
    for status in [
        "ACTIVE",
        "FROZEN",
        "BLOCKED",
        "PRE_CANCEL",
        "CANCELLED",
        "FAILED",
    ] {
        given(accepted())
            .when(learn(Fact::Card(status.into()), status_hook()))
            .then([look_up(status_hook())])
            .is("accepted")
            // A second message within moments is covered by the read that is owed.
            .when(learn(Fact::Card(status.into()), status_hook()))
            .then_nothing()
            .at(seconds(30))
            .when(learn(Fact::Card(status.into()), status_hook()))
            .then([look_up(status_hook())]);
    }
}

#[test]
fn contract_9_2_a_reported_failure_is_confirmed_by_reads() {
    let reported = || {
        given(accepted())
            .when(learn(
                Fact::CardCreationFailed {
                    code: Some("bin_closed".into()),
                },
                failed_hook(),
            ))
            .then([reported(Some("bin_closed"), failed_hook())])
            .is("accepted")
            .owes([
                (Action::LookUp, seconds(0)),
                (Action::Escalate, minutes(30)),
            ])
    };
    let end = || {
        ended(
            FailureKind::CreationFailed,
            Who::Provider,
            Some("bin_closed"),
            Some(Source::LookUp),
        )
    };
    reported()
        .when(read(Fact::Card(CardStatus::Failed)))
        .then([end()]);
    reported().when(read(Fact::CardMissing)).then([end()]);
    reported()
        .at(seconds(59))
        .when(read(Fact::Card(CardStatus::Pending)))
        .then_nothing()
        .at(seconds(60))
        .when(read(Fact::Card(CardStatus::Pending)))
        .then([end()])
        .is("failed");
}

#[test]
fn contract_9_2_reported_failed_but_active_is_active_and_shown() {
    given(claimed())
        // Two messages contradict each other: from here only the read decides.
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([look_up(created_hook())])
        .when(read(Fact::Card(CardStatus::Active)))
        .then([
            activated(Source::LookUp),
            EventBody::DiscrepancyNoted {
                discrepancy: Discrepancy::ActiveCardFailed,
                source: Source::LookUp,
            },
        ])
        .is("active")
        .needs(AttentionReason::Discrepancy);
}

#[test]
fn a_reported_failure_gains_its_code_later_and_keeps_its_time() {
    let order = Fact::CardOrder {
        status: CardOrderStatus::Failed,
        failure_code: Some("bin_closed".into()),
    };
    given(claimed())
        .at(seconds(50))
        .when(read(order))
        .then([reported(Some("bin_closed"), Source::LookUp)])
        .when(learn(
            Fact::CardCreationFailed {
                code: Some("later".into()),
            },
            failed_hook(),
        ))
        .then_nothing()
        .at(seconds(60))
        .when(read(Fact::Card(CardStatus::Pending)))
        .then([ended(
            FailureKind::CreationFailed,
            Who::Provider,
            Some("bin_closed"),
            Some(Source::LookUp),
        )]);
}

#[test]
fn contract_9_2_person_verified_is_noted_and_ends_a_review() {
    let verified = || learn(person(CardholderStatus::Success, None), kyc_hook());
    given(accepted()).when(verified()).then_nothing();
    given(under_review())
        .at(hours(48))
        .when(verified())
        .then([EventBody::IdvPassed { source: kyc_hook() }])
        .is("accepted")
        .owes([
            (Action::LookUp, hours(48) + seconds(30)),
            (Action::Escalate, hours(48) + minutes(30)),
        ]);
}

#[test]
fn contract_9_2_person_rejected_is_read_before_it_is_believed() {
    given(accepted())
        .when(learn(person(CardholderStatus::Failed, None), kyc_hook()))
        .then([EventBody::FailureReported {
            code: None,
            source: kyc_hook(),
        }])
        .when(read(person(CardholderStatus::Failed, None)))
        .then([ended(
            FailureKind::KycRejected,
            Who::Host,
            None,
            Some(Source::LookUp),
        )]);
}

#[test]
fn contract_9_2_more_wanted_of_the_person_is_read_then_asked() {
    for link in [None, Some(link(1, 24))] {
        given(accepted())
            .when(learn(
                person(CardholderStatus::Incomplete, link.clone()),
                kyc_hook(),
            ))
            .then([look_up(kyc_hook())])
            .when(read(person(CardholderStatus::Incomplete, link.clone())))
            .then([EventBody::IdvRequired {
                link,
                source: Source::LookUp,
            }])
            .is("idv_pending")
            .owes_a_notice(true);
    }
}

#[test]
fn contract_9_2_person_pending_is_only_noted_until_a_read_says_so() {
    given(accepted())
        .when(learn(person(CardholderStatus::Pending, None), kyc_hook()))
        .then_nothing();
    given(accepted())
        .when(read(person(CardholderStatus::Pending, None)))
        .then([EventBody::IdvSubmitted {
            source: Source::LookUp,
        }])
        .owes([
            (Action::LookUp, minutes(15)),
            (Action::Escalate, hours(7 * 24)),
        ])
        .when(read(person(CardholderStatus::Pending, None)))
        .then_nothing();
    given(accepted())
        .when(read(person(CardholderStatus::Pending, Some(link(1, 24)))))
        .then([EventBody::IdvRequired {
            link: Some(link(1, 24)),
            source: Source::LookUp,
        }]);
}

#[test]
fn contract_9_3_a_read_card_decides() {
    let table = [
        (CardStatus::Active, vec![activated(Source::LookUp)]),
        (
            CardStatus::Failed,
            vec![ended(
                FailureKind::CreationFailed,
                Who::Provider,
                None,
                Some(Source::LookUp),
            )],
        ),
        (CardStatus::Pending, vec![]),
        (CardStatus::Frozen, vec![active_as(CardStatus::Frozen)]),
        (CardStatus::Blocked, vec![active_as(CardStatus::Blocked)]),
        (CardStatus::PreCancel, cancelled_early()),
        (CardStatus::Cancelled, cancelled_early()),
        ("WARP".into(), vec![raised(warp("card_status"))]),
    ];
    for (status, events) in table {
        given(accepted())
            .when(read(Fact::Card(status)))
            .then(events);
    }
}

fn active_as(status: CardStatus) -> EventBody {
    EventBody::CardActivated {
        card: "card-1".parse().unwrap(),
        status,
        source: Source::LookUp,
    }
}

fn cancelled_early() -> Vec<EventBody> {
    vec![
        ended(
            FailureKind::CancelledByProvider,
            Who::Operator,
            None,
            Some(Source::LookUp),
        ),
        raised(AttentionReason::Refused {
            code: "cancelled_by_provider".into(),
        }),
    ]
}

/// The pause ends with the order, and with it the one mark that it had.
#[test]
fn a_card_that_the_provider_cancelled_calls_a_person_when_the_order_was_paused() {
    given(and(accepted(), [operated(OperatorAction::Pause)]))
        .when(read(Fact::Card(CardStatus::Cancelled)))
        .then(cancelled_early())
        .needs(AttentionReason::Refused {
            code: "cancelled_by_provider".into(),
        });
}

fn warp(field: &str) -> AttentionReason {
    AttentionReason::UnknownWord {
        field: field.into(),
        word: "WARP".into(),
    }
}

#[test]
fn contract_9_3_card_not_found_is_ignored_for_two_minutes() {
    given(accepted())
        .at(seconds(119))
        .when(read(Fact::CardMissing))
        .then_nothing()
        .at(seconds(120))
        .when(read(Fact::CardMissing))
        .then([raised(AttentionReason::CardNotFound)])
        .when(read(Fact::CardMissing))
        .then_nothing()
        .is("accepted");
}

#[test]
fn contract_9_3_a_read_order() {
    let order = |status: CardOrderStatus, code: Option<&str>| Fact::CardOrder {
        status,
        failure_code: code.map(Into::into),
    };
    for status in ["PENDING", "PROCESSING", "SUCCESS"] {
        given(accepted())
            .when(read(order(status.into(), None)))
            .then_nothing();
    }
    given(accepted())
        .when(read(order(CardOrderStatus::Failed, Some("no_cards"))))
        .then([reported(Some("no_cards"), Source::LookUp)])
        .when(read(Fact::Card(CardStatus::Failed)))
        .then([ended(
            FailureKind::CreationFailed,
            Who::Provider,
            Some("no_cards"),
            Some(Source::LookUp),
        )]);
    given(accepted())
        .when(read(order("WARP".into(), None)))
        .then([raised(warp("order_status"))]);
}

#[test]
fn contract_9_3_a_failed_order_without_a_card_needs_no_second_read() {
    let only_order = ProviderIds {
        card: None,
        ..ids()
    };
    let adopted = EventBody::OrderAccepted {
        ids: only_order.clone(),
        under_review: false,
        source: Source::LookUp,
    };
    let fact = Fact::CardOrder {
        status: CardOrderStatus::Failed,
        failure_code: Some("no_cards".into()),
    };
    given(and(sent(), [adopted]))
        .when(Command::Learn(Observation {
            fact,
            ids: only_order,
            echo: Default::default(),
            source: Source::LookUp,
        }))
        .then([
            reported(Some("no_cards"), Source::LookUp),
            ended(
                FailureKind::CreationFailed,
                Who::Provider,
                Some("no_cards"),
                Some(Source::LookUp),
            ),
        ]);
}

#[test]
fn a_fact_brings_its_ids_along() {
    let card_only = ProviderIds {
        card: ids().card,
        ..ProviderIds::default()
    };
    let history = and(
        sent(),
        [EventBody::OrderAccepted {
            ids: card_only,
            under_review: false,
            source: answer(1),
        }],
    );
    let news = ProviderIds {
        card: None,
        ..ids()
    };
    let after = given(history)
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([
            EventBody::ProviderIdsLearned {
                ids: news,
                source: created_hook(),
            },
            activated(created_hook()),
        ]);
    assert_eq!(after.order().ids, ids());
}

#[test]
fn contract_9_4_too_long_calls_a_person_and_polls_go_on() {
    given(accepted())
        .at(minutes(30) - seconds(1))
        .when(Command::Escalate)
        .then_nothing()
        .at(minutes(30))
        .when(Command::Escalate)
        .then([raised(AttentionReason::ActivationOverdue)])
        .owes([(Action::LookUp, seconds(30))])
        .when(Command::Escalate)
        .then_nothing();
    given(under_review())
        .at(hours(7 * 24))
        .when(Command::Escalate)
        .then([raised(AttentionReason::ReviewOverdue)]);
}

#[test]
fn what_reads_show_never_takes_turns_for_ever() {
    given(accepted())
        .at(minutes(5))
        .when(read(Fact::CardOrder {
            status: "WARP".into(),
            failure_code: None,
        }))
        .then([raised(warp("order_status"))])
        .when(read(Fact::CardMissing))
        .then_nothing()
        .when(read(Fact::Card("WARP".into())))
        .then_nothing();
}

#[test]
fn a_late_refusal_or_another_calls_answer_changes_nothing() {
    let refused = Fact::Refused(refusal(
        issuance_domain::RefusalClass::Input,
        "invalid_phone_number",
    ));
    given(accepted())
        .when(learn(refused, answer(1)))
        .then_nothing();
    given(accepted())
        .when(learn(Fact::CancelTaken, answer_to(Purpose::CancelCard, 1)))
        .then_nothing();
    let stale = learn(
        person(CardholderStatus::Incomplete, Some(link(2, 48))),
        answer_to(Purpose::RenewIdvLink, 1),
    );
    given(accepted())
        .when(stale)
        .then([look_up(answer_to(Purpose::RenewIdvLink, 1))])
        .is("accepted");
}

#[test]
fn paused_learns_but_does_nothing() {
    given(accepted())
        .when(operate(OperatorAction::Pause))
        .then([operated(OperatorAction::Pause)])
        .owes([])
        .needs(AttentionReason::Paused)
        .at(minutes(45))
        .when(Command::Escalate)
        .then_nothing()
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([activated(created_hook())])
        .needs(AttentionReason::Paused)
        .owes_a_notice(true);
}

#[test]
fn contract_9_2_a_changed_person_is_read_only_while_waited_for() {
    let changed = || learn(Fact::CardholderUpdated, webhook("cardholder.updated"));
    given(accepted()).when(changed()).then_nothing();
    for waiting in [under_review(), idv_pending()] {
        given(waiting)
            .when(changed())
            .then([look_up(webhook("cardholder.updated"))]);
    }
}

#[test]
fn contract_9_2_messages_against_each_other_are_left_to_the_record() {
    let succeeded = || learn(Fact::Card(CardStatus::Active), created_hook());
    given(claimed())
        .when(succeeded())
        .then([look_up(created_hook())])
        .when(succeeded())
        .then_nothing()
        .at(minutes(20))
        .when(read(Fact::Card(CardStatus::Pending)))
        .then_nothing()
        .when(Command::LookInVain)
        .then_nothing()
        .when(read(Fact::Card(CardStatus::Failed)))
        .then([ended(
            FailureKind::CreationFailed,
            Who::Provider,
            None,
            Some(Source::LookUp),
        )]);
}
