//! `IdvPending`: a person has to act (contract §7, §9.2, §9.3, §9.4).

use issuance_domain::{
    Action, AttentionReason, CardStatus, CardholderStatus, Command, Discrepancy, EventBody, Fact,
    FailureKind, IdvExpired, OperatorAction, Purpose, RefusalClass, Source, Who,
};

use crate::given::given;
use crate::sample::*;

const RENEW: Action = Action::Submit {
    purpose: Purpose::RenewIdvLink,
};

fn kyc(status: CardholderStatus) -> Command {
    learn(person(status, None), kyc_hook())
}

fn issued(number: u32, good_for: u64, source: Source) -> EventBody {
    EventBody::IdvLinkIssued {
        link: link(number, good_for),
        source,
    }
}

fn submitted() -> Vec<EventBody> {
    and(
        idv_pending(),
        [EventBody::IdvSubmitted { source: kyc_hook() }],
    )
}

#[test]
fn contract_9_2_passed_drops_the_link_and_waits_for_the_card() {
    given(idv_pending())
        .at(hours(2))
        .when(kyc(CardholderStatus::Success))
        .then([EventBody::IdvPassed { source: kyc_hook() }])
        .is("accepted")
        .owes([
            (Action::LookUp, hours(2) + seconds(30)),
            (Action::Escalate, hours(2) + minutes(30)),
        ]);
}

#[test]
fn contract_9_2_an_active_card_means_the_check_is_done() {
    given(idv_pending())
        .when(learn(Fact::Card(CardStatus::Active), created_hook()))
        .then([activated(created_hook())])
        .is("active");
}

#[test]
fn contract_9_2_a_failed_creation_is_confirmed_even_after_the_check_passed() {
    let reported = EventBody::FailureReported {
        code: None,
        source: failed_hook(),
    };
    let end = || {
        ended(
            FailureKind::CreationFailed,
            Who::Provider,
            None,
            Some(Source::LookUp),
        )
    };
    let fail = || learn(Fact::CardCreationFailed { code: None }, failed_hook());
    // In either order, a card that only ever reads pending is believed to have failed.
    given(idv_pending())
        .when(fail())
        .then([reported.clone()])
        .when(kyc(CardholderStatus::Success))
        .then([EventBody::IdvPassed { source: kyc_hook() }])
        .at(seconds(60))
        .when(read(Fact::Card(CardStatus::Pending)))
        .then([end()]);
    given(idv_pending())
        .when(kyc(CardholderStatus::Success))
        .then([EventBody::IdvPassed { source: kyc_hook() }])
        .when(fail())
        .then([reported])
        .at(seconds(60))
        .when(read(Fact::Card(CardStatus::Pending)))
        .then([end()]);
}

#[test]
fn contract_9_2_rejected_is_read_before_it_is_believed() {
    given(idv_pending())
        .when(kyc(CardholderStatus::Failed))
        .then([EventBody::FailureReported {
            code: None,
            source: kyc_hook(),
        }])
        .is("idv_pending")
        .when(read(person(CardholderStatus::Failed, None)))
        .then([ended(
            FailureKind::KycRejected,
            Who::Host,
            None,
            Some(Source::LookUp),
        )]);
    given(idv_pending())
        .when(kyc(CardholderStatus::Failed))
        .then_on()
        // A look-up reads the card before the person.
        .when(read(Fact::Card(CardStatus::Active)))
        .then([
            activated(Source::LookUp),
            EventBody::DiscrepancyNoted {
                discrepancy: Discrepancy::ActivePersonRejected,
                source: Source::LookUp,
            },
        ])
        .when(read(person(CardholderStatus::Failed, None)))
        .then_nothing()
        .is("active");
}

#[test]
fn contract_9_2_incomplete_reads_the_link_and_tells_the_person_again() {
    given(submitted())
        .when(kyc(CardholderStatus::Incomplete))
        .then([look_up(kyc_hook())])
        .when(read(person(
            CardholderStatus::Incomplete,
            Some(link(1, 24)),
        )))
        .then([issued(1, 24, Source::LookUp)])
        .owes_a_notice(true)
        .owes([
            (Action::LookUp, seconds(0)),
            (Action::ExpireIdv, hours(24) + minutes(10)),
        ])
        .when(read(person(
            CardholderStatus::Incomplete,
            Some(link(1, 24)),
        )))
        .then_nothing();
}

