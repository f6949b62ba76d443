"""The portal redirects to the gateway with a ticket that its public key verifies, and to nothing else."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from yarl import URL

from gateway.sim.catalogue import ACCENTS, CAMERA_A, SESSION, Recording, demo_recordings
from gateway.sim.demo_configuration import make_portal_key
from gateway.sim.portal import PEOPLE, TICKET_SECONDS, Portal
from tests.support.clock import ManualClock

GATEWAY = "http://gateway.test:8080"


@dataclass
class Desk:
    """A running portal, its public key, and a client that follows no redirect."""

    portal: Portal
    public: str
    recordings: list[Recording]
    client: aiohttp.ClientSession

    async def go(self, path: str) -> tuple[int, str]:
        """Returns the status, and the redirect's target or the body."""
        url = URL(self.portal.url + path, encoded=True)
        async with self.client.get(url, allow_redirects=False) as answer:
            assert answer.status not in (200, 303) or answer.headers["Cache-Control"] == "no-store"
            return answer.status, answer.headers.get("Location") or await answer.text()

    def claims(self, location: str) -> dict[str, Any]:
        ticket = URL(location).query["ticket"]
        options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        return dict(jwt.decode(ticket, self.public, algorithms=["EdDSA"], audience=GATEWAY, options=options))


@pytest.fixture
async def desk(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Desk]:
    recordings = demo_recordings()
    portal = Portal(recordings, make_portal_key(tmp_path), clock=clock)
    portal.gateway = GATEWAY
    await portal.start()
    async with aiohttp.ClientSession() as client:
        yield Desk(portal, (tmp_path / "portal.pub").read_text(), recordings, client)
    await portal.stop()


class Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value is not None]


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
async def test_the_page_links_people_recordings_videos_and_the_list(desk: Desk, person: Any) -> None:
    status, page = await desk.go(f"/?as={person.name}")
    assert status == 200
    assert Links(page).links == [
        *(f"/?as={one.name}" for one in PEOPLE),
        *(
            f"/open/{recording.recording}{video}?as={person.name}"
            for recording in desk.recordings
            for video in ("", *(f"/{film.video}" for film in recording.films))
        ),
        f"/open?as={person.name}",
    ]


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
async def test_a_link_redirects_to_the_gateway_with_a_fresh_ticket(desk: Desk, clock: ManualClock, person: Any) -> None:
    for path in ("", f"/{SESSION}", f"/{SESSION}/{CAMERA_A}"):
        clock.pass_(1)
        status, location = await desk.go(f"/open{path}?as={person.name}")
        assert status == 303
        assert (
            location.partition("?")[0] == f"{GATEWAY}/recordings{path.replace(f'/{CAMERA_A}', f'/videos/{CAMERA_A}')}"
        )
        claims = desk.claims(location)
        assert len(claims.pop("jti")) >= 16
        assert claims == {
            "iss": desk.portal.url,
            "aud": GATEWAY,
            "sub": person.name,
            "iat": int(clock.now()),
            "exp": int(clock.now()) + TICKET_SECONDS,
            "groups": list(person.groups),
        }


async def test_every_ticket_is_unique(desk: Desk) -> None:
    locations = [(await desk.go(f"/open/{SESSION}"))[1] for _ in range(3)]
    assert len({desk.claims(location)["jti"] for location in locations}) == 3


@pytest.mark.parametrize(
    "path", ["nothing", f"{SESSION}/nothing", f"{ACCENTS}/{CAMERA_A}", "..%2F..%2Fadmin", "a%0d%0aX-Planted:%201"]
)
async def test_an_unlisted_recording_is_404(desk: Desk, path: str) -> None:
    status, text = await desk.go(f"/open/{path}?as=anna")
    assert (status, text) == (404, "The portal lists no such recording.")


@pytest.mark.parametrize("path", ["/", "/open", f"/open/{SESSION}"])
async def test_the_first_person_is_the_default_and_an_unknown_one_is_404(desk: Desk, path: str) -> None:
    assert (await desk.go(path))[0] in (200, 303)
    assert await desk.go(f"{path}?as=dora") == (404, "The portal has no such person.")


async def test_a_recordings_name_is_escaped(desk: Desk) -> None:
    desk.recordings[0].name = "<script>alert(1)</script>"
    _, page = await desk.go("/")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
