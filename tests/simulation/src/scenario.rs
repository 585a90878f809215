//! Named runs without chance: one story each. The directed modes take them one by one and break them at every place.

use std::ops::Range;

use issuance_domain::{AbsencePolicy, Activation, IdvExpired, LateSuccess, OperatorAction};

use crate::faults::{Decided, Family};
use crate::host::Kind;
use crate::options::{Deed, Options, What};
use crate::rng::Rng;

/// A story.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// How it runs.
    pub options: Options,
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// Token and products are the first two requests; then come the first create call and its repeats.
const CREATE: Range<u32> = 2..4;
/// A card that takes its time.
const SLOWLY: u64 = 600_000;

/// One story for each refusal of a create call, in the order of `refusals`.
const REFUSALS: [&str; 13] = [
    "refused_missing_info",
    "refused_incomplete_fields",
    "refused_kyc_insufficient",
    "refused_email",
    "refused_phone",
    "refused_phone_number",
    "refused_parameter",
    "refused_pool",
    "refused_balance",
    "refused_art",
    "refused_sub_account",
    "refused_too_large",
    "refused_key",
];

/// One for each refusal at the door.
const DOORS: [&str; 9] = [
    "door_expired",
    "door_format",
    "door_network",
    "door_stranger",
    "door_forbidden",
    "door_no_route",
    "door_too_slow",
    "door_conflict",
    "door_too_many",
];

/// A story of one order that only its faults tell apart.
fn story(kind: Kind, faults: &[(Family, Range<u32>, u64)]) -> Options {
    let listed = faults
        .iter()
        .flat_map(|(family, nths, details)| nths.clone().map(|nth| fault(*family, nth, *details)));
    Options {
        kinds: vec![kind],
        heal_after: 2 * HOUR,
        script: Some(listed.collect()),
        ..Options::calm(1)
    }
}

fn fault(family: Family, nth: u32, details: u64) -> Decided {
    Decided {
        family,
        nth,
        details,
    }
}

fn many(orders: usize, kinds: &[Kind], faults: &[(Family, Range<u32>, u64)]) -> Options {
    Options {
        orders,
        kinds: kinds.to_vec(),
        asked_within: MINUTE,
        ..story(Kind::Plain, faults)
    }
}

fn with(mut options: Options, change: impl FnOnce(&mut Options)) -> Options {
    change(&mut options);
    options
}

fn deed(mut options: Options, at: i64, what: What) -> Options {
    options.deeds.push(Deed { at, order: 0, what });
    options
}

/// A number from which a wait between `low` and `high` becomes one within `wanted`, all in milliseconds.
fn wait(low: f64, high: f64, wanted: Range<i64>) -> u64 {
    (0..100_000)
        .find(|details| wanted.contains(&Rng::new(*details).millis(low, high)))
        .unwrap_or(0)
}

/// All stories.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut add = |name, options| all.push(Scenario { name, options });
    roads(&mut add);
    persons(&mut add);
    network(&mut add);
    refusals(&mut add);
    webhooks(&mut add);
    ended(&mut add);
    mixed_up(&mut add);
    moved(&mut add);
    places(&mut add);
    all
}

