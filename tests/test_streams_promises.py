"""Streams that do not break: each promise of proxied delivery, and the tests that hold it.

 1 a body that drops, is reset or ends short goes on from the byte it has reached
     e2e/test_proxied_bytes.py::test_a_body_that_breaks_off_goes_on_byte_for_byte
     e2e/test_faults.py::test_a_hundred_cuts_anywhere_go_unseen
     e2e/test_tls.py::test_a_body_that_breaks_off_over_tls_goes_on
 2 one that stalls past read_timeout does too
     e2e/test_proxied_bytes.py::test_a_stall_is_taken_up_again_after_the_read_timeout
     unit/delivery/test_splice_pump.py::test_a_media_server_that_falls_silent_has_stalled
 3 the rest is asked for with If-Range on a strong validator, else length and date must agree
     unit/delivery/test_resume.py::test_the_rest_is_asked_for_under_the_strong_validator_and_never_compressed
     unit/delivery/test_resume.py::test_a_weak_validator_is_no_if_range
     unit/delivery/test_resume.py::test_without_a_strong_validator_length_and_date_must_agree
 4 a stale link is replaced by a fresh one, and a stale token by another login
     e2e/test_proxied_bytes.py::test_a_body_goes_on_through_a_dead_link_and_forgotten_tokens
     e2e/test_faults.py::test_eight_mebibytes_pass_through_links_that_live_three_seconds
 5 the body goes on within its own Content-Length, whatever the server sends
     e2e/test_proxied_bytes.py::test_no_more_than_was_promised_is_passed_on
     unit/delivery/test_splice_pump.py::test_bytes_beyond_the_count_stay_with_the_media_server
 6 after resume_tries in a row without progress, with backoff and jitter, the client sees a failure
     e2e/test_faults.py::test_cuts_without_progress_end_it_after_so_many_tries
     e2e/test_faults.py::test_many_cuts_in_one_body_that_each_make_progress_never_end_it
     unit/delivery/test_resume.py::test_those_whose_bodies_broke_off_together_do_not_come_back_together
     e2e/test_proxied_bytes.py::test_a_failure_after_the_first_byte_is_a_reset_and_not_a_short_success
 7 while VALT restarts a stream waits for it, and for no more than a minute
     unit/delivery/test_resume.py::test_five_tries_wait_for_a_restart_of_valt_and_not_for_minutes
     e2e/test_faults.py::test_a_stream_whose_link_dies_while_valts_api_is_down_waits_for_valt_to_be_back
     e2e/test_faults.py::test_a_viewer_who_leaves_while_valt_is_waited_for_frees_everything_at_once
 8 two files never make one body: where the file has changed it is cut at once
     e2e/test_proxied_bytes.py::test_a_file_that_changes_in_mid_body_is_cut_and_never_joined
     e2e/test_faults.py::test_a_file_that_shrinks_or_grows_in_mid_body_is_cut
     e2e/test_whatever_was_asked.py::test_a_rest_that_is_said_to_be_from_another_place_is_not_joined
     unit/delivery/test_resume.py::test_two_files_never_make_one_body
 9 a server that ignores Range is read up to the point, within a limit, if its validator is the same
     e2e/test_proxied_bytes.py::test_a_server_that_ignores_range_is_read_past_what_was_had
     unit/delivery/test_resume.py::test_no_more_than_a_limit_is_discarded
10 any request may be the one: ranges, open ranges, whole files, HEAD
     e2e/test_whatever_was_asked.py::test_the_rest_of_what_was_asked_is_asked_for_and_no_byte_more
     e2e/test_whatever_was_asked.py::test_a_head_is_asked_for_again_as_well
11 an unknown length is resumed only where a total becomes known
     e2e/test_faults.py::test_a_body_of_unknown_length_goes_on_once_a_range_tells_its_total
     unit/delivery/test_resume.py::test_an_unknown_length_becomes_known_once_a_total_is_told
12 many ranges are passed through and not resumed
     e2e/test_faults.py::test_many_ranges_are_passed_through_and_a_cut_in_them_shows
13 a paused player keeps its stream without memory
     e2e/test_proxied_bytes.py::test_a_slow_reader_holds_the_media_server_back
     unit/delivery/test_splice_pump.py::test_what_the_viewer_does_not_take_is_not_read_from_the_media_server
14 past upstream_idle the upstream connection is given up, and had again when he reads on
     e2e/test_faults.py::test_a_viewer_who_rests_gives_up_the_connection_and_reads_on_in_the_same_bytes
     e2e/test_faults.py::test_a_viewer_who_rests_for_longer_than_a_link_lives_goes_on_through_another
15 past viewer_idle he is cut
     e2e/test_faults.py::test_a_viewer_who_never_reads_on_is_cut
16 a viewer whose connection ends frees everything
     e2e/test_faults.py::test_a_viewer_who_leaves_frees_everything
     e2e/test_tls.py::test_a_viewer_who_leaves_a_tls_stream_frees_the_upstream
     test_findings.py::test_an_aborted_connection_leaves_no_descriptor_behind
17 one who has silently gone is found by TCP keepalive
     e2e/test_faults.py::test_a_viewer_who_silently_goes_is_looked_for_by_keepalive
18 a reload cuts the streams of whoever the new rules do not allow, or allow in another way
     e2e/test_running_it.py::test_reload_takes_the_rules_anew_and_cuts_what_they_no_longer_allow
     e2e/test_running_it.py::test_a_stream_that_the_new_rules_would_grant_in_another_way_is_cut
     e2e/test_running_it.py::test_a_stream_that_the_old_rules_granted_and_that_begins_after_the_reload_is_cut_too
     e2e/test_running_it.py::test_a_provider_that_is_taken_out_ends_what_it_vouched_for
19 so do signing out, revoke, and the end of a session; a token's own exp does not
     e2e/test_running_it.py::test_signing_out_cuts_the_streams_of_that_session_and_of_no_other
     e2e/test_running_it.py::test_another_process_revokes_a_person_and_their_streams_are_cut
     e2e/test_running_it.py::test_a_sessions_end_cuts_its_streams_and_a_tokens_own_end_does_not
20 what redirect delivery cannot take back is said
     test_streams_promises.py::test_the_readme_says_what_redirect_delivery_cannot_take_back
     unit/settings/test_reading.py::test_redirect_delivery_is_warned_about
21 a reload is all or nothing, told and counted, and streams go on
     e2e/test_the_process.py::test_sighup_reads_the_file_anew_and_a_fault_leaves_the_old_one_in_force
     e2e/test_running_it.py::test_a_faulty_file_changes_nothing_and_is_counted
     e2e/test_running_it.py::test_settings_that_turn_out_not_to_do_change_nothing_and_are_told_of
     e2e/test_running_it.py::test_a_stream_that_the_new_rules_allow_goes_on_through_a_reload
22 secrets and certificates rotate so
     e2e/test_running_it.py::test_a_session_secret_is_rotated_by_a_reload_without_signing_anyone_out
     e2e/test_tls.py::test_the_gateway_speaks_https_itself_and_takes_a_new_certificate_on_reload
23 a drain lets streams finish, and what it cuts is audited as such
     e2e/test_running_it.py::test_a_drain_is_not_ready_at_once_and_lets_streams_finish
     e2e/test_running_it.py::test_a_drain_cuts_what_does_not_end_in_time_and_the_audit_says_so
     e2e/test_running_it.py::test_a_second_signal_ends_a_drain_now
24 connecting, a whole answer and silence have limits of their own, and a body has none in all
     e2e/test_valt_down.py::test_connections_that_are_not_taken_are_given_up_apart_from_slow_answers
     e2e/test_valt_down.py::test_an_answer_that_comes_a_byte_at_a_time_is_given_up_when_its_time_is_over
     test_findings.py::test_no_stream_has_a_total_limit_and_every_call_has_one
25 calls are repeated only where they may be, with jitter, for a tenth of the traffic
     e2e/test_valt_down.py::test_a_call_that_may_be_repeated_is_repeated_unseen
     e2e/test_valt_down.py::test_a_login_that_was_sent_is_never_repeated
     e2e/test_valt_down.py::test_retries_are_few_while_much_fails
     unit/valt/test_circuit_breaker.py::test_retries_are_a_tenth_of_the_calls_however_many_fail
     unit/valt/test_circuit_breaker.py::test_pauses_have_full_jitter_and_grow
26 a breaker that counts API calls alone answers 503 with Retry-After at once, and good links go on being served
     e2e/test_valt_down.py::test_a_valt_that_keeps_failing_is_left_alone_and_people_are_told_when_to_come_again
     e2e/test_valt_down.py::test_media_servers_that_fail_are_not_counted_against_valts_api
     e2e/test_valt_down.py::test_links_that_are_still_good_go_on_being_served
27 there is one for each server, and it shows
     e2e/test_valt_down.py::test_an_operator_is_told_of_the_server_that_is_left_alone
     e2e/test_valt_down.py::test_of_a_server_that_a_reload_replaced_nothing_old_is_told
28 what is over a limit is told when to come again and costs nothing upstream
     e2e/test_limits.py::test_a_stream_too_many_is_refused_and_the_media_server_not_asked
     e2e/test_limits.py::test_a_question_too_many_for_valt_is_refused_and_not_asked
     e2e/test_limits.py::test_a_person_who_asks_too_often_is_told_when_to_come_again
29 headers have a size, and a head a time; who does not read is cut in the end
     unit/web/test_the_wire.py::test_a_header_too_large_is_431
     unit/web/test_the_wire.py::test_too_many_headers_are_refused
     test_findings.py::test_who_never_finishes_a_head_is_not_waited_for_long
     test_findings.py::test_who_does_not_read_is_cut_in_the_end
30 one person cannot starve the rest
     e2e/test_limits.py::test_one_person_with_every_place_of_his_own_takes_none_of_the_others
     e2e/test_limits.py::test_one_person_can_have_half_of_valts_attention_and_no_more
     test_findings.py::test_stalled_streams_keep_no_call_of_valts_waiting
31 VALT restarts and forgets its tokens in mid-stream
     e2e/test_whatever_was_asked.py::test_a_valt_that_restarts_in_mid_body_and_forgets_its_tokens_goes_unseen
     e2e/test_faults.py::test_a_restart_of_valt_in_mid_body_goes_unseen
32 a cut inside a head goes unseen, and a server that never gets past one is told as such
     e2e/test_faults.py::test_a_cut_inside_a_head_goes_unseen
     e2e/test_faults.py::test_a_media_server_that_never_gets_past_the_head_is_told_as_such
33 whatever befalls, the bytes are the same or a failure shows
     e2e/test_faults.py::test_any_sequence_of_faults_ends_in_the_same_bytes_or_in_a_failure_that_shows
34 nothing is left over after minutes of faults
     e2e/test_soak.py::test_under_faults_no_body_is_wrong_and_no_task_connection_or_descriptor_is_left
35 Chromium plays across ten dead links and two more cuts without an error or two seconds of standing still
     e2e/test_chromium_through_faults.py::test_chromium_plays_across_dead_links_and_cuts_without_standing_still
36 all of it can be seen
     unit/observe/test_metrics.py::test_each_event_counts_once_and_moves_nothing_else
     unit/observe/test_whole_gateway.py::test_audit_metrics_and_log_tell_the_same_of_one_stream
"""

from tests.support import tables
from tests.support.promises import missing


def test_every_promise_is_held_by_tests_that_exist() -> None:
    assert missing(__doc__ or "") == []


def test_the_readme_says_what_redirect_delivery_cannot_take_back() -> None:
    readme = " ".join(tables.README.read_text(encoding="utf-8").split())
    limits = readme.partition("## What it cannot do")[2].partition("## ")[0]
    assert "**Redirect delivery hands out VALT's link.**" in limits
    assert "cannot be recalled" in limits
