//! The suite every store passes. A rule is an async function over a [`Subject`]; [`store_conformance!`] makes a test of
//! each, the same for all stores.
//!
//! [`store_conformance!`]: crate::store_conformance
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken rule is a panic"
)]

mod claims;
mod concurrent;
mod durable;
mod erasure;
mod fixture;
mod inbox;
mod log;
mod lookups;

use std::sync::Arc;

use async_trait::async_trait;
use issuance_domain::Policy;

use crate::store::Store;

pub use claims::*;
pub use concurrent::*;
pub use durable::*;
pub use erasure::*;
pub use inbox::*;
pub use log::*;
pub use lookups::*;

/// A store under test, with a way to take it down and up again.
#[async_trait]
pub trait Subject: Send + Sync {
    /// An empty store under a policy.
    async fn start(policy: Policy) -> Self
    where
        Self: Sized;

    /// The store as it is now.
    fn store(&self) -> Arc<dyn Store>;

    /// Takes the store down without a farewell and opens what is durable.
    async fn reopen(&mut self);
}

/// Makes a test of every rule for one kind of store: `store_conformance!(MySubject);` in a test file of its own.
#[macro_export]
macro_rules! store_conformance {
    ($subject:ty) => {
        $crate::store_conformance! { @tests $subject:
            versions_count_events
            an_append_on_an_old_version_is_refused
            an_append_of_several_events_is_one
            positions_have_no_gaps
            an_append_must_follow_from_its_events
            history_is_whole_and_in_order
            a_long_history_is_whole
            reading_on_never_skips
            waiting_for_growth_is_never_late
            a_reference_names_one_order
            a_reference_is_free_in_another_account
            aliases_find_orders
            a_cardholder_can_be_shared
            lists_are_newest_first_and_paged
            lists_filter
            counts_follow
            a_claim_is_exclusive
            a_claim_ends_by_itself
            a_newer_claim_wins
            a_released_task_is_due_when_told
            a_task_given_back_waits_for_its_own_time
            the_same_task_keeps_its_claim
            a_due_time_the_order_moved_replaces_the_rows
            what_is_no_longer_owed_is_gone
            the_next_due_task_is_known
            waiting_for_tasks_is_never_late
            a_message_is_stored_once
            a_forged_message_is_kept_out
            digests_of_bodies_are_keyed
            messages_are_pending_in_order
            a_message_is_settled_once
            an_append_settles_its_message
            a_refused_append_settles_nothing
            a_parked_message_returns_when_its_order_learns_the_name
            a_parked_message_returns_when_its_order_appears
            a_message_is_not_parked_when_its_order_is_known
            a_quarantined_message_waits_for_a_person
            what_a_settled_message_said_is_gone_and_stays_gone
            waiting_for_messages_is_never_late
            sealed_data_comes_back
            sealed_data_of_a_refused_append_does_not
            what_is_erased_is_gone_and_stays_gone
            an_erasure_ends_one_orders_data
            a_body_that_comes_after_an_erasure_was_asked_for_is_not_kept
            appenders_on_one_order_take_turns
            appenders_on_many_orders_all_succeed
            racers_for_one_reference_have_one_winner
            racers_with_one_message_store_it_once
            racers_to_settle_have_one_winner
            claims_of_racers_do_not_overlap
            orders_survive
            tasks_survive_without_claims
            the_inbox_survives
            parked_messages_survive
        }
    };
    (@tests $subject:ty: $($rule:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $crate::conformance::$rule::<$subject>().await;
            }
        )+
    };
}
