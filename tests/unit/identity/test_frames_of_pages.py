"""Pages of frames whose tickets are exchanged at the same moment: no frame loses its session, and the cookies fit.

Generated sequences of pages. Each frame's request presents the cookies that the browser has when it is sent, each is
answered by any worker, and the responses arrive in any order or never. The pages are as large as session_limits allows,
where the cookies are as long as they become when they are renewed.
"""

import random
import uuid
from dataclasses import replace
from functools import cache

import pytest

from gateway.group_selection import GroupSelection
from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity
from tests.support.clock import TickingClock
from tests.support.cookie_jar import CookieJar
from tests.support.generated import sequences
from tests.unit.identity.test_session import ANNA, HOUR, ONE, TWO, SessionsFixture

pytestmark = pytest.mark.promise("security-S2")

ROOM = 7970
"""Characters of a Cookie header that tickets use."""
COUNTS = [0, 3, 8, 20, 40, 70]
"""How many groups a person has."""
GROUPS = [str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))) for number in range(max(COUNTS))]
MOST_FRAMES = 8
WIDE_COOKIE = "__Host-valt_gateway_session"


def person_in(count: int) -> Identity:
    return replace(ANNA, groups=frozenset(GROUPS[:count]))


@cache
def renewed_length(person: Identity) -> int:
    """Returns the characters of a frame's cookie in a Cookie header after a renewal, at most."""
    fixture, lengths = SessionsFixture(), list[int]()
    fixture.clock = TickingClock()
    sessions = fixture.sessions(keep_groups=GroupSelection(frozenset(GROUPS)))
    for number in range(200):
        jar = CookieJar()
        jar.store([sessions.issue_header(frame(person, number % 20))])
        fixture.clock.pass_(HOUR / 2 - number)
        (session,) = sessions.identities(jar.credentials(sessions))
        jar.store(sessions.refresh_headers(session))
        lengths.append(len(f"{jar.header}; "))
    return max(lengths)


def frame(person: Identity, number: int) -> Identity:
    return replace(person, recording=f"r{number}", video=None)


def wide(person: Identity) -> Identity:
    return replace(person, recording=None, video=None)


class Browser:
    """A browser of one person in front of two workers. Each page's tickets have other groups of that person."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        fixture = SessionsFixture()
        self.clock = fixture.clock = TickingClock()
        keep = GroupSelection(frozenset(GROUPS))
        self.workers = [fixture.sessions(ONE, keep_groups=keep) for _ in range(2)]
        self.replaced_secret = [fixture.sessions(TWO, keep_groups=keep) for _ in range(2)]
        self.others = self.random.choice([0, 0, 500, 1000, 2000])
        self.jar = CookieJar()
        self.people = [person_in(count) for count in self.random.sample(COUNTS, 2)]
        self.person = self.people[0]
        if self.random.random() < 0.2:
            self.jar.store([self.workers[0].issue_header(wide(self.person))])
        self.page: dict[int, str] = {}
        """The page that is open: its cookies' names by the frames' numbers."""

    def most_frames(self, person: Identity) -> int:
        """Returns how many frames a page of *person* may have."""
        present = self.jar.cookies.get(WIDE_COOKIE)
        room = ROOM - self.others - (len(f"{WIDE_COOKIE}={present}; ") if present is not None else 0)
        return max(1, min(MOST_FRAMES, (room // renewed_length(person) + 1) // 2))

    def present(self) -> Credentials:
        cookies = "; ".join(filter(None, ["o" * self.others, self.jar.header]))
        assert len(cookies) <= 8190 - len("\r\n")
        return Credentials(sessions=self.jar.credentials(self.workers[0]).sessions, cookies=[cookies])

    async def load_page(self) -> None:
        """Loads a page of frames, known ones or new ones."""
        self.person = self.random.choice(self.people)
        first, count = self.random.randrange(12), self.random.randint(1, self.most_frames(self.person))
        self.page = {}
        frames = {number: frame(self.person, number) for number in range(first, first + count)}
        if self.random.random() < 0.1:
            frames[first] = wide(self.person)
        await self.load_frames(frames)

    async def load_frame_again(self) -> None:
        """Loads one frame of the page again, for which the portal has issued another ticket of the same limits."""
        number = self.random.choice([number for number, name in self.page.items() if name != WIDE_COOKIE])
        await self.load_frames({number: frame(self.person, number)})

    async def load_frames(self, frames: dict[int, Identity]) -> None:
        unsent = list(frames.items())
        sent, answered = list[tuple[int, Identity, Credentials]](), list[tuple[int, list[str]]]()
        while unsent or sent or answered:
            match self.random.choice(["send", "send", "answer", "receive"]):
                case "send" if unsent:
                    sent.append((*unsent.pop(0), self.present()))
                case "answer" if sent:
                    number, identity, presented = sent.pop(self.random.randrange(len(sent)))
                    answered.append((number, await self.random.choice(self.workers).begin(presented, identity)))
                case "receive" if answered:
                    number, headers = answered.pop(self.random.randrange(len(answered)))
                    if self.random.random() < 0.05:
                        continue  # the connection is lost
                    self.jar.store(headers)
                    self.page[number] = headers[-1].partition("=")[0]
        assert self.jar.cookies.keys() >= set(self.page.values())

    def play(self) -> None:
        """Requests ranges of the films of the page, which renews some of the cookies."""
        worker = self.random.choice(self.workers)
        for identity in worker.identities(self.present()):
            self.jar.store(worker.refresh_headers(identity))

    async def act(self) -> None:
        match self.random.choices(("page", "frame", "play", "time", "secret"), (8, 4, 6, 4, 0.3))[0]:
            case "page":
                await self.load_page()
            case "frame" if set(self.page.values()) - {WIDE_COOKIE}:
                await self.load_frame_again()
            case "play":
                self.play()
            case "time":
                self.clock.pass_(self.random.choice([1, 60, 1000]))
            case _:
                self.page = {}  # its sessions have ended
                self.workers, self.replaced_secret = self.replaced_secret, self.workers


@pytest.mark.timeout(0)
async def test_no_frame_of_a_page_loses_its_session_in_whatever_order_responses_arrive() -> None:
    sizes = set[int]()
    for seed in range(sequences(500)):
        browser = Browser(seed)
        try:
            for _ in range(8):
                await browser.act()
        except AssertionError as error:
            raise AssertionError(f"sequence {seed}: {error}") from error
        sizes |= set(map(browser.most_frames, browser.people))
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
