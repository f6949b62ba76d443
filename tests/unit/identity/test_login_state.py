"""States of sign-ins: what they contain, to which browser they are bound, and how redirect loops are counted."""

from gateway.identity.login_state import Attempt, LoginStates
from gateway.model import Secret
from tests.support.cookie_jar import CookieJar

STATES = LoginStates((Secret("a secret of more than thirty-two bytes"),), secure=True)
NOW = 1_800_000_000.0


def begin(jar: CookieJar, rd: str = "/recordings/1") -> Attempt:
    attempt, headers = STATES.begin([jar.header], "campus", rd, NOW)
    jar.store(headers)
    return attempt


def test_a_state_contains_its_attempt_and_reveals_nothing() -> None:
    attempt = begin(CookieJar())
    assert STATES.read(attempt.state) == attempt
    for text in (attempt.secret, attempt.nonce, attempt.verifier):
        assert text not in attempt.state
        assert text not in repr(attempt)
    assert len(attempt.state) < 400


def test_a_state_that_was_altered_or_sealed_elsewhere_is_none() -> None:
    state = begin(CookieJar()).state
    other = LoginStates((Secret("another secret, of enough characters too"),), secure=True)
    assert other.read(state) is None
    for altered in ("", "forged", state[:-1], state + "A", state[:50] + "A" + state[51:], "ü"):
        assert STATES.read(altered) is None


def test_a_state_is_bound_to_the_browser_that_started_it() -> None:
    one, other = CookieJar(), CookieJar()
    first, second = begin(one), begin(other)
    assert STATES.is_bound([one.header], first)
    assert not STATES.is_bound([other.header], first)
    assert not STATES.is_bound([], second)


def test_a_browser_uses_one_cookie_for_all_its_attempts() -> None:
    jar = CookieJar()
    attempts = [begin(jar, f"/?tab={number}") for number in range(20)]
    assert len(jar.cookies) == 1
    assert all(STATES.is_bound([jar.header], attempt) for attempt in attempts)
    assert len({attempt.state for attempt in attempts}) == len({attempt.verifier for attempt in attempts}) == 20


def test_an_attempt_expires_after_ten_minutes() -> None:
    attempt = begin(CookieJar())
    assert not attempt.has_expired(NOW + 599)
    assert attempt.has_expired(NOW + 600)


def test_sign_ins_without_a_session_are_a_loop_after_three() -> None:
    jar = CookieJar()
    for _ in range(3):
        assert not STATES.is_redirect_loop([jar.header], NOW)
        jar.store([STATES.count_header([jar.header], NOW)])
    assert STATES.is_redirect_loop([jar.header], NOW + 59)
    assert not STATES.is_redirect_loop([jar.header], NOW + 60)
    jar.store(STATES.reset_headers([jar.header]))
    assert not STATES.is_redirect_loop([jar.header], NOW)
    assert STATES.reset_headers([jar.header]) == []


def test_sign_ins_that_complete_at_the_same_moment_count_as_one() -> None:
    jar = CookieJar()
    headers = [STATES.count_header([jar.header], NOW) for _ in range(8)]
    jar.store(headers)
    assert not STATES.is_redirect_loop([jar.header], NOW)
