"""VALT's HTTP API: the only module that knows its URLs and the meaning of its statuses."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from yarl import URL

from gateway.errors import (
    AccessTokenRefusedError,
    CallRefusedError,
    GatewayError,
    ValtLoginError,
    ValtResponseError,
    ValtTimeoutError,
    ValtUnavailableError,
    VideoNotFoundError,
)
from gateway.events import ValtCall, ValtLogin
from gateway.model import Account, Link, Secret, Video
from gateway.ports import Clock, Observer
from gateway.recording_details import Comments, RecordingDetails, Room
from gateway.valt import comment_schema, schema
from gateway.valt.allowed_hosts import AllowedHosts, parse_link
from gateway.valt.transport import Transport

_MAX_RESPONSE = 256 * 1024
_MAX_COMMENTS_RESPONSE = 8 * 1024 * 1024
_MAX_SEARCH_RESPONSE = 32 * 1024 * 1024

_LOGIN_OUTCOMES: dict[type[Exception], str] = {ValtLoginError: "refused", ValtTimeoutError: "timeout"}
_CALL_OUTCOMES = _LOGIN_OUTCOMES | {
    AccessTokenRefusedError: "refused",
    CallRefusedError: "refused",
    VideoNotFoundError: "not_found",
}
"""The label *outcome* of the metrics by the exception that ended a login or a call; "error" for every other."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """VALT's API token for an account. *obtained_at* is monotonic seconds."""

    account: str
    value: Secret
    obtained_at: float


