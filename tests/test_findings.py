"""What is known to break gateways, and the test that holds each against this one.

Findings of measuring aiohttp, PyJWT, cachetools, yarl and browsers (1 to 21), and facts of the house (A to L); below
each stand the tests that hold it.

 1 a redirected browser never comes back to renew its link
     test_findings.py::test_the_default_delivery_is_the_one_that_can_be_taken_back
     unit/settings/test_reading.py::test_redirect_delivery_is_warned_about
     e2e/test_what_valt_is_asked.py::test_a_redirect_gets_a_fresh_link_rather_than_a_short_one
 2 path parameters are decoded after routing
     unit/web/test_the_wire.py::test_no_path_is_made_into_another
     e2e/test_request_flow.py::test_a_bad_id_is_404_before_anybody_is_asked
 3 cookies are read laxly
     unit/identity/test_cookies.py::test_a_second_cookie_that_a_laxer_reader_takes_for_ours_makes_both_none
     test_findings.py::test_a_cookie_under_another_name_is_no_session
 4 Host is whatever the client says
     unit/web/test_the_wire.py::test_host_is_never_believed
 5 headers may stand twice
     unit/web/test_the_wire.py::test_a_doubled_security_header_is_a_bad_request
 6 nothing ends a client who does not read
     test_findings.py::test_who_does_not_read_is_cut_in_the_end
     test_findings.py::test_who_never_finishes_a_head_is_not_waited_for_long
 7 a client's default ends a stream after five minutes
     test_findings.py::test_no_stream_has_a_total_limit_and_every_call_has_one
 8 stalled streams starve logins in a shared pool
     test_findings.py::test_stalled_streams_keep_no_call_of_valts_waiting
 9 a cookie jar is shared between people
     test_promises.py::test_no_door_stands_open_for_cookies_environment_or_redirects
10 bodies of HEAD and 304 go on the wire
     test_findings.py::test_what_has_no_body_leaves_the_connection_in_step
     e2e/test_tickets.py::test_head_spends_no_ticket
11 a truncated body can look complete
     e2e/test_proxied_bytes.py::test_a_failure_after_the_first_byte_is_a_reset_and_not_a_short_success
12 PyJWKClient blocks, floods and forgets
     unit/identity/test_jwks.py::test_five_thousand_random_kids_while_the_provider_is_down_cost_one_attempt_a_minute
     unit/identity/test_jwks.py::test_keys_are_kept_while_the_provider_is_down_for_a_day
     unit/identity/test_jwks.py::test_a_key_set_that_is_none_is_refused_and_the_old_one_kept
13 PyJWT is lax
     unit/identity/test_jwt.py::test_a_claim_that_is_missing_or_wrong_is_refused
     unit/identity/test_jwt.py::test_a_claim_said_twice_is_not_believed
     unit/identity/test_jwt.py::test_a_key_too_short_to_be_safe_is_refused
     unit/identity/test_ticket.py::test_a_malleated_copy_of_a_spent_ticket_is_a_replay
14 expiring caches mix up their clocks
     unit/test_cache.py::test_a_step_of_the_wall_clock_neither_revives_nor_ends_a_value
     unit/test_cache.py::test_nothing_lives_for_ever_whatever_it_claims
15 yarl rewrites signed URLs
     unit/valt/test_allowed_hosts.py::test_whatever_leads_elsewhere_or_reads_two_ways_is_refused
     e2e/test_request_flow.py::test_a_redirect_is_307_to_valts_url_byte_for_byte
16 tokens leak by default
     e2e/test_canary.py::test_no_secret_leaves_anywhere_on_any_way
17 strangers flood the log
     unit/web/test_the_wire.py::test_a_thousand_malformed_requests_make_a_few_lines_of_log
     unit/observe/test_logs.py::test_a_flood_is_cut_to_a_few_lines_a_second_and_one_with_the_count
18 a megabyte of headers is accepted
     unit/web/test_the_wire.py::test_a_header_too_large_is_431
     unit/web/test_the_wire.py::test_too_many_headers_are_refused
19 a shutdown refuses too early and lasts too long
     e2e/test_running_it.py::test_a_drain_is_not_ready_at_once_and_lets_streams_finish
     e2e/test_running_it.py::test_a_second_signal_ends_a_drain_now
20 an audit of packages that could not run looks like a pass
     test_findings.py::test_an_audit_of_packages_that_cannot_run_is_no_pass
21 a link's token may open every file
     e2e/test_proxied_bytes.py::test_nothing_of_valts_reaches_the_client
     unit/settings/test_reading.py::test_redirect_delivery_is_warned_about
 A a swallowed failure is half a film, or a hang
     e2e/test_proxied_bytes.py::test_a_failure_after_the_first_byte_is_a_reset_and_not_a_short_success
 B an error after the head is written into the film
     test_findings.py::test_no_second_head_is_written_into_a_film
 C who leaves must free a silent media server
     e2e/test_proxied_bytes.py::test_a_viewer_who_leaves_frees_the_upstream_connection_at_once
 D decoded ids reach another call of VALT's
     e2e/test_request_flow.py::test_a_bad_id_is_404_before_anybody_is_asked
 E an exception's text holds the URL
     e2e/test_canary.py::test_no_secret_leaves_anywhere_on_any_way
 F a URL type rewrites escapes
     unit/valt/test_allowed_hosts.py::test_the_apis_own_host_on_any_port_and_listed_hosts_are_allowed_and_kept_byte_for_byte
 G fetching keys must not block, algorithms are pinned
     unit/identity/test_jwt.py::test_every_trick_with_the_algorithm_is_refused
     unit/identity/test_jwks.py::test_keys_are_discovered_once_however_many_ask_at_the_same_time
 H one slow person makes nobody wait
     unit/test_cache.py::test_three_hundred_who_wait_share_one_load
     unit/test_cache.py::test_one_who_gives_up_takes_the_load_from_nobody
 I a plain abort leaves megabytes in the kernel
     test_findings.py::test_a_cut_takes_back_what_the_kernel_still_holds
 J a browser asks twice, and replays without asking
     e2e/test_tickets.py::test_a_navigation_exchanges_its_ticket_for_a_session_at_the_same_address
     test_findings.py::test_no_answer_with_media_may_be_kept
 K a query outlives a redirect where a fragment may not
     test_findings.py::test_the_moment_in_an_address_outlives_the_ticket
 L a Secure cookie is never sent over http
     unit/identity/test_session.py::test_on_http_the_cookie_is_not_secure_since_browsers_would_drop_it
"""

