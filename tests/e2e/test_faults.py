"""Whatever fails at the media server, the client receives the film's bytes or sees a failure."""

import asyncio
import hashlib
import os
import random
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohappyeyeballs import AddrInfoType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.sim.knobs import Knobs
from tests.support.client import RawConnection, connect, request
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import GatewayStack, running_stack

FILM = random.Random(11).randbytes(1024 * 1024)
PATH = "/recordings/long/videos/film"
LONG = random.Random(12).randbytes(8 * 1024 * 1024)
READ_TIMEOUT = 'read_timeout = "150ms"\n'


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@dataclass
class Plan:
    """The faults of the media server, in their order, and the range that is requested."""

    resets: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    stalls: list[int] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)
    ignore_range: bool = False
    validators: str = "strong"
    chunked: bool = False
    extra: int = 0
    requested: tuple[int, int] | None = None

    def arrange(self, knobs: Knobs) -> None:
        knobs.reset_after, knobs.end_after = list(self.resets), list(self.ends)
        knobs.stall_after, knobs.refuse_media = list(self.stalls), list(self.refusals)
        knobs.change_after, knobs.ignore_range = list(self.changes), self.ignore_range
        knobs.validators, knobs.chunked, knobs.extra_bytes = self.validators, self.chunked, self.extra

    @property
    def expected(self) -> bytes:
        return FILM if self.requested is None else FILM[self.requested[0] : self.requested[1] + 1]


offsets = st.one_of(st.sampled_from([-1, 0, 1, 65_536, len(FILM) - 1, len(FILM)]), st.integers(0, len(FILM)))
few = st.lists(offsets, max_size=3)
spans = st.tuples(offsets, offsets).map(lambda pair: (max(0, min(pair)), min(len(FILM) - 1, max(pair))))
plans = st.builds(
    Plan,
    resets=few,
    ends=few,
    stalls=st.lists(st.integers(0, len(FILM)), max_size=1),
    refusals=st.lists(st.sampled_from([401, 403, 403, 404, 500, 503]), max_size=2),
    changes=st.lists(st.integers(1, len(FILM) - 1), max_size=1),
    ignore_range=st.booleans(),
    validators=st.sampled_from(["strong", "strong", "weak", "none"]),
    chunked=st.booleans(),
    extra=st.sampled_from([0, 0, 1, 70_000]),
    requested=st.one_of(st.none(), spans.filter(lambda span: span[0] <= span[1])),
)


async def fetched(stack: GatewayStack, requested: tuple[int, int] | None = None) -> bytes | None:
    """Returns the body, or None if the client saw a failure: an error response, or a broken connection."""
    headers = stack.bearer() | ({} if requested is None else {"Range": f"bytes={requested[0]}-{requested[1]}"})
    try:
        async with stack.client.get(stack.url + PATH, headers=headers) as response:
            body = await response.read()
            return body if response.status in (200, 206) else None
    except aiohttp.ClientError:
        return None


@pytest.mark.promise("streams-33")
@given(plan=plans)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_faults_end_in_the_files_bytes_or_in_a_visible_failure(plan: Plan) -> None:
    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with running_stack(Path(folder), clock=ManualClock(), valt_more=READ_TIMEOUT) as stack:
                film = stack.valt.add_video("long", "film", FILM)
                plan.arrange(stack.valt.knobs)
                body = await fetched(stack, plan.requested)
                # A server that ignores Range answers with the whole file, and so it is passed on.
                lawful = {digest(plan.expected)} | ({digest(FILM)} if plan.ignore_range else set())
                if film.content != FILM:
                    lawful.add(digest(film.content if plan.requested is None else _cut(film.content, plan.requested)))
                    lawful.add(digest(film.content))
                assert body is None or digest(body) in lawful
                await stack.ended()
                await stack.valt.wait_for(lambda: all(request.ended for request in stack.valt.media_requests))
                outcome = stack.audit()[-1]["outcome"]
                assert body is None or outcome == "whole"

    asyncio.run(play())


