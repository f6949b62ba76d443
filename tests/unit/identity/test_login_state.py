"""The login state cookie: pending and completed sign-ins share its space, and pending ones have precedence."""

import random
import string

from gateway.identity.login_state import Attempt, LoginState, LoginStateCookie
from gateway.model import Secret

COOKIE = LoginStateCookie((Secret("a secret of more than thirty-two bytes"),), secure=True)
NOW = 1_800_000_000.0


def reread(state: LoginState) -> LoginState:
    """Returns what the next request brings back of *state*."""
    header = COOKIE.header(state, NOW)
    assert len(header) < 4096
    return COOKIE.read([header.partition(";")[0]], NOW)


def incompressible(length: int) -> str:
    return "".join(random.Random(length).choices(string.ascii_letters + string.digits + "-_", k=length))


def test_completed_sign_ins_are_dropped_before_pending_ones() -> None:
    state = LoginState()
    for number in range(8):
        attempt = Attempt.begin("campus", f"/recordings/{number}?{incompressible(1700 + number)}", NOW)
        state = reread(reread(state.with_pending(attempt)).with_completed(attempt, NOW))
    assert state.completed
    newest = Attempt.begin("campus", f"/?{incompressible(1990)}", NOW)
    state = reread(state.with_pending(newest))
    assert state.pending == (newest,)
    assert state.completed == ()


def test_a_completed_sign_in_is_no_longer_pending_and_its_state_leads_to_its_path() -> None:
    attempt = Attempt.begin("campus", "/recordings/1", NOW)
    state = reread(LoginState().with_pending(attempt).with_completed(attempt, NOW))
    assert state.find(attempt.state, NOW) is None
    assert state.completed == ((attempt.state, "/recordings/1"),)


def test_a_cookie_older_than_ten_minutes_is_empty() -> None:
    pair = COOKIE.header(LoginState().with_pending(Attempt.begin("campus", "/", NOW)), NOW).partition(";")[0]
    assert COOKIE.read([pair], NOW + 599).pending
    assert COOKIE.read([pair], NOW + 600) == LoginState()
