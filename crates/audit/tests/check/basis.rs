//! What an event may rest on.

use issuance_audit::Invariant::{L1, S18, S19, S24, S25, S30};
use issuance_domain::{
    By, CardStatus, Discrepancy, EventBody, Generation, LateSuccess, OperatorAction, RefusalClass,
    SilenceCause, Source,
};
use issuance_store::Alias;

use crate::world::*;

#[test]
fn s30_what_was_said_of_one_key_is_recorded_of_another() {
    for (said_of, is_sound) in [(1, true), (2, false)] {
        let mut world = World::new();
        world.placed(1).start(1, 1, 1);
        let mut body = refused(RefusalClass::Input);
        if let EventBody::SubmissionRefused { source, .. } = &mut body {
            *source = Source::Answer {
                purpose: CREATE,
                generation: Generation(said_of),
            };
        }
        let ends = failed(issuance_domain::FailureKind::Refused, Some(answer()));
        world.together(1, vec![body, ends]);
        if is_sound {
            world.is_sound_so_far();
        } else {
            world.breaks(S30);
        }
    }
}

#[test]
fn s30_a_message_sends_a_person_to_an_identity_check() {
    let with = |source: Source| {
        let mut world = World::new();
        world.placed(1).accept(1);
        let mut body = idv_required(world.now.after(minutes(60)));
        if let EventBody::IdvRequired { source: known, .. } = &mut body {
            *known = source;
        }
        world.event(1, body);
        world
    };
    with(Source::LookUp).is_sound_so_far();
    with(webhook("event-7", "cardholder.kyc.status_changed")).breaks(S30);
}

/// No table of the engine's own says what may have arrived.
#[test]
fn s30_an_answer_that_nobody_can_read_may_have_been_one() {
    let ended_after = |cause: SilenceCause| {
        let mut world = World::new();
        world.placed(1).start(1, 1, 1);
        let retry_at = world.now;
        world.event(1, unanswered(cause, retry_at));
        world.event(1, failed(issuance_domain::FailureKind::Cancelled, None));
        world
    };
    ended_after(SilenceCause::NotSent).is_sound_so_far();
    ended_after(SilenceCause::RateLimited).is_sound_so_far();
    let unreadable = SilenceCause::Unreadable { http_status: 200 };
    for cause in [SilenceCause::Processing, unreadable] {
        ended_after(cause).breaks(S30);
    }
}

#[test]
fn s24_a_fresh_link_for_an_order_that_nobody_wants() {
    let mut world = World::new();
    world.placed(1).accept(1);
    let over = world.now.after(minutes(24 * 60));
    world.event(1, idv_required(over));
    world.event(1, EventBody::CompensationStarted { by: By::Host });
    world.wait(minutes(24 * 60 + 11)).read(1);
    world.event(1, EventBody::IdvLinkExpired { link: 1 });
    world.breaks(S24);
}

#[test]
fn s25_a_fresh_link_is_asked_for_twice() {
    let asked = |times: usize| {
        let mut world = World::new();
        world.placed(1).accept(1);
        let over = world.now.after(minutes(24 * 60));
        world.event(1, idv_required(over));
        for _ in 0..times {
            world.event(1, acted(OperatorAction::RefreshIdvLink, "mara"));
        }
        world
    };
    asked(1).is_sound_so_far();
    asked(2).breaks(S25);
}

#[test]
fn s19_a_cancel_that_nobody_wants_and_one_that_ended_nothing() {
    let by_policy = |late_success: LateSuccess| {
        let mut world = World::good();
        world.rules.policy.late_success = late_success;
        world.event(1, EventBody::CompensationStarted { by: By::Policy });
        let status = Some(CardStatus::Cancelled);
        world.status(1, CardStatus::Cancelled);
        world.event(1, EventBody::CompensationCompleted { status });
        world
    };
    by_policy(LateSuccess::Cancel).is_sound_so_far();
    by_policy(LateSuccess::Attention).breaks(S19);
    for (status, is_sound) in [(CardStatus::Cancelled, true), (CardStatus::Frozen, false)] {
        let mut world = World::good();
        world.event(1, EventBody::CompensationStarted { by: By::Host });
        world.status(1, status.clone());
        let status = Some(status);
        world.event(1, EventBody::CompensationCompleted { status });
        if is_sound {
            world.is_sound_so_far();
        } else {
            world.breaks(S19);
        }
    }
}

