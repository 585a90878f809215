//! Cancelling an order: a pending card cannot be cancelled, so its end is waited for (contract §2.7, design §3).

use issuance_domain::{
    Action, AttentionReason, By, CardStatus, Command, Discrepancy, EventBody, Fact, FailureKind,
    Generation, Observation, OperatorAction, Purpose, Refusal, RefusalClass, Rejection,
    SilenceCause, Source, Who,
};

use crate::given::given;
use crate::sample::*;

const CANCEL: Action = Action::Submit {
    purpose: Purpose::CancelCard,
};

fn completed(status: Option<CardStatus>) -> EventBody {
    EventBody::CompensationCompleted { status }
}

fn cancelled(code: Option<&str>, source: Option<Source>) -> EventBody {
    ended(FailureKind::Cancelled, Who::Nobody, code, source)
}

fn cancelling_active() -> Vec<EventBody> {
    and(
        active(),
        [cancelling(By::Host), started(Purpose::CancelCard, 1, 1)],
    )
}

#[test]
fn nothing_sent_ends_at_once() {
    let not_sent = and(
        sent(),
        [unanswered(Purpose::CreateCard, 1, SilenceCause::NotSent)],
    );
    for history in [
        requested(),
        not_sent,
        refused(RefusalClass::Capacity, "quota"),
    ] {
        given(history)
            .when(Command::Cancel)
            .then([cancelled(None, None)])
            .is("failed")
            .owes([])
            .needs(None)
            .when(Command::Cancel)
            .then_nothing();
    }
}

#[test]
fn perhaps_sent_waits_for_the_outcome() {
    for history in [
        sent(),
        unknown(),
        refused(RefusalClass::KeyConflict, "idempotency_error"),
    ] {
        given(history)
            .when(Command::Cancel)
            .then([cancelling(By::Host)])
            .is("requested");
    }
}

#[test]
fn a_call_that_turns_out_never_sent_or_refused_ends_it() {
    let waiting = || and(sent(), [cancelling(By::Host)]);
    given(waiting())
        .when(silence(Purpose::CreateCard, 1, SilenceCause::NotSent))
        .then([
            unanswered(Purpose::CreateCard, 1, SilenceCause::NotSent),
            cancelled(None, None),
            completed(None),
        ])
        .owes([]);
    given(waiting())
        .when(silence(Purpose::CreateCard, 1, SilenceCause::TimedOut))
        .then([unanswered(Purpose::CreateCard, 1, SilenceCause::TimedOut)])
        .is("requested");
    for class in [
        RefusalClass::Capacity,
        RefusalClass::Input,
        RefusalClass::Duplicate,
        RefusalClass::Unknown,
    ] {
        given(waiting())
            .when(learn(Fact::Refused(refusal(class, "no")), answer(1)))
            .then([
                was_refused(1, refusal(class, "no")),
                cancelled(Some("no"), Some(answer(1))),
                completed(None),
            ])
            .needs(None);
    }
}

#[test]
fn a_pending_card_is_waited_for_then_cancelled() {
    given(accepted())
        .when(Command::Cancel)
        .then([cancelling(By::Host)])
        .is("accepted")
        .owes([
            (Action::LookUp, seconds(30)),
            (Action::Escalate, minutes(30)),
        ])
        .when(Command::Cancel)
        .then_nothing()
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([activated(created_hook())])
        .owes([(CANCEL, seconds(0)), (Action::LookUp, seconds(30))])
        .when(send(Purpose::CancelCard, 1))
        .then([started(Purpose::CancelCard, 1, 1)])
        .when(learn(Fact::CancelTaken, answer_to(Purpose::CancelCard, 1)))
        .then([EventBody::SubmissionAnswered {
            purpose: Purpose::CancelCard,
            generation: Generation(1),
            source: answer_to(Purpose::CancelCard, 1),
        }])
        .owes([(Action::LookUp, seconds(30))])
        .when(learn(Fact::Card(CardStatus::PreCancel), status_hook()))
        .then([completed(Some(CardStatus::PreCancel))])
        .is("active")
        .owes([])
        .owes_a_notice(true)
        .when(learn(Fact::Card(CardStatus::Cancelled), status_hook()))
        .then_nothing();
}

#[test]
fn f_116_the_answer_to_a_cancel_that_came_to_nothing_says_nothing_of_the_next() {
    let failed = || webhook("card.status.update.failed");
    let taken = |generation| {
        learn(
            Fact::CancelTaken,
            answer_to(Purpose::CancelCard, generation),
        )
    };
    let answered = EventBody::SubmissionAnswered {
        purpose: Purpose::CancelCard,
        generation: Generation(2),
        source: answer_to(Purpose::CancelCard, 2),
    };
    given(cancelling_active())
        .when(learn(Fact::CancelFailed, failed()))
        .then([
            EventBody::SubmissionRefused {
                purpose: Purpose::CancelCard,
                generation: Generation(1),
                refusal: Refusal {
                    http_status: 200,
                    ..refusal(RefusalClass::Unknown, "card_status_update_failed")
                },
                source: failed(),
            },
            again(Purpose::CancelCard, 2, start().after(minutes(1))),
        ])
        .when(taken(1))
        .then_nothing()
        .owes([(CANCEL, minutes(1)), (Action::LookUp, seconds(30))])
        .at(minutes(1))
        .when(send(Purpose::CancelCard, 2))
        .then([started(Purpose::CancelCard, 2, 1)])
        .when(taken(1))
        .then_nothing()
        .when(taken(2))
        .then([answered]);
}

