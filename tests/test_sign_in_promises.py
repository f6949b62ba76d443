"""Browser sign-in: each promise, and the tests that hold it.

Who follows a link and carries no proof signs in and lands on exactly that link, its moment with it
     e2e/test_sign_in.py::test_a_person_follows_a_deep_link_signs_in_and_the_film_plays_right_there
     e2e/test_sign_in_in_a_browser.py::test_a_moment_behind_the_hash_is_kept_through_the_providers_forms
     e2e/test_sign_in_in_a_browser.py::test_without_scripts_sign_in_goes_on_by_itself_and_keeps_path_and_query
     e2e/test_recordings_page.py::test_who_is_not_signed_in_signs_in_and_lands_on_the_same_search
Authorization code with PKCE, state and nonce per attempt; several tabs at once; the cookie never grows
     unit/identity/test_oidc.py::test_a_sign_in_asks_for_a_code_with_pkce_and_ends_with_the_person_at_the_link
     unit/identity/test_oidc.py::test_tabs_sign_in_side_by_side_and_of_many_the_newest_count
     unit/identity/test_oidc.py::test_the_cookie_stays_one_that_browsers_keep_however_long_the_links_are
     e2e/test_sign_in.py::test_two_tabs_sign_in_at_once_and_each_lands_on_its_own_link
     e2e/test_sign_in.py::test_a_begun_sign_in_names_pkce_state_and_nonce_and_never_grows_its_cookie
The ID token is checked as RFC 8725 and OpenID Connect Core say
     unit/identity/test_oidc.py::test_an_id_token_that_says_anything_wrong_signs_nobody_in
     unit/identity/test_oidc.py::test_an_id_token_of_a_strange_key_of_no_key_or_of_another_algorithm_signs_nobody_in
     unit/identity/test_oidc.py::test_at_hash_and_azp_that_are_right_are_believed
What the ID token lacks comes from userinfo, of the same person
     unit/identity/test_oidc.py::test_what_the_id_token_lacks_is_looked_for_in_userinfo_of_the_same_person_alone
Confidential and public clients
     unit/identity/test_oidc.py::test_a_secret_goes_form_encoded_into_the_header_or_into_the_form
     unit/identity/test_oidc.py::test_a_client_with_a_private_key_proves_it_by_an_assertion_good_for_a_minute
The issuer in an answer is checked (RFC 9207), and of several providers each keeps to its own attempts
     unit/identity/test_oidc.py::test_an_answer_of_another_issuer_or_of_none_is_a_mix_up
     e2e/test_several_providers.py::test_no_answer_of_one_passes_for_the_others
     e2e/test_several_providers.py::test_who_names_none_is_asked_and_each_choice_keeps_the_link
A session is sealed, host-bound, small, and outlives restarts and a change of its key
     unit/identity/test_session.py::test_a_cookie_that_was_tampered_with_is_no_proof
     unit/identity/test_session.py::test_nothing_of_the_person_can_be_read_from_the_cookie
     unit/identity/test_session.py::test_on_https_the_cookie_is_bound_to_the_host
     unit/identity/test_session.py::test_only_groups_that_some_rule_names_are_kept
     unit/identity/test_session.py::test_a_restart_signs_nobody_out
     unit/identity/test_session.py::test_the_first_secret_signs_and_all_are_accepted
     unit/identity/test_session.py::test_each_sign_in_starts_a_session_with_an_id_of_its_own
     unit/identity/test_session.py::test_a_session_ends_when_it_is_idle
     unit/identity/test_session.py::test_a_session_in_use_lives_on_until_its_lifetime_and_no_longer
     e2e/test_tickets.py::test_a_person_in_three_hundred_groups_fits_into_the_cookie
Sign-out here, at the provider and by back channel holds at once, and after a restart
     e2e/test_sign_in.py::test_signing_out_holds_at_once_and_a_copied_cookie_is_worth_nothing
     e2e/test_sign_out_at_a_certified_provider.py::test_signing_out_at_the_provider_ends_the_session_here
     e2e/test_sign_out_at_a_certified_provider.py::test_signing_out_here_leads_to_the_provider_and_from_there_home
     e2e/test_sign_out_at_the_provider.py::test_a_persons_sign_out_ends_all_of_their_sessions_and_nobody_elses
     e2e/test_sign_out_at_the_provider.py::test_a_running_stream_is_cut
     e2e/test_sign_out_at_the_provider.py::test_it_holds_after_a_restart
     e2e/test_sign_out_at_the_provider.py::test_a_replay_is_refused_and_leaves_a_later_session_alone
Only a navigation of the whole window is sent to sign in
     e2e/test_sign_in.py::test_only_a_navigation_of_the_whole_window_is_sent_to_sign_in
     e2e/test_sign_in_in_a_browser.py::test_in_a_portals_frame_nobody_is_sent_away_and_a_button_opens_a_window_to_sign_in
rd leads to our own pages or home
     unit/web/test_open_redirects.py::test_of_ten_thousand_payloads_none_leads_to_another_site_or_away_from_our_own_pages
     e2e/test_sign_in.py::test_rd_leads_to_our_own_pages_or_home
     e2e/test_sign_in.py::test_rd_keeps_path_and_query_of_our_own_pages
Three round trips in a minute end in a page that says what is wrong
     unit/identity/test_oidc.py::test_a_fourth_round_trip_within_a_minute_is_not_begun_and_a_minute_later_it_is
     e2e/test_sign_in_in_a_browser.py::test_a_session_that_never_holds_ends_in_a_page_and_not_in_a_fourth_sign_in
     e2e/test_sign_in_in_a_browser.py::test_where_the_browser_blocks_our_cookies_the_page_says_so
     e2e/test_sign_in_in_a_browser.py::test_a_clock_that_is_five_minutes_behind_is_named_and_nobody_is_sent_round
     e2e/test_sign_in_in_a_browser.py::test_who_comes_by_another_address_than_the_public_one_is_told_so
With the provider down people go on, and newcomers are told so by 503 and a page
     e2e/test_sign_in.py::test_with_the_provider_down_people_go_on
     e2e/test_sign_in.py::test_with_the_provider_down_newcomers_are_told_so_by_a_page_and_not_sent_round
     e2e/test_sign_in_in_a_browser.py::test_a_provider_that_stops_and_starts_again_lets_newcomers_in_again
Pages are plain, accessible, strict, in three languages, branded, and lead on
     unit/web/test_accessibility.py::test_axe_finds_nothing_on_any_page
     unit/web/test_accessibility.py::test_axe_finds_nothing_on_the_page_that_says_one_is_signed_out
     unit/web/test_accessibility.py::test_axe_finds_what_is_wrong
     unit/web/test_pages.py::test_a_page_runs_no_script_takes_only_its_own_style_and_is_kept_by_nobody
     unit/web/test_pages.py::test_a_page_speaks_the_readers_language_and_says_so
     unit/web/test_pages.py::test_a_page_names_the_request_as_the_log_does_and_shows_the_way_back
     unit/web/test_pages.py::test_who_is_signed_in_is_told_since_when_in_their_own_language
     unit/web/test_logo.py::test_it_stands_on_every_page_and_is_served_as_a_picture
     e2e/test_sign_in.py::test_who_is_signed_in_and_may_not_see_it_is_told_who_they_are_and_may_change
Portals on another site, off by default, with two sites in Chromium
     e2e/test_embedded.py::test_a_listed_portal_embeds_the_watch_page_and_then_plays_and_reads_by_itself
     e2e/test_embedded.py::test_the_session_that_a_portal_embeds_is_worth_nothing_to_a_stranger
     e2e/test_embedded.py::test_a_listed_portal_reads_once_by_a_ticket_in_the_address
     e2e/test_embedded.py::test_with_no_portal_listed_another_site_neither_plays_nor_reads_whoever_is_signed_in
The back button, a session's end while a film plays, other keys, a clock that is off
     e2e/test_sign_in_in_a_browser.py::test_the_back_button_after_signing_in_leads_to_the_portal_and_on_again_to_the_film
     e2e/test_sign_in_in_a_browser.py::test_a_session_that_ends_while_a_film_plays_cuts_it_and_the_page_leads_back_to_the_second
     e2e/test_sign_in_in_a_browser.py::test_the_providers_keys_change_and_people_go_on_signing_in
     e2e/test_sign_in_in_a_browser.py::test_a_clock_that_is_five_minutes_ahead_keeps_nobody_out
Forged, replayed, mixed-up and truncated answers, foreign cookies, a neighbour's cookies, another site's sign-out
     unit/identity/test_oidc.py::test_a_state_is_good_once_and_in_the_browser_that_began
     unit/identity/test_oidc.py::test_a_cookie_of_another_key_or_another_purpose_begins_nothing
     unit/identity/test_cookies.py::test_a_second_cookie_that_a_laxer_reader_takes_for_ours_makes_both_none
     e2e/test_cookie_tossing.py::test_nobody_is_taken_for_whom_a_neighbour_wants_them_to_be
     e2e/test_sign_in.py::test_an_answer_that_this_browser_did_not_ask_for_is_refused_with_a_page
     e2e/test_sign_in.py::test_sign_out_by_another_site_is_refused
A portal hands over with tickets, by the command and by the examples in other languages
     e2e/test_portals_in_other_languages.py::test_every_example_that_can_be_run_is_run
     e2e/test_portals_in_other_languages.py::test_a_ticket_made_by_the_example_lets_in
     unit/cli/test_ticket.py::test_a_minted_ticket_is_data_alone_and_verifies
README has a recipe for each of the common providers
     test_sign_in_promises.py::test_the_readme_has_a_recipe_for_each_provider
"""

import pytest

from tests.support import tables
from tests.support.promises import missing


def test_every_promise_is_held_by_tests_that_exist() -> None:
    assert missing(__doc__ or "") == []


@pytest.mark.parametrize("provider", ["Keycloak", "Entra ID", "AD FS", "Shibboleth", "oauth2-proxy"])
def test_the_readme_has_a_recipe_for_each_provider(provider: str) -> None:
    assert provider in tables.README.read_text(encoding="utf-8")
