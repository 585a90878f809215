//! What is heard is held against what was asked (reliability F-040, X5): another order's is evidence, never adopted.

use issuance_domain::{
    AbsencePolicy, Action, AttentionReason, By, CardStatus, Command, Discrepancy, Echo, EventBody,
    ExpiryCause, Fact, Mismatch, Observation, OperatorAction, ProviderIds, Purpose, SilenceCause,
    Source,
};

use crate::given::{Given, given};
use crate::sample::*;

const OTHER: &str = "01920000-0000-7000-8000-000000000009";

fn said(fact: Fact, source: Source, change: impl FnOnce(&mut ProviderIds, &mut Echo)) -> Command {
    let (mut ids, mut echo) = (ids(), Echo::default());
    change(&mut ids, &mut echo);
    Command::Learn(Observation {
        fact,
        ids,
        echo: echo.into(),
        source,
    })
}

/// One of each way to be another order's.
fn mismatches() -> Vec<(Echo, Mismatch)> {
    let echo = Echo::default;
    let other = || OTHER.parse().unwrap();
    vec![
        (
            Echo {
                mark: Some(OTHER.into()),
                ..echo()
            },
            Mismatch::Mark {
                order: Some(other()),
            },
        ),
        (
            Echo {
                mark: Some("saga-7".into()),
                ..echo()
            },
            Mismatch::Mark { order: None },
        ),
        (
            Echo {
                owner: Some(other()),
                ..echo()
            },
            Mismatch::Owner { order: other() },
        ),
        (
            Echo {
                product: "product-2".parse().ok(),
                ..echo()
            },
            Mismatch::Product {
                said: "product-2".parse().unwrap(),
            },
        ),
        (
            Echo {
                currency: "SGD".parse().ok(),
                ..echo()
            },
            Mismatch::Currency {
                said: "SGD".parse().unwrap(),
            },
        ),
    ]
}

fn noted(mismatch: Mismatch, source: Source) -> EventBody {
    let discrepancy = Discrepancy::Mismatched {
        mismatch,
        card: ids().card,
    };
    EventBody::DiscrepancyNoted {
        discrepancy,
        source,
    }
}

#[test]
fn f_040_the_answer_of_another_order_is_not_adopted_and_ours_is_looked_for() {
    for (echo, mismatch) in mismatches() {
        let cause = SilenceCause::Mismatched {
            mismatch: mismatch.clone(),
            card: ids().card,
        };
        let unanswered = EventBody::SubmissionUnanswered {
            purpose: Purpose::CreateCard,
            generation: issuance_domain::Generation(1),
            attempt: 1,
            cause,
            retry_at: start().after(minutes(15)),
        };
        let answer = said(Fact::Created(creation()), answer(1), |_, said| *said = echo);
        let given = given(sent())
            .when(answer)
            .then([
                unanswered,
                raised(AttentionReason::AnswerMismatched { mismatch }),
            ])
            .is("requested")
            // The same key, slowly, and a search at once.
            .owes([
                (
                    Action::Submit {
                        purpose: Purpose::CreateCard,
                    },
                    minutes(15),
                ),
                (Action::LookUp, seconds(0)),
            ]);
        assert!(given.order().ids.is_empty(), "nothing of it is learnt");
        // What is found by our own mark is ours, and nobody has to look any more.
        let ours = said(
            Fact::Card(CardStatus::Pending),
            Source::LookUp,
            |_, echo| {
                echo.mark = Some(order_id().to_string().into());
                echo.product = "product-1".parse().ok();
                echo.currency = "USD".parse().ok();
            },
        );
        given
            .when(ours)
            .then([was_accepted(Source::LookUp)])
            .needs(None);
    }
}

#[test]
fn f_040_after_another_orders_answer_only_a_person_makes_a_new_key() {
    let proof = |life: Given| {
        life.at(hours(21))
            .when(absent(scan(hours(21))))
            .then_on()
            .at(hours(22))
            .when(absent(scan(hours(22))))
            .then_on()
    };
    let expired = key_expired(Purpose::CreateCard, ExpiryCause::TooOld);
    let honest = given(and(unknown(), [expired.clone()]))
        .under(|policy| policy.absence = AbsencePolicy::Resubmit);
    assert!(
        proof(honest).order().attention.is_none(),
        "it goes on by itself"
    );
    let mixed_up = given(and(sent(), another_orders_answer()))
        .and([expired])
        .under(|policy| policy.absence = AbsencePolicy::Resubmit);
    proof(mixed_up)
        .is("requested")
        .needs(AttentionReason::AbsenceProved);
}