#[test]
fn a_card_that_fails_leaves_nothing_to_cancel() {
    given(and(accepted(), [cancelling(By::Host)]))
        .when(read(Fact::Card(CardStatus::Failed)))
        .then([
            ended(
                FailureKind::CreationFailed,
                Who::Provider,
                None,
                Some(Source::LookUp),
            ),
            completed(None),
        ])
        .owes([]);
    given(cancelling_active())
        .when(read(Fact::Card(CardStatus::Failed)))
        .then([completed(Some(CardStatus::Failed))])
        .owes([]);
}

#[test]
fn an_end_of_ours_does_not_forget_that_a_cancel_was_wanted() {
    let late = Discrepancy::LateSuccess {
        card: "card-1".parse().unwrap(),
    };
    given(and(idv_pending(), [cancelling(By::Host)]))
        .at(hours(25))
        .when(Command::ExpireIdv { link: 1 })
        .then([
            ended(FailureKind::IdvExpired, Who::Host, None, None),
            completed(None),
        ])
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([
            EventBody::DiscrepancyNoted {
                discrepancy: late,
                source: created_hook(),
            },
            cancelling(By::Host),
        ])
        .owes([
            (CANCEL, hours(25)),
            (Action::LookUp, hours(25) + seconds(30)),
        ]);
}

#[test]
fn a_refused_cancel_calls_a_person_who_can_try_again() {
    let refused = refusal(RefusalClass::Unknown, "card_busy");
    given(cancelling_active())
        .when(learn(
            Fact::Refused(refused),
            answer_to(Purpose::CancelCard, 1),
        ))
        .then_on()
        .needs(AttentionReason::CancelRefused {
            code: "card_busy".into(),
        })
        .owes([(Action::LookUp, seconds(30))])
        .when(operate(OperatorAction::RetryNow))
        .then([operated(OperatorAction::RetryNow)])
        .needs(None)
        .when(send(Purpose::CancelCard, 2))
        .then([started(Purpose::CancelCard, 2, 1)]);
}

#[test]
fn contract_9_2_a_cancel_without_effect_calls_a_person_who_can_try_again() {
    let taken = given(cancelling_active())
        .when(learn(Fact::CancelTaken, answer_to(Purpose::CancelCard, 1)))
        .then_on()
        .at(minutes(15) - seconds(1))
        .when(read(Fact::Card(CardStatus::Active)))
        .then_nothing();
    taken
        .at(minutes(15))
        .when(read(Fact::Card(CardStatus::Active)))
        .then([raised(AttentionReason::CancelRefused {
            code: "no_effect".into(),
        })])
        .when(read(Fact::Card(CardStatus::Active)))
        .then_nothing()
        .when(operate(OperatorAction::RetryNow))
        .then([operated(OperatorAction::RetryNow)])
        .when(send(Purpose::CancelCard, 2))
        .then([started(Purpose::CancelCard, 2, 1)]);
}

#[test]
fn a_running_cancel_never_hides_a_second_card() {
    let discrepancy = Discrepancy::SecondCard {
        card: "card-2".parse().unwrap(),
        status: Some(CardStatus::Active),
    };
    let fact = Fact::Card(CardStatus::Active);
    given(cancelling_active())
        .when(Command::Learn(Observation {
            fact,
            ids: second_card(),
            echo: Default::default(),
            source: Source::LookUp,
        }))
        .then([EventBody::DiscrepancyNoted {
            discrepancy,
            source: Source::LookUp,
        }])
        .needs(AttentionReason::Discrepancy)
        // Nor does its end.
        .when(read(Fact::Card(CardStatus::PreCancel)))
        .then([completed(Some(CardStatus::PreCancel))])
        .needs(AttentionReason::Discrepancy);
}

#[test]
fn a_cancel_waits_for_the_call_in_flight_when_an_operator_wants_it() {
    given(sent())
        .when(operate(OperatorAction::Cancel))
        .then_rejected(Rejection::CallInFlight { order: order_id() })
        .at(seconds(60))
        .when(operate(OperatorAction::Cancel))
        .then([operated(OperatorAction::Cancel), cancelling(By::Operator)]);
}

#[test]
fn the_host_cannot_cancel_what_failed() {
    given(failed()).when(Command::Cancel).then_not_possible();
}
