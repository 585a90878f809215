//! What the log alone shows.

use issuance_audit::Invariant::{self, *};
use issuance_domain::{
    AbsencePolicy, AttentionReason, By, CardStatus, Digest, Discrepancy, EventBody, FailureKind,
    IdvExpired, OperatorAction, RefusalClass, Retention, SilenceCause, Source, Version, Who,
};
use issuance_store::Position;

use crate::world::*;

/// An order that was sent, after which this comes.
fn sent_then(bodies: impl FnOnce(&World) -> Vec<EventBody>) -> World {
    let mut world = World::new();
    world.placed(1).start(1, 1, 1);
    let bodies = bodies(&world);
    world.together(1, bodies);
    world
}

#[track_caller]
fn breaks(invariant: Invariant, bodies: impl FnOnce(&World) -> Vec<EventBody>) {
    sent_then(bodies).breaks(invariant);
}

#[test]
fn a_good_world_is_sound() {
    World::good().is_sound();
}

#[test]
fn s7_another_body_or_key_for_the_same_effect() {
    let again = |change: fn(&mut EventBody)| {
        let mut world = World::new();
        world.placed(1).start(1, 1, 1).wait(minutes(2));
        let mut body = started(1, 1, 2);
        change(&mut body);
        world.event(1, body);
        world
    };
    again(|_| {}).is_sound_so_far();
    again(|body| {
        if let EventBody::SubmissionStarted { body_digest, .. } = body {
            *body_digest = Digest("other".into());
        }
    })
    .breaks(S7);
    again(|body| {
        if let EventBody::SubmissionStarted { key: used, .. } = body {
            *used = key(7, CREATE, 1);
        }
    })
    .breaks(S7);
}

#[test]
fn s7_one_key_for_two_orders() {
    let mut world = World::new();
    world.placed(1).start(1, 1, 1).placed(2);
    world.event(2, started(1, 1, 1));
    world.breaks(S7);
}

#[test]
fn s8_a_new_key_without_refusal_or_proof() {
    breaks(S8, |world| {
        vec![
            unanswered(SilenceCause::TimedOut, world.now),
            EventBody::KeyExpired {
                purpose: CREATE,
                generation: issuance_domain::Generation(1),
                because: None,
            },
            owed(2, world.now),
        ]
    });
    breaks(S8, |world| {
        vec![
            refused(RefusalClass::Duplicate),
            EventBody::LookUpRequested {
                cause: issuance_domain::LookUpCause::Leftover,
            },
            owed(2, world.now),
        ]
    });
    sent_then(|world| {
        vec![
            refused(RefusalClass::Capacity),
            owed(2, world.now.after(minutes(31))),
        ]
    })
    .is_sound_so_far();
}

#[test]
fn s8_a_proof_that_is_none() {
    let proved = |first: u64, second: u64| {
        let mut world = World::new();
        world.placed(1).start(1, 1, 1);
        let sent = world.now;
        world.wait(minutes(21 * 60));
        let generation = issuance_domain::Generation(1);
        world.event(
            1,
            EventBody::KeyExpired {
                purpose: CREATE,
                generation,
                because: None,
            },
        );
        let (first, second) = (
            scan(sent.after(minutes(first))),
            scan(sent.after(minutes(second))),
        );
        let now = world.now;
        world.together(
            1,
            [
                EventBody::AbsenceProved {
                    generation,
                    first,
                    second,
                },
                owed(2, now),
            ],
        );
        world
    };
    proved(11, 21).is_sound_so_far();
    proved(10, 21).breaks(S8);
    proved(11, 20).breaks(S8);
}

