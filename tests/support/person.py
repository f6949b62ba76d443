"""A person with a browser without a screen: it stores cookies, follows redirects and submits forms of sign-in pages."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from tests.support.fronts import HOST

ADDRESS = "127.0.0.9"
"""The person's address. The whole of 127.0.0.0/8 is this machine; the fronts come to the gateway from 127.0.0.1."""


class _Resolver(AbstractResolver):
    """Resolves HOST to the front, whatever its port, and every other name to loopback."""

    def __init__(self, front: int) -> None:
        self._front = front

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        number = self._front if host == HOST else port
        flags = socket.AI_NUMERICHOST
        return [ResolveResult(hostname=host, host="127.0.0.1", port=number, family=family, proto=0, flags=flags)]

    async def close(self) -> None:
        """There is nothing to close."""


class _Form(HTMLParser):
    """The first form of a page: its action and its fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = values["action"]
        elif tag == "input" and "name" in values:
            self.fields[values["name"]] = values.get("value", "")


@dataclass(frozen=True, slots=True)
class Person:
    """*session* has the cookies of the front, of the gateway and of the identity provider."""

    session: aiohttp.ClientSession

    def get(self, path: str, headers: Iterable[tuple[str, str]] = ()) -> "aiohttp.client._RequestContextManager":
        """Requests *path* of HOST and follows no redirect."""
        return self.session.get(f"https://{HOST}{path}", headers=list(headers), allow_redirects=False)

    def become(self, provider: str, attributes: Mapping[str, str | Sequence[str]]) -> None:
        """Sets the cookie by which the SAML provider of the tests knows the person."""
        self.session.cookie_jar.update_cookies({"person": quote(json.dumps(attributes))}, URL(provider))

    async def sign_in(self, path: str, **fields: str) -> int:
        """Follows *path* to the provider, submits its forms with *fields*, and returns the status at the end."""
        response = await self.session.get(f"https://{HOST}{path}")
        while response.url.host != HOST and response.ok:
            form = _Form(await response.text())
            assert form.action is not None, str(response.url)
            data = form.fields | {name: value for name, value in fields.items() if name in form.fields}
            response = await self.session.post(response.url.join(URL(form.action)), data=data)
        await response.read()
        return response.status


@asynccontextmanager
async def person_before(port: int, tls: ssl.SSLContext) -> AsyncIterator[Person]:
    """Yields a person who reaches HOST through the front on *port*."""
    connector = aiohttp.TCPConnector(ssl=tls, local_addr=(ADDRESS, 0), resolver=_Resolver(port), use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Person(session)
