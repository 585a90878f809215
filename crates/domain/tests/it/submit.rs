//! The discipline of sending (design §3, contract §6.4).

use issuance_domain::{
    Action, AttentionReason, Command, Digest, EventBody, ExpiryCause, Fact, Generation,
    Observation, OperatorAction, ProviderIds, Purpose, RefusalClass, Rejection, SilenceCause,
};

use crate::given::given;
use crate::sample::*;

const CREATE: Purpose = Purpose::CreateCard;

fn expired(purpose: Purpose) -> EventBody {
    key_expired(purpose, ExpiryCause::TooOld)
}

fn no_longer_owed() -> Rejection {
    Rejection::NoLongerOwed { order: order_id() }
}

#[test]
fn the_first_send_records_key_and_body() {
    given(requested())
        .when(send(CREATE, 1))
        .then([started(CREATE, 1, 1)]);
}

#[test]
fn only_what_is_owed_is_sent() {
    given(requested())
        .when(send(CREATE, 2))
        .then_rejected(no_longer_owed());
    given(requested())
        .when(send(Purpose::CancelCard, 1))
        .then_rejected(no_longer_owed());
    given(accepted())
        .when(send(CREATE, 1))
        .then_rejected(no_longer_owed());
    given(refused(RefusalClass::Capacity, "quota"))
        .when(send(CREATE, 1))
        .then_rejected(no_longer_owed());
    given(and(requested(), [operated(OperatorAction::Pause)]))
        .when(send(CREATE, 1))
        .then_rejected(no_longer_owed());
}

#[test]
fn contract_9_4_an_old_key_is_never_sent_and_proof_is_looked_for() {
    given(unknown())
        .at(hours(20) - seconds(1))
        .when(send(CREATE, 1))
        .then([started(CREATE, 1, 2)]);
    given(unknown())
        .at(hours(20))
        .when(send(CREATE, 1))
        .then([expired(CREATE), raised(AttentionReason::OutcomeUnknown)])
        .is("requested")
        .owes([(Action::LookUp, hours(20))])
        .when(send(CREATE, 1))
        .then_rejected(no_longer_owed())
        .when(operate(OperatorAction::RetryNow))
        .then_not_possible();
}

#[test]
fn other_bytes_are_never_sent_under_the_same_key() {
    let other = Command::StartSubmission {
        purpose: CREATE,
        generation: Generation(1),
        body_digest: Digest("body-2".into()),
    };
    given(unknown())
        .when(other)
        .then([
            key_expired(CREATE, ExpiryCause::BodyChanged),
            raised(AttentionReason::BodyChanged),
        ])
        .owes([(Action::LookUp, seconds(0))]);
}

#[test]
fn missing_data_gives_the_key_up() {
    let miss = || Command::MissData {
        purpose: CREATE,
        generation: Generation(1),
    };
    given(requested())
        .when(miss())
        .then([
            key_expired(CREATE, ExpiryCause::DataMissing),
            raised(AttentionReason::DataMissing),
        ])
        .owes([(Action::LookUp, seconds(0))])
        .when(miss())
        .then_rejected(no_longer_owed());
    given(sent())
        .when(miss())
        .then_rejected(Rejection::CallInFlight { order: order_id() });
    given(refused(RefusalClass::Capacity, "quota"))
        .when(miss())
        .then_rejected(no_longer_owed());
}

#[test]
fn a_call_given_up_in_flight_may_have_arrived() {
    let lost = given(sent()).at(hours(21)).when(send(CREATE, 1)).then_on();
    assert!(lost.order().submission(CREATE).unwrap().outcome_unknown());
    // So the host's cancel waits for proof instead of ending the order.
    lost.when(Command::Cancel)
        .then([cancelling(issuance_domain::By::Host)])
        .is("requested");
}

#[test]
fn giving_up_never_hides_a_discrepancy() {
    let paused = and(unknown(), [operated(OperatorAction::Pause)]);
    given(paused.clone())
        .at(hours(21))
        .when(send(CREATE, 1))
        .then_rejected(no_longer_owed());
    given(paused)
        .when(operate(OperatorAction::Resume))
        .then([operated(OperatorAction::Resume)])
        .needs(None);
}

#[test]
fn silence_about_anything_but_the_call_in_flight_is_nothing() {
    for history in [
        requested(),
        unknown(),
        accepted(),
        refused(RefusalClass::Capacity, "quota"),
    ] {
        given(history)
            .when(silence(CREATE, 1, SilenceCause::TimedOut))
            .then_nothing();
    }
    given(sent())
        .when(silence(CREATE, 2, SilenceCause::TimedOut))
        .then_nothing();
}

/// A process that stood still between record and call comes back when the call was taken for lost and sent again.
#[test]
fn f_097_what_became_of_an_earlier_send_says_nothing_of_the_one_in_flight() {
    let again = and(sent(), [started(CREATE, 1, 2)]);
    given(again.clone())
        .when(silence(CREATE, 1, SilenceCause::NotSent))
        .then_nothing();
    given(again)
        .when(silence_of(CREATE, 1, 2, SilenceCause::NotSent))
        .then([unanswered(CREATE, 2, SilenceCause::NotSent)]);
}

/// Two nodes, one clock far ahead: what the first is told says nothing of a card that the second may have made.
#[test]
fn f_097_a_refusal_of_an_earlier_send_gives_no_new_key() {
    let refused = |attempt| Command::HearAnswer {
        attempt,
        observation: Observation {
            fact: Fact::Refused(refusal(RefusalClass::Capacity, "quota")),
            ids: ProviderIds::default(),
            echo: Box::default(),
            source: answer(1),
        },
    };
    let twice = and(sent(), [started(CREATE, 1, 2)]);
    let silent = and(
        twice.clone(),
        [unanswered(
            CREATE,
            2,
            SilenceCause::ServerError { http_status: 502 },
        )],
    );
    for history in [twice, silent] {
        given(history.clone()).when(refused(1)).then_nothing();
        given(history).when(refused(2)).then([
            was_refused(1, refusal(RefusalClass::Capacity, "quota")),
            raised(AttentionReason::Capacity {
                code: "quota".into(),
            }),
            again(CREATE, 2, start().after(minutes(30))),
        ]);
    }
}

#[test]
fn a_cancel_waits_out_its_key_and_then_may_take_another() {
    let cancel = and(
        active(),
        [
            cancelling(issuance_domain::By::Host),
            started(Purpose::CancelCard, 1, 1),
        ],
    );
    given(cancel)
        .at(hours(20))
        .when(send(Purpose::CancelCard, 1))
        .then([
            expired(Purpose::CancelCard),
            raised(AttentionReason::OutcomeUnknown),
        ])
        .owes([(Action::LookUp, hours(20))])
        .when(operate(OperatorAction::RetryNow))
        .then([operated(OperatorAction::RetryNow)])
        .needs(None)
        .when(send(Purpose::CancelCard, 2))
        .then([started(Purpose::CancelCard, 2, 1)]);
}

#[test]
fn the_host_confirms_only_what_happened() {
    let confirm = |through| Command::ConfirmNotified {
        through: issuance_domain::Version(through),
    };
    let told = |through| EventBody::HostNotified {
        through: issuance_domain::Version(through),
    };
    let version = fold(active()).version.0;
    given(active())
        .owes_a_notice(true)
        .when(confirm(u64::MAX))
        .then([told(version)])
        .owes_a_notice(false)
        .when(confirm(version))
        .then_nothing();
}
