"""Requests of one browser that overlap: a late response brings no session back that the browser has lost meanwhile.

Generated sequences of tickets, requests that wait, sign-outs and times. The browser's cookies change in the order in
which the gateway responds, except that some responses never arrive.
"""

import random
import uuid
from dataclasses import dataclass, field, replace

import pytest

from gateway.group_selection import GroupSelection
from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity
from tests.support.clock import ManualClock, TickingClock
from tests.support.cookie_jar import CookieJar
from tests.support.generated import sequences
from tests.unit.identity.test_session import ANNA, WIDE, SessionsFixture, follow

pytestmark = pytest.mark.promise("security-S2")

LONGEST_WAIT = 100.0
"""Seconds for which a request of these sequences waits."""


@dataclass
class Page:
    """A browser with its cookies, requests that wait with the session that they present, and tickets on their way."""

    sessions: Sessions
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
            presented = self.presented()
            new = self.only(headers[-1].partition("=")[0])
            self.jar.store(self.sessions.clear_surplus(presented, new))
            assert new in self.sessions.identities(self.presented())

    def answer_request(self, at: int) -> None:
        _, credentials, identity = self.waiting.pop(at)
        deletions = self.sessions.clear_surplus(credentials, identity)
        for name in {header.partition("=")[0] for header in deletions} & self.jar.cookies.keys():
            presented = CookieJar({name: credentials.sessions[name].reveal()}).credentials(self.sessions)
            assert self.only(name).session in {one.session for one in self.sessions.identities(presented)}, name
        headers = self.sessions.refresh_headers(identity)
        for header in headers:
            name = header.partition("=")[0]
            assert name in self.jar.cookies, f"{identity.recording} is brought back"
            present = self.only(name)
            assert (present.session, present.issued_at) == (identity.session, identity.issued_at), identity.recording
        self.renewed += len(headers)
        self.jar.store([*deletions, *headers])

    def only(self, name: str) -> Identity:
        """Returns the session in the browser's cookie *name*."""
        (present,) = self.sessions.identities(CookieJar({name: self.jar.cookies[name]}).credentials(self.sessions))
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
        page = Page(fixture.sessions(), fixture.clock, random.Random(seed))
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


async def full_jar(fixture: SessionsFixture, sessions: Sessions, count: int) -> CookieJar:
    """Returns the cookies of a browser that has so many narrowed sessions, the oldest first."""
    jar = CookieJar()
    for number in range(count):
        fixture.clock.pass_(1)
        jar.store([sessions.issue_header(replace(ANNA, recording=f"r{number}"))])
    return jar


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("pages", ["ABCABCA", "ABCDABCD", "ABABAB"])
async def test_no_frame_of_a_page_loses_its_session_in_whatever_order_responses_arrive(pages: str, seed: int) -> None:
    """A portal's pages have four frames each, whose tickets are exchanged at the same moment."""
    fixture, choose = SessionsFixture(), random.Random(seed)
    sessions, jar = fixture.sessions(), CookieJar()
    for page in pages:
        fixture.clock.pass_(60)
        presented, responses, frames = jar.credentials(sessions), list[list[str]](), set[str]()
        for number in range(4):
            fixture.clock.pass_(0.001)
            responses.append(await sessions.begin(presented, replace(ANNA, recording=f"{page}{number}")))
            frames.add(responses[-1][-1].partition("=")[0])
        following = list[tuple[Credentials, str]]()
        for headers in choose.sample(responses, 4):
            jar.store(headers)
            following.append((jar.credentials(sessions), headers[-1].partition("=")[0]))
        films = list[list[str]]()
        for credentials, name in following:
            own = CookieJar({name: credentials.sessions[name].reveal()}).credentials(sessions)
            films.append(sessions.clear_surplus(credentials, sessions.identities(own)[0]))
        for headers in choose.sample(films, 4):
            jar.store(headers)
        assert jar.cookies.keys() >= frames
        assert len(jar.cookies) <= 8


@pytest.mark.parametrize(
    ("groups", "pages"), [(18, ["1234", "5678", "0123"]), (46, ["3456", "2345", "1234"]), (60, ["12", "34", "12"])]
)
async def test_the_cookies_of_pages_that_share_frames_fit_into_one_header(groups: int, pages: list[str]) -> None:
    """As the pages of a list, on which recordings have been added meanwhile."""
    fixture = SessionsFixture()
    names = frozenset(str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))) for number in range(groups))
    sessions, jar = fixture.sessions(keep_groups=GroupSelection(names)), CookieJar()
    for page in pages:
        fixture.clock.pass_(30)
        presented, frames = jar.credentials(sessions), [replace(ANNA, recording=f"r{frame}") for frame in page]
        for frame in frames:
            fixture.clock.pass_(0.001)
            jar.store(await sessions.begin(presented, replace(frame, groups=names)))
        assert len(jar.header) < 8190, page
        for frame in frames:
            jar.store(sessions.clear_surplus(jar.credentials(sessions), frame))


@pytest.mark.parametrize("given_up", [4, 6, 8])
async def test_replacements_that_never_arrive_cost_no_newer_session(given_up: int) -> None:
    """A person leaves a page of eight frames while it loads again, and opens others one after another."""
    fixture = SessionsFixture()
    sessions = fixture.sessions()
    jar = await full_jar(fixture, sessions, 8)
    presented = jar.credentials(sessions)
    for number in range(given_up):
        fixture.clock.pass_(0.01)
        await sessions.begin(presented, replace(ANNA, recording=f"r{number}"))
    opened = []
    for number in range(4):
        fixture.clock.pass_(1)
        await follow(sessions, jar, replace(ANNA, recording=f"n{number}"))
        opened.append(list(jar.cookies)[-1])
    assert len(jar.cookies) == 8
    assert jar.cookies.keys() >= set(opened)
