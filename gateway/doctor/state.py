"""Whether the state of used tickets, sign-outs and revocations can be written."""

import asyncio
import tempfile
from pathlib import Path

from gateway.doctor.check import Check, broken, doubtful, good
from gateway.redis_url import RedisUrl
from gateway.settings.identity import STATEFUL_TABLES
from gateway.settings.model import Settings
from gateway.settings.state_checks import parse_address
from gateway.settings.state_files import state_faults

_NAME = "state"
_WRITTEN = 64 * 1024
"""Bytes that are written in a directory to try it."""
_NO_EVICTION = "noeviction"


async def check_state(settings: Settings) -> Check:
    """Returns whether the configured state can be used; Redis is asked, a directory is written to."""
    address = parse_address(settings.state)
    if address is not None:
        return await _check_redis(address, settings.state.prefix)
    if settings.state.dir is not None:
        return await asyncio.to_thread(_check_folder, Path(settings.state.dir))
    if any(isinstance(table, STATEFUL_TABLES) for table in settings.identity):
        detail = "it is in memory: a restart forgets used tickets, sign-outs and revocations"
        return doubtful(_NAME, detail, "set state.dir")
    return good(_NAME, "it is in memory, and no provider needs more")


def _check_folder(folder: Path) -> Check:
    for fault in state_faults(folder):
        return broken(_NAME, f"{fault.key} {fault.reason}", fault.remedy)
    if not folder.exists():
        return good(_NAME, f"{folder} does not exist yet; the gateway creates it")
    error = write_error(folder)
    if error is not None:
        remedy = "make room, or let the service write there"
        return broken(_NAME, f"{folder} cannot be written: {error.strerror}", remedy)
    return good(_NAME, f"{folder} can be written")


def write_error(folder: Path) -> OSError | None:
    """Returns why a file cannot be written in *folder*, None if it can. The file is removed again."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-", buffering=0) as file:
            left = bytes(_WRITTEN)
            while left:  # a disk that becomes full takes a part
                left = left[file.write(left) :]
    except OSError as error:
        return error
    return None


async def _check_redis(address: RedisUrl, prefix: str) -> Check:
    from gateway.store.redis_client import FAILURES, close_client, reason_of, redis_client

    client = redis_client(address)
    place = f"Redis at {address}"
    try:
        await client.set(f"{prefix}doctor", "1", ex=10)
        memory = await client.info("memory")
    except FAILURES as error:
        remedy = f"start Redis, and compare state.url with its address, user, password and ACL of {prefix}*"
        return broken(_NAME, f"{place} cannot be used: {reason_of(error)}", remedy)
    finally:
        await close_client(client)
    policy, limit = str(memory.get("maxmemory_policy", "")), int(memory.get("maxmemory", 0))
    if policy not in ("", _NO_EVICTION):
        when = "when its memory is full" if limit else "as soon as maxmemory is set"
        detail = f"{place}: maxmemory-policy is {policy}, which removes revocations and used tickets {when}"
        remedy = f"set maxmemory-policy {_NO_EVICTION}, or give the gateway a Redis of its own"
        return (broken if limit else doubtful)(_NAME, detail, remedy)
    return good(_NAME, f"{place} can be written, and evicts nothing")
