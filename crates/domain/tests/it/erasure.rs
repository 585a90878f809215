//! The end of personal data: asked for, then done; by an operator, or by retention (reliability F-122).

use issuance_domain::{
    Action, AttentionReason, By, CardStatus, Command, EventBody, OperatorAction, Retention, Version,
};

use crate::given::{Given, given};
use crate::sample::*;

fn days(count: u64) -> std::time::Duration {
    hours(24 * count)
}

fn requested_by(by: By) -> EventBody {
    EventBody::ErasureRequested { by }
}

fn erased(requested: u64) -> EventBody {
    EventBody::PersonalDataErased {
        requested: Version(requested),
    }
}

fn kept_for_30_days(history: Vec<EventBody>) -> Given {
    given(history).under(|policy| policy.retention = Retention::For(days(30)))
}

#[test]
fn f_122_an_operators_erasure_is_durable_before_it_is_done() {
    let asked = given(active())
        .at(hours(1))
        .when(operate(OperatorAction::ErasePersonalData))
        .then([
            operated(OperatorAction::ErasePersonalData),
            requested_by(By::Operator),
        ])
        .owes([(Action::ErasePersonalData, hours(1))]);
    assert!(!asked.order().is_erased());
    let done = asked
        .at(hours(2))
        .when(Command::ErasePersonalData)
        .then([erased(6)])
        .owes([]);
    assert!(done.order().is_erased());
    // Again, by a task that a crash left: nothing.
    done.when(Command::ErasePersonalData)
        .then_nothing()
        .when(operate(OperatorAction::ErasePersonalData))
        .then_not_possible();
}

#[test]
fn an_open_order_keeps_what_it_may_need() {
    for open in [requested(), sent(), accepted(), idv_pending(), expired()] {
        given(open)
            .when(operate(OperatorAction::ErasePersonalData))
            .then_not_possible()
            .at(days(365))
            .when(Command::ErasePersonalData)
            .then_nothing();
    }
    given(and(active(), [cancelling(By::Host)]))
        .when(operate(OperatorAction::ErasePersonalData))
        .then_not_possible();
}

#[test]
fn retention_erases_an_order_at_rest() {
    kept_for_30_days(active())
        .owes([(Action::ErasePersonalData, days(30))])
        .at(days(30) - seconds(1))
        .when(Command::ErasePersonalData)
        .then_nothing()
        .at(days(30))
        .when(Command::ErasePersonalData)
        .then([requested_by(By::Policy)])
        .owes([(Action::ErasePersonalData, days(30))])
        .when(Command::ErasePersonalData)
        .then([erased(5)])
        .owes([]);
    given(active()).owes([]);
}

#[test]
fn retention_waits_for_people_and_for_cancels() {
    let unsolved = raised(AttentionReason::Refused {
        code: "new_code".into(),
    });
    kept_for_30_days(and(failed(), [unsolved]))
        .owes([])
        .at(days(40))
        .when(operate(OperatorAction::ResolveDiscrepancy))
        .then_on()
        .owes([(Action::ErasePersonalData, days(70))]);
    let cancelled = EventBody::CompensationCompleted {
        status: Some(CardStatus::Cancelled),
    };
    let cancelling = kept_for_30_days(and(active(), [cancelling(By::Host)]))
        .at(days(31))
        .when(Command::ErasePersonalData)
        .then_nothing();
    cancelling
        .and([cancelled])
        .owes([(Action::ErasePersonalData, days(30))]);
}

#[test]
fn a_cancel_that_comes_between_is_waited_for() {
    let asked = and(
        active(),
        [
            operated(OperatorAction::ErasePersonalData),
            requested_by(By::Operator),
        ],
    );
    let cancelled = EventBody::CompensationCompleted {
        status: Some(CardStatus::Cancelled),
    };
    given(and(asked, [cancelling(By::Operator)]))
        .when(Command::ErasePersonalData)
        .then_nothing()
        .and([cancelled])
        .when(Command::ErasePersonalData)
        .then([erased(6)]);
}
