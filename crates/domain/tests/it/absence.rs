//! Unknown is not failed: presence, proof of absence, leftovers (contract §6.5, F-026, F-033, F-034, F-037, S8, S30).

use issuance_domain::{
    AbsencePolicy, Action, AttentionReason, By, Command, EventBody, ExpiryCause, FailureKind,
    Generation, Likeness, OperatorAction, Purpose, RefusalClass, SilenceCause, Source, Who,
};

use crate::given::{Given, given};
use crate::sample::*;

const CREATE: Action = Action::Submit {
    purpose: Purpose::CreateCard,
};

fn proof(first: u64, second: u64) -> EventBody {
    let generation = Generation(1);
    EventBody::AbsenceProved {
        generation,
        first: scan(minutes(first)),
        second: scan(minutes(second)),
    }
}

fn due_now(generation: u32, now: u64) -> EventBody {
    again(Purpose::CreateCard, generation, start().after(minutes(now)))
}

/// A search that begins now.
fn search(life: Given, minute: u64) -> crate::given::When {
    life.at(minutes(minute)).when(absent(scan(minutes(minute))))
}

fn approved(actor: &str) -> EventBody {
    let act = act_of(actor, OperatorAction::ApproveResubmit);
    EventBody::OperatorActed { act }
}

#[test]
fn contract_6_5_two_searches_apart_prove_absence_and_only_then_a_new_key_is_owed() {
    // The last send can arrive until its deadline of a minute; ten minutes later a search counts.
    let life = search(given(expired()), 10).then_nothing();
    let life = search(life, 11)
        .then([observed(scan(minutes(11)))])
        .owes([(Action::LookUp, minutes(21))]);
    let life = search(life, 20).then_nothing();
    search(life, 21)
        .then([proof(11, 21), due_now(2, 21)])
        .is("requested")
        .needs(None)
        .owes([(CREATE, minutes(21))])
        .when(send(Purpose::CreateCard, 1))
        .then_rejected(issuance_domain::Rejection::NoLongerOwed { order: order_id() })
        .when(send(Purpose::CreateCard, 2))
        .then([started(Purpose::CreateCard, 2, 1)]);
}

#[test]
fn a_search_begun_too_early_proves_nothing_however_late_it_ends() {
    given(expired())
        .at(hours(3))
        .when(absent(scan(minutes(2))))
        .then_nothing();
}

#[test]
fn f_037_a_clock_that_went_back_sends_nothing() {
    let again = given(unknown())
        .at(hours(19))
        .when(send(Purpose::CreateCard, 1))
        .then_on();
    let sent = start().after(hours(19));
    let unanswered = again
        .when(silence_of(
            Purpose::CreateCard,
            1,
            2,
            SilenceCause::TimedOut,
        ))
        .then_on();
    unanswered
        .at(hours(1))
        .when(send(Purpose::CreateCard, 1))
        .then_rejected(issuance_domain::Rejection::ClockBehind {
            order: order_id(),
            sent,
        });
}

#[test]
fn presence_found_at_any_time_is_adopted() {
    for history in [
        unknown(),
        expired(),
        and(expired(), [observed(scan(minutes(11)))]),
        proved(),
    ] {
        given(history)
            .at(hours(30))
            .when(read(issuance_domain::Fact::Card("PENDING".into())))
            .then([was_accepted(Source::LookUp)])
            .needs(None);
    }
}

#[test]
fn contract_6_5_while_the_key_can_be_sent_nothing_is_proved() {
    for history in [requested(), sent(), unknown()] {
        for minute in [11, 30, 60] {
            search(given(history.clone()), minute).then_nothing();
        }
    }
}

#[test]
fn contract_6_5_with_money_loaded_or_by_policy_a_person_decides() {
    let mut loaded = expired();
    let Some(EventBody::OrderRequested { prepaid, .. }) = loaded.first_mut() else {
        panic!("a request")
    };
    *prepaid = true;
    let asked = |policy: &mut issuance_domain::Policy| policy.absence = AbsencePolicy::Attention;
    for life in [given(loaded), given(expired()).under(asked)] {
        let life = search(life, 11).then_on();
        let life = life
            .when(operate(OperatorAction::Resubmit))
            .then_not_possible();
        let proved = search(life, 21)
            .then([proof(11, 21), raised(AttentionReason::AbsenceProved)])
            .needs(AttentionReason::AbsenceProved)
            .owes([(Action::LookUp, minutes(36))]);
        // The proof is an hour old, then it is stale, until another search renews it.
        proved
            .clone()
            .at(minutes(81))
            .when(operate(OperatorAction::Resubmit))
            .then([operated(OperatorAction::Resubmit)])
            // Until a second person approves, nothing is sent.
            .needs(AttentionReason::AbsenceProved)
            .approved_by("bob")
            .then([approved("bob"), due_now(2, 81)])
            .needs(None)
            .owes([(CREATE, minutes(81))]);
        let stale = proved
            .at(minutes(82))
            .when(operate(OperatorAction::Resubmit))
            .then_not_possible();
        search(stale, 83)
            .then([proof(21, 83)])
            .needs(AttentionReason::AbsenceProved)
            .when(operate(OperatorAction::Resubmit))
            .then([operated(OperatorAction::Resubmit)])
            .approved_by("bob")
            .then([approved("bob"), due_now(2, 83)]);
    }
}

