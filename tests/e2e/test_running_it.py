"""Reload, revocation and drain while streams are running."""

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme

from gateway.store.sqlite_revocations import revoke_in_file
from tests.support.client import connect, request
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack, settings_of
from tests.support.reloads import reloads_of

BIG = random.Random(3).randbytes(8 * 1024 * 1024)
BIG_PATH = "/recordings/big/videos/film"
STATE = '[state]\ndir = "state"\n'


@asynccontextmanager
async def watching(
    stack: GatewayStack, headers: dict[str, str], query: str = ""
) -> AsyncIterator[aiohttp.ClientResponse]:
    """A stream that has started and cannot end until the media server's gate opens."""
    if "big" not in {one.recording for one in stack.valt.recordings}:
        stack.valt.add_video("big", "film", BIG)
    stack.valt.knobs.stall_gate.clear()
    stack.valt.knobs.stall_after.append(1_000_000)
    async with stack.client.get(stack.url + BIG_PATH + query, headers=headers) as answer:
        assert answer.status == 200
        await answer.content.readexactly(500_000)
        yield answer


async def decided() -> None:
    """Returns once the reloads before have decided about every stream."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "revocation after a reload"))


async def is_aborted(answer: aiohttp.ClientResponse) -> bool:
    try:
        async with asyncio.timeout(5):
            await answer.read()
    except aiohttp.ClientError:
        return True
    return False


@pytest.mark.promise("streams-18")
@pytest.mark.parametrize("query", ["", "?download"])
async def test_a_reload_ends_downloads_that_the_new_rules_deny(stack: GatewayStack, query: str) -> None:
    async with watching(stack, stack.bearer("anna"), query) as answer:
        text = stack.config.read_text()
        text = text.replace('groups = ["supervisors"]', 'groups = ["supervisors"]\ndownload = false', 1)
        stack.config.write_text(text)
        assert await stack.gateway.reload(settings_of(stack.config))
        if query:
            assert await is_aborted(answer)
        else:
            await decided()
            assert len(stack.gateway.streams) == 1
    stack.valt.knobs.stall_gate.set()


@pytest.mark.promise("streams-18")
async def test_a_reload_ends_streams_that_the_new_rules_deny(stack: GatewayStack) -> None:
    async with watching(stack, stack.bearer("anna")) as answer:
        text = stack.config.read_text().replace('groups = ["supervisors"]', 'groups = ["directors"]')
        stack.config.write_text(text)
        assert await stack.gateway.reload(settings_of(stack.config))
        assert await is_aborted(answer)
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer("anna")) as refused:
        assert refused.status == 403
    await stack.ended()
    closed = next(line for line in stack.audit() if line["event"] == "close")
    assert (closed["outcome"], closed["subject"]) == ("cut", "anna")
    assert (await stack.metrics())['valt_gateway_stream_aborts_total{reason="revoked",side="gateway"}'] == 1


@pytest.mark.promise("streams-18")
async def test_a_stream_that_a_reload_could_not_decide_ends_once_valt_responds(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_stack(tmp_path, clock=clock) as stack:
        stack.valt.add_video("big", "film", BIG)
        async with watching(stack, stack.bearer("anna")) as answer:
            stack.valt.knobs.rubbish.add("record")
            text = stack.config.read_text()
            stack.config.write_text(text.replace('name = "supervisors"', 'name = "supervisors"\nrooms = ["Room 9"]'))
            assert await stack.gateway.reload(settings_of(stack.config))
            clock.pass_(3600)  # however long that takes
            calls = stack.valt.calls["record"]
            await stack.valt.wait_for(lambda: stack.valt.calls["record"] > calls)
            assert len(stack.gateway.streams) == 1
            stack.valt.knobs.rubbish.clear()
            assert await is_aborted(answer)


TWO_RULES = "".join(
    f'[[grants]]\nname = "{name}"\ngroups = ["{name}"]\nrecordings = ["*"]\naccount = "reviewer"\n'
    for name in ("asked", "removed")
)


@pytest.mark.promise("streams-18")
async def test_a_stream_ends_while_valt_is_awaited_for_the_decision_about_others(tmp_path: Path) -> None:
    async with running_stack(tmp_path, grants=TWO_RULES) as stack, contextlib.AsyncExitStack() as streams:
        for number in range(6):
            await streams.enter_async_context(watching(stack, stack.bearer(f"person{number}", "asked")))
        removed = await streams.enter_async_context(watching(stack, stack.bearer("anna", "removed")))
        text = stack.config.read_text().replace('groups = ["asked"]', 'groups = ["asked"]\nrooms = ["*"]')
        stack.config.write_text(text.replace('groups = ["removed"]', 'groups = ["nobody"]'))
        stack.valt.knobs.gate["record"] = asyncio.Event()
        assert await stack.gateway.reload(settings_of(stack.config))
        assert await is_aborted(removed)
        stack.valt.knobs.gate["record"].set()
        await decided()
        assert len(stack.gateway.streams) == 6


@pytest.mark.promise("streams-18")
async def test_a_stream_is_not_ended_by_rules_that_were_replaced_while_valt_was_awaited(tmp_path: Path) -> None:
    async with running_stack(tmp_path, grants=TWO_RULES) as stack, watching(stack, stack.bearer("anna", "asked")):
        before = settings_of(stack.config)
        text = stack.config.read_text().replace('groups = ["asked"]', 'groups = ["asked"]\nrooms = ["Room 9"]')
        stack.config.write_text(text)
        stack.valt.knobs.gate["record"], calls = asyncio.Event(), stack.valt.calls["record"]
        assert await stack.gateway.reload(settings_of(stack.config))
        await stack.valt.wait_for(lambda: stack.valt.calls["record"] > calls)
        assert await stack.gateway.reload(before)
        stack.valt.knobs.gate["record"].set()
        await decided()
        assert len(stack.gateway.streams) == 1


@pytest.mark.promise("streams-18")
async def test_a_reload_does_not_wait_until_an_earlier_one_has_decided_about_every_stream(tmp_path: Path) -> None:
    async with running_stack(tmp_path, grants=TWO_RULES) as stack, watching(stack, stack.bearer("ben", "asked")):
        reloads = reloads_of(stack)
        text = stack.config.read_text().replace('groups = ["asked"]', 'groups = ["asked"]\nrooms = ["*"]')
        stack.config.write_text(text)
        stack.valt.knobs.gate["record"], calls = asyncio.Event(), stack.valt.calls["record"]
        await reloads.apply()
        await stack.valt.wait_for(lambda: stack.valt.calls["record"] > calls)
        stack.config.write_text(text.replace('groups = ["removed"]', 'groups = ["nobody"]'))
        await reloads.apply()
        assert await _status(stack, VIDEO_PATH, stack.bearer("anna", "removed")) == 403
        stack.valt.knobs.gate["record"].set()
        await decided()


@pytest.mark.promise("streams-18")
@pytest.mark.parametrize("credentials", ["token", "session", "service_key"])
async def test_removing_a_provider_ends_the_streams_of_its_identities(tmp_path: Path, credentials: str) -> None:
    key = "vgk_" + "k" * 43
    sha256 = hashlib.sha256(key.encode()).hexdigest()
    robot = f'[[service_keys]]\nname = "robot"\nsecret_sha256 = "{sha256}"\ngroups = ["supervisors"]\n'
    async with running_stack(tmp_path, more=robot) as stack:
        stack.valt.add_video("big", "film", BIG)
        async with stack.client.get(
            f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket()}", headers=NAVIGATION, allow_redirects=False
        ) as exchanged:
            cookie = exchanged.headers["Set-Cookie"].partition(";")[0]
        headers, replacement = {
            "token": (stack.bearer("anna"), ('name = "campus"', 'name = "other"')),
            "session": ({"Cookie": cookie}, ('name = "portal"', 'name = "other"')),
            "service_key": ({"Authorization": f"Bearer {key}"}, ('name = "robot"', 'name = "other"')),
        }[credentials]
        async with watching(stack, headers) as answer:
            stack.config.write_text(stack.config.read_text().replace(*replacement))
            assert await stack.gateway.reload(settings_of(stack.config))
            assert await is_aborted(answer)


async def test_a_store_that_fails_once_is_logged_and_read_again(
    stack: GatewayStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(stack, stack.bearer("anna")) as answer:
        called = asyncio.Event()

        def fails(*names: str) -> float | None:
            called.set()
            raise OSError(names)

        monkeypatch.setattr(stack.gateway.store, "revoked_at", fails)
        await called.wait()
        monkeypatch.undo()
        now = stack.gateway.clock.now() + 1
        await stack.gateway.store.revoke("anna", now, now + 3600)
        assert await is_aborted(answer)
    assert "checking the running streams failed and will be repeated: OSError" in stack.log.getvalue()


@pytest.mark.promise("streams-21")
async def test_a_stream_that_the_new_rules_allow_survives_a_reload(stack: GatewayStack) -> None:
    async with watching(stack, stack.bearer("anna")) as answer:
        stack.config.write_text(stack.config.read_text().replace('level = "debug"', 'level = "info"'))
        assert await stack.gateway.reload(settings_of(stack.config))
        await decided()
        stack.valt.knobs.stall_gate.set()
        assert await answer.read() == BIG[500_000:]
    assert (await stack.metrics())['valt_gateway_config_reloads_total{outcome="ok"}'] == 1


async def test_a_stream_survives_a_reload_while_valt_cannot_be_read(stack: GatewayStack) -> None:
    async with watching(stack, stack.bearer("anna")) as answer:
        stack.valt.knobs.rubbish.add("record")
        text = stack.config.read_text()
        stack.config.write_text(text.replace('name = "supervisors"', 'name = "supervisors"\nrooms = ["Room 1"]'))
        assert await stack.gateway.reload(settings_of(stack.config))
        await stack.valt.wait_for(lambda: stack.valt.calls["record"] > 1)
        stack.valt.knobs.stall_gate.set()
        assert await answer.read() == BIG[500_000:]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[valt]\n", '[valt]\nread_timeout = "31s"\n'),
        ("[audit]\n", '[links]\nmargin = "31s"\n[audit]\n'),
        ("[audit]\n", '[recordings]\nttl = "2m"\n[audit]\n'),
    ],
)
async def test_requests_in_progress_keep_the_old_valt_settings(stack: GatewayStack, old: str, new: str) -> None:
    stack.valt.knobs.reset_after.append(6_000_000)
    async with watching(stack, stack.bearer("anna")) as answer:
        stack.valt.knobs.gate["download"] = asyncio.Event()
        waiting = asyncio.create_task(_status(stack, VIDEO_PATH, stack.bearer("ben")))
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 2)
        stack.config.write_text(stack.config.read_text().replace(old, new, 1))
        assert await stack.gateway.reload(settings_of(stack.config))
        stack.valt.knobs.gate["download"].set()
        assert await waiting == 200
        assert stack.valt.calls["download"] == 2, "the client had to ask again"
        stack.valt.knobs.stall_gate.set()
        assert await answer.read() == BIG[500_000:]
    assert await _status(stack, VIDEO_PATH, stack.bearer("ben")) == 200


async def test_old_connections_to_valt_are_closed_after_their_last_stream(
    stack: GatewayStack,
) -> None:
    async with watching(stack, stack.bearer("anna")) as answer:
        for number in range(2):
            text = stack.config.read_text().replace("[audit]\n", f'[recordings]\nttl = "{number + 2}m"\n[audit]\n')
            (stack.folder / f"{number}.toml").write_text(text)
            assert await stack.gateway.reload(settings_of(stack.folder / f"{number}.toml"))
        assert stack.valt.open_media == 1
        stack.valt.knobs.stall_gate.set()
        await answer.read()
    await stack.valt.wait_for(lambda: stack.valt.open_media == 0)


@pytest.mark.promise("security-S3")
@pytest.mark.parametrize(
    "unfinished",
    [
        b"POST /api/v3/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    ],
    ids=["body", "head"],
)
async def test_an_unfinished_request_keeps_no_old_connection_to_valt_for_ever(
    tmp_path: Path, unfinished: bytes
) -> None:
    limits = '[limits]\nrequest_timeout = "1s"\n'
    async with running_stack(tmp_path, more=limits) as stack, connect(stack.url) as slow:
        assert await _status(stack, VIDEO_PATH, stack.bearer()) == 200
        await slow.send(unfinished)
        text = stack.config.read_text().replace("[audit]\n", '[recordings]\nttl = "2m"\n[audit]\n')
        stack.config.write_text(text)
        assert stack.valt.open_media == 1
        assert await stack.gateway.reload(settings_of(stack.config))
        assert (await slow.read_response()).status == 408
        async with asyncio.timeout(10):
            await stack.valt.wait_for(lambda: stack.valt.open_media == 0)


async def _status(stack: GatewayStack, path: str, headers: dict[str, str]) -> int:
    async with stack.client.get(stack.url + path, headers=headers) as answer:
        await answer.read()
        return answer.status


@pytest.mark.promise("streams-21")
async def test_a_faulty_file_changes_nothing_and_is_counted(stack: GatewayStack) -> None:
    assert not await stack.gateway.reload(None)
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as answer:
        assert answer.status == 200
    assert (await stack.metrics())['valt_gateway_config_reloads_total{outcome="failed"}'] == 1


@pytest.mark.promise("streams-21")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[valt]\n", '[valt]\nca_file = "rubbish.pem"\n'),
        ("[server]\n", '[server]\ntls_cert_file = "rubbish.pem"\ntls_key_file = "rubbish.pem"\n'),
    ],
)
async def test_settings_that_cannot_be_applied_change_nothing(stack: GatewayStack, old: str, new: str) -> None:
    (stack.folder / "rubbish.pem").write_text("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")
    (stack.folder / "rubbish.pem").chmod(0o600)
    before, text = stack.gateway.settings, stack.config.read_text()
    stack.config.write_text(text.replace(old, new, 1).replace('["supervisors"]', '["directors"]'))
    assert not await stack.gateway.reload(settings_of(stack.config))
    assert stack.gateway.settings is before
    assert await _status(stack, VIDEO_PATH, stack.bearer()) == 200
    assert (await stack.metrics())['valt_gateway_config_reloads_total{outcome="failed"}'] == 1
    assert "SSLError" in stack.log.getvalue()


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("server.listen", '[server]\nlisten = "127.0.0.1:0"', '[server]\nlisten = "127.0.0.1:1"'),
        ("admin.listen", '[admin]\nlisten = "127.0.0.1:0"', '[admin]\nlisten = "127.0.0.1:1"'),
        ("server.tls_cert_file", "[server]\n", '[server]\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\n'),
        ("state.dir", 'dir = "state"', 'dir = "other"'),
        ("audit.file", '"audit.jsonl"', '"other.jsonl"'),
        ("log.level", 'level = "debug"', 'level = "info"'),
        ("log.format", 'level = "debug"', 'level = "debug"\nformat = "console"'),
    ],
)
async def test_each_reload_logs_the_changed_keys_that_need_a_restart(
    stack: GatewayStack, key: str, old: str, new: str
) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(stack.folder / "cert.pem")
    certificate.private_key_pem.write_to_path(stack.folder / "key.pem")
    (stack.folder / "key.pem").chmod(0o600)
    assert await stack.gateway.reload(settings_of(stack.config))
    assert "needs a restart" not in stack.log.getvalue()
    text = stack.config.read_text()
    assert old in text
    stack.config.write_text(text.replace(old, new, 1))
    for times in (1, 2):
        assert await stack.gateway.reload(settings_of(stack.config))
        assert stack.log.getvalue().count(f"{key} needs a restart") == times
        assert stack.log.getvalue().count("needs a restart") == times


@pytest.mark.promise("streams-22")
async def test_rotating_a_session_secret_signs_nobody_out(stack: GatewayStack) -> None:
    async with stack.client.get(
        f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket()}", headers=NAVIGATION, allow_redirects=False
    ) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    old = (stack.folder / "session").read_text()
    (stack.folder / "session").write_text(f"{'n' * 48}\n{old}\n")
    stack.config.write_text(stack.config.read_text().replace('secret_file = "session"', 'secrets_file = "session"'))
    assert await stack.gateway.reload(settings_of(stack.config))
    async with stack.client.get(stack.url + VIDEO_PATH, headers={"Cookie": cookie}) as answer:
        assert answer.status == 200


@pytest.mark.promise("streams-19")
async def test_a_revocation_by_another_process_ends_the_streams(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more=STATE) as stack:
        anna, ben = stack.bearer("anna"), stack.bearer("ben")
        async with watching(stack, anna) as answer:
            now = time.time() + 1
            await asyncio.to_thread(revoke_in_file, tmp_path / "state" / "state.sqlite3", "anna", now, now + 3600)
            assert await is_aborted(answer)
        async with stack.client.get(stack.url + VIDEO_PATH, headers=anna) as refused:
            assert (refused.status, (await refused.json(content_type=None))["code"]) == (401, "credentials_invalid")
        async with stack.client.get(stack.url + VIDEO_PATH, headers=ben) as other:
            assert other.status == 200


@pytest.mark.promise("streams-19")
async def test_streams_end_when_a_session_expires_but_not_a_token(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        stack.config.write_text(stack.config.read_text().replace("[session]\n", '[session]\nlifetime = "1s"\n'))
        await stack.gateway.reload(settings_of(stack.config))
        async with stack.client.get(
            f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket()}", headers=NAVIGATION, allow_redirects=False
        ) as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        short = stack.bearer("ben", exp=int(time.time()) + 1)
        async with watching(stack, {"Cookie": cookie}) as session, watching(stack, short) as token:
            assert await is_aborted(session)
            stack.valt.knobs.stall_gate.set()
            assert await token.read() == BIG[500_000:]


@pytest.mark.promise("streams-19")
async def test_sign_out_ends_the_streams_of_that_session_only(stack: GatewayStack) -> None:
    cookies = []
    for _ in range(2):
        async with stack.client.get(
            f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket('anna')}", headers=NAVIGATION, allow_redirects=False
        ) as answer:
            cookies.append({"Cookie": answer.headers["Set-Cookie"].partition(";")[0]})
    async with watching(stack, cookies[0]) as ended, watching(stack, cookies[1]) as other:
        headers = cookies[0] | {"Sec-Fetch-Site": "same-origin"}
        async with stack.client.post(f"{stack.url}/oauth2/sign_out", headers=headers, allow_redirects=False) as answer:
            assert answer.status == 200
        assert await is_aborted(ended)
        stack.valt.knobs.stall_gate.set()
        assert await other.read() == BIG[500_000:]


@pytest.mark.promise("streams-18")
@pytest.mark.parametrize("new", ['account = "trainee"\n\n', 'account = "reviewer"\ndelivery = "redirect"\n\n'])
async def test_a_stream_is_ended_if_the_new_rules_grant_it_differently(stack: GatewayStack, new: str) -> None:
    async with watching(stack, stack.bearer("anna")) as answer:
        text = stack.config.read_text()
        stack.config.write_text(text.replace('account = "reviewer"\n\n', new, 1))
        assert await stack.gateway.reload(settings_of(stack.config))
        assert await is_aborted(answer)


@pytest.mark.promise("streams-23", "findings-19")
async def test_a_drain_reports_not_ready_at_once_and_lets_streams_end(stack: GatewayStack) -> None:
    async with watching(stack, stack.bearer()) as answer:
        draining = asyncio.create_task(stack.gateway.drain())
        while stack.gateway.readiness.ready:
            await asyncio.sleep(0)
        async with stack.client.get(f"{stack.admin}/readyz") as ready:
            assert ready.status == 503
        async with stack.client.get(f"{stack.admin}/healthz") as alive:
            assert alive.status == 200
        stack.valt.knobs.stall_gate.set()
        assert await answer.read() == BIG[500_000:]
        await draining
    assert stack.audit()[-1]["outcome"] == "whole"


@pytest.mark.parametrize("path", ["/robots.txt", VIDEO_PATH, "/nothing/here"])
async def test_during_a_drain_the_next_response_closes_the_connection(stack: GatewayStack, path: str) -> None:
    async with connect(stack.url) as connection:
        await connection.send(request("GET", "/robots.txt", stack.bearer()))
        assert "Connection" not in (await connection.read_response()).headers
        await stack.gateway.drain()
        await connection.send(request("GET", path, stack.bearer()))
        response = await connection.read_last_response()
    assert response.headers.getall("Connection") == ["close"]


@pytest.mark.promise("streams-23")
async def test_a_drain_ends_streams_at_its_timeout_and_audits_it(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server='drain_timeout = "100ms"\n') as stack:
        async with watching(stack, stack.bearer()) as answer:
            await stack.gateway.drain()
            assert await is_aborted(answer)
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == "cut"


@pytest.mark.promise("streams-23", "findings-19")
async def test_a_second_signal_ends_the_drain_at_once(stack: GatewayStack) -> None:
    at_once = asyncio.Event()
    async with watching(stack, stack.bearer()) as answer:
        draining = asyncio.create_task(stack.gateway.drain(at_once))
        at_once.set()
        async with asyncio.timeout(5):
            await draining
        assert await is_aborted(answer)


@pytest.mark.parametrize("seconds", ["0s", "50ms"])
async def test_no_connection_is_accepted_after_the_shutdown_delay(tmp_path: Path, seconds: str) -> None:
    async with running_stack(tmp_path, server=f'shutdown_delay = "{seconds}"\n') as stack:
        await stack.gateway.drain()
        with contextlib.suppress(aiohttp.ClientResponseError), pytest.raises(aiohttp.ClientConnectorError):
            async with aiohttp.ClientSession() as fresh, fresh.get(f"{stack.url}/robots.txt"):
                pass


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer marked-secret\r\n\r\n", 400),
        ("GET /healthz?marked-secret" + "x" * 9000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
    ],
)
async def test_the_admin_listener_names_no_software_and_repeats_nothing(
    stack: GatewayStack, request_bytes: str, status: int
) -> None:
    async with connect(stack.admin) as connection:
        await connection.send(request_bytes.encode())
        answer = await connection.read_to_end()
    assert answer.split(b" ", 2)[1] == str(status).encode()
    assert b"\r\nServer: valt-gateway\r\n" in answer
    for word in (b"aiohttp", b"Python", b"marked-secret"):
        assert word not in answer
    assert "marked-secret" not in stack.log.getvalue()
    assert not any(count for name, count in (await stack.metrics()).items() if "_requests_total" in name)