def _cut(content: bytes, requested: tuple[int, int]) -> bytes:
    return content[requested[0] : requested[1] + 1]


@pytest.fixture
async def film_stack(stack: GatewayStack) -> GatewayStack:
    stack.valt.add_video("long", "film", FILM)
    return stack


@pytest.mark.promise("streams-1")
@pytest.mark.parametrize("fault", ["reset_after", "end_after"])
async def test_a_hundred_cuts_anywhere_are_invisible_to_the_client(film_stack: GatewayStack, fault: str) -> None:
    stack = film_stack
    anywhere = random.Random(13)
    offsets = [0, 1, len(FILM) - 1, *(anywhere.randrange(len(FILM)) for _ in range(97))]
    for at in offsets:
        getattr(stack.valt.knobs, fault).append(at)
        body = await fetched(stack)
        assert body is not None, f"cut at {at}"
        assert digest(body) == digest(FILM), f"cut at {at}"
        await stack.ended()
        assert stack.audit()[-1]["resumes"] == 1, f"cut at {at}"


@pytest.mark.promise("streams-32")
async def test_a_cut_inside_a_head_is_invisible_to_the_client(film_stack: GatewayStack) -> None:
    stack = film_stack
    stack.valt.knobs.reset_after = [-1, 500_000, -1, 300_000, -1]
    body = await fetched(stack)
    assert body is not None
    assert digest(body) == digest(FILM)
    assert stack.valt.calls["media"] == 6


@pytest.mark.promise("streams-32")
async def test_a_media_server_that_never_completes_a_head_is_unavailable(film_stack: GatewayStack) -> None:
    stack = film_stack
    stack.valt.knobs.reset_after = [-1] * 20
    async with stack.client.get(stack.url + PATH, headers=stack.bearer()) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (503, "valt_unavailable")
    assert stack.valt.calls["media"] <= 3


@pytest.mark.promise("streams-6")
async def test_cuts_between_which_there_is_progress_never_end_a_body(film_stack: GatewayStack) -> None:
    stack = film_stack
    stack.valt.knobs.reset_after = [10_000] * 60
    body = await fetched(stack)
    assert body is not None
    assert digest(body) == digest(FILM)
    await stack.ended()
    assert stack.audit()[-1]["resumes"] == 60


@pytest.mark.promise("streams-6")
async def test_cuts_without_progress_end_a_body_after_resume_tries(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock, more="[streams]\nresume_tries = 3\n") as stack:
        stack.valt.add_video("long", "film", FILM)
        stack.valt.knobs.reset_after = [500_000] + [0] * 20
        assert await fetched(stack) is None
        await stack.ended()
        assert len(stack.valt.media_requests) == 4
        assert (stack.audit()[-1]["outcome"], stack.audit()[-1]["status"]) == ("failed", 200)


@asynccontextmanager
async def connection(stack: GatewayStack) -> AsyncIterator[RawConnection]:
    """A slow reader: little is buffered beyond what the test reads. The response head has been read."""
    async with connect(stack.url, receive_buffer=16 * 1024) as opened:
        await opened.send(request("GET", PATH, stack.bearer()))
        assert (await opened.read_head()).status == 200
        yield opened


@pytest.mark.promise("streams-4")
async def test_eight_mebibytes_are_delivered_through_links_of_three_seconds(tmp_path: Path, clock: ManualClock) -> None:
    """A slow client: each of the sixteen pieces has a link of its own, and twice VALT has lost its tokens."""
    piece = 512 * 1024
    async with running_stack(tmp_path, clock=clock) as stack:
        knobs = stack.valt.knobs
        stack.valt.add_video("long", "film", LONG)
        knobs.link_life = 3.0
        knobs.stall_after, knobs.reset_after = [piece] * 15, [piece] * 15
        async with connection(stack) as client:
            read = await client.read(piece)
            for number in range(1, 16):
                clock.pass_(4.0)
                if number in (5, 10):
                    stack.valt.forget_tokens()
                broken = stack.valt.media_requests[-1]
                knobs.stall_gate.set()
                await stack.valt.wait_for(lambda broken=broken: broken.ended)  # type: ignore[misc]
                knobs.stall_gate.clear()
                read += await client.read(piece)
            assert digest(read) == digest(LONG)
            await stack.ended()
        assert (stack.audit()[-1]["outcome"], stack.audit()[-1]["resumes"]) == ("whole", 15)
        assert stack.valt.calls["download"] == 16 + 2, "sixteen links, and two calls with a token that VALT has lost"
        assert stack.valt.calls["login"] == 3


