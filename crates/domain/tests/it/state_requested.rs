//! `Requested`: answers and silences of the create call (contract §9.1), and messages that overtake them (§9.2).

use issuance_domain::{
    Action, AttentionReason, CardOrderStatus, CardStatus, CardholderStatus, Command, Creation,
    Discrepancy, EventBody, ExpiryCause, Fact, Failure, FailureKind, LookUpCause, Observation,
    OperatorAction, Placement, ProviderIds, Purpose, Refusal, RefusalClass, Rejection,
    SilenceCause, Source, Verification, Who,
};

use crate::given::{Given, given};
use crate::sample::*;

const CREATE: Action = Action::Submit {
    purpose: Purpose::CreateCard,
};

fn answered(creation: Creation) -> Command {
    learn(Fact::Created(creation), answer(1))
}

fn refuse(history: Vec<EventBody>, class: RefusalClass, code: &str) -> crate::given::When {
    given(history).when(learn(Fact::Refused(refusal(class, code)), answer(1)))
}

#[test]
fn a_placed_order_owes_its_submission_at_once() {
    let empty = Given {
        order: None,
        now: start(),
        policy: issuance_domain::Policy::standard(),
    };
    empty
        .when(Command::Place(Box::new(placement())))
        .then(requested())
        .is("requested")
        .owes([(CREATE, seconds(0))]);
}

#[test]
fn an_order_is_placed_once_and_nothing_happens_to_none() {
    given(requested())
        .when(Command::Place(Box::new(placement())))
        .then_rejected(Rejection::Exists { order: order_id() });
    let empty = Given {
        order: None,
        now: start(),
        policy: issuance_domain::Policy::standard(),
    };
    empty
        .when(Command::Cancel)
        .then_rejected(Rejection::Unknown { order: order_id() });
}

#[test]
fn an_unfit_request_is_refused_before_anything_is_recorded() {
    let (mut terms, personal) = request().split();
    terms.currency = "HKD".parse().unwrap();
    let placement = Placement {
        terms,
        personal,
        ..placement()
    };
    let empty = Given {
        order: None,
        now: start(),
        policy: issuance_domain::Policy::standard(),
    };
    let problems = vec![issuance_domain::Problem::Invalid {
        path: "currency".into(),
        rule: "one of USD, SGD".into(),
    }];
    empty
        .when(Command::Place(Box::new(placement)))
        .then_rejected(Rejection::Unfit { problems });
}

#[test]
fn contract_9_1_pending_is_accepted_and_polled() {
    given(sent())
        .when(answered(creation()))
        .then([was_accepted(answer(1))])
        .is("accepted")
        .owes([
            (Action::LookUp, seconds(30)),
            (Action::Escalate, minutes(30)),
        ])
        .owes_a_notice(false);
}

#[test]
fn contract_9_1_with_a_link_waits_for_the_person() {
    given(sent())
        .when(answered(idv_creation()))
        .then([
            was_accepted(answer(1)),
            EventBody::IdvRequired {
                link: Some(link(1, 24)),
                source: answer(1),
            },
        ])
        .is("idv_pending")
        .owes([
            (Action::LookUp, minutes(15)),
            (Action::ExpireIdv, hours(24) + minutes(10)),
        ])
        .owes_a_notice(true);
}

#[test]
fn contract_9_1_action_required_without_a_link_looks_for_one() {
    given(sent())
        .when(answered(Creation {
            link: None,
            ..idv_creation()
        }))
        .then([
            was_accepted(answer(1)),
            EventBody::IdvRequired {
                link: None,
                source: answer(1),
            },
        ])
        .owes([(Action::LookUp, seconds(0)), (Action::Escalate, minutes(5))])
        .at(minutes(5))
        .when(Command::Escalate)
        .then([raised(AttentionReason::IdvLinkMissing)]);
}

#[test]
fn contract_9_1_under_review_is_polled_slowly() {
    for said in [
        Creation {
            verification: Some(Verification::UnderReview),
            ..creation()
        },
        Creation {
            cardholder: Some(CardholderStatus::Pending),
            verification: None,
            ..creation()
        },
    ] {
        given(sent())
            .when(answered(said))
            .then([EventBody::OrderAccepted {
                ids: ids(),
                under_review: true,
                source: answer(1),
            }])
            .owes([
                (Action::LookUp, minutes(15)),
                (Action::Escalate, hours(7 * 24)),
            ]);
    }
}