#[test]
fn f_115_a_new_key_by_hand_takes_two_people_and_a_proof_that_is_fresh_when_the_second_looks() {
    let asked = |policy: &mut issuance_domain::Policy| policy.absence = AbsencePolicy::Attention;
    let life = search(given(expired()).under(asked), 11).then_on();
    let proved = search(life, 21).then_on();
    // Nobody asked; then the one who asked; then without the version; then on an older one.
    let asked = proved
        .approved_by("bob")
        .then_not_possible()
        .when(operate(OperatorAction::Resubmit))
        .then([operated(OperatorAction::Resubmit)])
        .when(operate(OperatorAction::Resubmit))
        .then_not_possible()
        .approved_by("ada")
        .then_not_possible();
    let version = asked.order().version;
    let expect = |seen| {
        let act = act_of("bob", OperatorAction::ApproveResubmit);
        move |life: Given| {
            life.when(Command::Operate {
                act: act.clone(),
                expected: seen,
            })
        }
    };
    let asked = expect(None)(asked).then_not_possible();
    let stale = issuance_domain::Rejection::StaleVersion {
        order: order_id(),
        expected: issuance_domain::Version(version.0 - 1),
        actual: version,
    };
    let seen = Some(issuance_domain::Version(version.0 - 1));
    let asked = expect(seen)(asked).then_rejected(stale);
    // The proof was fresh when it was asked for, and is not any more.
    let late = asked
        .clone()
        .at(minutes(82))
        .approved_by("bob")
        .then_not_possible();
    search(late, 83)
        .then([proof(21, 83)])
        .approved_by("bob")
        .then([approved("bob"), due_now(2, 83)]);
    // Paused in between; and once approved it is over.
    asked
        .clone()
        .when(operate(OperatorAction::Pause))
        .then_on()
        .approved_by("bob")
        .then_not_possible();
    asked
        .approved_by("bob")
        .then([approved("bob"), due_now(2, 21)])
        .approved_by("eve")
        .then_not_possible();
}

#[test]
fn without_its_data_nothing_is_sent_anew() {
    let key = key_expired(Purpose::CreateCard, ExpiryCause::DataMissing);
    let life = given(and(unknown(), [key, raised(AttentionReason::DataMissing)]));
    let life = search(life, 11).then_on();
    search(life, 21)
        .then([proof(11, 21)])
        .needs(AttentionReason::DataMissing)
        .when(operate(OperatorAction::Resubmit))
        .then_not_possible();
}

#[test]
fn proved_absent_a_cancelled_order_ends() {
    let life = given(and(expired(), [cancelling(By::Host)]));
    let life = search(life, 11).then_on();
    search(life, 21)
        .then([
            proof(11, 21),
            ended(FailureKind::Cancelled, Who::Nobody, None, None),
            EventBody::CompensationCompleted { status: None },
        ])
        .owes([]);
}

#[test]
fn contract_6_5_a_person_without_a_card_is_gone_on_with() {
    let found = scan_with(minutes(21), Likeness::Ours);
    let life = search(given(expired()), 11).then_on();
    let next = life.at(minutes(21)).when(absent(found.clone())).then([
        EventBody::AbsenceProved {
            generation: Generation(1),
            first: scan(minutes(11)),
            second: found.clone(),
        },
        leftover(found),
        due_two_step(2, 21),
    ]);
    let owed = next.order().submission(Purpose::CreateCard).unwrap();
    assert_eq!(
        owed.cardholder.as_ref().map(|id| id.as_str()),
        Some("cardholder-9")
    );
    assert_eq!(next.order().ids.cardholder, owed.cardholder);
}

fn leftover(scan: issuance_domain::Scan) -> EventBody {
    EventBody::LeftoverFound {
        cardholder: "cardholder-9".parse().unwrap(),
        scan,
    }
}