import asyncio
import contextlib
import random
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.settings.model import GrantSettings
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack
from tests.support.promises import missing

TESTS = Path(__file__).parent
FINDINGS = {str(number) for number in range(1, 22)}
FACTS = set("ABCDEFGHIJKL")
BIG = random.Random(21).randbytes(4 * 1024 * 1024)
BIG_PATH = "/recordings/big/videos/film"
_ENTRY = re.compile(r"^ ?(\d+|[A-L]) \S.*\n((?: {5}\S+\n)+)", re.M)


def test_every_finding_is_held_by_tests_that_exist() -> None:
    assert {what for what, _ in _ENTRY.findall(__doc__ or "")} == FINDINGS | FACTS
    assert missing(__doc__ or "") == []


def address(stack: GatewayStack) -> tuple[str, int]:
    host, _, port = stack.url.removeprefix("http://").partition(":")
    return host, int(port)


def asked(method: str, path: str, **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def is_reset(read: Callable[[], Awaitable[bytes]], received: bytearray) -> bool:
    """Whether what is still to be *read* ends in a TCP reset; it is added to *received*."""
    try:
        async with asyncio.timeout(10):
            while piece := await read():
                received += piece
    except ConnectionResetError:
        return True
    return False


@asynccontextmanager
async def unread(stack: GatewayStack, *, path: str = BIG_PATH) -> AsyncIterator[socket.socket]:
    """A viewer with a tiny buffer who has asked for a film and reads nothing."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, address(stack))
        await loop.sock_sendall(sock, asked("GET", path, **stack.bearer()))
        async with asyncio.timeout(10):
            while not len(stack.gateway.streams):
                await asyncio.sleep(0.005)
        yield sock


def test_the_default_delivery_is_the_one_that_can_be_taken_back() -> None:
    assert GrantSettings.model_fields["delivery"].default == "proxy"


@pytest.mark.parametrize("space", ["\u2000", "\u00a0", "\u3000", "\u0085", "\t"])
async def test_a_cookie_under_another_name_is_no_session(stack: GatewayStack, space: str) -> None:
    async with stack.client.get(
        f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket()}", headers=NAVIGATION, allow_redirects=False
    ) as entered:
        cookie = entered.headers["Set-Cookie"].partition(";")[0]
    reader, writer = await asyncio.open_connection(*address(stack))
    for line in (f"{space}{cookie}", f"a=b; {space}{cookie}", cookie):
        writer.write(asked("HEAD", VIDEO_PATH, Cookie=line))
        head = await reader.readuntil(b"\r\n\r\n")
        # A TAB at the start of a header's value is no part of it (RFC 9110, 5.5): the first line is then plainly ours.
        plain = line == cookie or (space == "\t" and line.startswith("\t"))
        assert head.split(b" ")[1] == (b"200" if plain else b"401"), repr(line)
    writer.close()


async def test_who_does_not_read_is_cut_in_the_end(tmp_path: Path) -> None:
    idle = '[streams]\nupstream_idle = "50ms"\nviewer_idle = "150ms"\n'
    async with running_stack(tmp_path, more=idle) as stack:
        stack.valt.add_video("big", "film", BIG)
        async with unread(stack), asyncio.timeout(10):
            await stack.ended()
        closed = [line["outcome"] for line in stack.audit() if line["event"] == "close"]
        assert closed == ["cut"]


async def test_who_never_finishes_a_head_is_not_waited_for_long(stack: GatewayStack) -> None:
    """The deadline for a head is the one for an idle connection, an hour by default of aiohttp's runner."""
    server = stack.gateway._runners[0].server
    assert server is not None
    assert server._kwargs["keepalive_timeout"] <= 75
    server._kwargs["keepalive_timeout"] = 0.05
    reader, writer = await asyncio.open_connection(*address(stack))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    async with asyncio.timeout(10):
        await reader.read()
    writer.close()


async def test_no_stream_has_a_total_limit_and_every_call_has_one(stack: GatewayStack) -> None:
    valt = stack.gateway._current().valt
    assert valt.media_session.timeout.total is None
    assert valt.api_session.timeout.total == stack.gateway.settings.valt.read_timeout
    assert stack.gateway._current().identity_session.timeout.total is not None


async def test_stalled_streams_keep_no_call_of_valts_waiting(stack: GatewayStack) -> None:
    """More streams than the API's pool has places, and none of them moves."""
    stack.valt.add_video("big", "film", BIG)
    stack.valt.knobs.stall_after = [100_000] * 40
    stack.valt.knobs.stall_gate.clear()
    async with contextlib.AsyncExitStack() as exits:
        for _ in range(40):
            answer = await exits.enter_async_context(stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()))
            await answer.content.readexactly(50_000)
        async with asyncio.timeout(5):
            another = {**stack.bearer("ben"), "Range": "bytes=0-99"}
            async with stack.client.get(stack.url + VIDEO_PATH, headers=another) as answer:
                assert answer.status == 206
                assert len(await answer.read()) == 100
        stack.valt.knobs.stall_gate.set()


