"""Sign-ins under way and those that landed share one cookie, and the newest that is under way has room first."""

from gateway.identity.login_state import LoginState, LoginStateCookie
from gateway.identity.oidc import Attempt
from gateway.model import Secret

COOKIE = LoginStateCookie((Secret("a secret of more than thirty-two bytes"),), secure=True)
NOW = 1_800_000_000.0


def kept(attempts: LoginState) -> LoginState:
    """What of *attempts* comes back in the next request."""
    header = COOKIE.header(attempts)
    assert len(header) < 4096
    return COOKIE.read([header.partition(";")[0]])


def test_what_landed_gives_way_to_what_is_under_way() -> None:
    attempts = LoginState()
    for number in range(8):
        attempt = Attempt.begin("campus", f"/recordings/{number}?{'x' * 900}", NOW)
        attempts = kept(kept(attempts.begun(attempt)).came_back(attempt, NOW))
    assert attempts.completed
    newest = Attempt.begin("campus", f"/?{'x' * 1900}", NOW)
    attempts = kept(attempts.begun(newest))
    assert attempts.under_way == (newest,)
    assert attempts.completed == ()


def test_a_sign_in_that_landed_is_under_way_no_more_and_known_by_its_state_alone() -> None:
    attempt = Attempt.begin("campus", "/recordings/1", NOW)
    attempts = kept(LoginState().begun(attempt).came_back(attempt, NOW))
    assert attempts.find(attempt.state, NOW) is None
    assert attempts.completed == ((attempt.state, "/recordings/1"),)
