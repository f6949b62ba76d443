"""Requests of one browser that overlap: a late response brings no session back that the browser has lost meanwhile.

Generated sequences of tickets, requests that wait, sign-outs and times. The browser's cookies change in the order in
which the gateway responds, except that some responses never arrive.
"""

import random
from dataclasses import dataclass, field, replace

import pytest

from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity
from tests.support.clock import ManualClock, TickingClock
from tests.support.cookie_jar import CookieJar
from tests.support.generated import sequences
from tests.unit.identity.test_session import ANNA, HOUR, WIDE, SessionsFixture

pytestmark = pytest.mark.promise("security-S2")

LONGEST_WAIT = 100.0
"""Seconds for which a request of these sequences waits."""


@dataclass
class Page:
    """A browser with its cookies, requests that wait with the session that they present, and tickets on their way."""

    sessions: Sessions
    reader: Sessions
    """Reads the sessions that have been idle for too long as well: a request that began before may renew them."""
    clock: ManualClock
    random: random.Random
    jar: CookieJar = field(default_factory=CookieJar)
    waiting: list[tuple[float, Credentials, Identity]] = field(default_factory=list)
    tickets: list[tuple[float, Credentials, Identity]] = field(default_factory=list)
    renewed: int = 0

    def presented(self) -> Credentials:
        return self.jar.credentials(self.sessions)

    def follow(self) -> None:
        recording = self.random.choice([None, *"abcdefghijkl"])
        identity = WIDE if recording is None else replace(ANNA, recording=recording)
        self.tickets.append((self.clock.now(), self.presented(), identity))

    def request(self) -> None:
        presented = self.presented()
        present = self.sessions.identities(presented)
        if present:
            self.waiting.append((self.clock.now(), presented, self.random.choice(present)))

    async def answer_ticket(self, at: int) -> None:
        _, credentials, identity = self.tickets.pop(at)
        headers = await self.sessions.begin(credentials, identity)
        if self.random.random() < 0.2:
            return  # the browser has given the request up
        is_alone = credentials == self.presented()
        self.jar.store(headers)
        if is_alone:
            assert self.only(headers[-1].partition("=")[0]) in self.sessions.identities(self.presented())
            assert len(self.jar.cookies) <= 9

    def answer_request(self, at: int) -> None:
        _, _, identity = self.waiting.pop(at)
        headers = self.sessions.refresh_headers(identity)
        for header in headers:
            name = header.partition("=")[0]
            assert name in self.jar.cookies, f"{identity.recording} is brought back"
            present = self.only(name)
            assert (present.session, present.issued_at) == (identity.session, identity.issued_at), identity.recording
        self.renewed += len(headers)
        self.jar.store(headers)

    def only(self, name: str) -> Identity:
        """Returns the session in the browser's cookie *name*."""
        (present,) = self.reader.identities(CookieJar({name: self.jar.cookies[name]}).credentials(self.reader))
        return present

    async def sign_out(self) -> None:
        _, headers = await self.sessions.end(self.presented())
        self.jar.store(headers)
        assert self.sessions.identities(self.presented()) == ()

    async def pass_time(self) -> None:
        """Answers what would have waited for too long, and passes the time."""
        seconds = self.random.choice([1, 10, 60, 400, 1000])
        limit = self.clock.now() + seconds - LONGEST_WAIT
        for at in reversed([at for at, (since, *_) in enumerate(self.tickets) if since < limit]):
            await self.answer_ticket(at)
        for at in reversed([at for at, (since, *_) in enumerate(self.waiting) if since < limit]):
            self.answer_request(at)
        self.clock.pass_(seconds)

    async def act(self) -> None:
        match self.random.choices(("follow", "request", "ticket", "response", "time", "out"), (8, 6, 8, 6, 5, 1))[0]:
            case "follow":
                self.follow()
            case "request":
                self.request()
            case "ticket" if self.tickets:
                await self.answer_ticket(self.random.randrange(len(self.tickets)))
            case "response" if self.waiting:
                self.answer_request(self.random.randrange(len(self.waiting)))
            case "time":
                await self.pass_time()
            case "out":
                await self.sign_out()
            case _:
                pass  # nothing waits


@pytest.mark.timeout(0)
async def test_a_late_response_brings_no_lost_session_back() -> None:
    renewed = 0
    for seed in range(count := sequences(500)):
        fixture = SessionsFixture()
        fixture.clock = TickingClock() if seed % 2 else ManualClock()
        reader = fixture.sessions(idle=8 * HOUR)
        page = Page(fixture.sessions(), reader, fixture.clock, random.Random(seed))
        try:
            for _ in range(40):
                await page.act()
        except AssertionError as error:
            raise AssertionError(f"sequence {seed}: {error}") from error
        renewed += page.renewed
    assert renewed > count


async def test_a_reload_forgets_no_session_that_a_browser_has_lost() -> None:
    fixture = SessionsFixture()
    sessions = fixture.sessions()
    jar = CookieJar()
    jar.store([sessions.issue_header(ANNA)])
    fixture.clock.pass_(600)
    (waiting,) = sessions.identities(jar.credentials(sessions))
    jar.store(sessions.clear_narrowed([jar.header]))
    assert fixture.sessions().refresh_headers(waiting) != []
    reloaded = fixture.sessions()
    reloaded.take_over(sessions)
    assert reloaded.refresh_headers(waiting) == []
