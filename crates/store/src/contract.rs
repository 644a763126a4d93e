//! What every store must do, as tests that a store's crate runs against itself.
//!
//! ```ignore
//! axon_store::contract_tests!(open);   // async fn open() -> (Arc<dyn Store>, impl Sized)
//! ```
//!
//! The factory gives a new, empty store and something to hold while it is used (its folder). After each test the journal is
//! proved, and the directory that its records rebuild is compared with the one that is loaded.

pub mod access;
pub mod costs;
pub mod directory;
pub mod health;
pub mod holds;
pub mod integrations;
pub mod journal;
pub mod kit;
pub mod leavers;
pub mod lists;
pub mod maps;
pub mod members;
pub mod pages;
pub mod race;
pub mod removals;
pub mod retry;
pub mod shipping;
pub mod state;
pub mod tokens;

/// One `#[tokio::test]` for each line of the contract.
#[macro_export]
macro_rules! contract_tests {
    ($open:ident) => {
        $crate::contract_tests!(@each $open;
            directory: a_user_reads_back, a_name_that_differs_in_case_is_taken, a_put_of_the_same_changes_nothing,
                a_patch_that_fails_changes_nothing, a_deleted_user_leaves_its_groups, sources_do_not_see_each_other,
                an_inactive_user_comes_back_where_the_source_wants_it, a_stale_version_is_refused,
                group_names_are_unique_where_the_source_says_so, a_changed_external_id_is_said_in_the_record,
                hostile_texts_come_back_as_they_were, keys_have_a_length;
            members: a_present_member_changes_nothing, one_request_that_adds_and_removes_changes_nothing,
                named_members_alone_are_removed, all_members_go_with_a_bare_remove, a_put_makes_its_members_the_only_ones,
                a_put_without_members_keeps_them,
                an_unknown_member_waits_and_joins, a_parked_member_can_be_removed, parking_can_be_forbidden,
                parked_members_are_counted_and_capped, members_of_another_source_stay_unknown, groups_nest,
                members_that_match_a_filter_are_removed, many_members_go_in_and_out;
            lists: pages_are_stable_while_others_write, keys_answer_filters, a_name_that_is_an_address_is_found_as_one, the_rest_is_evaluated,
                members_answer_filters, a_count_of_zero_asks_for_the_total;
            journal: records_are_chained_and_read_back, a_refused_write_leaves_no_record,
                an_erased_clear_part_leaves_the_chain_whole, records_of_one_kind_are_read_alone, deltas_lead_from_one_directory_to_the_next,
                a_subscriber_sees_the_position_move, a_lost_lease_appends_nothing;
            tokens: tokens_are_found_by_their_hash, a_revoked_token_says_so, kinds_and_scopes_come_back,
                a_revoked_secret_ends_what_was_given_for_it,
                a_token_for_a_secret_that_was_revoked_opens_nothing, the_last_use_only_grows,
                access_tokens_are_bounded_and_go_when_they_end;
            maps: maps_follow_each_other, the_file_s_last_version_is_known, a_pushed_version_does_not_come_back_by_the_file,
            of_many_pushes_onto_one_parent_one_is_taken,
                a_proposal_needs_another_person, a_stale_proposal_is_not_released, operators_have_tokens_of_their_own,
                exchanged_tokens_are_bounded, proposals_are_bounded;
            state: principals_are_remembered, a_summary_is_replaced, a_lease_has_one_holder;
            health: counts_of_sources_add_up, old_counts_of_sources_are_forgotten;
            holds: a_hold_is_opened_once_and_ends_once, a_name_is_bound_to_its_first_holder,
                another_external_id_takes_no_memberships_along, another_person_does_not_come_by_a_new_name, a_name_that_was_given_up_is_bound_to_who_had_it,
                a_renamed_group_is_marked, a_hold_may_take_two_persons;
            access: an_offboarding_counts_until_it_is_lifted, acting_as_another_has_both_persons_and_an_end, a_grant_waits_for_a_second_person,
                a_grant_that_is_refused_or_taken_back_gives_nothing;
            removals: removals_are_counted_and_forgotten, marks_of_what_was_made_come_back,
                a_lost_lease_notes_nothing;
            leavers: clocks_of_leavers_come_back, of_two_who_end_a_clock_one_does;
            shipping: a_sink_s_cursor_goes_forward_only, a_lost_lease_ships_nothing;
            integrations: a_place_has_one_integration, a_stale_change_of_an_integration_is_none;
            retry: a_post_that_is_sent_again_makes_nothing;
            pages: a_list_is_sorted_by_any_attribute, cursors_survive_writes, a_cursor_opens_its_own_list_only, each_place_leads_on,
                a_place_that_cannot_be_is_refused, groups_are_sorted_and_paged;
            costs: a_create_is_a_few_statements, without_members_their_table_is_not_read,
                a_list_of_groups_is_no_statement_for_each, a_thousand_members_are_a_few_statements,
                one_member_costs_the_same_in_any_group, members_come_piece_by_piece;
            race: many_writers_on_one_group_lose_nothing, one_of_many_equal_creates_wins,
                of_many_writes_of_one_version_one_is_done;
        );
    };
    (@each $open:ident; $($area:ident : $($test:ident),+ ;)+) => {
        $(mod $area {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let (store, _held) = super::$open().await;
                $crate::contract::$area::$test(&*store).await;
                $crate::contract::kit::check_whole(&*store).await;
            })+
        })+
    };
}
