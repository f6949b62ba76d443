"""The running gateway as its admin listener shows it: readiness, and the limit of open files of its process."""

import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from gateway.connection_failure import describe_failure
from gateway.cpus import worker_count
from gateway.doctor.check import Check, broken, doubtful, good, not_tried
from gateway.settings.addresses import split_listen
from gateway.settings.model import AdminSettings, Settings

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (compared with, not bound)
_RESERVED = 64
_DESCRIPTORS_OF_STREAM = 5
"""Two sockets, a duplicate of one, and both ends of a pipe."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a running gateway says. *open_files* is the limit of its process, None if it is not known."""

    open_files: int | None = None


async def check_admin(settings: AdminSettings) -> tuple[Check, Running]:
    """Returns whether the gateway runs and is ready, and what it says about itself."""
    name = "admin"
    if settings.listen.startswith("systemd:") or settings.listen.endswith(":0"):
        detail = f"the address of {settings.listen} is not in the configuration"
        return not_tried(name, detail, "use systemctl status, or the address in the socket unit"), Running()
    try:
        async with _session(settings) as session:
            status, verbose = await _readiness(session)
            running = Running(await _open_files(session))
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
        reason = describe_failure(error, settings.listen)
        remedy = "start the gateway, or run doctor on the gateway's machine; systemctl status says why it has ended"
        return broken(name, f"{settings.listen} does not answer: {reason}", remedy), Running()
    if status == 401:
        remedy = "restart the gateway: admin.token needs it"
        return broken(name, "the running gateway does not accept admin.token", remedy), running
    if status != 200:
        faults = "; ".join(map(str, verbose.get("faults", ()))) or "it starts, drains or is no gateway"
        return broken(name, f"/readyz answers {status}: {faults}", "see the gateway's log for the reason"), running
    return good(name, f"the gateway is ready at {settings.listen}"), running


async def check_descriptors(settings: Settings, running: Running) -> Check:
    """Returns whether the limit of open files leaves room for ``limits.streams`` and ``limits.connections``."""
    name, workers = "descriptors", worker_count(settings.server.workers)
    if running.open_files is None:
        limit, whose = resource.getrlimit(resource.RLIMIT_NOFILE)[1], "this shell may open"
    else:
        limit, whose = running.open_files, "the running gateway may open"
    streams, connections = (-(-one // workers) for one in (settings.limits.streams, settings.limits.connections))
    for_streams = streams * _DESCRIPTORS_OF_STREAM + _RESERVED
    needed = max(for_streams, 2 * connections + _RESERVED)
    detail = f"{whose} {limit} files; {streams} streams and {connections} connections need {needed}"
    remedy = f"set LimitNOFILE={needed} in the unit (systemctl edit valt-gateway), or lower the limits"
    if limit < for_streams:
        return broken(name, detail, remedy)
    if limit < needed:
        accepted = max(1, (limit - _RESERVED) // 2)
        return doubtful(name, f"{detail}: {accepted} connections are accepted", remedy)
    return good(name, detail)


def _session(settings: AdminSettings) -> aiohttp.ClientSession:
    """Returns a client whose requests go to the admin listener."""
    headers = {"User-Agent": "valt-gateway"}
    if settings.token is not None:
        headers["Authorization"] = f"Bearer {settings.token.reveal()}"
    address = split_listen(settings.listen)
    connector: aiohttp.BaseConnector = aiohttp.TCPConnector()
    base_url = "http://localhost"
    if address is None:
        connector = aiohttp.UnixConnector(settings.listen.removeprefix("unix:"))
    else:
        host = _EVERY_ADDRESS.get(address[0], address[0])
        base_url = f"http://[{host}]:{address[1]}" if ":" in host else f"http://{host}:{address[1]}"
    return aiohttp.ClientSession(
        base_url,
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        timeout=_TIMEOUT,
        trust_env=False,
    )


async def _readiness(session: aiohttp.ClientSession) -> tuple[int, Mapping[str, Any]]:
    """Returns the status of ``/readyz?verbose`` and its JSON, empty if the body is none."""
    async with session.get("/readyz?verbose", allow_redirects=False) as response:
        try:
            body = await response.json(content_type=None)
        except ValueError:
            body = None
        return response.status, body if isinstance(body, dict) else {}


async def _open_files(session: aiohttp.ClientSession) -> int | None:
    async with session.get("/metrics", allow_redirects=False) as response:
        match = re.search(r"^process_max_fds (\S+)$", await response.text(), re.M)
        return None if match is None else int(float(match[1]))