async def test_what_has_no_body_leaves_the_connection_in_step(stack: GatewayStack) -> None:
    """Asked all at once on one connection: a body written where none belongs would swallow the next head."""
    who = stack.bearer()
    async with stack.client.head(stack.url + VIDEO_PATH, headers=who) as answer:
        tag = answer.headers["ETag"]
    requests = [
        asked("HEAD", VIDEO_PATH, **who),
        asked("GET", VIDEO_PATH, **who, **{"If-None-Match": tag}),
        asked("GET", VIDEO_PATH, **who, Range="bytes=999999999-"),
        asked("HEAD", "/no/such/page", **who),
        asked("GET", VIDEO_PATH, **who, **{"If-Match": '"another"'}),
        asked("GET", VIDEO_PATH, **who, Range="bytes=7-16"),
        asked("HEAD", VIDEO_PATH),
    ]
    reader, writer = await asyncio.open_connection(*address(stack))
    writer.write(b"".join(requests))
    statuses = []
    async with asyncio.timeout(10):
        for _ in requests:
            head = await reader.readuntil(b"\r\n\r\n")
            statuses.append(head.split(b" ")[1].decode())
            if statuses[-1] == "206":
                await reader.readexactly(10)
    writer.close()
    assert statuses == ["200", "304", "416", "404", "412", "206", "401"]