#[test]
fn s8_a_new_key_that_takes_two_people_and_a_fresh_proof() {
    let proved = |by: &[OperatorAction], later: u64| {
        let mut world = World::new();
        world.rules.policy.absence = AbsencePolicy::Attention;
        world.placed(1).start(1, 1, 1);
        let sent = world.now;
        world.wait(minutes(21 * 60));
        let generation = issuance_domain::Generation(1);
        let (first, second) = (
            scan(sent.after(minutes(20 * 60))),
            scan(sent.after(minutes(21 * 60))),
        );
        world.together(
            1,
            [
                EventBody::KeyExpired {
                    purpose: CREATE,
                    generation,
                    because: None,
                },
                EventBody::AbsenceProved {
                    generation,
                    first,
                    second,
                },
            ],
        );
        world.wait(minutes(later));
        world.event(1, acted(OperatorAction::Resubmit, "mara"));
        let now = world.now;
        let acts = by.iter().map(|action| acted(*action, "ines"));
        let bodies: Vec<_> = acts.chain([owed(2, now)]).collect();
        world.together(1, bodies);
        world
    };
    proved(&[OperatorAction::ApproveResubmit], 1).is_sound_so_far();
    proved(&[OperatorAction::ApproveResubmit], 70).breaks(S8);
    proved(&[], 1).breaks(S8);
}

#[test]
fn s9_an_old_key_is_sent() {
    let mut world = World::new();
    world
        .placed(1)
        .start(1, 1, 1)
        .wait(minutes(20 * 60))
        .start(1, 1, 2);
    world.breaks(S9);
}

#[test]
fn s11_a_step_that_is_no_transition() {
    breaks(S11, |_| vec![activated(1, succeeded())]);
    let mut world = World::new();
    world.event(1, accepted(1));
    world.breaks(S11);
}

#[test]
fn s12_an_end_is_undone() {
    let mut world = World::good();
    world.event(1, failed(FailureKind::CreationFailed, Some(Source::LookUp)));
    world.breaks(S12);
}

#[test]
fn s13_a_gap_a_repeat_or_a_step_back() {
    for (version, position) in [(6, 15), (4, 15), (5, 3)] {
        let mut world = World::good();
        world.event(1, notified(4));
        if let Some(Told::Event(recorded)) = world.told.last_mut() {
            recorded.version = Version(version);
            recorded.position = Position(position + u64::from(position == 15) * 3);
        }
        world.breaks(S13);
    }
}

#[test]
fn s14_a_message_or_a_timer_has_its_effect_twice() {
    let mut world = World::good();
    let source = succeeded();
    world.event(
        1,
        EventBody::ProviderIdsLearned {
            ids: ids(1),
            source: source.clone(),
        },
    );
    world.breaks(S14);
    // A reason to read may be given again.
    let mut world = World::good();
    let cause = issuance_domain::LookUpCause::Confirm { source };
    world.event(1, EventBody::LookUpRequested { cause });
    world.is_sound();
    // Stored twice, but long after it was forgotten.
    for (days, is_sound) in [(29, false), (30, true)] {
        let mut world = World::good();
        let first = world.told.iter().find_map(|told| match told {
            Told::Message(message) => Some(message.clone()),
            _ => None,
        });
        let mut again = first.unwrap();
        again.received_at = again
            .received_at
            .after(std::time::Duration::from_secs(days * 24 * 3_600));
        let settled = Told::Settled(
            again.id.clone(),
            issuance_store::Standing::Settled { order: None },
        );
        world.told.extend([Told::Message(again), settled]);
        if is_sound {
            world.is_sound();
        } else {
            world.breaks(S14);
        }
    }

    let mut world = World::good();
    let again = world
        .told
        .iter()
        .position(|told| matches!(told, Told::Event(recorded) if recorded.event.body.name() == "idv_link_expired"))
        .unwrap();
    world.told.truncate(again + 1);
    world.event(2, EventBody::IdvLinkExpired { link: 1 });
    world.breaks(S14);
}

#[test]
fn s15_two_orders_of_one_reference() {
    let mut world = World::new();
    world.event(1, requested("ref")).event(2, requested("ref"));
    world.breaks(S15);
}

#[test]
fn s18_called_active_on_the_word_of_what_proves_nothing() {
    let mut world = World::new();
    world.placed(1).accept(1).status(1, CardStatus::Active);
    world.event(
        1,
        activated(1, webhook("event-2", "card.status.update.succeeded")),
    );
    world.breaks(S18);
}

