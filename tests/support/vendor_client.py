"""A client that behaves like the vendor's public Python modules for VALT, in the manners of three of their versions.

Own code, written by what the modules are known to do: they log in, ask for VALT's version at once, and choose the shape
of later calls by its first character. The older ones refuse every further call after any HTTP error until their next
login, which is eight hours away if the last one succeeded.
"""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

RENEWAL = 8 * 3600.0
RETRY = 30.0
TIMEOUT = 5.0
"""Seconds: of a login that succeeded, after a failure, and of each request."""


@dataclass
class VendorClient:
    """*manner* is 2, 3 or 4: the module's major version. *now* is the client's clock, in seconds. Blocks."""

    address: str
    username: str
    password: str
    manner: int
    now: float = field(default_factory=time.monotonic)
    token: str | int = 0
    version: str = ""
    errors: list[int] = field(default_factory=list)
    """The HTTP statuses that it got instead of 200."""
    login_at: float = 0.0

    @property
    def is_alive(self) -> bool:
        """Whether it would make another call now."""
        return self.token != 0 or self.now >= self.login_at

    def log_in(self) -> None:
        self.token = 0
        answer = self._send("POST", "login", {"username": self.username, "password": self.password})
        data = {} if answer is None else answer["data"]
        self.login_at = self.now + (RENEWAL if data else RETRY)
        self.token = data["access_token"] if data else 0
        general = self.call("GET", "admin/general")
        self.version = "" if general is None else general["data"]["version"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Returns the JSON of the response; None after an error, and without a request while it has no token."""
        if self.token == 0:
            if self.now < self.login_at:
                return None
            self.log_in()
        return self._send(method, f"{path}?access_token={self.token}", body)

    def search(self, **query: str) -> list[str]:
        """Returns the names of the recordings; *query* is search, start_date or both."""
        answer = self.call("POST", "records", query)
        data = answer["data"] if answer is not None and answer["data"] else {}
        rows = data["records"] if isinstance(data, dict) and data else data or []
        return [row["name"] for row in rows]

    def remarks(self, recording: str) -> list[tuple[float, str]]:
        """Returns times and texts: VALT 5's markers or VALT 6's comments."""
        if self.version[:1] == "5":
            details = self.call("GET", f"records/{recording}")
            return [] if details is None else [(row["time"], row["event"]) for row in details["data"]["markers"]]
        comments = self.call("GET", f"comment/record/{recording}") or []
        return [(float(row["recordTime"] or row["startTime"]), row["message"]) for row in comments]

    def room(self, room: int) -> tuple[str, Any]:
        """Returns the room's name, and the id of what is being recorded in it."""
        answer = self.call("GET", f"rooms/info/{room}")
        if answer is None:
            return "", None
        data = answer["data"]
        return data["name"], data["recording"]["id"] if data["has_recording"] else None

    def download(self, recording: str, video: str) -> bytes:
        answer = self.call("GET", f"records/download/{recording}/{video}")
        if answer is None:
            return b""
        with urlopen(answer["url"], timeout=TIMEOUT) as film:
            return bytes(film.read())

    def _send(self, method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.address}/api/v3/{path}"
        try:
            request = Request(url, data, {"Content-Type": "application/json"}, method=method)
            with urlopen(request, timeout=TIMEOUT) as answer:
                return json.load(answer)
        except HTTPError as error:
            self.errors.append(error.code)
            if not (self.manner == 4 and error.code == 404):
                self.token = 0
            if self.manner == 4 and error.code != 404:
                self.login_at = self.now + RETRY
            return None