#[test]
fn contract_9_2_submitted_switches_to_the_review_timer() {
    for (status, events) in [
        (
            CardholderStatus::Pending,
            vec![EventBody::IdvSubmitted { source: kyc_hook() }],
        ),
        (
            "WARP".into(),
            vec![raised(AttentionReason::UnknownWord {
                field: "cardholder_status".into(),
                word: "WARP".into(),
            })],
        ),
    ] {
        given(idv_pending())
            .when(kyc(status))
            .then(events)
            .is("idv_pending");
    }
    given(submitted())
        .owes([
            (Action::LookUp, minutes(15)),
            (Action::Escalate, hours(7 * 24)),
        ])
        .at(hours(25))
        .when(Command::ExpireIdv { link: 1 })
        .then_nothing();
}

#[test]
fn contract_9_3_a_changed_link_replaces_link_and_timer() {
    given(idv_pending())
        .when(read(person(
            CardholderStatus::Incomplete,
            Some(link(2, 48)),
        )))
        .then([issued(2, 48, Source::LookUp)])
        .owes([
            (Action::LookUp, minutes(15)),
            (Action::ExpireIdv, hours(48) + minutes(10)),
        ])
        .owes_a_notice(true)
        // The older one does not come back.
        .when(learn(
            person(CardholderStatus::Incomplete, Some(link(1, 24))),
            kyc_hook(),
        ))
        .then_nothing()
        .when(read(person(
            CardholderStatus::Incomplete,
            Some(link(2, 48)),
        )))
        .then_nothing();
}

#[test]
fn contract_9_3_a_pending_person_read_is_no_proof_of_submission() {
    given(idv_pending())
        .when(read(person(CardholderStatus::Pending, None)))
        .then_nothing();
}

#[test]
fn contract_9_4_expiry_renews_with_a_key_of_its_own() {
    let over = hours(24) + minutes(10);
    let expire = || Command::ExpireIdv { link: 1 };
    given(idv_pending())
        .at(over - seconds(1))
        .when(expire())
        .then_nothing()
        .at(over)
        .when(Command::ExpireIdv { link: 2 })
        .then_nothing()
        .when(expire())
        .then([EventBody::IdvLinkExpired { link: 1 }])
        .owes([(RENEW, over), (Action::LookUp, minutes(15))])
        .when(expire())
        .then_nothing()
        .when(send(Purpose::RenewIdvLink, 1))
        .then([started(Purpose::RenewIdvLink, 1, 1)])
        .when(learn(
            person(CardholderStatus::Incomplete, Some(link(2, 48))),
            answer_to(Purpose::RenewIdvLink, 1),
        ))
        .then([issued(2, 48, answer_to(Purpose::RenewIdvLink, 1))])
        .owes([
            (Action::LookUp, minutes(15)),
            (Action::ExpireIdv, hours(48) + minutes(10)),
        ])
        // The timer of the link before is stale.
        .at(hours(49))
        .when(expire())
        .then_nothing()
        .when(Command::ExpireIdv { link: 2 })
        .then([EventBody::IdvLinkExpired { link: 2 }])
        .when(send(Purpose::RenewIdvLink, 2))
        .then([started(Purpose::RenewIdvLink, 2, 1)]);
}

#[test]
fn contract_9_4_when_renewals_are_used_up_policy_decides() {
    let over = hours(24) + minutes(10);
    let spent = || {
        given(idv_pending())
            .under(|policy| policy.idv_renewals = 0)
            .at(over)
    };
    spent()
        .when(Command::ExpireIdv { link: 1 })
        .then([ended(FailureKind::IdvExpired, Who::Host, None, None)])
        .is("failed")
        // They may still finish what they began.
        .owes([(Action::LookUp, over + minutes(30))]);
    spent()
        .under(|policy| policy.idv_expired = IdvExpired::Attention)
        .when(Command::ExpireIdv { link: 1 })
        .then([raised(AttentionReason::IdvExpired)])
        .is("idv_pending")
        .owes([(Action::LookUp, minutes(15))])
        .when(Command::ExpireIdv { link: 1 })
        .then_nothing()
        .when(operate(OperatorAction::RefreshIdvLink))
        .then([operated(OperatorAction::RefreshIdvLink)])
        .owes([(RENEW, over), (Action::LookUp, minutes(15))]);
}