#[test]
fn s24_a_link_is_over_too_early_or_is_not_the_newest() {
    for (wait, link) in [(60, 1), (24 * 60 + 11, 2)] {
        let mut world = World::new();
        world.placed(1).accept(1);
        let over = world.now.after(minutes(24 * 60));
        world.event(1, idv_required(over)).wait(minutes(wait));
        world.read(1);
        world.event(1, EventBody::IdvLinkExpired { link });
        world.breaks(S24);
    }
}

#[test]
fn s25_an_act_of_nobody() {
    let mut world = World::good();
    world.event(1, acted(OperatorAction::Note, " "));
    world.breaks(S25);
    // What takes two takes two.
    breaks(S25, |_| {
        vec![
            acted(OperatorAction::Resubmit, "mara"),
            acted(OperatorAction::ApproveResubmit, "mara"),
        ]
    });
    breaks(S25, |_| {
        vec![acted(OperatorAction::ApproveResubmit, "mara")]
    });
}

#[test]
fn s25_a_paused_order_sends() {
    let acts = |actions: &[OperatorAction]| {
        let mut world = World::new();
        world.placed(1);
        for action in actions {
            world.event(1, acted(*action, "mara"));
        }
        world.event(1, started(1, 1, 1));
        world
    };
    acts(&[OperatorAction::Pause]).breaks(S25);
    acts(&[OperatorAction::Pause, OperatorAction::Resume]).is_sound_so_far();
}

#[test]
fn s8_a_new_key_too_soon_or_too_often() {
    let after = |wait: u64| {
        sent_then(|world| {
            vec![
                refused(RefusalClass::Capacity),
                owed(2, world.now.after(minutes(wait))),
            ]
        })
    };
    // The events are recorded a quarter of a second later.
    after(31).is_sound_so_far();
    after(30).breaks(S8);
}

#[test]
fn s24_an_older_link_takes_the_place_of_a_newer_one() {
    let issued = |minutes_later: u64, is_sound: bool| {
        let mut world = World::new();
        world.placed(1).accept(1);
        let over = world.now.after(minutes(60));
        world.event(1, idv_required(over));
        let link = issuance_domain::Link {
            digest: Digest("link-2".into()),
            expires_at: world.now.after(minutes(minutes_later)),
        };
        world.event(
            1,
            EventBody::IdvLinkIssued {
                link,
                source: Source::LookUp,
            },
        );
        if is_sound {
            world.is_sound_so_far();
        } else {
            world.breaks(S24);
        }
    };
    issued(120, true);
    issued(30, false);
}

#[test]
fn s24_an_order_fails_for_a_link_where_a_fresh_one_or_a_person_is_due() {
    let expired = |policy: IdvExpired, renewals: u32| {
        let mut world = World::new();
        world.rules.policy.idv_expired = policy;
        world.rules.policy.idv_renewals = renewals;
        world.placed(1).accept(1);
        let over = world.now.after(minutes(60));
        world.event(1, idv_required(over)).wait(minutes(71));
        world.read(1);
        world.event(1, failed(FailureKind::IdvExpired, None));
        world
    };
    expired(IdvExpired::Fail, 0).is_sound_so_far();
    expired(IdvExpired::Fail, 1).breaks(S24);
    expired(IdvExpired::Attention, 0).breaks(S24);
}

#[test]
fn s24_retention_erases_in_its_time_and_not_before_a_person_decided() {
    let erased = |later: u64, raised: Option<AttentionReason>| {
        let mut world = World::good();
        world.rules.policy.retention = Retention::For(minutes(60));
        let raised = raised.map(|reason| EventBody::AttentionRaised { reason });
        world.together(3, raised);
        world.wait(minutes(later));
        world.event(3, EventBody::ErasureRequested { by: By::Policy });
        world
    };
    erased(60, None).is_sound();
    erased(59, None).breaks(S24);
    erased(60, Some(AttentionReason::Discrepancy)).breaks(S24);
}

#[test]
fn s25_an_operator_sets_a_paused_order_going() {
    for action in [OperatorAction::LookUpNow, OperatorAction::RetryNow] {
        let mut world = World::new();
        world
            .placed(1)
            .event(1, acted(OperatorAction::Note, "mara"));
        world.event(1, acted(action, "mara")).is_sound_so_far();
        world.event(1, acted(OperatorAction::Pause, "mara"));
        world.event(1, acted(action, "mara")).breaks(S25);
    }
}