fn due_two_step(generation: u32, now: u64) -> EventBody {
    EventBody::ResubmissionOwed {
        purpose: Purpose::CreateCard,
        generation: Generation(generation),
        due: start().after(minutes(now)),
        cardholder: Some("cardholder-9".parse().unwrap()),
    }
}

/// E-mail taken, after a send that may have arrived.
fn duplicate() -> Vec<EventBody> {
    let refused = was_refused(1, refusal(RefusalClass::Duplicate, "email_duplicated"));
    let cause = issuance_domain::LookUpCause::Leftover;
    and(
        unknown(),
        [
            started(Purpose::CreateCard, 1, 2),
            refused,
            EventBody::LookUpRequested { cause },
        ],
    )
}

#[test]
fn f_034_a_cancel_behind_a_taken_email_waits_for_what_an_earlier_send_may_have_made() {
    let ours = || scan_with(minutes(2), Likeness::Ours);
    let cancelling = || EventBody::CompensationStarted { by: By::Host };
    given(duplicate())
        .when(Command::Cancel)
        .then([cancelling()])
        .is("requested");
    // Nobody wants another card for the person who was found.
    given(and(duplicate(), [cancelling()]))
        .at(minutes(2))
        .when(absent(ours()))
        .then([
            EventBody::AbsenceObserved {
                generation: Generation(1),
                scan: ours(),
                counts: false,
            },
            raised(AttentionReason::PossibleLeftover {
                code: "email_duplicated".into(),
            }),
        ])
        .is("requested");
    let again = and(
        unknown(),
        [started(Purpose::CreateCard, 1, 2), cancelling()],
    );
    let refused = || refusal(RefusalClass::Duplicate, "email_duplicated");
    given(again)
        .when(learn(issuance_domain::Fact::Refused(refused()), answer(1)))
        .then([
            was_refused(1, refused()),
            EventBody::LookUpRequested {
                cause: issuance_domain::LookUpCause::Leftover,
            },
        ])
        .is("requested");
}

#[test]
fn f_034_our_own_leftover_is_gone_on_with_and_keeps_its_person_for_every_key_after() {
    let found = scan_with(minutes(2), Likeness::Ours);
    let capacity = || issuance_domain::Fact::Refused(refusal(RefusalClass::Capacity, "quota"));
    given(duplicate())
        .at(minutes(2))
        .when(absent(found.clone()))
        .then([leftover(found), due_two_step(2, 2)])
        .owes([(CREATE, minutes(2))])
        .when(send(Purpose::CreateCard, 2))
        .then_on()
        .when(learn(capacity(), answer(2)))
        .then([
            was_refused(2, refusal(RefusalClass::Capacity, "quota")),
            raised(AttentionReason::Capacity {
                code: "quota".into(),
            }),
            due_two_step(3, 32),
        ])
        .at(minutes(32))
        .when(send(Purpose::CreateCard, 3))
        .then_on()
        // With a person of its own it cannot meet its own leftover again.
        .when(learn(
            issuance_domain::Fact::Refused(refusal(RefusalClass::Duplicate, "email_duplicated")),
            answer(3),
        ))
        .then_on()
        .is("failed");
}

#[test]
fn f_034_somebody_else_ends_it_and_nobody_calls_a_person() {
    let code = "email_duplicated";
    given(duplicate())
        .at(minutes(2))
        .when(absent(scan_with(minutes(2), Likeness::Stranger)))
        .then([ended(
            FailureKind::Duplicate,
            Who::Host,
            Some(code),
            Some(Source::LookUp),
        )]);
    for seen in [scan(minutes(2)), scan_with(minutes(2), Likeness::Unclear)] {
        let observed = EventBody::AbsenceObserved {
            generation: Generation(1),
            scan: seen.clone(),
            counts: false,
        };
        given(duplicate())
            .at(minutes(2))
            .when(absent(seen.clone()))
            .then([
                observed,
                raised(AttentionReason::PossibleLeftover { code: code.into() }),
            ])
            .owes([(Action::LookUp, minutes(17))])
            .when(absent(seen))
            .then_nothing()
            // Found later, it is gone on with all the same.
            .at(minutes(9))
            .when(absent(scan_with(minutes(9), Likeness::Ours)))
            .then([
                leftover(scan_with(minutes(9), Likeness::Ours)),
                due_two_step(2, 9),
            ])
            .needs(None);
    }
    given(duplicate())
        .when(read(issuance_domain::Fact::Card("ACTIVE".into())))
        .then_on()
        .is("active");
}

#[test]
fn f_034_a_leftover_that_cannot_be_looked_for_is_shown() {
    let owed = |at_once| [(Action::LookUp, at_once), (Action::Escalate, minutes(15))];
    given(duplicate())
        .owes(owed(seconds(0)))
        .at(minutes(15))
        .when(Command::Escalate)
        .then([raised(AttentionReason::PossibleLeftover {
            code: "email_duplicated".into(),
        })])
        .owes([(Action::LookUp, seconds(0))]);
}