@pytest.mark.promise("streams-14")
async def test_a_paused_client_frees_the_media_connection_and_continues_exactly(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more='[streams]\nupstream_idle = "100ms"\n') as stack:
        stack.valt.add_video("long", "film", LONG)
        async with connection(stack) as client:
            read = await client.read(100_000)
            await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
            assert len(stack.gateway.streams) == 1, "the stream still counts"
            read += await client.read(4_000_000)
            await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
            read += await client.read(len(LONG) - len(read))
            assert digest(read) == digest(LONG)
            await stack.ended()
        metrics = await stack.metrics()
        assert metrics['valt_gateway_stream_resumes_total{outcome="ok",reason="idle"}'] >= 2
        assert stack.audit()[-1]["outcome"] == "whole"


@pytest.mark.promise("streams-14")
async def test_a_client_that_pauses_longer_than_a_links_life_continues(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock, more='[streams]\nupstream_idle = "100ms"\n') as stack:
        stack.valt.add_video("long", "film", LONG)
        async with connection(stack) as client:
            read = await client.read(100_000)
            await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
            clock.pass_(4000.0)
            stack.valt.forget_tokens()
            read += await client.read(len(LONG) - len(read))
            assert digest(read) == digest(LONG)
        assert stack.valt.calls["login"] == 2


async def test_a_client_may_pause_in_a_body_of_unknown_length(tmp_path: Path) -> None:
    async with (
        running_stack(tmp_path, more='[streams]\nupstream_idle = "100ms"\n') as stack,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_narrow)) as client,
    ):
        stack.valt.add_video("long", "film", LONG * 4)
        stack.valt.knobs.chunked = True
        async with client.get(stack.url + PATH, headers=stack.bearer()) as response:
            assert "Content-Length" not in response.headers
            read = await response.content.readexactly(100_000)
            await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
            read += await response.content.read()
            assert digest(read) == digest(LONG * 4)
        metrics = await stack.metrics()
        assert metrics['valt_gateway_stream_resumes_total{outcome="ok",reason="idle"}'] >= 1


async def test_over_tls_cuts_are_invisible_and_a_client_may_pause(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o600)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        running_stack(
            tmp_path,
            server='tls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\n',
            more='[streams]\nupstream_idle = "100ms"\n',
        ) as stack,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_narrow, ssl=context)) as client,
    ):
        stack.valt.add_video("long", "film", LONG)
        stack.valt.knobs.reset_after = [0, 1, 65_536, 100_000, 300_000]
        async with client.get(stack.url + PATH, headers=stack.bearer()) as response:
            read = await response.content.readexactly(100_000)
            await stack.valt.wait_for(lambda: stack.valt.calls["media"] == 6 and stack.valt.open_media == 0)
            read += await response.content.read()
            assert digest(read) == digest(LONG)
        metrics = await stack.metrics()
        assert metrics['valt_gateway_stream_resumes_total{outcome="ok",reason="dropped"}'] == 5
        assert metrics['valt_gateway_stream_resumes_total{outcome="ok",reason="idle"}'] >= 1


def _narrow(address: AddrInfoType) -> socket.socket:
    sock = socket.socket(address[0], address[1], address[2])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    return sock