#[test]
fn s25_the_end_of_a_paused_orders_link_is_acted_on() {
    for (pauses, ends) in [(false, false), (true, false), (true, true)] {
        let mut world = World::new();
        world.placed(1).accept(1);
        let over = world.now.after(minutes(60));
        world.event(1, idv_required(over)).wait(minutes(71));
        world.read(1);
        if pauses {
            world.event(1, acted(OperatorAction::Pause, "mara"));
        }
        if ends || !pauses {
            world.event(1, EventBody::IdvLinkExpired { link: 1 });
        }
        if ends {
            world.breaks(S25);
        } else {
            world.is_sound_so_far();
        }
    }
}

#[test]
fn s25_an_ended_order_is_paused() {
    let mut world = World::good();
    world.event(1, acted(OperatorAction::Pause, "mara"));
    world.breaks(S25);
}

#[test]
fn s19_a_person_is_called_for_what_they_dealt_with() {
    let noted = |number: u128| EventBody::DiscrepancyNoted {
        discrepancy: Discrepancy::SecondCard {
            card: card(number),
            status: None,
        },
        source: Source::LookUp,
    };
    for (again, is_sound) in [(9, false), (8, true)] {
        let mut world = World::good();
        world.event(1, noted(9));
        world.event(1, acted(OperatorAction::ResolveDiscrepancy, "mara"));
        world.event(1, noted(again));
        if is_sound {
            world.is_sound();
        } else {
            world.breaks(S19);
        }
    }
}

#[test]
fn s30_a_cancel_ends_what_a_taken_email_may_stand_for() {
    let cancelled = |cause| {
        sent_then(|world| {
            vec![
                unanswered(cause, world.now),
                started(1, 1, 2),
                refused(RefusalClass::Duplicate),
                failed(FailureKind::Cancelled, Some(answer())),
            ]
        })
    };
    cancelled(SilenceCause::NotSent).is_sound();
    cancelled(SilenceCause::TimedOut).breaks(S30);
}

#[test]
fn s30_an_operator_ends_an_order_under_its_call() {
    for (later, is_sound) in [(0, false), (1, true)] {
        let mut world = World::new();
        world.placed(1).start(1, 1, 1).wait(minutes(later));
        let fail = failed(FailureKind::OperatorFailed, None);
        world.together(1, [acted(OperatorAction::Fail, "mara"), fail]);
        if is_sound {
            world.is_sound();
        } else {
            world.breaks(S30);
        }
    }
}

#[test]
fn s30_what_no_read_shows_is_believed_too_soon_or_though_a_card_was_announced() {
    let believed = |later: u64, announced: bool| {
        let mut world = World::new();
        world.placed(1).accept(1);
        let source = webhook("event-5", "card.create.failed");
        world
            .deliver("event-5", "card.create.failed")
            .event(1, EventBody::FailureReported { code: None, source });
        if announced {
            let cause = issuance_domain::LookUpCause::Confirm {
                source: succeeded(),
            };
            world
                .deliver("event-1", "card.create.succeeded")
                .event(1, EventBody::LookUpRequested { cause });
        }
        world.wait(minutes(later));
        world.event(1, failed(FailureKind::CreationFailed, None));
        world
    };
    believed(10, false).is_sound_so_far();
    believed(0, false).breaks(S30);
    believed(10, true).breaks(S30);
}

#[test]
fn l1_our_own_fault_ends_an_order_and_nobody_is_called() {
    let ended = |raised: Option<AttentionReason>| {
        sent_then(|_| {
            let mut end = failed(FailureKind::Refused, Some(answer()));
            if let EventBody::OrderFailed { failure, .. } = &mut end {
                failure.who = Who::Operator;
            }
            let raised = raised.map(|reason| EventBody::AttentionRaised { reason });
            [refused(RefusalClass::Configuration), end]
                .into_iter()
                .chain(raised)
                .collect()
        })
    };
    ended(Some(AttentionReason::Discrepancy)).is_sound();
    ended(None).breaks(L1);
}