#[test]
fn f_033_five_of_one_server_error_are_searched_behind_at_once() {
    let error = |http_status| SilenceCause::ServerError { http_status };
    let go = |life: Given, attempt: u32, cause| {
        let life = life
            .at(minutes(attempt.into()))
            .when(send(Purpose::CreateCard, 1))
            .then_on();
        life.when(silence_of(Purpose::CreateCard, 1, attempt, cause))
            .then_on()
    };
    let four = (1..=4).fold(given(requested()), |life, attempt| {
        go(life, attempt, error(500))
    });
    let regular = [
        (CREATE, minutes(5)),
        (Action::Escalate, minutes(16)),
        (Action::LookUp, minutes(16)),
    ];
    let four = four.owes(regular);
    go(four.clone(), 5, error(503)).owes(regular);
    go(four.clone(), 5, SilenceCause::TimedOut).owes(regular);
    go(four, 5, error(500)).owes([
        (CREATE, minutes(5)),
        (Action::Escalate, minutes(16)),
        (Action::LookUp, minutes(5)),
    ]);
}

#[test]
fn a_key_conflict_is_freed_by_proof_and_a_person() {
    let life = given(refused(RefusalClass::KeyConflict, "idempotency_error"));
    let life = search(life, 11).then([observed(scan(minutes(11)))]);
    search(life, 21)
        .then([proof(11, 21)])
        .needs(AttentionReason::KeyConflict)
        .when(operate(OperatorAction::Resubmit))
        .then([operated(OperatorAction::Resubmit)])
        .approved_by("bob")
        .then([approved("bob"), due_now(2, 21)]);
}

#[test]
fn only_the_providers_own_lists_prove_absence() {
    let fact = issuance_domain::Fact::CardAbsent(scan(minutes(11)));
    given(expired())
        .at(minutes(11))
        .when(learn(fact, created_hook()))
        .then_nothing();
}

#[test]
fn s_19_what_we_ended_ourselves_is_looked_up_a_few_times_more() {
    let failed = ended(FailureKind::OperatorFailed, Who::Nobody, None, None);
    for history in [unknown(), expired(), accepted(), idv_pending()] {
        let mut life = given(and(history, [failed.clone()]));
        let mut at = minutes(0);
        for wait in [30, 60, 120, 240, 480, 960] {
            at += minutes(wait);
            let cause = life.order().look_up.as_ref().unwrap().cause;
            life = life
                .owes([(Action::LookUp, at)])
                .at(at)
                .when(Command::EndLookUp { cause })
                .then([EventBody::LookedUp { cause }]);
        }
        life.owes([]);
    }
    // Where nothing can have arrived, nothing can come.
    given(and(requested(), [failed])).owes([]);
}

#[test]
fn contract_9_2_a_cancel_that_came_to_nothing_gets_new_keys_and_then_a_person() {
    let failed = || {
        learn(
            issuance_domain::Fact::CancelFailed,
            webhook("card.status.update.failed"),
        )
    };
    let mut life = given(and(active(), [cancelling(By::Host)]));
    for generation in 1..=4 {
        life = life.when(failed()).then_nothing();
        life = life.when(send(Purpose::CancelCard, generation)).then_on();
        if generation % 2 == 0 {
            // The answer may come before the message or after it.
            let source = answer_to(Purpose::CancelCard, generation);
            life = life
                .when(learn(issuance_domain::Fact::CancelTaken, source))
                .then_on();
        }
        life = life.when(failed()).then_on();
    }
    life.needs(AttentionReason::CancelRefused {
        code: "card_status_update_failed".into(),
    })
    .owes([(Action::LookUp, seconds(30))])
    .when(operate(OperatorAction::RetryNow))
    .then_on()
    .when(send(Purpose::CancelCard, 5))
    .then([started(Purpose::CancelCard, 5, 1)]);
}

#[test]
fn contract_9_3_an_order_that_is_done_and_a_card_that_is_not_call_a_person() {
    let done = || {
        read(issuance_domain::Fact::CardOrder {
            status: "SUCCESS".into(),
            failure_code: None,
        })
    };
    given(accepted())
        .at(minutes(10) - seconds(1))
        .when(done())
        .then_nothing()
        .at(minutes(10))
        .when(done())
        .then([raised(AttentionReason::ActivationOverdue)])
        .when(done())
        .then_nothing();
    given(under_review())
        .at(hours(9))
        .when(done())
        .then_nothing();
}
