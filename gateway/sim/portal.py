"""A small intranet portal: the visitor chooses a person, and each link leads to the gateway with a signed ticket."""

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
    """A person that the visitor can choose."""

    name: str
    title: str
    groups: tuple[str, ...] = ()


PEOPLE = (
    Person("anna", "A supervisor", ("supervisors",)),
    Person("ben", "A student", ("students",)),
    Person("carla", "A stranger"),
)


class Portal:
    """*key* is an Ed25519 private key, PEM. *gateway* is the gateway's public_url, the audience of the tickets; set it
    before the first request. *url* is the portal's own address, the issuer of the tickets."""

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
        """Returns a signed ticket for *person*: issuer, audience, subject, times, a unique id and groups."""
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
        return self._redirect("/recordings", _person(request))

    async def _open(self, request: web.Request) -> web.Response:
        """Redirects to a recording or video that the page lists, so that nothing else gets into the address."""
        recording, video = request.match_info["recording"], request.match_info.get("video")
        listed = next((one for one in self._recordings if one.recording == recording), None)
        if listed is None or (video is not None and listed.film(video) is None):
            raise web.HTTPNotFound(text="The portal lists no such recording.")
        path = f"/recordings/{recording}" + ("" if video is None else f"/videos/{video}")
        return self._redirect(path, _person(request))

    def _redirect(self, path: str, person: Person) -> web.Response:
        location = f"{self.gateway}{path}?ticket={self.ticket(person)}"
        headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return web.Response(status=303, headers=headers)


def _person(request: web.Request) -> Person:
    """Returns the chosen person, by default the first, so that the demo's first click plays. Raises HTTPNotFound for an
    unknown name."""
    name = request.query.get("as", PEOPLE[0].name)
    for person in PEOPLE:
        if person.name == name:
            return person
    raise web.HTTPNotFound(text="The portal has no such person.")