#[test]
fn f_040_a_card_of_somebody_elses_person_is_not_ours() {
    // The two-step road names the person.
    let [
        EventBody::OrderRequested {
            mut terms,
            personal_digest,
            prepaid,
        },
    ] = <[EventBody; 1]>::try_from(requested()).unwrap()
    else {
        panic!("an order begins with its request")
    };
    terms.cardholder_id = "cardholder-1".parse().ok();
    let two_step = and(
        vec![EventBody::OrderRequested {
            terms,
            personal_digest,
            prepaid,
        }],
        [started(Purpose::CreateCard, 1, 1)],
    );
    let stranger =
        |ids: &mut ProviderIds, _: &mut Echo| ids.cardholder = "cardholder-2".parse().ok();
    let mismatch = Mismatch::Cardholder {
        said: "cardholder-2".parse().unwrap(),
    };
    given(two_step.clone())
        .when(said(Fact::Created(creation()), answer(1), stranger))
        .then_on()
        .is("requested")
        .needs(AttentionReason::AnswerMismatched { mismatch });
    given(two_step)
        .when(learn(Fact::Created(creation()), answer(1)))
        .then([was_accepted(answer(1))]);
}

#[test]
fn f_040_a_message_or_a_read_with_another_orders_mark_decides_nothing() {
    for history in [
        requested(),
        unknown(),
        accepted(),
        idv_pending(),
        active(),
        failed(),
    ] {
        for source in [created_hook(), Source::LookUp] {
            for (echo, mismatch) in mismatches() {
                let name = fold(history.clone()).state.name();
                let heard = said(Fact::Card(CardStatus::Active), source.clone(), |_, said| {
                    *said = echo
                });
                given(history.clone())
                    .when(heard.clone())
                    .then([noted(mismatch, source.clone())])
                    .is(name)
                    .needs(AttentionReason::Discrepancy)
                    .when(heard)
                    .then_nothing();
            }
        }
    }
}

#[test]
fn f_040_nothing_is_done_to_a_card_that_may_be_another_orders() {
    let (echo, mismatch) = mismatches().remove(0);
    let heard = said(Fact::Card(CardStatus::Active), Source::LookUp, |_, said| {
        *said = echo
    });
    // The host cannot have it cancelled, and a message without a mark does not make it ours.
    given(accepted())
        .when(heard.clone())
        .then_on()
        .when(Command::Cancel)
        .then_not_possible()
        .when(operate(OperatorAction::Cancel))
        .then_not_possible()
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then_nothing()
        .is("accepted");
    // A cancel on its way stops until a person has looked.
    let cancelling = and(active(), [cancelling(By::Host)]);
    let cancel = Action::Submit {
        purpose: Purpose::CancelCard,
    };
    let owes_cancel = |life: &Given| {
        issuance_domain::outbox(life.order(), &life.policy)
            .iter()
            .any(|task| task.id.action == cancel)
    };
    let doubted = given(cancelling)
        .when(heard)
        .then([noted(mismatch, Source::LookUp)]);
    assert!(!owes_cancel(&doubted));
    let doubted = doubted
        .when(send(Purpose::CancelCard, 1))
        .then_rejected(issuance_domain::Rejection::NoLongerOwed { order: order_id() });
    let cleared = doubted
        .when(operate(OperatorAction::ResolveDiscrepancy))
        .then_on();
    assert!(owes_cancel(&cleared));
}

fn second(status: CardStatus) -> Command {
    said(Fact::Card(status), Source::LookUp, |ids, _| {
        *ids = second_card()
    })
}

fn second_noted(card: &str, status: CardStatus) -> EventBody {
    let discrepancy = Discrepancy::SecondCard {
        card: card.parse().unwrap(),
        status: Some(status),
    };
    EventBody::DiscrepancyNoted {
        discrepancy,
        source: Source::LookUp,
    }
}