type Add<'a> = &'a mut dyn FnMut(&'static str, Options);

fn roads(add: Add<'_>) {
    add("plain", story(Kind::Plain, &[]));
    add("prepaid", story(Kind::Prepaid, &[]));
    add("reviewed", story(Kind::Reviewed, &[]));
    let long = with(story(Kind::Reviewed, &[]), |options| {
        options.processing = SLOWLY
    });
    add("reviewed_slowly", long);
    add("link", story(Kind::Link, &[]));
    add(
        "slow_card",
        with(story(Kind::Plain, &[]), |options| {
            options.processing = SLOWLY
        }),
    );
    add(
        "active_at_once",
        story(Kind::Plain, &[(Family::ActiveAtOnce, 0..1, 0)]),
    );
    let read = |options: &mut Options| options.policy.activation = Activation::Read;
    add("activation_by_read", with(story(Kind::Plain, &[]), read));
    add(
        "asked_twice",
        story(Kind::Plain, &[(Family::AskedTwice, 0..1, 0)]),
    );
    add(
        "asked_other",
        story(Kind::Plain, &[(Family::AskedOther, 0..1, 0)]),
    );
    add(
        "reply_lost",
        story(Kind::Plain, &[(Family::ReplyLost, 0..2, 0)]),
    );
    add(
        "notice_lost",
        story(Kind::Plain, &[(Family::NoticeLost, 0..3, 1)]),
    );
    add(
        "six_orders",
        many(6, &[Kind::Plain, Kind::Link, Kind::Prepaid], &[]),
    );
}

fn persons(add: Add<'_>) {
    // A multiple of four is somebody who never comes, or who fails.
    let absent = [(Family::PersonFails, 0..1, 0)];
    let short = |renewals| {
        move |options: &mut Options| {
            options.link_life = 600;
            options.policy.idv_renewals = renewals;
        }
    };
    add("link_renewed", with(story(Kind::Link, &absent), short(1)));
    let refused = [(Family::PersonFails, 0..1, 0), (Family::Refusal, 1..2, 1)];
    add("link_refused", with(story(Kind::Link, &refused), short(1)));
    let never = [(Family::PersonFails, 0..9, 0)];
    add("link_expired", with(story(Kind::Link, &never), short(0)));
    add(
        "link_expired_twice",
        with(story(Kind::Link, &never), short(1)),
    );
    add(
        "link_expired_attention",
        with(with(story(Kind::Link, &never), short(0)), |options| {
            options.policy.idv_expired = IdvExpired::Attention;
        }),
    );
    let comes = wait(1_000.0, 2.0 * 86_400_000.0, 10_000..60_000);
    // The first decision is when they come, the second what they do there.
    let does = |what| {
        [
            (Family::PersonFails, 0..1, odd(comes)),
            (Family::PersonFails, 1..2, what),
        ]
    };
    add("person_fails", story(Kind::Link, &does(0)));
    add("person_submits", story(Kind::Link, &does(1)));
    add("person_incomplete", story(Kind::Link, &does(2)));
    add("person_leaves", story(Kind::Link, &does(3)));
    add(
        "same_person",
        many(2, &[Kind::Plain], &[(Family::SamePerson, 0..1, 0)]),
    );
    add(
        "same_person_link",
        many(2, &[Kind::Link], &[(Family::SamePerson, 0..1, 0)]),
    );
    let late = story(Kind::Link, &[(Family::LateRefresh, 0..1, 0)]);
    add("link_refreshed_late", with(late, short(0)));
    add(
        "link_refreshed",
        deed(
            story(Kind::Link, &absent),
            5 * MINUTE,
            What::Operate(OperatorAction::RefreshIdvLink),
        ),
    );
}

/// The next number that is no multiple of four and gives about the same wait.
fn odd(details: u64) -> u64 {
    (details..)
        .find(|details| {
            let wait = Rng::new(*details).millis(1_000.0, 2.0 * 86_400_000.0);
            details % 4 != 0 && (10_000..60_000).contains(&wait)
        })
        .unwrap_or(1)
}

fn network(add: Add<'_>) {
    add(
        "refused",
        story(Kind::Plain, &[(Family::Refused, CREATE, 0)]),
    );
    add(
        "request_lost",
        story(Kind::Plain, &[(Family::RequestLost, CREATE, 0)]),
    );
    add(
        "answer_lost",
        story(Kind::Plain, &[(Family::AnswerLost, CREATE, 0)]),
    );
    add(
        "answer_lost_link",
        story(Kind::Link, &[(Family::AnswerLost, CREATE, 0)]),
    );
    let late = wait(5_000.0, 300_000.0, 60_000..120_000);
    add(
        "answer_late",
        story(Kind::Plain, &[(Family::AnswerLate, CREATE, late)]),
    );
    add(
        "request_twice",
        story(Kind::Plain, &[(Family::RequestTwice, CREATE, 7)]),
    );
    add(
        "error_before",
        story(Kind::Plain, &[(Family::ErrorBefore, CREATE, 1)]),
    );
    add(
        "error_kept",
        story(Kind::Plain, &[(Family::ErrorBefore, CREATE, 64)]),
    );
    add(
        "error_after",
        story(Kind::Plain, &[(Family::ErrorAfter, CREATE, 2)]),
    );
    add(
        "truncated",
        story(Kind::Plain, &[(Family::Unreadable, CREATE, 0)]),
    );
    add(
        "page_for_people",
        story(Kind::Plain, &[(Family::Unreadable, CREATE, 1)]),
    );
    add(
        "processing",
        story(Kind::Plain, &[(Family::Processing, CREATE, 0)]),
    );
    let slow = wait(200.0, 120_000.0, 40_000..90_000);
    add(
        "slow_effect",
        story(Kind::Plain, &[(Family::Slow, CREATE, slow)]),
    );
    add(
        "too_many",
        story(Kind::Plain, &[(Family::TooMany, CREATE, 0)]),
    );
    add(
        "turned_away",
        story(Kind::Plain, &[(Family::Turned, CREATE, 0)]),
    );
    add(
        "evicted",
        story(Kind::Link, &[(Family::Eviction, 0..16, 0)]),
    );
    let away = wait(10_000.0, 3.0 * 86_400_000.0, 5 * MINUTE..20 * MINUTE);
    add(
        "outage",
        story(Kind::Plain, &[(Family::Outage, 0..1, away)]),
    );
}

fn refusals(add: Add<'_>) {
    add("empty_pool", story(Kind::EmptyPool, &[]));
    for (name, nth) in REFUSALS.into_iter().zip(0..) {
        add(name, story(Kind::Plain, &[(Family::Refusal, 0..1, nth)]));
    }
    for (name, nth) in DOORS.into_iter().zip(0..) {
        add(name, story(Kind::Plain, &[(Family::NoEntry, 0..4, nth)]));
    }
    add(
        "empty_pool_many",
        many(4, &[Kind::EmptyPool, Kind::Plain], &[]),
    );
    add(
        "leftover",
        story(Kind::Plain, &[(Family::Leftover, 0..1, 0)]),
    );
    add(
        "card_fails",
        story(Kind::Plain, &[(Family::CardFails, 0..1, 0)]),
    );
    add(
        "never_active",
        story(Kind::Plain, &[(Family::NeverActive, 0..1, 0)]),
    );
    // The key ages out while no answer comes: absence is proved, or the card is found.
    let aged = |options: &mut Options| {
        options.policy.key_safe_age = std::time::Duration::from_secs(90);
    };
    let nothing = [(Family::RequestLost, 2..40, 0)];
    add("absence_proved", with(story(Kind::Plain, &nothing), aged));
    let grows_old = [(Family::RequestLost, 2..3, 0), (Family::OldKey, 0..2, 1)];
    add("key_grows_old", with(story(Kind::Plain, &grows_old), aged));
    let found = [(Family::AnswerLost, 2..12, 0)];
    add("found_by_search", with(story(Kind::Plain, &found), aged));
    // From the renewal's, or the cancel's, first send on nothing arrives until its key is too old.
    let renewal = [
        (Family::PersonFails, 0..1, 0),
        (Family::RequestLost, 7..30, 0),
    ];
    let renewal = with(story(Kind::Link, &renewal), |options| {
        options.link_life = 600;
        options.policy.idv_renewals = 1;
    });
    add("renewal_key_aged", with(renewal, aged));
    let cancel = story(Kind::Plain, &[(Family::RequestLost, 3..30, 0)]);
    let cancel = deed(cancel, 5 * MINUTE, What::Cancel);
    add("cancel_of_active_key_aged", with(cancel, aged));
    let asked = |options: &mut Options| {
        aged(options);
        options.policy.absence = AbsencePolicy::Attention;
    };
    let agreed = with(
        story(Kind::Plain, &[(Family::RequestLost, 2..20, 0)]),
        asked,
    );
    let agreed = deed(agreed, HOUR, What::Operate(OperatorAction::Resubmit));
    let approve = What::Operate(OperatorAction::ApproveResubmit);
    add("resubmitted", deed(agreed, HOUR + 5 * SECOND, approve));
    let lost = [
        (Family::AnswerLost, 2..3, 0),
        (Family::ForgottenKeys, 0..4, 0),
    ];
    add("keys_forgotten", story(Kind::Plain, &lost));
}

fn webhooks(add: Add<'_>) {
    add(
        "webhook_early",
        story(Kind::Plain, &[(Family::WebhookEarly, 0..1, 0)]),
    );
    add(
        "webhook_early_link",
        story(Kind::Link, &[(Family::WebhookEarly, 0..1, 0)]),
    );
    add(
        "webhooks_lost",
        story(Kind::Link, &[(Family::WebhookLost, 0..40, 0)]),
    );
    add(
        "webhooks_again",
        story(Kind::Link, &[(Family::WebhookAgain, 0..8, 5)]),
    );
    let late = wait(1_000.0, 3.0 * 86_400_000.0, HOUR..3 * HOUR);
    add(
        "webhooks_late",
        story(Kind::Link, &[(Family::WebhookLate, 0..4, late)]),
    );
    add(
        "acks_lost",
        story(Kind::Plain, &[(Family::AckLost, 0..6, 0)]),
    );
    for (name, details) in [("forged_body", 0), ("forged_nothing", 1), ("spliced", 3)] {
        add(
            name,
            story(Kind::Plain, &[(Family::WebhookForged, 0..4, details)]),
        );
    }
    let variants = with(many(3, &[Kind::Plain, Kind::Link], &[]), |options| {
        options.set(Family::Variants, 1.0);
    });
    add("variants", variants);
}

/// What is said is about another card. The first decision is about the order's messages, the second about the answer to its
/// create call, the others about reads of its card.
fn mixed_up(add: Add<'_>) {
    let mixed = |nth: u32, details| (Family::MixUp, nth..nth + 1, details);
    add("mixed_answer", story(Kind::Plain, &[mixed(1, 3)]));
    add("mixed_message", story(Kind::Plain, &[mixed(0, 0)]));
    let unanswered = [mixed(0, 0), (Family::AnswerLost, 2..3, 0)];
    add("mixed_message_first", story(Kind::Plain, &unanswered));
    let slow = with(story(Kind::Plain, &[mixed(2, 1)]), |options| {
        options.processing = SLOWLY
    });
    add("mixed_read", slow);
    let absent = [mixed(2, 3), (Family::PersonFails, 0..1, 0)];
    add("mixed_read_link", story(Kind::Link, &absent));
}

/// Somebody else freezes, blocks or cancels the card. The first decision is when it becomes active, the second when our
/// cancel arrives.
fn moved(add: Add<'_>) {
    let moved = |nth: u32, what: u64| (Family::CardMoved, nth..nth + 1, 2 * what);
    let unheard = (Family::WebhookLost, 0..40, 0);
    let (frozen, blocked, cancelled) = (0, 2, 4);
    for (name, what) in [
        ("frozen_unheard", frozen),
        ("blocked_unheard", blocked),
        ("cancelled_by_others_unheard", cancelled),
    ] {
        let faults = [moved(0, what), unheard.clone()];
        add(name, story(Kind::Plain, &faults));
    }
    for (name, nth, what) in [
        ("cancel_frozen", 0, frozen),
        ("cancel_blocked", 0, blocked),
        ("cancel_while_blocked", 1, blocked),
        ("cancelled_by_others_meanwhile", 1, cancelled),
    ] {
        let story = story(Kind::Plain, &[moved(nth, what)]);
        add(name, deed(story, 5 * MINUTE, What::Cancel));
    }
    // It comes after its order was given up, and is frozen when it is looked for.
    let late = story(Kind::Plain, &[moved(0, frozen), unheard]);
    let late = with(late, |options| options.processing = SLOWLY);
    let fail = What::Operate(OperatorAction::Fail);
    add("failed_then_card_frozen", deed(late, 2 * MINUTE, fail));
}

/// Cancelled, failed, paused, erased: by people.
fn ended(add: Add<'_>) {
    let lost = [(Family::RequestLost, 2..5, 0)];
    let cancel = What::Cancel;
    add(
        "cancel_requested",
        deed(story(Kind::Plain, &lost), 10 * SECOND, cancel),
    );
    let slow = with(story(Kind::Plain, &[]), |options| {
        options.processing = SLOWLY
    });
    add("cancel_accepted", deed(slow.clone(), 2 * MINUTE, cancel));
    let absent = [(Family::PersonFails, 0..1, 0)];
    add(
        "cancel_idv_pending",
        deed(story(Kind::Link, &absent), 2 * MINUTE, cancel),
    );
    add(
        "cancel_active",
        deed(story(Kind::Plain, &[]), 5 * MINUTE, cancel),
    );
    let fails = [(Family::CardFails, 0..1, 0)];
    add(
        "cancel_failed",
        deed(story(Kind::Plain, &fails), 5 * MINUTE, cancel),
    );
    let act = What::Operate;
    let late = [(Family::AnswerLost, 2..9, 0)];
    let failed = deed(
        story(Kind::Plain, &late),
        5 * SECOND,
        act(OperatorAction::Fail),
    );
    let undo = |options: &mut Options| options.policy.late_success = LateSuccess::Cancel;
    add("failed_then_card", failed.clone());
    add("failed_then_card_cancelled", with(failed.clone(), undo));
    // The cancel's key ages out while nothing gets through.
    let aged = with(failed.clone(), |options| {
        undo(options);
        options.policy.key_safe_age = std::time::Duration::from_secs(90);
        if let Some(script) = &mut options.script {
            script.extend((12..60).map(|nth| fault(Family::RequestLost, nth, 0)));
        }
    });
    add("cancel_key_aged", aged);
    let unwanted = [(Family::Refusal, 1..2, 0)];
    let unwanted = deed(story(Kind::Plain, &unwanted), 5 * MINUTE, cancel);
    add("cancel_refused", unwanted);
    let never = [(Family::Refusal, 1..9, 1)];
    add(
        "cancel_refused_always",
        deed(story(Kind::Plain, &never), 5 * MINUTE, cancel),
    );
    // Taken, and nothing comes of it: once, five times, twice and nobody says so.
    let in_vain = |details| {
        let taken = story(Kind::Plain, &[(Family::CancelInVain, 0..1, details)]);
        deed(taken, 5 * MINUTE, cancel)
    };
    add("cancel_in_vain", in_vain(0));
    add("cancel_in_vain_always", in_vain(4));
    let retry = act(OperatorAction::RetryNow);
    let again = deed(in_vain(0x301), 40 * MINUTE, retry);
    add("cancel_in_vain_silently", deed(again, HOUR, retry));
    add(
        "cancel_of_late_card_in_vain",
        with(failed.clone(), |options| {
            undo(options);
            if let Some(script) = &mut options.script {
                script.push(fault(Family::CancelInVain, 0, 0));
            }
        }),
    );
    add(
        "cancel_of_late_card_refused",
        with(failed.clone(), |options| {
            undo(options);
            if let Some(script) = &mut options.script {
                script.push(fault(Family::Refusal, 1, 0));
            }
        }),
    );
    let resolve = act(OperatorAction::ResolveDiscrepancy);
    add("discrepancy_resolved", deed(failed, HOUR, resolve));
    let paused = deed(slow, MINUTE, act(OperatorAction::Pause));
    add("paused", paused.clone());
    add(
        "resumed",
        deed(paused, 30 * MINUTE, act(OperatorAction::Resume)),
    );
    let erase = act(OperatorAction::ErasePersonalData);
    add(
        "erased_active",
        deed(story(Kind::Plain, &[]), 10 * MINUTE, erase),
    );
    add(
        "erased_failed",
        deed(story(Kind::Plain, &fails), 10 * MINUTE, erase),
    );
    add(
        "retried",
        deed(story(Kind::EmptyPool, &[]), 5 * MINUTE, retry),
    );
    let look = act(OperatorAction::LookUpNow);
    add(
        "looked_up",
        deed(story(Kind::Plain, &lost), 10 * SECOND, look),
    );
}

/// Disks, clocks and nodes.
fn places(add: Add<'_>) {
    add(
        "sync_fails",
        story(Kind::Plain, &[(Family::SyncFails, 0..1, 0)]),
    );
    let while_full = wait(1_000.0, 1_800_000.0, MINUTE..5 * MINUTE);
    add(
        "disk_full",
        story(Kind::Link, &[(Family::DiskFull, 0..1, while_full)]),
    );
    add(
        "overload",
        story(Kind::Plain, &[(Family::Overload, 0..1, 9)]),
    );
    add(
        "clock_set",
        story(Kind::Link, &[(Family::ClockJump, 0..2, 5)]),
    );
    add(
        "stands_still",
        story(Kind::Plain, &[(Family::Pause, 10..12, 3)]),
    );
    let waits = wait(50.0, 20_000.0, 4_000..10_000);
    add(
        "overtaken",
        story(Kind::Plain, &[(Family::Overtaken, 0..1, waits)]),
    );
    let rush = |options: &mut Options| options.asked_within = 5 * SECOND;
    add("rush", with(many(120, &[Kind::Plain], &[]), rush));
    let nodes = |nodes| move |options: &mut Options| options.nodes = nodes;
    let kinds = [Kind::Plain, Kind::Link];
    add("two_nodes", with(many(4, &kinds, &[]), nodes(2)));
    let evicted = [(Family::Eviction, 0..16, 1)];
    add(
        "three_nodes_evicted",
        with(many(4, &kinds, &evicted), nodes(3)),
    );
    let skewed = with(many(3, &kinds, &[]), |options| {
        options.nodes = 2;
        options.skew = 5 * MINUTE;
    });
    add("two_nodes_skewed", skewed);
}