#[test]
fn s28_an_ended_order_sends() {
    let mut world = World::good();
    world.event(1, started(1, 1, 2));
    world.breaks(S28);
}

#[test]
fn s30_what_settles_nothing_is_called_a_refusal() {
    use RefusalClass::*;
    let said = |status: u16, code: &str, class: RefusalClass| {
        let mut body = refused(class);
        if let EventBody::SubmissionRefused { refusal, .. } = &mut body {
            (refusal.http_status, refusal.code) = (status, code.into());
        }
        sent_then(|_| vec![body])
    };
    for (status, code, class) in [
        (400, "email_duplicated", Duplicate),
        (400, "insufficient_balance", Capacity),
        (400, "never_heard_of", Unknown),
        (413, "too_large", Input),
        (404, "card_not_found", Unknown),
        (200, "invalid_parameter", Configuration),
    ] {
        said(status, code, class).is_sound_so_far();
    }
    for (status, code, class) in [
        (400, "email_duplicated", Input),
        (400, "idempotency_error", Configuration),
        (400, "insufficient_sub_bin", Configuration),
        (400, "500", Unknown),
        (400, "processing", Unknown),
        (400, "api_error", Unknown),
        (401, "login_expired", Unknown),
        (409, "conflict", Unknown),
        (429, "too_many_requests", Unknown),
        (503, "unavailable", Unknown),
    ] {
        said(status, code, class).breaks(S30);
    }
}

#[test]
fn s30_unknown_is_called_failed() {
    breaks(S30, |world| {
        vec![
            unanswered(SilenceCause::TimedOut, world.now),
            failed(FailureKind::Cancelled, None),
        ]
    });
    breaks(S30, |_| vec![failed(FailureKind::CreationFailed, None)]);
    breaks(S30, |_| vec![failed(FailureKind::OperatorFailed, None)]);
    breaks(S30, |_| vec![failed(FailureKind::Refused, Some(answer()))]);
    // The person that stands in the way may be what an earlier send left.
    let taken = |cause, source: Source| {
        move |world: &World| {
            vec![
                unanswered(cause, world.now),
                started(1, 1, 1),
                refused(RefusalClass::Duplicate),
                failed(FailureKind::Duplicate, Some(source.clone())),
            ]
        }
    };
    breaks(S30, taken(SilenceCause::TimedOut, answer()));
    sent_then(taken(SilenceCause::NotSent, answer())).is_sound();
    sent_then(taken(SilenceCause::TimedOut, Source::LookUp)).is_sound();
    sent_then(|world| {
        vec![
            unanswered(SilenceCause::NotSent, world.now),
            failed(FailureKind::Cancelled, None),
        ]
    })
    .is_sound();
    sent_then(|world| {
        vec![
            unanswered(SilenceCause::TimedOut, world.now),
            acted(OperatorAction::Fail, "mara"),
            failed(FailureKind::OperatorFailed, None),
        ]
    })
    .is_sound();
}

#[test]
fn l1_a_refused_order_stands_before_nobody() {
    let mut world = World::new();
    // Refused without having been sent: the alarm that would call a person counts from the send.
    world.placed(1).event(1, refused(RefusalClass::KeyConflict));
    let verdict = world.verdict();
    assert_eq!(broken(&verdict), ["L1", "L2", "S6"].into(), "{verdict}");
    let raised = EventBody::AttentionRaised {
        reason: AttentionReason::KeyConflict,
    };
    sent_then(|_| vec![refused(RefusalClass::KeyConflict), raised]).is_sound();
}

#[test]
fn l2_something_is_left_undone() {
    sent_then(|_| vec![accepted(1)]).breaks(L2);
    let mut world = World::new();
    world.placed(1).breaks(L2);
    world.rules.without_cards = vec!["product-1".parse().unwrap()];
    world.is_sound();
    world.start(1, 1, 1).breaks(L2);
    let mut world = World::good();
    world.event(1, EventBody::CompensationStarted { by: By::Host });
    world.breaks(L2);
}