#[test]
fn what_a_person_resolved_is_raised_again_only_by_something_new() {
    let resolved = given(active())
        .when(second(CardStatus::Pending))
        .then([second_noted("card-2", CardStatus::Pending)])
        .when(operate(OperatorAction::ResolveDiscrepancy))
        .then([operated(OperatorAction::ResolveDiscrepancy)])
        .needs(None)
        .when(second(CardStatus::Pending))
        .then_nothing();
    // Its making went on.
    let again = resolved
        .clone()
        .when(second(CardStatus::Active))
        .then([second_noted("card-2", CardStatus::Active)])
        .when(operate(OperatorAction::ResolveDiscrepancy))
        .then_on();
    for known in [
        CardStatus::Active,
        CardStatus::Pending,
        CardStatus::PreCancel,
        CardStatus::Cancelled,
    ] {
        again.clone().when(second(known)).then_nothing();
    }
    // A third one.
    let third = said(Fact::Card(CardStatus::Active), Source::LookUp, |ids, _| {
        ids.card = "card-3".parse().ok();
    });
    again
        .when(third)
        .then([second_noted("card-3", CardStatus::Active)])
        .needs(AttentionReason::Discrepancy);
    // The same of every other contradiction.
    let late = EventBody::DiscrepancyNoted {
        discrepancy: Discrepancy::LateSuccess {
            card: ids().card.unwrap(),
        },
        source: created_hook(),
    };
    given(and(failed(), [late]))
        .when(operate(OperatorAction::ResolveDiscrepancy))
        .then_on()
        .when(read(Fact::Card(CardStatus::Active)))
        .then_nothing()
        .needs(None);
}

#[test]
fn a_card_the_provider_no_longer_lists_behind_an_active_order_calls_a_person_once() {
    let missing = EventBody::DiscrepancyNoted {
        discrepancy: Discrepancy::ActiveCardMissing {
            card: ids().card.unwrap(),
        },
        source: Source::LookUp,
    };
    given(active())
        .at(seconds(119))
        .when(read(Fact::CardMissing))
        .then_nothing()
        .at(minutes(2))
        .when(read(Fact::CardMissing))
        .then([missing])
        .is("active")
        .needs(AttentionReason::Discrepancy)
        .when(read(Fact::CardMissing))
        .then_nothing()
        .when(operate(OperatorAction::ResolveDiscrepancy))
        .then_on()
        .when(read(Fact::CardMissing))
        .then_nothing()
        .needs(None);
    // Nobody misses a card that is to be cancelled.
    given(and(active(), [cancelling(By::Host)]))
        .at(minutes(9))
        .when(read(Fact::CardMissing))
        .then_nothing();
}

#[test]
fn one_contradiction_hides_no_other_and_each_is_told_once() {
    let (echo, _) = mismatches().remove(0);
    let doubt = said(Fact::Card(CardStatus::Active), Source::LookUp, |_, said| {
        *said = echo
    });
    let third = said(Fact::Card(CardStatus::Active), Source::LookUp, |ids, _| {
        ids.card = "card-3".parse().ok();
    });
    // A second card does not make the first ours again.
    let doubted = given(active())
        .when(doubt.clone())
        .then_on()
        .when(second(CardStatus::Active))
        .then([second_noted("card-2", CardStatus::Active)])
        .when(operate(OperatorAction::Cancel))
        .then_not_possible()
        .when(third.clone())
        .then([second_noted("card-3", CardStatus::Active)]);
    assert!(doubted.order().doubts_its_card());
    // In whatever turns they are heard again, and whatever became of them meanwhile.
    let told = doubted
        .when(second(CardStatus::Frozen))
        .then_nothing()
        .when(doubt)
        .then_nothing()
        .when(third.clone())
        .then_nothing();
    assert_eq!(told.order().discrepancies.len(), 3);
    // Whoever resolves has seen them all.
    let resolved = told
        .when(operate(OperatorAction::ResolveDiscrepancy))
        .then_on()
        .needs(None)
        .when(third)
        .then_nothing();
    assert!(resolved.order().discrepancies.is_empty());
    // A live card behind a failure can be cancelled, whatever else is said of it.
    let late = EventBody::DiscrepancyNoted {
        discrepancy: Discrepancy::LateSuccess {
            card: ids().card.unwrap(),
        },
        source: created_hook(),
    };
    given(and(failed(), [late]))
        .when(second(CardStatus::Active))
        .then([second_noted("card-2", CardStatus::Active)])
        .when(operate(OperatorAction::Cancel))
        .then([operated(OperatorAction::Cancel), cancelling(By::Operator)]);
}

#[test]
fn a_list_without_end_does_not_fill_the_log() {
    let card = |number: u32| {
        said(
            Fact::Card(CardStatus::Active),
            Source::LookUp,
            move |ids, _| {
                ids.card = format!("card-x{number}").parse().ok();
            },
        )
    };
    let told = (0..16).fold(given(active()), |order, number| {
        order.when(card(number)).then_on()
    });
    told.when(card(16)).then_nothing();
}
