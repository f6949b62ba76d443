"""What is promised of rules that know the recording and of VALT's API behind sign-in, and the tests that hold it.

A grant may ask for room, author, name, template, age, authorship and sharing; all that it asks must hold
     unit/test_policy.py::test_the_rules_agree_with_the_plain_model
     e2e/test_rules_over_valt.py::test_who_sees_what_by_what_valt_knows_and_lists_and_details_tell_no_more
     e2e/test_rules_by_the_plain_model.py::test_everybody_sees_what_the_plain_model_says_by_the_rule_that_it_says
Names of people and groups are mapped to VALT's
     e2e/test_rules_over_valt.py::test_who_sees_what_by_what_valt_knows_and_lists_and_details_tell_no_more
Details are read as the grant's account
     unit/test_policy.py::test_details_are_read_as_the_rules_own_account
     e2e/test_rules_over_valt.py::test_the_account_of_the_rule_that_fits_is_the_one_that_asks
They are believed for a minute, and loaded once however many wait
     e2e/test_rules_over_valt.py::test_details_cost_one_call_a_minute_and_are_believed_no_longer
     e2e/test_rules_over_valt.py::test_fifty_who_ask_at_once_cost_one_call_for_details
What cannot be found out is neither yes nor no
     unit/test_policy.py::test_what_cannot_be_found_out_is_neither_yes_nor_no
     unit/test_lists.py::test_details_that_cannot_be_found_out_are_no_quiet_no
     e2e/test_rules_over_valt.py::test_what_valt_cannot_tell_is_neither_yes_nor_no
A rule that needs no details costs no call
     unit/test_policy.py::test_a_rule_that_needs_no_details_costs_no_call
     e2e/test_rules_over_valt.py::test_a_person_no_rule_is_about_costs_no_call_though_rules_ask_for_details
     e2e/test_rules_over_valt.py::test_a_rule_that_needs_no_details_asks_for_none_and_leaves_the_end_of_a_recording_to_valt
A recording whose retention is over is gone
     unit/test_policy.py::test_a_recording_whose_retention_is_over_is_gone
     e2e/test_rules_over_valt.py::test_a_recording_whose_retention_is_over_is_gone
     e2e/test_request_flow.py::test_a_recording_whose_retention_is_over_is_gone
     e2e/test_api.py::test_a_recording_whose_retention_is_over_is_not_there
A recording that VALT does not know fits no rule that asks about it
     unit/test_policy.py::test_a_recording_valt_does_not_know_fits_no_rule_that_asks_about_it
     e2e/test_rules_over_valt.py::test_a_recording_that_valt_does_not_know_fits_no_rule_that_asks_about_it
explain says rule by rule why, what VALT was asked and what it said, as text or JSON, or without VALT
     unit/cli/test_explain.py::test_the_rule_that_fits_is_named_with_what_the_others_said
     unit/cli/test_explain.py::test_somebody_whom_no_rule_fits_is_exit_1
     unit/cli/test_explain.py::test_offline_what_only_valt_knows_is_neither_yes_nor_no
     unit/cli/test_explain.py::test_online_valt_is_asked_for_what_a_rule_needs_and_what_it_said_is_told
A refusal's request id leads to the same reasons in the log
     e2e/test_rules_over_valt.py::test_the_request_id_of_a_refusal_leads_to_the_reasons_in_the_log
check-config tells rules that can never fit or never decide
     unit/settings/test_broken_files.py::test_a_broken_file_is_told_with_key_line_reason_and_remedy
     unit/settings/test_reading.py::test_a_narrower_rule_after_a_wider_one_is_in_its_shadow
     unit/settings/test_reading.py::test_a_rule_after_a_narrower_one_is_not_in_its_shadow
Examples are tried against what they state of a recording
     unit/cli/test_check_config.py::test_examples_that_hold_are_counted
     unit/cli/test_check_config.py::test_an_example_states_what_a_rule_asks_for
     unit/cli/test_check_config.py::test_an_example_that_the_rules_do_not_bear_out_is_a_fault_at_its_line
README says which of VALT's rights are mirrored and which are not
     test_rules_promises.py::test_the_readme_says_of_each_of_valts_rights_whether_it_is_mirrored
A client written for VALT logs in, searches, reads and downloads, and never holds a credential of VALT's
     e2e/test_api.py::test_a_client_written_for_valt_logs_in_searches_reads_and_downloads
     e2e/test_api.py::test_a_token_that_is_an_hour_old_is_refused_as_valt_does_and_the_client_logs_in_again
Anybody may ask whom the gateway knows, or who has a service key, in a header or as VALT has it
     e2e/test_api.py::test_any_person_whom_sign_in_vouches_for_may_ask
     e2e/test_api.py::test_a_key_needs_no_login
     unit/identity/test_service_key.py::test_a_key_is_known_in_a_header_and_as_an_access_token
     unit/identity/test_service_key.py::test_the_day_on_which_a_key_expires_is_its_last
     unit/cli/test_small_commands.py::test_a_minted_key_is_shown_once_with_the_hash_that_the_configuration_keeps
A login's token lives an hour and is nobody else's
     unit/identity/test_service_key.py::test_a_login_is_good_for_an_hour_and_only_while_its_key_is
     unit/identity/test_service_key.py::test_a_login_needs_the_name_and_the_secret_of_one_key
     e2e/test_api.py::test_the_token_of_a_login_is_its_callers_and_nobody_elses
Answers and refusals are VALT's own
     e2e/test_api.py::test_answers_are_valts_own_but_for_whom_else_a_recording_is_shared_with
     e2e/test_api.py::test_refusals_are_valts_own
     e2e/test_api.py::test_a_video_that_valt_5_numbers_is_numbered_here
A search asks once for each account, judges every row by that account's rules, and pages what may be seen
     e2e/test_api.py::test_search_asks_once_for_each_account_and_pages_what_may_be_seen
     e2e/test_api.py::test_a_search_that_would_look_at_hundreds_of_recordings_has_to_be_narrowed
     e2e/test_api.py::test_a_key_in_no_rules_groups_sees_nothing_and_valt_is_not_asked
     unit/test_lists.py::test_a_row_is_listed_if_a_rule_of_its_account_fits_the_recording
     e2e/test_rules_by_the_plain_model.py::test_everybody_sees_what_the_plain_model_says_by_the_rule_that_it_says
Ten thousand recordings are searched within a stated memory
     e2e/test_api.py::test_ten_thousand_recordings_are_searched_within_64_mib
Rooms are those that a rule can reach
     e2e/test_api.py::test_rooms_are_those_that_a_rule_can_reach
     unit/test_lists.py::test_a_room_is_reached_if_a_rule_about_the_person_may_be_about_it
A link is for one video, good again and again for an hour, and takes nothing but its own proof
     e2e/test_api.py::test_a_link_is_for_one_video_and_good_again_and_again_for_an_hour
     e2e/test_api.py::test_a_video_is_opened_by_the_proof_in_its_link_and_by_no_key_or_login
     unit/identity/test_service_key.py::test_a_proof_is_for_one_video_again_and_again_until_the_hour_is_over
Camera passwords, other people's rights, writes and every other call stay with VALT
     unit/web/test_valt_api_schema.py::test_camera_passwords_and_other_peoples_rights_get_no_further
     e2e/test_api.py::test_every_other_call_of_valts_is_not_found_and_never_reaches_valt
All of it is audited
     e2e/test_api.py::test_everything_is_audited_and_a_download_is_a_stream_like_any
     e2e/test_api.py::test_every_other_call_of_valts_is_not_found_and_never_reaches_valt
The whole public listener is described, for programs and for people
     e2e/test_openapi.py::test_every_address_is_described_and_nothing_else
     e2e/test_openapi.py::test_whatever_is_asked_what_is_answered_is_what_is_described
     unit/web/test_api_docs.py::test_every_operation_stands_on_the_page_with_its_parameters_and_answers
     unit/web/test_api_docs.py::test_a_browser_shows_it_whole_and_finds_nothing_against_the_policy
     unit/web/test_pages.py::test_a_page_runs_no_script_takes_only_its_own_style_and_is_kept_by_nobody
The simulated VALT is VALT 5 and VALT 6
     unit/sim/test_api.py::test_details_have_every_field_of_valt_6
     unit/sim/test_api.py::test_valt_5_has_integers_for_ids
     unit/sim/test_api.py::test_a_search_finds_by_name_and_pages
     unit/sim/test_api.py::test_rooms_have_ids_and_names
"""

from pathlib import Path

from tests.support.promises import missing

README = Path(__file__).parents[1] / "README.md"


def test_every_promise_is_held_by_tests_that_exist() -> None:
    assert missing(__doc__ or "") == []


def test_the_readme_says_of_each_of_valts_rights_whether_it_is_mirrored() -> None:
    _, _, table = README.read_text(encoding="utf-8").partition("| of VALT's rights |")
    rows = [row.split(" | ") for row in table.partition("\n\n")[0].splitlines()[2:]]
    mirrored = {right.removeprefix("| "): here.startswith("`") for right, _, here in rows}
    assert mirrored == {
        "one's own recordings": True,
        "a recording shared with a user": True,
        "a recording shared with a user group": True,
        "video access: whose recordings a user or group may see": False,
        "room access": False,
        "rights such as download, edit, share, generate a link": False,
        "a public sharing link": False,
    }
