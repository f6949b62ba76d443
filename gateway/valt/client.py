"""VALT's HTTP API: the only module that knows its URLs, and what its statuses mean."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from yarl import URL

from gateway.errors import (
    AccessTokenRefusedError,
    GatewayError,
    ValtError,
    ValtLoginError,
    ValtResponseError,
    ValtTimeoutError,
    ValtUnavailableError,
    VideoNotFoundError,
)
from gateway.events import ValtCall, ValtLogin
from gateway.model import AccessToken, Account, Link, RecordingDetails, Video
from gateway.ports import Clock, Observer
from gateway.valt import schema
from gateway.valt.allowed_hosts import AllowedHosts, read_link
from gateway.valt.calls import Answer, Calls

_MAX_ANSWER = 256 * 1024
_MAX_SEARCH = 32 * 1024 * 1024


class ValtClient:
    """Implements ports.Valt."""

    def __init__(
        self,
        calls: Calls,
        base_url: str,
        accounts: Mapping[str, Account],
        media_hosts: "tuple[str, ...]",
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._calls = calls
        self._api = base_url.rstrip("/") + "/api/v3"
        self._accounts = accounts
        self._places = AllowedHosts.of(base_url, media_hosts)
        self._clock = clock
        self._observer = observer

    async def login(self, account: str) -> AccessToken:
        """Log in as *account*. ValtLoginError where VALT says no to it; ValtError where it says something else."""
        known = self._accounts[account]
        credentials = {"username": known.username, "password": known.password.reveal()}
        outcome = "error"
        try:
            with self._told("login"):
                answer = await self._ask("POST", "/login", None, json=credentials)
                if answer.status in (401, 403):
                    raise ValtLoginError(f"VALT refused the account {account!r} (HTTP {answer.status})")
                self._judge(answer.status)
                token = AccessToken(account, schema.access_token(answer.body), self._clock.monotonic())
            outcome = "ok"
            return token
        except GatewayError as error:
            outcomes: dict[type[GatewayError], str] = {ValtLoginError: "refused", ValtTimeoutError: "timeout"}
            outcome = outcomes.get(type(error), "error")
            raise
        finally:
            self._observer.on_event(ValtLogin(account, outcome))

    async def download(self, token: AccessToken, video: Video) -> Link:
        """VALT's download URL (API Download Recording Video), checked."""
        with self._told("download"):
            body = await self._get(f"/records/download/{video.recording}/{video.video}", token)
            return read_link(schema.download_url(body), self._places, self._clock.monotonic())

    async def record(self, token: AccessToken, recording: str) -> RecordingDetails:
        """What VALT knows of a recording (API Recording Details)."""
        with self._told("record"):
            return schema.recording_details(await self._get(f"/records/{recording}", token))

    async def search(self, token: AccessToken, query: Mapping[str, Any]) -> list[RecordingDetails]:
        """The recordings that match (API List Recordings); *query* is VALT's own body."""
        with self._told("search"):
            answer = await self._ask("POST", "/records", token, limit=_MAX_SEARCH, json=dict(query))
            self._judge(answer.status)
            # Thousands of rows take a third of a second, in which no stream would get its bytes.
            return await asyncio.to_thread(schema.search_results, answer.body)

    async def rooms(self, token: AccessToken) -> list[tuple[int, str]]:
        """Ids and names of the rooms the account sees."""
        with self._told("rooms"):
            return schema.rooms(await self._get("/rooms/info", token))

    async def _get(self, path: str, token: AccessToken) -> bytes:
        answer = await self._ask("GET", path, token)
        self._judge(answer.status)
        return answer.body

    async def _ask(
        self, method: str, path: str, token: AccessToken | None, *, limit: int = _MAX_ANSWER, json: Any = None
    ) -> Answer:
        query = f"?access_token={quote(token.value.reveal(), safe='')}" if token else ""
        return await self._calls.ask(method, URL(self._api + path + query, encoded=True), limit=limit, json=json)

    @staticmethod
    def _judge(status: int) -> None:
        """The HTTP status is authoritative (valt-api.md, 1.5)."""
        if status == 200:
            return
        if status == 401:
            raise AccessTokenRefusedError("VALT refused an access token")
        if status == 404:
            raise VideoNotFoundError("VALT answered 404")
        if status == 429 or status >= 500:
            raise ValtUnavailableError(f"VALT answered HTTP {status}")
        raise ValtResponseError(f"VALT answered HTTP {status}")

    @contextmanager
    def _told(self, operation: str) -> Iterator[None]:
        began, outcome = self._clock.monotonic(), "error"
        try:
            yield
            outcome = "ok"
        except VideoNotFoundError:
            outcome = "not_found"
            raise
        except (AccessTokenRefusedError, ValtLoginError):
            outcome = "refused"
            raise
        except ValtTimeoutError:
            outcome = "timeout"
            raise
        except (ValtError, asyncio.CancelledError):
            raise
        finally:
            self._observer.on_event(ValtCall(operation, outcome, self._clock.monotonic() - began))
