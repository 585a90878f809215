//! The faults F-014 to F-076, in our own words. A test named after its fault proves it without being listed.

use super::{Row, row};

pub(super) const FAULTS: &[Row] = &[
    row("F-014", "dead after the request is durable", &[]),
    row("F-015", "dead with an intent not yet durable", &[]),
    row("F-016", "dead between the intent and the call", &[]),
    row("F-017", "the call never arrived", &[]),
    row("F-018", "card made, answer lost", &[]),
    row("F-019", "dead between the answer and its record", &[]),
    row("F-020", "message handled before the answer's record", &[]),
    row("F-021", "dead between the outcome and its timers", &[]),
    row("F-022", "dead again and again", &[]),
    row("F-023", "paused between deciding and sending", &[]),
    row(
        "F-024",
        "recovery meets what is already running",
        &["a_claim_is_exclusive"],
    ),
    row(
        "F-025",
        "provider cannot be reached",
        &[
            "a_refused_connection_is_not_sent",
            "tls_that_fails_or_stalls_is_not_sent",
        ],
    ),
    row(
        "F-026",
        "no answer in time, card made",
        &["silence_is_unknown_before_and_inside_the_answer"],
    ),
    row(
        "F-027",
        "answers nobody can read",
        &[
            "a_truncated_answer_is_unknown",
            "html_from_a_proxy_is_unknown",
            "a_huge_answer_is_not_read",
        ],
    ),
    row("F-028", "another client's mint ends our token", &[]),
    row("F-029", "two nodes mint in turns", &[]),
    row(
        "F-030",
        "token over on the way",
        &["expiry_is_read_in_every_form"],
    ),
    row(
        "F-031",
        "no token to be had",
        &[
            "a_mint_that_fails_says_how",
            "a_mint_refused_is_about_the_credentials",
        ],
    ),
    row(
        "F-032",
        "too many calls, absurd waits",
        &[
            "a_rate_limit_carries_its_wait",
            "reads_seconds_and_dates",
            "too_many_closes_it_within_reason_and_then_it_goes_on_evenly",
            "a_provider_with_a_smaller_limit_is_asked_again_in_its_next_minute",
        ],
    ),
    row("F-033", "the same server error for ever", &[]),
    row(
        "F-034",
        "e-mail or phone taken after an unknown outcome",
        &[],
    ),
    row("F-035", "a cached refusal after the data was mended", &[]),
    row("F-036", "the same key is being worked on", &[]),
    row(
        "F-037",
        "a key older than the provider's memory",
        &["contract_9_4_an_old_key_is_never_sent_and_proof_is_looked_for"],
    ),
    row("F-038", "the provider forgets its keys early", &[]),
    row("F-039", "a 500 that may be repeated", &[]),
    row("F-040", "an answer that belongs to another order", &[]),
    row(
        "F-041",
        "unknown words, missing members, odd forms",
        &[
            "words_are_open_and_any_case",
            "amounts_are_decimals_or_nothing",
        ],
    ),
    row(
        "F-042",
        "times with and without a zone",
        &["times_have_an_offset_or_are_nothing"],
    ),
    row("F-043", "redirects", &["a_redirect_is_not_followed"]),
    row("F-044", "a slow provider and many orders", &[]),
    row("F-045", "an outage of days", &[]),
    row("F-046", "message before the ids are known", &[]),
    row("F-047", "the same message many times at once", &[]),
    row(
        "F-048",
        "messages out of order",
        &["shuffled_repeated_or_lost_every_world_ends_the_same"],
    ),
    row(
        "F-049",
        "message long after the end",
        &["contract_9_2_late_success_*"],
    ),
    row(
        "F-050",
        "no message ever",
        &["with_every_message_lost_a_look_up_is_enough"],
    ),
    row(
        "F-051",
        "forged messages",
        &[
            "everything_that_must_be_refused",
            "whoever_cannot_sign_is_told_one_thing",
        ],
    ),
    row(
        "F-052",
        "replay inside the window",
        &["stored_then_acknowledged_once_and_again"],
    ),
    row(
        "F-053",
        "replay outside the window",
        &["outside_the_window_is_told_apart_from_forged"],
    ),
    row("F-054", "our clock is off", &[]),
    row(
        "F-055",
        "odd timestamps",
        &[
            "everything_that_must_be_refused",
            "exactly_one_of_each_header",
        ],
    ),
    row(
        "F-056",
        "bytes moved between body and timestamp",
        &["no_other_split_of_body_and_timestamp_passes"],
    ),
    row("F-057", "signed, but nobody can read it", &[]),
    row("F-058", "dead between the inbox and the 200", &[]),
    row("F-059", "200 before the message is durable", &[]),
    row(
        "F-060",
        "store down",
        &["what_cannot_be_stored_is_asked_for_again"],
    ),
    row(
        "F-061",
        "secrets being replaced",
        &["two_secrets_live_while_one_is_replaced"],
    ),
    row(
        "F-062",
        "empty or short secret",
        &["weak_secrets_make_no_verifier"],
    ),
    row(
        "F-063",
        "unknown events and versions",
        &["names_swap_data_goes_missing_and_strangers_are_let_through"],
    ),
    row("F-064", "another account's event", &[]),
    row("F-065", "flood", &["too_large_is_not_even_verified"]),
    row(
        "F-066",
        "message and record disagree",
        &["contract_9_2_created_but_not_active_is_read"],
    ),
    row("F-067", "link over while the success is on its way", &[]),
    row("F-068", "person done just in time, card hours later", &[]),
    row(
        "F-069",
        "link renewed while the old timer runs",
        &["a_timer_of_another_state_does_nothing"],
    ),
    row(
        "F-070",
        "a link's end missing, past, far or without zone",
        &[],
    ),
    row("F-071", "clock jumps", &[]),
    row("F-072", "two nodes with different clocks", &[]),
    row(
        "F-073",
        "a week down, many timers due",
        &["five_thousand_waiting_orders_use_the_budget_and_never_trip_the_limit"],
    ),
    row("F-074", "dead between a timer and its event", &[]),
    row("F-075", "timer of a finished order, poison timer", &[]),
    row(
        "F-076",
        "timers a thousand years ahead",
        &["never_overflows"],
    ),
];
