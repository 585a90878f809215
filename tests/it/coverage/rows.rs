//! The rows of contract §9, in our own words.

use super::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "9.1 a",
        "2xx, pending, no identity check",
        &["contract_9_1_pending_is_accepted_and_polled"],
    ),
    row(
        "9.1 b",
        "2xx with a link",
        &["contract_9_1_with_a_link_waits_for_the_person"],
    ),
    row(
        "9.1 c",
        "2xx, action required, no link",
        &["contract_9_1_action_required_without_a_link_looks_for_one"],
    ),
    row(
        "9.1 d",
        "2xx, under review",
        &["contract_9_1_under_review_is_polled_slowly"],
    ),
    row(
        "9.1 e",
        "2xx, card already active",
        &["contract_9_1_an_end_in_the_answer_is_read_before_it_is_believed"],
    ),
    row(
        "9.1 f",
        "2xx, card or order failed",
        &["contract_9_1_an_end_in_the_answer_is_read_before_it_is_believed"],
    ),
    row(
        "9.1 g",
        "2xx, person rejected",
        &["contract_9_1_an_end_in_the_answer_is_read_before_it_is_believed"],
    ),
    row(
        "9.1 h",
        "2xx, a word nobody documented",
        &[
            "contract_9_1_an_unknown_word_is_accepted_polled_and_shown",
            "f_041_*",
        ],
    ),
    row(
        "9.1 i",
        "2xx without a card but with a code",
        &["a_success_must_bring_its_id"],
    ),
    row(
        "9.1 j",
        "2xx unreadable, cut off or without its id",
        &["a_success_must_bring_its_id", "f_027_*"],
    ),
    row(
        "9.1 k",
        "replay, same card",
        &[
            "contract_9_1_a_replay_with_the_same_card_is_nothing_new",
            "f_018_*",
        ],
    ),
    row(
        "9.1 l",
        "replay, another card",
        &[
            "contract_9_1_a_replay_with_another_card_needs_a_person",
            "f_040_*",
        ],
    ),
    row(
        "9.1 m",
        "our mistake or configuration",
        &["contract_9_1_our_own_mistake_and_an_unknown_code_also_call_a_person"],
    ),
    row(
        "9.1 n",
        "fields missing or identity data insufficient",
        &["contract_9_1_refused_data_ends_the_order_for_the_host_to_correct"],
    ),
    row(
        "9.1 o",
        "e-mail or phone taken",
        &["contract_9_1_duplicate_*", "f_034_*"],
    ),
    row(
        "9.1 p",
        "bad phone number, region refused, unknown 4xx",
        &[
            "contract_9_1_refused_data_ends_the_order_for_the_host_to_correct",
            "contract_9_1_our_own_mistake_and_an_unknown_code_also_call_a_person",
            "every_row_of_the_table",
        ],
    ),
    row(
        "9.1 q",
        "no cards, no money, no quota",
        &[
            "contract_9_1_no_capacity_*",
            "contract_9_1_an_empty_pool_*",
            "one_alarm_and_one_order_at_a_time",
        ],
    ),
    row(
        "9.1 r",
        "turned away at the door: credentials, address, route, 403",
        &["opens_at_once_when_turned_away_and_probes_once", "f_031_*"],
    ),
    row("9.1 s", "\"request is processing\"", &["f_036_*"]),
    row(
        "9.1 t",
        "key used with another body",
        &["contract_9_1_key_conflict_sends_nothing_more_by_itself"],
    ),
    row("9.1 u", "401, token expired", &["f_028_*", "f_030_*"]),
    row(
        "9.1 v",
        "429",
        &[
            "f_032_*",
            "a_provider_with_a_smaller_limit_is_asked_again_in_its_next_minute",
        ],
    ),
    row(
        "9.1 w",
        "5xx, 408, 409, no answer",
        &[
            "contract_9_1_silence_keeps_the_order_its_key_and_its_body",
            "contract_9_1_an_outcome_unknown_*",
            "f_026_*",
            "f_033_*",
        ],
    ),
    row(
        "9.1 x",
        "not sent",
        &[
            "f_025_*",
            "a_refused_connection_is_not_sent",
            "tls_that_fails_or_stalls_is_not_sent",
        ],
    ),
    row(
        "9.1 y",
        "process dead after the intent",
        &[
            "contract_9_1_a_crash_after_send_is_a_lost_connection",
            "f_016_*",
        ],
    ),
    row(
        "9.2 a",
        "card created",
        &[
            "contract_9_2_created_*",
            "contract_9_2_an_active_card_means_the_check_is_done",
            "contract_9_2_an_early_message_*",
            "contract_9_2_late_success_*",
        ],
    ),
    row(
        "9.2 b",
        "card creation failed",
        &[
            "contract_9_2_a_reported_failure_*",
            "contract_9_2_reported_failed_*",
            "contract_9_2_a_failed_creation_*",
            "contract_9_2_failed_after_active_is_shown_and_stays",
        ],
    ),
    row(
        "9.2 c",
        "person verified",
        &["contract_9_2_person_verified_*", "contract_9_2_passed_*"],
    ),
    row(
        "9.2 d",
        "person rejected",
        &["contract_9_2_person_rejected_*", "contract_9_2_rejected_*"],
    ),
    row(
        "9.2 e",
        "more wanted of the person",
        &["contract_9_2_more_wanted_*", "contract_9_2_incomplete_*"],
    ),
    row(
        "9.2 f",
        "person pending or unknown",
        &["contract_9_2_person_pending_*", "contract_9_2_submitted_*"],
    ),
    row(
        "9.2 g",
        "cardholder updated",
        &["contract_9_2_a_changed_person_is_read_only_while_waited_for"],
    ),
    row(
        "9.2 h",
        "card status active",
        &["contract_9_2_a_status_update_is_read_before_it_is_believed"],
    ),
    row(
        "9.2 i",
        "card frozen, blocked or cancelled",
        &[
            "contract_9_2_a_status_update_is_read_before_it_is_believed",
            "contract_9_2_a_message_against_an_active_card_is_read_once",
        ],
    ),
    row(
        "9.2 j",
        "card status update failed",
        &["contract_9_2_a_cancel_*"],
    ),
    row("9.2 k", "other issuing events", &["f_063_*"]),
    row(
        "9.2 l",
        "no order found",
        &[
            "contract_9_2_a_message_that_names_no_card_of_ours_accepts_nothing",
            "f_046_*",
            "f_064_*",
        ],
    ),
    row(
        "9.3 a",
        "card active",
        &["contract_9_3_a_read_card_decides"],
    ),
    row(
        "9.3 b",
        "card failed",
        &["contract_9_3_a_read_card_decides"],
    ),
    row(
        "9.3 c",
        "card pending",
        &["contract_9_3_a_read_card_decides"],
    ),
    row(
        "9.3 d",
        "card frozen, blocked or cancelled",
        &["contract_9_3_a_read_card_decides"],
    ),
    row(
        "9.3 e",
        "card not found",
        &["contract_9_3_card_not_found_is_ignored_for_two_minutes"],
    ),
    row(
        "9.3 f",
        "order done, card not active yet",
        &[
            "contract_9_3_a_read_order",
            "contract_9_3_an_order_that_is_done_*",
        ],
    ),
    row(
        "9.3 g",
        "order failed",
        &["contract_9_3_a_read_order", "contract_9_3_a_failed_order_*"],
    ),
    row("9.3 h", "order pending", &["contract_9_3_a_read_order"]),
    row(
        "9.3 i",
        "person verified while a link is out",
        &[
            "contract_9_2_passed_drops_the_link_and_waits_for_the_card",
            "f_067_*",
        ],
    ),
    row(
        "9.3 j",
        "person rejected",
        &["contract_9_2_person_rejected_is_read_before_it_is_believed"],
    ),
    row("9.3 k", "link changed", &["contract_9_3_a_changed_link_*"]),
    row(
        "9.3 l",
        "person pending",
        &["contract_9_3_a_pending_person_*"],
    ),
    row(
        "9.3 m",
        "the look-up itself failed",
        &["contract_9_3_a_look_up_that_fails_*"],
    ),
    row(
        "9.4 a",
        "create replay",
        &[
            "contract_9_1_silence_keeps_the_order_its_key_and_its_body",
            "doubles_up_to_the_cap",
        ],
    ),
    row(
        "9.4 b",
        "key window over",
        &[
            "contract_9_4_an_old_key_is_never_sent_and_proof_is_looked_for",
            "contract_6_5_*",
        ],
    ),
    row(
        "9.4 c",
        "accepted poll",
        &["contract_9_1_pending_is_accepted_and_polled", "f_050_*"],
    ),
    row(
        "9.4 d",
        "accepted too long",
        &["contract_9_4_too_long_calls_a_person_and_polls_go_on"],
    ),
    row("9.4 e", "webhook silence", &["f_050_*"]),
    row(
        "9.4 f",
        "reminder before a link ends",
        &["contract_9_4_f_*"],
    ),
    row(
        "9.4 g",
        "link over",
        &[
            "contract_9_4_expiry_*",
            "contract_9_4_when_renewals_*",
            "f_067_*",
            "f_068_*",
        ],
    ),
    row(
        "9.4 h",
        "review",
        &[
            "contract_9_4_too_long_calls_a_person_and_polls_go_on",
            "f_068_*",
        ],
    ),
    row("9.4 i", "orphan events reported", &["contract_9_4_i_*"]),
    row(
        "9.4 j",
        "cancel looked up until done",
        &[
            "contract_2_7_an_order_is_cancelled_in_every_state",
            "a_pending_card_is_waited_for_then_cancelled",
        ],
    ),
];