@pytest.mark.promise("streams-15")
async def test_a_client_that_never_reads_again_is_cut(tmp_path: Path) -> None:
    streams = '[streams]\nupstream_idle = "50ms"\nviewer_idle = "150ms"\n'
    async with running_stack(tmp_path, more=streams) as stack:
        stack.valt.add_video("long", "film", LONG)
        async with connection(stack) as client:
            await stack.ended()
            assert (stack.audit()[-1]["outcome"], stack.audit()[-1]["code"]) == ("cut", None)
            with pytest.raises(ConnectionResetError):
                await client.read(len(LONG))
        assert (await stack.metrics())['valt_gateway_stream_aborts_total{reason="idle",side="viewer"}'] == 1
        assert stack.valt.open_media == 0


async def test_a_multipart_body_keeps_its_connection_while_the_client_pauses(
    tmp_path: Path,
) -> None:
    """The rest of several ranges cannot be requested, so the connection must not be closed."""
    async with running_stack(tmp_path, more='[streams]\nupstream_idle = "50ms"\nviewer_idle = "300ms"\n') as stack:
        stack.valt.add_video("long", "film", LONG)
        headers = stack.bearer() | {"Range": f"bytes=0-10,20-{len(LONG)}"}
        async with stack.client.get(stack.url + PATH, headers=headers) as response:
            assert response.status == 206
            await response.content.readexactly(1000)
            await stack.ended()
        line = stack.audit()[-1]
        assert line["outcome"] in ("cut", "whole")
        assert line["resumes"] == 0


@pytest.mark.promise("streams-31")
async def test_a_restart_of_valt_during_delivery_is_invisible(film_stack: GatewayStack) -> None:
    stack = film_stack
    gate = stack.valt.knobs.stall_gate
    stack.valt.knobs.stall_after, stack.valt.knobs.reset_after = [400_000], [400_000]
    reading = asyncio.create_task(fetched(stack))
    await stack.valt.wait_for(lambda: bool(stack.valt.media_requests) and stack.valt.media_requests[-1].sent == 400_000)
    stack.valt.forget_tokens()
    stack.valt.knobs.refuse_media = [403]
    stack.valt.knobs.fail["download"] = [503]
    gate.set()
    body = await reading
    assert body is not None
    assert digest(body) == digest(FILM)
    assert stack.valt.calls["login"] == 2


@pytest.mark.promise("streams-7")
async def test_a_stream_whose_link_expires_waits_for_valts_api_to_be_back(tmp_path: Path, clock: ManualClock) -> None:
    """The circuit breaker opens, and two of its probes fail."""
    async with running_stack(tmp_path, clock=clock) as stack:
        stack.valt.add_video("long", "film", FILM)
        knobs = stack.valt.knobs
        knobs.link_life, knobs.reset_after, knobs.stall_after = 3.0, [400_000], [400_000]
        reading = asyncio.create_task(fetched(stack))
        await stack.valt.wait_for(
            lambda: bool(stack.valt.media_requests) and stack.valt.media_requests[-1].sent == 400_000
        )
        clock.pass_(4.0)
        knobs.fail["download"] = [503] * (5 + 2)
        before = clock.monotonic()
        knobs.stall_gate.set()
        assert await reading == FILM
        assert knobs.fail["download"] == []
        assert 20.0 <= clock.monotonic() - before <= 60.0
        await stack.ended()
        assert stack.audit()[-1]["resumes"] == 1


@pytest.mark.promise("streams-7")
async def test_a_client_that_disconnects_while_valt_is_awaited_frees_everything(
    film_stack: GatewayStack,
) -> None:
    stack = film_stack
    knobs = stack.valt.knobs
    knobs.end_after = [400_000]
    async with connection(stack) as client:
        knobs.refuse_media, knobs.fail["download"] = [403] * 20, [503] * 20
        await client.read(400_000)
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 1 + 5)  # the breaker is open, for ten seconds
    async with asyncio.timeout(5):
        await stack.ended()
        await stack.valt.wait_for(lambda: all(request.ended for request in stack.valt.media_requests))
    assert stack.audit()[-1]["outcome"] == "left"


