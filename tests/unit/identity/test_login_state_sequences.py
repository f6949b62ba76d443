"""Generated sequences of sign-ins in several browsers and tabs, compared with a plain model."""

import random

import pytest

from gateway.identity.login_state import LoginStates
from gateway.model import Secret
from tests.support.cookie_jar import CookieJar
from tests.support.generated import sequences
from tests.support.plain_sign_in import PlainSignIns

STATES = LoginStates((Secret("a secret of more than thirty-two bytes"),), secure=True)


class World:
    """Three browsers with many tabs. *now* is Unix seconds, always whole ones."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.now = 1_800_000_000
        self.jars = [CookieJar() for _ in range(3)]
        self.states: list[str] = ["forged"]
        self.model = PlainSignIns()

    def begin(self) -> None:
        """Begins sign-ins in up to eight tabs of a browser, each of which presents the cookies of before."""
        browser = self.chance.randrange(3)
        presented = self.jars[browser].header
        for _ in range(self.chance.choice([1, 1, 2, 8])):
            link = f"/recordings/{self.chance.randrange(1000)}"
            attempt, headers = STATES.begin([presented], "campus", link, self.now)
            self.jars[browser].store(headers)
            self.states.append(attempt.state)
            self.model.begin(browser, attempt.state, link, self.now)

    def respond(self) -> None:
        """Delivers a response to a browser, perhaps another one's, late, or again."""
        browser, state = self.chance.randrange(3), self.chance.choice(self.states)
        cookies = [self.jars[browser].header]
        attempt = STATES.read(state)
        assert (None if attempt is None else attempt.rd) == self.model.link_of(state)
        may = attempt is not None and STATES.is_bound(cookies, attempt) and not attempt.has_expired(self.now)
        assert may == self.model.may_complete(browser, state, self.now)
        if may:
            self.jars[browser].store([STATES.count_header(cookies, self.now)])
            self.model.complete(browser, self.now)

    def present_session(self) -> None:
        browser = self.chance.randrange(3)
        self.jars[browser].store(STATES.reset_headers([self.jars[browser].header]))
        self.model.session_arrives(browser)

    def lose_cookies(self) -> None:
        browser = self.chance.randrange(3)
        self.jars[browser] = CookieJar()
        self.model.lose_cookies(browser)

    def wait(self) -> None:
        self.now += self.chance.choice([1, 5, 30, 59, 60, 300, 600])

    def check(self) -> None:
        for browser, jar in enumerate(self.jars):
            assert STATES.is_redirect_loop([jar.header], self.now) == self.model.is_loop(browser, self.now)
            assert len(jar.cookies) <= 41  # 32, eight that began at once, and the count
            assert len(jar.header) < 41 * 100 + 400


@pytest.mark.promise("identity-I3")
def test_generated_sign_ins_end_as_in_the_plain_model() -> None:
    for seed in range(sequences(200)):
        world = World(random.Random(seed))
        steps = [world.begin, world.respond, world.respond, world.respond, world.present_session, world.wait]
        for _ in range(40):
            world.chance.choice([*steps, *steps, world.lose_cookies])()
            world.check()