def test_an_audit_of_packages_that_cannot_run_is_no_pass() -> None:
    """pip-audit exits 0 where it audited nothing, unless it is told to be strict."""
    root = TESTS.parent
    for path in [root / "Makefile", *root.glob(".ci/*"), *root.glob(".github/workflows/*.yml"), *root.glob("**/*.sh")]:
        if path.is_file() and ".venv" not in path.parts:
            for line in path.read_text(encoding="utf-8").splitlines():
                if re.search(r"\bpip-audit\b(?!.*install)", line) and not line.lstrip().startswith("#"):
                    assert "--strict" in line, f"{path.name}: {line}"


async def test_no_second_head_is_written_into_a_film(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[streams]\nresume_tries = 0\n") as stack:
        stack.valt.add_video("big", "film", BIG)
        stack.valt.knobs.reset_after = [500_000]
        reader, writer = await asyncio.open_connection(*address(stack))
        writer.write(asked("GET", BIG_PATH, **stack.bearer()))
        received = bytearray()
        assert await is_reset(lambda: reader.read(65_536), received)
        writer.close()
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert bytes(body) == BIG[: len(body)]


async def test_a_cut_takes_back_what_the_kernel_still_holds(stack: GatewayStack) -> None:
    """After a reset a slow reader gets what his own side has already and then an error, not what was on its way."""
    stack.valt.add_video("big", "film", BIG)
    loop = asyncio.get_running_loop()
    async with unread(stack) as sock:
        stream = next(iter(stack.gateway.streams))
        await stack.valt.wait_for(lambda: bool(stack.valt.media_requests))
        request = stack.valt.media_requests[-1]
        sent = -1
        while sent != request.sent:  # until every buffer on the way is full
            sent = request.sent
            await asyncio.sleep(0.02)
        stream.end("revoked")
        await stack.ended()
        received = bytearray()
        assert await is_reset(lambda: loop.sock_recv(sock, 65_536), received)
        assert len(received) <= 64 * 1024
    assert [line["outcome"] for line in stack.audit() if line["event"] == "close"] == ["cut"]


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-"}, {"Range": "bytes=999999999-"}, {"If-Match": '"x"'}])
async def test_no_answer_with_media_may_be_kept(stack: GatewayStack, headers: dict[str, str]) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | headers) as answer:
        assert answer.status in (200, 206, 412, 416)
        assert "no-store" in answer.headers["Cache-Control"]


async def test_the_moment_in_an_address_outlives_the_ticket(stack: GatewayStack) -> None:
    where = f"{stack.url}{VIDEO_PATH}?t=90&ticket={stack.ticket()}&lang=de"
    async with stack.client.get(where, headers=NAVIGATION, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == f"{VIDEO_PATH}?t=90&lang=de"


async def test_an_aborted_connection_leaves_no_descriptor_behind(stack: GatewayStack) -> None:
    """Every stream holds sockets and pipes of its own; whoever leaves takes them along."""
    stack.valt.add_video("big", "film", BIG)

    async def leave_after(count: int) -> None:
        reader, writer = await asyncio.open_connection(*address(stack))
        writer.write(asked("GET", BIG_PATH, **stack.bearer()))
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await reader.readexactly(count)
        writer.transport.abort()

    async def descriptors() -> int:
        await stack.ended()
        await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
        for _ in range(3):
            await asyncio.sleep(0)  # the simulator's own sockets are closed some turns after its answers have ended
        return len(list(Path("/proc/self/fd").iterdir()))

    await asyncio.gather(*(leave_after(1000) for _ in range(20)))
    before = await descriptors()
    await asyncio.gather(*(leave_after(1000 * (1 + number)) for number in range(60)))
    assert await descriptors() <= before
    assert (await stack.metrics())['valt_gateway_streams_active{delivery="proxy"}'] == 0
