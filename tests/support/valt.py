"""A simulated VALT, and a client that calls it as VALT's own clients do."""

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
class ApiResponse:
    """A response of the API. *body* is its JSON, decoded."""

    status: int
    body: Any


@dataclass(frozen=True)
class MediaResponse:
    """A response of the distribution server."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = field(repr=False)


@dataclass
class Caller:
    """Calls the API with the token of its login, unless a call names another; an empty one sends none."""

    valt: ValtSimulator
    client: aiohttp.ClientSession
    token: str = ""

    async def login(self, username: str = "svc-reviewer", password: str | None = None) -> ApiResponse:
        body = {"username": username, "password": USERS["svc-reviewer"] if password is None else password}
        response = await self.call("POST", "/api/v3/login", token="", json=body)
        if response.status == 200:
            self.token = response.body["data"]["access_token"]
        return response

    async def call(self, method: str, path: str, *, token: str | None = None, **more: Any) -> ApiResponse:
        key = self.token if token is None else token
        params = {"access_token": key} if key else {}
        async with self.client.request(method, self.valt.base_url + path, params=params, **more) as answer:
            return ApiResponse(answer.status, await answer.json(content_type=None))

    async def link(self, recording: str = SESSION, video: str = CAMERA_A) -> str:
        if not self.token:
            await self.login()
        response = await self.call("GET", f"/api/v3/records/download/{recording}/{video}")
        assert response.status == 200, response
        return str(response.body["url"])

    async def fetch(self, link: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> MediaResponse:
        async with self.client.request(method, URL(link, encoded=True), headers=headers) as answer:
            return MediaResponse(answer.status, answer.headers, await answer.read())


def claims(link: str) -> dict[str, Any]:
    """Returns the claims of a link's token, without verifying its signature."""
    token = parse_qs(urlsplit(link).query)["access_token"][0]
    return dict(jwt.decode(token, options={"verify_signature": False}))


@asynccontextmanager
async def caller(clock: Clock | None = None, **options: Any) -> AsyncIterator[Caller]:
    """Runs a simulator, with the demo's recordings by default. Yields a client for it."""
    async with ValtSimulator(clock=clock, **options) as valt, aiohttp.ClientSession() as client:
        yield Caller(valt, client)