@pytest.mark.promise("streams-8")
@pytest.mark.parametrize("validators", ["strong", "weak", "none"])
@pytest.mark.parametrize("now", [FILM[:200_000], FILM[:400_000], FILM + b"more", FILM[:-1], b""])
async def test_a_file_that_shrinks_or_grows_during_delivery_is_cut(
    film_stack: GatewayStack, validators: str, now: bytes
) -> None:
    stack, at = film_stack, 400_000
    film = stack.valt.recording("long").film("film")
    assert film is not None
    knobs = stack.valt.knobs
    knobs.validators, knobs.stall_after, knobs.reset_after = validators, [at], [at]
    reading = asyncio.create_task(fetched(stack))
    await stack.valt.wait_for(lambda: bool(stack.valt.media_requests) and stack.valt.media_requests[-1].sent == at)
    film.content = now
    knobs.stall_gate.set()
    assert await reading is None
    await stack.ended()
    assert stack.audit()[-1]["outcome"] == "failed"


@pytest.mark.promise("streams-11")
@pytest.mark.parametrize("fault", ["reset_after", "end_after"])
async def test_a_body_of_unknown_length_continues_when_a_range_states_its_total(
    film_stack: GatewayStack, fault: str
) -> None:
    stack = film_stack
    stack.valt.knobs.chunked = True
    for _ in range(2):  # the first response is requested by the spliced path, then by the buffered one
        setattr(stack.valt.knobs, fault, [500_000, 500_000, 300_000])
        body = await fetched(stack)
        assert body is not None
        assert digest(body) == digest(FILM)


@pytest.mark.promise("streams-12")
async def test_several_ranges_are_passed_through_and_a_cut_is_visible(film_stack: GatewayStack) -> None:
    stack = film_stack
    stack.valt.knobs.reset_after = [300_000]
    headers = stack.bearer() | {"Range": "bytes=0-499999,500001-900000"}
    async with stack.client.get(stack.url + PATH, headers=headers) as response:
        assert response.status == 206
        with pytest.raises(aiohttp.ClientError):
            await response.read()
    assert len(stack.valt.media_requests) == 1


def accepted_socket(peer: tuple[str, int]) -> socket.socket:
    """Returns a duplicate of this process's socket that is connected to *peer*: the gateway's end of a connection."""
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if str(entry.readlink()).startswith("socket:"):
                duplicate = socket.socket(fileno=os.dup(int(entry.name)))
                with suppress(OSError):
                    if duplicate.getpeername() == peer:
                        return duplicate
                duplicate.close()
    raise AssertionError(f"no socket is connected to {peer}")


@pytest.mark.promise("streams-17")
async def test_a_client_that_silently_vanishes_is_detected_within_two_minutes(film_stack: GatewayStack) -> None:
    """TCP keep-alive: after one minute of silence, three probes."""
    stack = film_stack
    async with connection(stack) as client:
        with accepted_socket(client.local_address) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle, interval, count = (
                sock.getsockopt(socket.IPPROTO_TCP, name)
                for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
    assert idle + interval * count <= 120


@pytest.mark.promise("streams-16")
@pytest.mark.parametrize("way", ["FIN", "RST"])
@pytest.mark.parametrize("pausing", [False, True])
async def test_a_client_that_disconnects_frees_everything_within_a_second(
    tmp_path: Path, way: str, pausing: bool
) -> None:
    streams = '[streams]\nupstream_idle = "50ms"\n' if pausing else ""
    async with running_stack(tmp_path, more=streams) as stack:
        stack.valt.add_video("long", "film", LONG)
        async with connection(stack) as client:
            await client.read(100_000)
            if pausing:
                await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
            if way == "FIN":
                client.send_eof()
            else:
                client.abort()
            async with asyncio.timeout(1.0):  # the promise itself
                await stack.ended()
                await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
        assert stack.audit()[-1]["outcome"] == "left"
