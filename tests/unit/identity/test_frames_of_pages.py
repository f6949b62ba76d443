"""Pages of frames whose tickets are exchanged at the same moment: no frame loses its session, and the cookies fit.

Generated sequences of pages. Each frame's request presents the cookies that the browser has when it is sent, each is
answered by any worker, and the responses arrive in any order or never. The pages are as large as session_limits allows:
of k frames, 2k - 1 cookies fit into a Cookie header beside what else is in it.
"""

import random
import uuid
from dataclasses import dataclass, replace

import pytest

from gateway.group_selection import GroupSelection
from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity
from tests.support.clock import TickingClock
from tests.support.cookie_jar import CookieJar
from tests.support.generated import sequences
from tests.unit.identity.test_session import ANNA, ONE, TWO, WIDE, SessionsFixture

pytestmark = pytest.mark.promise("security-S2")

ROOM = 8100
"""Characters of a Cookie header that are used: a little less than 8,190 bytes."""
GROUPS = [str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))) for number in range(80)]
MOST_FRAMES = 8
WIDE_COOKIE = "__Host-valt_gateway_session"


@dataclass
class Frame:
    """A frame's request on its way, and what the browser presents with it."""

    identity: Identity
    presented: Credentials


class Browser:
    """A browser of one person, whose sessions have all the same groups, in front of two workers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        fixture = SessionsFixture()
        self.clock = fixture.clock = TickingClock()
        groups = frozenset(self.random.sample(GROUPS, self.random.choice([0, 3, 8, 20, 40, 70])))
        keep = GroupSelection(groups)
        self.workers = [fixture.sessions(ONE, keep_groups=keep) for _ in range(2)]
        self.replaced_secret = [fixture.sessions(TWO, keep_groups=keep) for _ in range(2)]
        self.others = self.random.choice([0, 0, 500, 1000, 2000])
        self.jar = CookieJar()
        self.person = replace(ANNA, groups=groups)
        if self.random.random() < 0.2:
            self.jar.store([self.workers[0].issue_header(replace(WIDE, groups=groups))])
        lengths = [len(self.workers[0].issue_header(self.frame(number)).partition(";")[0]) for number in range(20)]
        self.length = max(lengths) + 24  # another one may compress a little less well

    def frame(self, number: int) -> Identity:
        return replace(self.person, recording=f"r{number}", video=None)

    @property
    def most_frames(self) -> int:
        """How many frames a page may have."""
        wide = self.jar.cookies.get(WIDE_COOKIE)
        room = ROOM - self.others - (len(f"{WIDE_COOKIE}={wide}; ") if wide is not None else 0)
        return min(MOST_FRAMES, (room // self.length + 1) // 2)

    def present(self) -> Credentials:
        cookies = "; ".join(filter(None, ["o" * self.others, self.jar.header]))
        assert len(cookies) <= 8190 - len("\r\n")
        return Credentials(sessions=self.jar.credentials(self.workers[0]).sessions, cookies=[cookies])

    async def load_page(self) -> None:
        """Loads a page of frames, known ones or new ones."""
        first, count = self.random.randrange(12), self.random.randint(1, self.most_frames)
        unsent = [self.frame(first + number) for number in range(count)]
        if self.random.random() < 0.1:
            unsent[-1] = replace(self.person, recording=None, video=None)
        sent, answered, frames = list[Frame](), list[list[str]](), set[str]()
        while unsent or sent or answered:
            match self.random.choice(["send", "send", "answer", "receive"]):
                case "send" if unsent:
                    sent.append(Frame(unsent.pop(0), self.present()))
                case "answer" if sent:
                    frame = sent.pop(self.random.randrange(len(sent)))
                    answered.append(await self.random.choice(self.workers).begin(frame.presented, frame.identity))
                case "receive" if answered:
                    headers = answered.pop(self.random.randrange(len(answered)))
                    if self.random.random() < 0.05:
                        continue  # the person has left the page
                    self.jar.store(headers)
                    frames.add(headers[-1].partition("=")[0])
        assert frames <= self.jar.cookies.keys()

    def play(self) -> None:
        """Requests ranges of the films of the page, which renews some of the cookies."""
        worker = self.random.choice(self.workers)
        for identity in worker.identities(self.present()):
            self.jar.store(worker.refresh_headers(identity))

    async def act(self) -> None:
        match self.random.choices(("page", "play", "time", "secret"), (10, 6, 4, 0.3))[0]:
            case "page":
                await self.load_page()
            case "play":
                self.play()
            case "time":
                self.clock.pass_(self.random.choice([1, 60, 1000]))
            case _:
                self.workers, self.replaced_secret = self.replaced_secret, self.workers


@pytest.mark.timeout(0)
async def test_no_frame_of_a_page_loses_its_session_in_whatever_order_responses_arrive() -> None:
    sizes = set[int]()
    for seed in range(sequences(500)):
        browser = Browser(seed)
        try:
            for _ in range(12):
                await browser.act()
        except AssertionError as error:
            raise AssertionError(f"sequence {seed}: {error}") from error
        sizes.add(browser.most_frames)
    assert sizes >= {2, 4, MOST_FRAMES}


async def full_jar(fixture: SessionsFixture, sessions: Sessions, count: int) -> CookieJar:
    """Returns the cookies of a browser that has so many narrowed sessions, the oldest first."""
    jar = CookieJar()
    for number in range(count):
        fixture.clock.pass_(1)
        jar.store([sessions.issue_header(replace(ANNA, recording=f"r{number}"))])
    return jar


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
        jar.store(await sessions.begin(jar.credentials(sessions), replace(ANNA, recording=f"n{number}")))
        opened.append(list(jar.cookies)[-1])
    assert len(jar.cookies) == 8
    assert jar.cookies.keys() >= set(opened)
