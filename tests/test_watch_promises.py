"""The watch page and the list that leads to it: each promise, and the tests that hold it.

One clock: play, pause, seek and speed move every camera
     e2e/test_watch_page.py::test_play_pause_seek_and_speed_move_every_camera
Drift stays under a tenth of a second, without audible steps
     e2e/test_watch_drift.py::test_three_cameras_are_never_apart_in_two_minutes_of_playing_and_come_together_after_fifty_seeks
     e2e/test_watch_page.py::test_only_one_camera_sounds_and_it_is_never_corrected
One camera large, the others beside it, a click or a key swaps them
     e2e/test_watch_page.py::test_a_click_makes_a_camera_large_and_the_keyboard_stays_with_the_cameras
Of different length, impossible to load, not ready yet: said plainly, and the rest plays
     e2e/test_watch_page.py::test_a_shorter_camera_says_where_it_ends_and_the_others_go_on
     e2e/test_watch_trouble.py::test_a_camera_that_cannot_be_loaded_is_named_and_the_rest_plays
     e2e/test_watch_trouble.py::test_a_camera_that_is_not_ready_yet_says_so_and_the_rest_plays
Name, room, author, date, duration; markers in VALT's colours; comments
     e2e/test_watch_page.py::test_it_says_what_is_shown_in_the_persons_language
     e2e/test_watch_page.py::test_a_marker_leads_to_its_moment
     e2e/test_watch_page.py::test_a_marker_has_the_colour_that_it_has_in_valt
Everything by the keyboard alone; single keys can be switched off; no trap, focus seen
     e2e/test_watch_page.py::test_everything_is_done_with_the_keyboard_alone
     e2e/test_watch_page.py::test_single_keys_can_be_switched_off
     e2e/test_watch_page.py::test_the_keyboard_reaches_every_control_shows_where_it_is_and_is_never_caught
It begins where its address says, copies a link to a moment, and remembers the place
     e2e/test_watch_page.py::test_the_page_begins_where_its_address_says
     e2e/test_watch_page.py::test_a_link_to_this_moment_is_copied
     e2e/test_watch_page.py::test_the_place_is_remembered_in_this_browser
Picture in picture; download where the grant allows
     e2e/test_watch_page.py::test_the_large_camera_is_shown_in_a_window_of_its_own
     e2e/test_watch_page.py::test_who_may_not_download_is_offered_none
The list of recordings: newest first, a box to search, pages, and nothing one may not see
     e2e/test_recordings_page.py::test_a_script_is_told_the_same_newest_first_and_where_the_other_pages_are
     e2e/test_recordings_page.py::test_only_what_a_persons_rules_show_is_listed_and_counted
     e2e/test_recordings_page.py::test_the_search_box_finds_says_how_many_and_leads_back
     e2e/test_recordings_page.py::test_pages_lead_on_and_back_and_keep_the_search
Links are renewed before they die and upon an error, and no more often than is sensible
     e2e/test_watch_links.py::test_redirected_links_that_die_every_three_seconds_are_renewed_without_a_visible_stop
     e2e/test_watch_links.py::test_proxied_links_that_die_every_three_seconds_are_never_noticed
     e2e/test_watch_trouble.py::test_a_redirect_whose_link_has_died_is_asked_for_anew
     e2e/test_watch_trouble.py::test_a_film_that_no_browser_plays_is_given_up_after_five_tries
Signed out in between: a way back to the very second
     e2e/test_watch_trouble.py::test_who_is_signed_out_is_led_back_to_the_very_second
     e2e/test_watch_trouble.py::test_who_signs_in_again_elsewhere_goes_on_where_they_were
The network gone, VALT down: it waits and goes on
     e2e/test_watch_trouble.py::test_without_a_network_it_waits_and_then_goes_on_by_itself
     e2e/test_watch_trouble.py::test_while_valt_is_down_it_says_so_and_goes_on_at_the_same_place
Accessible (WCAG 2.2 AA), from a phone to a wall, dark and light, with less motion, in three languages, without script
     unit/web/test_accessibility.py::test_axe_finds_nothing_on_the_watch_page_in_use_and_in_trouble
     unit/web/test_languages.py::test_every_language_says_all_that_english_says_and_leaves_the_same_gaps
     e2e/test_recordings_page.py::test_axe_finds_nothing_on_it_in_any_light
     e2e/test_recordings_page.py::test_nothing_is_lost_on_any_screen_from_a_phone_to_a_wall
     e2e/test_watch_page.py::test_nothing_is_lost_on_a_phone
     e2e/test_watch_page.py::test_nothing_moves_for_who_wants_less_motion
     e2e/test_watch_page.py::test_without_script_there_are_links_and_videos_with_controls
Strict, small, kept by hashed names; names are text; nothing of VALT's in it
     e2e/test_watch_page.py::test_the_whole_page_is_small_strict_without_a_word_of_valts_and_kept_by_its_hashed_names
     e2e/test_watch_page.py::test_names_full_of_markup_stay_text
     e2e/test_watch_page.py::test_films_come_from_where_links_may_lead_and_only_in_redirect_delivery
Frames only from configured portals, with the player alone in them
     e2e/test_watch_embedded.py::test_a_frame_holds_the_player_alone
     e2e/test_watch_embedded.py::test_what_is_wrong_can_be_read_in_the_frame_and_nowhere_else
     e2e/test_embedded.py::test_a_listed_portal_embeds_the_watch_page_and_then_plays_and_reads_by_itself
A video's own address still plays the bare file
     e2e/test_demo_in_a_browser.py::test_a_supervisor_clicks_a_recording_watches_and_seeks_to_the_middle
     e2e/test_sign_in.py::test_a_person_follows_a_deep_link_signs_in_and_the_film_plays_right_there
"""

from tests.support.promises import missing


def test_every_promise_is_held_by_tests_that_exist() -> None:
    assert missing(__doc__ or "") == []