#[test]
fn contract_9_1_an_end_in_the_answer_is_read_before_it_is_believed() {
    for said in [
        Creation {
            card: CardStatus::Active,
            order: Some(CardOrderStatus::Pending),
            ..creation()
        },
        Creation {
            card: CardStatus::Failed,
            ..creation()
        },
        Creation {
            order: Some(CardOrderStatus::Failed),
            ..creation()
        },
        Creation {
            cardholder: Some(CardholderStatus::Failed),
            ..creation()
        },
    ] {
        given(sent())
            .when(answered(said))
            .then([was_accepted(answer(1)), look_up(answer(1))])
            .is("accepted")
            .owes([
                (Action::LookUp, seconds(0)),
                (Action::Escalate, minutes(30)),
            ]);
    }
}

#[test]
fn contract_9_1_an_unknown_word_is_accepted_polled_and_shown() {
    let word = |field: &str| {
        raised(AttentionReason::UnknownWord {
            field: field.into(),
            word: "WARP".into(),
        })
    };
    for (said, field) in [
        (
            Creation {
                card: "WARP".into(),
                ..creation()
            },
            "card_status",
        ),
        (
            Creation {
                order: Some("WARP".into()),
                ..creation()
            },
            "order_status",
        ),
        (
            Creation {
                cardholder: Some("WARP".into()),
                ..creation()
            },
            "cardholder_status",
        ),
        (
            Creation {
                verification: Some("WARP".into()),
                ..creation()
            },
            "verification_status",
        ),
    ] {
        given(sent())
            .when(answered(said))
            .then([was_accepted(answer(1)), word(field)])
            .owes([(Action::LookUp, seconds(30))]);
    }
}

#[test]
fn contract_9_1_a_replay_with_the_same_card_is_nothing_new() {
    given(accepted()).when(answered(creation())).then_nothing();
    given(idv_pending())
        .when(answered(idv_creation()))
        .then_nothing();
    given(active()).when(answered(creation())).then_nothing();
}

#[test]
fn contract_9_1_a_replay_with_another_card_needs_a_person() {
    for history in [accepted(), idv_pending(), active(), failed()] {
        let name = fold(history.clone()).state.name();
        let discrepancy = Discrepancy::SecondCard {
            card: "card-2".parse().unwrap(),
            status: None,
        };
        let again = Observation {
            fact: Fact::Created(creation()),
            ids: second_card(),
            echo: Default::default(),
            source: answer(1),
        };
        given(history)
            .when(Command::Learn(again.clone()))
            .then([EventBody::DiscrepancyNoted {
                discrepancy,
                source: answer(1),
            }])
            .is(name)
            .needs(AttentionReason::Discrepancy)
            .when(Command::Learn(again))
            .then_nothing();
    }
}

#[test]
fn contract_9_1_refused_data_ends_the_order_for_the_host_to_correct() {
    let missing = Refusal {
        missing_fields: vec!["identity.number".into()],
        ..refusal(RefusalClass::Input, "cardholder_incomplete_fields")
    };
    let failure = Failure {
        kind: FailureKind::Refused,
        code: Some("cardholder_incomplete_fields".into()),
        missing_fields: vec!["identity.number".into()],
        who: Who::Host,
        new_order_could_succeed: true,
    };
    given(sent())
        .when(learn(Fact::Refused(missing.clone()), answer(1)))
        .then([
            was_refused(1, missing),
            EventBody::OrderFailed {
                failure,
                source: Some(answer(1)),
            },
        ])
        .owes([])
        .needs(None)
        .owes_a_notice(true);
}

#[test]
fn contract_9_1_our_own_mistake_and_an_unknown_code_also_call_a_person() {
    for (class, code) in [
        (RefusalClass::Configuration, "card_art_not_configured"),
        (RefusalClass::Unknown, "moon_phase_error"),
    ] {
        let reason = AttentionReason::Refused { code: code.into() };
        refuse(sent(), class, code)
            .then([
                was_refused(1, refusal(class, code)),
                ended(
                    FailureKind::Refused,
                    Who::Operator,
                    Some(code),
                    Some(answer(1)),
                ),
                raised(reason.clone()),
            ])
            .is("failed")
            .needs(reason)
            // Or it would stand on the list for ever.
            .when(operate(OperatorAction::ResolveDiscrepancy))
            .then([operated(OperatorAction::ResolveDiscrepancy)])
            .needs(None);
    }
}

