//! The faults of disks and of the processes on them, F-077 to F-092, in our own words.

use super::{Row, row};

pub(super) const STORAGE: &[Row] = &[
    row(
        "F-077",
        "the power goes",
        &[
            "durability power-cut",
            "power_cuts_under_load_lose_nothing_acknowledged",
            "the_power_goes_at_every_call",
            "every_call_may_fail_and_the_power_may_go",
        ],
    ),
    row(
        "F-078",
        "kill -9",
        &[
            "durability kill",
            "survives_kill_9_and_keeps_its_mouth_shut",
            "bulk_orders_survive_a_kill_and_nothing_is_placed_twice",
        ],
    ),
    row(
        "F-079",
        "a sync fails once and then says yes",
        &[
            "durability errors",
            "durability lying-disk",
            "a_failed_sync_is_never_repeated_and_only_the_device_is_believed",
        ],
    ),
    row(
        "F-080",
        "a write fails or is short",
        &[
            "durability errors",
            "every_call_fails_once",
            "every_call_may_fail",
        ],
    ),
    row(
        "F-081",
        "no room, no handle",
        &[
            "durability full-disk",
            "a_full_disk_keeps_reads_alive_and_is_waited_out",
            "no_room_for_the_index_is_waited_out_and_reads_go_on",
            "no_handle_for_a_file_is_waited_out",
            "files_that_may_not_grow_refuse_writes_and_end_nothing",
        ],
    ),
    row(
        "F-082",
        "a torn tail",
        &[
            "durability damage",
            "a_torn_tail_is_cut",
            "every_truncation_of_the_last_segment_is_cut_to_a_whole_batch",
            "lost_sectors_of_the_last_group_are_cut",
            "an_append_of_which_a_part_is_missing_is_cut_whole",
        ],
    ),
    row(
        "F-083",
        "bytes rot in the middle",
        &[
            "durability damage",
            "every_flipped_byte*",
            "errors_name_the_place",
            "a_damaged_journal_keeps_the_store_shut",
            "one_wrong_byte_costs_the_append_it_is_in",
        ],
    ),
    row(
        "F-084",
        "segments missing, strange, emptied; an older copy put back",
        &[
            "durability damage",
            "segments_that_are_missing_moved_emptied_or_twice_keep_the_store_shut",
            "an_older_journal_is_refused_unless_accepted",
            "a_known_head_must_be_in_the_log",
        ],
    ),
    row(
        "F-085",
        "a rewritten log with new hashes",
        &[
            "a_changed_line_with_a_new_hash_breaks_the_chain_behind_it",
            "another_log_in_the_place_of_the_log_is_refused",
            "what_the_chain_cannot_show_the_fold_does",
        ],
    ),
    row(
        "F-086",
        "two processes, one directory",
        &[
            "durability kill",
            "a_second_owner_is_refused_and_told_who_the_first_is",
            "a_second_owner_is_refused",
        ],
    ),
    row(
        "F-087",
        "a directory of somebody else, open to others, or a link",
        &[
            "what_is_made_is_private",
            "open_directories_links_and_files_are_refused",
            "a_segment_that_is_a_link_is_not_followed",
        ],
    ),
    row(
        "F-088",
        "index and journal disagree",
        &[
            "the_index_is_a_function_of_the_journal",
            "an_index_left_behind_catches_up",
            "a_damaged_index_is_made_anew",
            "an_index_that_cannot_be_read_is_made_anew_while_the_store_runs",
        ],
    ),
    row(
        "F-089",
        "sled hangs",
        &["an_index_that_hangs_stops_the_store_and_is_not_waited_for"],
    ),
    row(
        "F-090",
        "values at the limits of size",
        &[
            "values_longer_than_a_row_survive",
            "the_longest_line_is_written_and_read",
            "entries_that_would_not_read_back_are_refused_before_anything_is_written",
        ],
    ),
    row(
        "F-091",
        "a slow disk",
        &["appends_wait_for_a_slow_index_and_every_read_is_right"],
    ),
    row(
        "F-092",
        "a log of millions",
        &["opening_reads_little_of_closed_segments"],
    ),
];
