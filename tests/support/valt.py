"""A simulated VALT, and somebody who talks to it as VALT's own clients do."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
from multidict import CIMultiDictProxy
from yarl import URL

from gateway.ports import Clock
from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.sim.valt import USERS, ValtSimulator


@dataclass(frozen=True)
class Said:
    """An answer of the API. *body* is what its JSON says."""

    status: int
    body: Any


@dataclass(frozen=True)
class Fetched:
    """An answer of the distribution server."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = field(repr=False)


@dataclass
class Caller:
    """Logs in once, and asks with that token unless another is given; with none if it is empty."""

    valt: ValtSimulator
    client: aiohttp.ClientSession
    token: str = ""

    async def login(self, username: str = "svc-reviewer", password: str | None = None) -> Said:
        body = {"username": username, "password": USERS["svc-reviewer"] if password is None else password}
        said = await self.ask("POST", "/api/v3/login", token="", json=body)
        if said.status == 200:
            self.token = said.body["data"]["access_token"]
        return said

    async def ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> Said:
        key = self.token if token is None else token
        params = {"access_token": key} if key else {}
        async with self.client.request(method, self.valt.base_url + path, params=params, **more) as answer:
            return Said(answer.status, await answer.json(content_type=None))

    async def link(self, recording: str = SESSION, video: str = CAMERA_A) -> str:
        if not self.token:
            await self.login()
        said = await self.ask("GET", f"/api/v3/records/download/{recording}/{video}")
        assert said.status == 200, said
        return str(said.body["url"])

    async def fetch(self, link: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Fetched:
        async with self.client.request(method, URL(link, encoded=True), headers=headers) as answer:
            return Fetched(answer.status, answer.headers, await answer.read())


def claims(link: str) -> dict[str, Any]:
    """What a link's token says, believed unseen."""
    token = parse_qs(urlsplit(link).query)["access_token"][0]
    return dict(jwt.decode(token, options={"verify_signature": False}))


@asynccontextmanager
async def caller(clock: Clock | None = None, **options: Any) -> AsyncIterator[Caller]:
    """A simulator that runs, with the demo's recordings unless told otherwise, and a client to talk to it."""
    async with ValtSimulator(clock=clock, **options) as valt, aiohttp.ClientSession() as client:
        yield Caller(valt, client)