/// Found by simulation: the pause ended with the order, and with it the one mark that it had.
#[test]
fn our_own_mistake_calls_a_person_when_the_order_was_paused_under_its_call() {
    let code = "card_art_not_configured";
    let paused = and(sent(), [operated(OperatorAction::Pause)]);
    refuse(paused, RefusalClass::Configuration, code)
        .then_on()
        .is("failed")
        .needs(AttentionReason::Refused { code: code.into() });
}

#[test]
fn contract_9_1_duplicate_on_the_first_attempt_is_somebody_else() {
    let code = "email_duplicated";
    refuse(sent(), RefusalClass::Duplicate, code).then([
        was_refused(1, refusal(RefusalClass::Duplicate, code)),
        ended(
            FailureKind::Duplicate,
            Who::Host,
            Some(code),
            Some(answer(1)),
        ),
    ]);
}

#[test]
fn contract_9_1_duplicate_after_a_sent_attempt_may_be_our_own_leftover() {
    let code = "phone_number_duplicated";
    let lost_answer = and(unknown(), [started(Purpose::CreateCard, 1, 2)]);
    let lost_process = and(sent(), [started(Purpose::CreateCard, 1, 2)]);
    for history in [lost_answer, lost_process] {
        refuse(history, RefusalClass::Duplicate, code)
            .then([
                was_refused(1, refusal(RefusalClass::Duplicate, code)),
                EventBody::LookUpRequested {
                    cause: LookUpCause::Leftover,
                },
            ])
            .is("requested")
            .needs(None)
            .owes([
                (Action::LookUp, seconds(0)),
                (Action::Escalate, minutes(15)),
            ]);
    }
    // What never left cannot have left anything.
    let not_sent = and(
        requested(),
        [
            started(Purpose::CreateCard, 1, 1),
            unanswered(Purpose::CreateCard, 1, SilenceCause::NotSent),
            started(Purpose::CreateCard, 1, 2),
        ],
    );
    refuse(not_sent, RefusalClass::Duplicate, code)
        .then_on()
        .is("failed");
}

#[test]
fn contract_9_1_no_capacity_waits_for_release_and_then_takes_a_new_key() {
    let reason = AttentionReason::Capacity {
        code: "insufficient_sub_bin".into(),
    };
    refuse(sent(), RefusalClass::Capacity, "insufficient_sub_bin")
        .then([
            was_refused(1, refusal(RefusalClass::Capacity, "insufficient_sub_bin")),
            raised(reason.clone()),
            again(Purpose::CreateCard, 2, start().after(minutes(30))),
        ])
        .is("requested")
        .needs(reason.clone())
        .owes([(CREATE, minutes(30))])
        // Refused again, it goes on waiting, since the same hour, under the next key.
        .at(minutes(30))
        .when(send(Purpose::CreateCard, 2))
        .then_on()
        .when(learn(
            Fact::Refused(refusal(RefusalClass::Capacity, "insufficient_sub_bin")),
            answer(2),
        ))
        .then([
            was_refused(2, refusal(RefusalClass::Capacity, "insufficient_sub_bin")),
            again(Purpose::CreateCard, 3, start().after(minutes(60))),
        ])
        .needs(reason)
        .when(operate(OperatorAction::RetryNow))
        .then([operated(OperatorAction::RetryNow)])
        .needs(None)
        .owes([(CREATE, minutes(30))])
        .when(send(Purpose::CreateCard, 2))
        .then_rejected(Rejection::NoLongerOwed { order: order_id() })
        .when(send(Purpose::CreateCard, 3))
        .then([started(Purpose::CreateCard, 3, 1)])
        .when(learn(Fact::Created(creation()), answer(3)))
        .then([was_accepted(answer(3))])
        .needs(None);
}

#[test]
fn contract_9_1_a_late_refusal_of_a_spent_key_says_nothing_about_the_new_one() {
    let second = and(
        refused(RefusalClass::Capacity, "insufficient_sub_bin"),
        [
            operated(OperatorAction::RetryNow),
            started(Purpose::CreateCard, 2, 1),
        ],
    );
    refuse(second, RefusalClass::Input, "invalid_phone_number")
        .then_nothing()
        .is("requested");
}

#[test]
fn contract_9_1_key_conflict_sends_nothing_more_by_itself() {
    refuse(sent(), RefusalClass::KeyConflict, "idempotency_error")
        .then([
            was_refused(1, refusal(RefusalClass::KeyConflict, "idempotency_error")),
            raised(AttentionReason::KeyConflict),
        ])
        .owes([])
        .when(operate(OperatorAction::RetryNow))
        .then_not_possible();
}