class ValtClient:
    """One method for each of VALT's calls. *media_hosts* are the ``host:port`` that links may name besides the API's
    own host."""

    def __init__(
        self,
        transport: Transport,
        base_url: str,
        accounts: Mapping[str, Account],
        media_hosts: "tuple[str, ...]",
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._transport = transport
        self._api = base_url.rstrip("/") + "/api/v3"
        self._accounts = accounts
        self._allowed_hosts = AllowedHosts.of(base_url, media_hosts)
        self._clock = clock
        self._observer = observer

    async def login(self, account: str) -> AccessToken:
        """Returns a new token of *account* (VALT: API Authentication).

        Raises ValtLoginError if VALT answers 401 or 403, another ValtError if the login failed otherwise.
        """
        user = self._accounts[account]
        outcome = "error"
        try:
            with self._measure("login"):
                body = {"username": user.username, "password": user.password.reveal()}
                response = await self._transport.request(
                    "POST", self._url("/login", None), limit=_MAX_RESPONSE, json=body, reads_only=False
                )
                if response.status in (401, 403):
                    raise ValtLoginError(f"VALT refused the account {account!r} (HTTP {response.status})")
                _check_status(response.status)
                token = AccessToken(account, schema.access_token(response.body), self._clock.monotonic())
            outcome = "ok"
            return token
        except GatewayError as error:
            outcome = _LOGIN_OUTCOMES.get(type(error), "error")
            raise
        finally:
            self._observer.on_event(ValtLogin(account, outcome))

    def user_digest(self, account: str) -> str:
        """Returns what tells VALT's users apart: another server, user name or password has another digest."""
        user = self._accounts[account]
        return hashlib.sha256("\0".join((self._api, user.username, user.password.reveal())).encode()).hexdigest()

    def read_link(self, url: str) -> Link:
        """Returns the link that another replica has fetched. Raises LinkRefusedError."""
        return parse_link(url, self._allowed_hosts, self._clock.monotonic())

    async def download(self, token: AccessToken, video: Video) -> Link:
        """Returns VALT's download URL (VALT: API Download Recording Video), checked against the allowed hosts.

        Raises VideoNotFoundError, AccessTokenRefusedError, LinkRefusedError or another ValtError.
        """
        with self._measure("download"):
            body = await self._get(f"/records/download/{video.recording}/{video.video}", token, may_be_missing=True)
            return parse_link(schema.download_url(body), self._allowed_hosts, self._clock.monotonic())

    async def record(self, token: AccessToken, recording: str) -> RecordingDetails:
        """Returns the details of a recording (VALT: API Recording Details).

        Raises VideoNotFoundError, AccessTokenRefusedError or another ValtError.
        """
        with self._measure("record"):
            return schema.recording_details(await self._get(f"/records/{recording}", token, may_be_missing=True))

    async def search(self, token: AccessToken, query: Mapping[str, Any]) -> list[RecordingDetails]:
        """Returns the recordings that match *query*, the body of VALT's own request (VALT: API List Recordings).

        Raises AccessTokenRefusedError or another ValtError.
        """
        with self._measure("search"):
            url = self._url("/records", token)
            # Optional, because a client's query must not open the circuit breaker for everybody.
            response = await self._transport.request(
                "POST", url, limit=_MAX_SEARCH_RESPONSE, json=dict(query), optional=True
            )
            _check_status(response.status)
            # Parsing thousands of rows takes a third of a second, too long for the event loop.
            return await asyncio.to_thread(schema.search_results, response.body)

    async def rooms(self, token: AccessToken) -> list[tuple[int, str]]:
        """Returns the ids and names of the rooms that the token's account sees.

        Raises AccessTokenRefusedError or another ValtError.
        """
        with self._measure("rooms"):
            return schema.rooms(await self._get("/rooms/info", token))

    async def room(self, token: AccessToken, room: str) -> Room:
        """Returns a room, and what is being recorded in it.

        Raises VideoNotFoundError if the account sees no such room, AccessTokenRefusedError or another ValtError.
        """
        with self._measure("rooms"):
            return schema.room(await self._get(f"/rooms/info/{room}", token, may_be_missing=True))

    async def comments(self, token: AccessToken, recording: str) -> Comments:
        """Returns the comments on a recording (VALT: API List Comments of a Recording).

        Raises VideoNotFoundError, also if this VALT has no comments, CallRefusedError, AccessTokenRefusedError or
        another ValtError.
        """
        with self._measure("comments"):
            path = f"/comment/record/{recording}"
            body = await self._get(path, token, limit=_MAX_COMMENTS_RESPONSE, may_be_missing=True, optional=True)
            return await asyncio.to_thread(comment_schema.comments, body, recording)

    async def version(self, token: AccessToken) -> str | None:
        """Returns VALT's version, or None if the response does not state it.

        Raises VideoNotFoundError or CallRefusedError if VALT does not disclose it to the account,
        AccessTokenRefusedError or another ValtError.
        """
        with self._measure("general"):
            return schema.version(await self._get("/admin/general", token, may_be_missing=True, optional=True))

    async def _get(
        self,
        path: str,
        token: AccessToken,
        *,
        limit: int = _MAX_RESPONSE,
        may_be_missing: bool = False,
        optional: bool = False,
    ) -> bytes:
        url = self._url(path, token)
        response = await self._transport.request("GET", url, limit=limit, optional=optional)
        _check_status(response.status, may_be_missing=may_be_missing)
        return response.body

    def _url(self, path: str, token: AccessToken | None) -> URL:
        query = f"?access_token={quote(token.value.reveal(), safe='')}" if token else ""
        return URL(self._api + path + query, encoded=True)

    @contextmanager
    def _measure(self, operation: str) -> Iterator[None]:
        """Reports the duration and the outcome of the with block as a ValtCall."""
        started, outcome = self._clock.monotonic(), "error"
        try:
            yield
            outcome = "ok"
        except GatewayError as error:
            outcome = _CALL_OUTCOMES.get(type(error), "error")
            raise
        finally:
            self._observer.on_event(ValtCall(operation, outcome, self._clock.monotonic() - started))


def _check_status(status: int, *, may_be_missing: bool = False) -> None:
    """Raises the error that *status* stands for, if it is not 200. The body does not count (VALT: API
    Authentication).

    *may_be_missing*: whether VALT may not have what the path names. Any other path always exists, so that 404 is not
    VALT's answer.
    """
    if status == 200:
        return
    if status == 401:
        raise AccessTokenRefusedError("VALT refused an access token")
    if status == 404 and may_be_missing:
        raise VideoNotFoundError("VALT answered HTTP 404")
    if status == 404:
        raise ValtResponseError("VALT answered HTTP 404 to a call that always exists: check valt.base_url")
    if status == 403:
        raise CallRefusedError("VALT answered HTTP 403")
    if status == 429 or status >= 500:
        raise ValtUnavailableError(f"VALT answered HTTP {status}")
    raise ValtResponseError(f"VALT answered HTTP {status}")