#[test]
fn s19_an_older_message_about_a_cancelled_card_calls_a_person() {
    let noted = |source: Source| {
        let mut world = World::good();
        world.event(1, EventBody::CompensationStarted { by: By::Host });
        let status = Some(CardStatus::Cancelled);
        world.status(1, CardStatus::Cancelled);
        world.event(1, EventBody::CompensationCompleted { status });
        let discrepancy = Discrepancy::LateSuccess { card: card(1) };
        world.event(
            1,
            EventBody::DiscrepancyNoted {
                discrepancy,
                source,
            },
        );
        world
    };
    noted(webhook("event-7", "card.status.update.succeeded")).breaks(S19);
}

#[test]
fn s19_an_older_message_about_a_card_that_others_cancelled_calls_a_person() {
    let noted = |kind| {
        let mut world = World::new();
        world.placed(1).accept(1);
        world.status(1, CardStatus::Active);
        world.status(1, CardStatus::Cancelled);
        let called = EventBody::AttentionRaised {
            reason: issuance_domain::AttentionReason::CardNotFound,
        };
        world.together(1, vec![failed(kind, Some(Source::LookUp)), called]);
        let discrepancy = Discrepancy::LateSuccess { card: card(1) };
        let source = webhook("event-7", "card.create.succeeded");
        world.deliver_about(
            "event-7",
            "card.create.succeeded",
            vec![Alias::Card(card(1))],
        );
        world.event(
            1,
            EventBody::DiscrepancyNoted {
                discrepancy,
                source,
            },
        );
        world
    };
    noted(issuance_domain::FailureKind::CancelledByProvider).breaks(S19);
    noted(issuance_domain::FailureKind::Cancelled).breaks(S19);
    noted(issuance_domain::FailureKind::KycRejected).is_sound_so_far();
}

/// What it was at some time until then, not what it is now.
#[test]
fn s19_a_cancel_is_done_by_a_status_that_its_card_never_had() {
    let done = |before: CardStatus, after: CardStatus| {
        let mut world = World::good();
        world.event(1, EventBody::CompensationStarted { by: By::Host });
        world.status(1, before);
        let status = Some(CardStatus::PreCancel);
        world.event(1, EventBody::CompensationCompleted { status });
        world.wait(minutes(60)).status(1, after);
        world
    };
    done(CardStatus::PreCancel, CardStatus::Cancelled).is_sound_so_far();
    done(CardStatus::Frozen, CardStatus::PreCancel).breaks(S19);
}

#[test]
fn s18_it_is_called_active_by_a_status_that_its_card_never_had() {
    let read = |status: CardStatus, is: CardStatus| {
        let mut world = World::new();
        world.placed(1).accept(1);
        world.status(1, CardStatus::Active);
        world.status(1, is);
        world.event(
            1,
            EventBody::CardActivated {
                card: card(1),
                status,
                source: Source::LookUp,
            },
        );
        world
    };
    read(CardStatus::Frozen, CardStatus::Frozen).is_sound_so_far();
    read(CardStatus::Active, CardStatus::Blocked).is_sound_so_far();
    read(CardStatus::Blocked, CardStatus::Frozen).breaks(S18);
    read(CardStatus::Cancelled, CardStatus::Cancelled).breaks(S18);
}

#[test]
fn l1_a_card_that_others_cancelled_calls_nobody() {
    let mut world = World::new();
    world.placed(1).accept(1);
    world.status(1, CardStatus::Cancelled);
    let kind = issuance_domain::FailureKind::CancelledByProvider;
    world.event(1, failed(kind, Some(Source::LookUp)));
    world.breaks(L1);
}

#[test]
fn s19_a_person_is_called_for_a_failed_card_that_never_failed() {
    let noted = |is: CardStatus| {
        let mut world = World::good();
        world.status(1, is);
        let discrepancy = Discrepancy::ActiveCardFailed;
        let source = Source::LookUp;
        world.event(
            1,
            EventBody::DiscrepancyNoted {
                discrepancy,
                source,
            },
        );
        world
    };
    noted(CardStatus::Failed).is_sound_so_far();
    noted(CardStatus::Blocked).breaks(S19);
    noted(CardStatus::Cancelled).breaks(S19);
}