#[test]
fn contract_9_1_silence_keeps_the_order_its_key_and_its_body() {
    for (cause, maybe_sent) in [
        (SilenceCause::NotSent, false),
        (
            SilenceCause::Blocked {
                code: "forbidden".into(),
            },
            false,
        ),
        (SilenceCause::RateLimited, false),
        (SilenceCause::Processing, true),
        (SilenceCause::TimedOut, true),
        (SilenceCause::ConnectionLost, true),
        (SilenceCause::ServerError { http_status: 503 }, true),
        (SilenceCause::Unreadable { http_status: 200 }, true),
    ] {
        let mut owed = vec![(CREATE, minutes(5))];
        if maybe_sent {
            owed.extend([
                (Action::Escalate, minutes(15)),
                (Action::LookUp, minutes(15)),
            ]);
        }
        given(sent())
            .when(silence(Purpose::CreateCard, 1, cause.clone()))
            .then([unanswered(Purpose::CreateCard, 1, cause)])
            .is("requested")
            .owes(owed)
            .when(send(Purpose::CreateCard, 1))
            .then([started(Purpose::CreateCard, 1, 2)]);
    }
}

#[test]
fn contract_9_1_an_outcome_unknown_for_long_calls_a_person_and_goes_on() {
    given(unknown())
        .at(minutes(15))
        .when(Command::Escalate)
        .then([raised(AttentionReason::OutcomeUnknown)])
        .owes([(CREATE, minutes(5)), (Action::LookUp, minutes(15))])
        .when(answered(creation()))
        .then([was_accepted(answer(1))])
        .needs(None);
}

#[test]
fn contract_9_1_calls_that_did_not_get_in_are_no_unknown_outcome() {
    given(sent())
        .when(silence(Purpose::CreateCard, 1, SilenceCause::RateLimited))
        .then_on()
        .at(minutes(20))
        .when(send(Purpose::CreateCard, 1))
        .then([started(Purpose::CreateCard, 1, 2)])
        .owes([
            (CREATE, minutes(21)),
            (Action::Escalate, minutes(35)),
            (Action::LookUp, minutes(35)),
        ]);
}

#[test]
fn contract_9_1_a_crash_after_send_is_a_lost_connection() {
    given(sent())
        .owes([
            (CREATE, seconds(60)),
            (Action::LookUp, minutes(15)),
            (Action::Escalate, minutes(15)),
        ])
        .at(seconds(59))
        .when(send(Purpose::CreateCard, 1))
        .then_rejected(Rejection::CallInFlight { order: order_id() })
        .at(seconds(60))
        .when(send(Purpose::CreateCard, 1))
        .then([started(Purpose::CreateCard, 1, 2)]);
}

#[test]
fn contract_9_2_an_early_message_records_acceptance_and_what_follows_together() {
    given(sent())
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([was_accepted(created_hook()), activated(created_hook())])
        .is("active")
        .when(answered(creation()))
        .then_nothing();
    given(sent())
        .when(learn(
            Fact::CardCreationFailed { code: None },
            failed_hook(),
        ))
        .then([
            was_accepted(failed_hook()),
            EventBody::FailureReported {
                code: None,
                source: failed_hook(),
            },
        ])
        .is("accepted");
    given(sent())
        .when(learn(Fact::Card(CardStatus::Active), status_hook()))
        .then([was_accepted(status_hook()), look_up(status_hook())])
        .is("accepted");
}

#[test]
fn contract_9_2_a_message_that_names_no_card_of_ours_accepts_nothing() {
    let nameless = |fact| Observation {
        fact,
        ids: ProviderIds::default(),
        echo: Default::default(),
        source: created_hook(),
    };
    given(sent())
        .when(Command::Learn(nameless(Fact::Card(CardStatus::Active))))
        .then_nothing();
    given(sent())
        .when(learn(person(CardholderStatus::Success, None), kyc_hook()))
        .then_nothing();
}

#[test]
fn contract_9_3_a_read_adopts_what_an_expired_key_left_behind() {
    let expired = and(
        unknown(),
        [
            key_expired(Purpose::CreateCard, ExpiryCause::TooOld),
            raised(AttentionReason::OutcomeUnknown),
        ],
    );
    given(expired.clone())
        .when(read(Fact::Card(CardStatus::Pending)))
        .then([was_accepted(Source::LookUp)])
        .needs(None);
    given(expired.clone())
        .when(read(Fact::CardMissing))
        .then_nothing();
    // The answer of a call we gave up is still the answer.
    given(expired)
        .when(answered(creation()))
        .then([was_accepted(answer(1))]);
}
