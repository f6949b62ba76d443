"""The cookies of one browser, as far as Set-Cookie headers of the gateway concern them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.identity.session import Sessions
from gateway.model import Credentials, Secret


@dataclass
class CookieJar:
    """Names and values. Expiry is the gateway's to check: a cookie without one is a copy of somebody's."""

    cookies: dict[str, str] = field(default_factory=dict)

    def store(self, headers: Iterable[str]) -> None:
        """Applies Set-Cookie headers."""
        for header in headers:
            name, _, value = header.partition(";")[0].partition("=")
            if "; Max-Age=0;" in header:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value

    @property
    def header(self) -> str:
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def credentials(self, sessions: Sessions, ticket: str | None = None) -> Credentials:
        """Returns the credentials of a request."""
        return Credentials(
            sessions=sessions.read([f"theme=dark; {self.header}"]), ticket=None if ticket is None else Secret(ticket)
        )
