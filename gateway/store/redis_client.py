"""A client of Redis or Valkey for one `RedisUrl`, and what its errors say to the operator."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.errors import BusyError
from gateway.redis_url import RedisUrl

T = TypeVar("T")

_MAX_CONNECTIONS = 32

FAILURES = (RedisError, OSError, TimeoutError)
"""What a call of Redis may raise."""


def redis_client(url: RedisUrl) -> "Redis":
    """Returns a client that repeats nothing: what may be repeated is for the caller to know."""
    options: dict[str, Any] = {
        "username": url.username,
        "password": None if url.password is None else url.password.reveal(),
        "db": url.database,
        "socket_timeout": url.timeout,
        "socket_connect_timeout": url.timeout,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "valt-gateway",
    }
    if url.service is not None:
        sentinel_options = {
            "socket_timeout": url.timeout,
            "socket_connect_timeout": url.timeout,
            "retry": Retry(NoBackoff(), 0),
            "username": url.sentinel_username,
            "password": None if url.sentinel_password is None else url.sentinel_password.reveal(),
        }
        sentinel = Sentinel(url.hosts, sentinel_kwargs=sentinel_options, **options)  # type: ignore[no-untyped-call]
        client: Redis = sentinel.master_for(url.service)
        return client
    host, port = url.hosts[0]
    if url.tls:
        options |= {"connection_class": SSLConnection, "ssl_ca_certs": url.ca_file}
    else:
        options["connection_class"] = Connection
    pool = BlockingConnectionPool(
        host=host, port=port, max_connections=_MAX_CONNECTIONS, timeout=url.timeout, **options
    )
    return Redis.from_pool(pool)


async def repeat_if_lost(call: Callable[[], Awaitable[T]]) -> T:
    """Returns what *call*, which may be repeated, returns; it is called once more if a connection was lost."""
    try:
        return await call()
    except (RedisTimeoutError, TimeoutError):
        raise
    except (RedisConnectionError, OSError):
        return await call()


async def close_client(client: "Redis") -> None:
    """Closes the connections of *client*, those to Sentinels too, which it does not close itself."""
    pool = client.connection_pool
    await client.aclose()
    await pool.disconnect()
    for sentinel in pool.sentinel_manager.sentinels if isinstance(pool, SentinelConnectionPool) else ():
        await sentinel.aclose()


def parse_entry(key: bytes, field: bytes, content: bytes) -> tuple[float, float]:
    """Returns until when the entry *field* of the hash *key* counts, and its value, both Unix seconds.

    Raises BusyError if another program has written it: to ignore it might be to ignore a revocation.
    """
    try:
        until, value = map(float, content.split())
    except ValueError:
        key_name, name = key.decode("utf-8", "replace"), field.decode("utf-8", "replace")
        raise BusyError(
            f"Redis has an entry that no gateway writes, {name!r} of {key_name}: remove it (HDEL)"
        ) from None
    return until, value


def reason_of(error: BaseException) -> str:
    """Returns what failed, without the text that an answer of Redis may repeat of a command."""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    if isinstance(error, ResponseError):
        return f"Redis answered {str(error).partition(' ')[0]}"
    return str(error) or type(error).__name__


_REASONS: dict[type[Exception], str] = {
    OutOfMemoryError: "its memory is full (maxmemory)",
    NoPermissionError: "its ACL does not allow the gateway a command, key or channel",
    ReadOnlyError: "it is a replica that cannot be written",
    AuthenticationError: "it refused the user name or password",
}
