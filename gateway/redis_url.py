"""The address of a Redis server or of its Sentinels, as ``state.url`` states it.

    redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]
    rediss://…                                        the same over TLS
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]]…/SERVICE[/DATABASE]

Query parameters: ``socket_timeout`` (seconds for a connection and for each answer), ``ssl_ca_certs`` (a private CA, for
``rediss``), ``sentinel_username`` and ``sentinel_password``. User name, password and parameters are percent-encoded.
Redis-py reads no URLs of Sentinels, and ignores parameters that it does not know.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from gateway.model import Secret

_SENTINEL = "redis+sentinel"
_URL = re.compile(
    r"(?P<scheme>redis|rediss|redis\+sentinel)://(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]+)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.ASCII,
)
_HOST = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_PARAMETERS = {
    "redis": frozenset({"socket_timeout"}),
    "rediss": frozenset({"socket_timeout", "ssl_ca_certs"}),
    _SENTINEL: frozenset({"socket_timeout", "sentinel_username", "sentinel_password"}),
}
"""The query parameters of each scheme."""


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """*service* is the name by which Sentinels know the master; None if *hosts* is the one server itself."""

    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    username: str | None = None
    password: Secret | None = None
    database: int = 0
    service: str | None = None
    ca_file: str | None = None
    sentinel_username: str | None = None
    sentinel_password: Secret | None = None
    timeout: float = 2.0
    """Seconds for a connection and for each answer."""

    def __str__(self) -> str:
        """Returns hosts and ports, for messages: no user name, no password."""
        return ", ".join(f"{host}:{port}" for host, port in self.hosts)

    def has_database_of(self, other: "RedisUrl") -> bool:
        """Whether both name one database: of one host and port, or of one service of Sentinels, of which both name one.
        Two names of one host are two."""
        is_alike = (self.service, self.database) == (other.service, other.database)
        return is_alike and not set(self.hosts).isdisjoint(other.hosts)


def parse_redis_url(url: Secret) -> RedisUrl:
    """Returns the parts of *url*. Raises ValueError, whose message does not contain it, if it is no such URL."""
    match = _URL.fullmatch(url.reveal())
    if match is None:
        raise ValueError("is not the URL of a Redis server")
    scheme, path = match["scheme"], [unquote(part) for part in (match["path"] or "").split("/")[1:]]
    hosts = tuple(_host(one, 26379 if scheme == _SENTINEL else 6379) for one in match["hosts"].split(","))
    service = None
    if scheme == _SENTINEL:
        service = path.pop(0) if path else ""
        if not service:
            raise ValueError("names no service for the Sentinels")
    elif len(hosts) > 1:
        raise ValueError("names more than one server, and no Sentinels")
    if path and path[-1] == "":
        path.pop()
    if len(path) > 1 or not all(re.fullmatch(r"[0-9]{1,5}", one, re.ASCII) for one in path):
        raise ValueError("has a path that is not the number of a database")
    allowed = _PARAMETERS[scheme]
    pairs = parse_qsl(match["query"] or "", keep_blank_values=True)
    parameters = dict(pairs)
    if len(pairs) > len(parameters):
        raise ValueError("has a parameter more than once")
    if not parameters.keys() <= allowed:
        raise ValueError(f"has a parameter other than {' and '.join(sorted(allowed))}")
    timeout = parameters.get("socket_timeout", "2")
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", timeout, re.ASCII) is None or float(timeout) <= 0:
        raise ValueError("has a socket_timeout that is not a number of seconds")
    if not parameters.get("ssl_ca_certs", "/").startswith("/"):
        raise ValueError("has an ssl_ca_certs that is not the whole path of a file")
    user, _, password = (match["user"] or "").partition(":")
    if user and not password:
        raise ValueError("has a user name without a password")
    sentinel_password = parameters.get("sentinel_password")
    return RedisUrl(
        hosts,
        scheme == "rediss",
        unquote(user) or None,
        Secret(unquote(password)) if password else None,
        int(path[0]) if path else 0,
        service,
        parameters.get("ssl_ca_certs"),
        parameters.get("sentinel_username"),
        Secret(sentinel_password) if sentinel_password else None,
        float(timeout),
    )


def _host(text: str, default_port: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    port = default_port if match is None or match["port"] is None else int(match["port"])
    if match is None or not 0 < port <= 65535:
        raise ValueError("has a host or port that is not one")
    return match["host"].strip("[]"), port