#[test]
fn contract_7_a_renewal_without_a_link_needs_a_person() {
    let answered = answer_to(Purpose::RenewIdvLink, 1);
    let no_link = given(renewing())
        .when(learn(
            person(CardholderStatus::Incomplete, None),
            answered.clone(),
        ))
        .then_on()
        .needs(AttentionReason::IdvLinkMissing)
        .owes([(Action::LookUp, minutes(15))]);
    let refused = given(renewing())
        .when(learn(
            Fact::Refused(refusal(RefusalClass::Unknown, "not_allowed")),
            answered,
        ))
        .then_on()
        .needs(AttentionReason::IdvLinkMissing);
    for stuck in [no_link, refused] {
        stuck
            .when(operate(OperatorAction::RetryNow))
            .then([operated(OperatorAction::RetryNow)])
            .needs(None)
            .when(send(Purpose::RenewIdvLink, 2))
            .then([started(Purpose::RenewIdvLink, 2, 1)]);
    }
}

#[test]
fn a_late_answer_to_an_older_renewal_spends_nothing() {
    let second = and(
        renewing(),
        [
            issued(2, 48, Source::LookUp),
            EventBody::IdvLinkExpired { link: 2 },
            started(Purpose::RenewIdvLink, 2, 1),
        ],
    );
    let late = answer_to(Purpose::RenewIdvLink, 1);
    given(second.clone())
        .when(learn(
            person(CardholderStatus::Incomplete, None),
            late.clone(),
        ))
        .then_nothing();
    given(second)
        .when(learn(
            Fact::Refused(refusal(RefusalClass::Unknown, "not_allowed")),
            late,
        ))
        .then_nothing();
}

#[test]
fn a_missing_link_that_turns_up_answers_the_alarm() {
    given(idv_without_link())
        .at(minutes(5))
        .when(Command::Escalate)
        .then([raised(AttentionReason::IdvLinkMissing)])
        .when(read(person(
            CardholderStatus::Incomplete,
            Some(link(1, 24)),
        )))
        .then([issued(1, 24, Source::LookUp)])
        .needs(None)
        .owes_a_notice(true);
}

#[test]
fn a_timer_of_another_state_does_nothing() {
    given(idv_pending())
        .at(hours(20))
        .when(Command::Escalate)
        .then_nothing();
    given(accepted())
        .at(hours(30))
        .when(Command::ExpireIdv { link: 1 })
        .then_nothing();
}

/// With every look-up failing, messages alone tell why: a person who was rejected, not a card that failed.
#[test]
fn contract_9_2_rejected_by_messages_alone_is_the_reason_in_the_end() {
    let card_failed = || {
        let code = Some("person_rejected".into());
        learn(Fact::CardCreationFailed { code }, failed_hook())
    };
    for (card_first, card_later) in [(false, false), (true, false), (false, true)] {
        let mut life = given(idv_pending());
        if card_first {
            life = life.when(card_failed()).then_on();
        }
        life = life.when(kyc(CardholderStatus::Failed)).then_on();
        if card_later {
            life = life.when(card_failed()).then_on();
        }
        let code = (card_first || card_later).then_some("person_rejected");
        life.at(seconds(599))
            .when(Command::LookInVain)
            .then_nothing()
            .at(minutes(10))
            .when(Command::LookInVain)
            .then([ended(FailureKind::KycRejected, Who::Host, code, None)]);
    }
    // Verified after all, says another message: then only the record decides.
    given(idv_pending())
        .when(kyc(CardholderStatus::Failed))
        .then_on()
        .when(kyc(CardholderStatus::Success))
        .then_on()
        .at(hours(1))
        .when(Command::LookInVain)
        .then_nothing();
    // And when the record shows another verdict, the message is forgotten.
    for read_as in [
        CardholderStatus::Pending,
        CardholderStatus::Incomplete,
        CardholderStatus::Success,
    ] {
        given(idv_pending())
            .when(kyc(CardholderStatus::Failed))
            .then_on()
            .when(read(person(read_as, None)))
            .then_on()
            .at(hours(1))
            .when(Command::LookInVain)
            .then_nothing();
    }
}
