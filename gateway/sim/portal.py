"""A small intranet portal: it knows who you are (you say so) and hands you over with a ticket that it signs."""

import secrets
from dataclasses import dataclass

import jwt
from aiohttp import web
from jinja2 import Environment, PackageLoader, select_autoescape

from gateway.clock import SystemClock
from gateway.ports import Clock
from gateway.sim.catalogue import Recording

TICKET_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to be."""

    name: str
    title: str
    groups: tuple[str, ...] = ()


PEOPLE = (
    Person("anna", "A supervisor", ("supervisors",)),
    Person("ben", "A student", ("students",)),
    Person("carla", "A stranger"),
)


class Portal:
    """*key* is an Ed25519 private key's PEM. *gateway*, set before the first click, is the gateway's public_url:
    where people are sent, and for whom tickets are signed. *url* is the portal's own address, and its issuer."""

    def __init__(self, recordings: list[Recording], key: str, *, clock: Clock | None = None) -> None:
        self.gateway = ""
        self.url = ""
        self._recordings = recordings
        self._key = key
        self._clock = clock or SystemClock()
        self._runner: web.AppRunner | None = None
        environment = Environment(loader=PackageLoader("gateway.sim", "pages"), autoescape=select_autoescape())
        self._page = environment.get_template("portal.html")

    async def start(self, port: int = 0) -> None:
        application = web.Application()
        application.router.add_get("/", self._index)
        application.router.add_get("/open", self._open_list)
        application.router.add_get("/open/{recording}", self._open)
        application.router.add_get("/open/{recording}/{video}", self._open)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def ticket(self, person: Person) -> str:
        """What a portal signs, in any language: who, for whom, from when to when, a nonce, the groups."""
        now = int(self._clock.now())
        claims = {
            "iss": self.url,
            "aud": self.gateway,
            "sub": person.name,
            "iat": now,
            "exp": now + TICKET_SECONDS,
            "jti": secrets.token_urlsafe(16),
            "groups": list(person.groups),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA")

    async def _index(self, request: web.Request) -> web.Response:
        page = self._page.render(people=PEOPLE, chosen=_person(request), recordings=self._recordings)
        return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def _open_list(self, request: web.Request) -> web.Response:
        return self._hand_over("/recordings", _person(request))

    async def _open(self, request: web.Request) -> web.Response:
        """Only what the page lists is opened: nothing else gets into the address."""
        recording, video = request.match_info["recording"], request.match_info.get("video")
        listed = next((one for one in self._recordings if one.recording == recording), None)
        if listed is None or (video is not None and listed.film(video) is None):
            raise web.HTTPNotFound(text="The portal lists no such recording.")
        path = f"/recordings/{recording}" + ("" if video is None else f"/videos/{video}")
        return self._hand_over(path, _person(request))

    def _hand_over(self, path: str, person: Person) -> web.Response:
        location = f"{self.gateway}{path}?ticket={self.ticket(person)}"
        headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return web.Response(status=303, headers=headers)


def _person(request: web.Request) -> Person:
    """By name; who says nothing is the first, so that the demo's first click plays. A name unknown is nobody's."""
    name = request.query.get("as", PEOPLE[0].name)
    for person in PEOPLE:
        if person.name == name:
            return person
    raise web.HTTPNotFound(text="The portal knows no such person.")
