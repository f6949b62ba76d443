"""A sign-out is in force, stored and recorded although its client leaves before the state is written."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.completion import complete
from gateway.sim.catalogue import SESSION
from tests.e2e.test_sign_in_in_tabs import begin, claims_of
from tests.e2e.test_sign_out_at_the_provider import WITH_STATE, logout_token
from tests.support.client import connect, request
from tests.support.cookie_jar import CookieJar
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack

pytestmark = pytest.mark.promise("sign-in-8")


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, more=WITH_STATE) as stack:
        yield stack


@contextmanager
def nobody_else_writes(stack: GatewayStack) -> Iterator[None]:
    """Holds the lock of the state's database, for which the gateway waits five seconds."""
    path = stack.folder / "state" / "state.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")


def count(stack: GatewayStack, kind: str) -> int:
    with closing(sqlite3.connect(stack.folder / "state" / "state.sqlite3")) as connection:
        rows: int = connection.execute("select count(*) from entries where kind = ?", (kind,)).fetchone()[0]
        return rows


async def statuses(stack: GatewayStack, jar: CookieJar) -> set[int]:
    """Returns the statuses of a request for a video with each of the cookies alone."""
    results = set()
    for cookie in jar.header.split("; "):
        async with stack.client.get(stack.url + VIDEO_PATH, headers={"Cookie": cookie}) as answer:
            results.add(answer.status)
    return results


async def two_sessions(stack: GatewayStack) -> CookieJar:
    """Returns the cookies of a browser in which anna has two sessions."""
    jar = CookieJar()
    for limits in ({}, {"recording": SESSION}):
        url = f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket('anna', **limits)}"
        async with stack.client.get(
            url, headers=NAVIGATION | {"Cookie": f"theme=dark; {jar.header}"}, allow_redirects=False
        ) as answer:
            jar.store(answer.headers.getall("Set-Cookie"))
    return jar


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@contextmanager
def nobody_else_writes_after_the_first_use(stack: GatewayStack) -> Iterator[None]:
    """Holds that lock from when a form or a code has been marked as used, until the end."""
    store, consume = stack.gateway.store, stack.gateway.store.consume
    locked = nobody_else_writes(stack)

    async def consume_and_lock(key: str, until: float, *, since: float | None = None) -> bool:
        is_first = await consume(key, until, since=since)
        await asyncio.to_thread(locked.__enter__)
        return is_first

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "consume", consume_and_lock)
        yield
    locked.__exit__(None, None, None)


async def leave_after(
    stack: GatewayStack, target: str, jar: CookieJar, *cookies: str, method: str = "POST", **form: str
) -> None:
    """Sends a request while the state cannot be written, and leaves once the sessions of *jar* are over."""
    body, path = urlencode(form), target.partition("?")[0]
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Length": str(len(body))}
    async with connect(stack.url) as client:
        await client.send(
            request(method, target, headers | {"Cookie": "; ".join([jar.header, *cookies])}) + body.encode()
        )
        async with asyncio.timeout(4):
            while await statuses(stack, jar) != {401}:
                await asyncio.sleep(0.01)
        client.abort()
    await until(lambda: any(path in line and '"left"' in line for line in stack.log.getvalue().splitlines()))


def signed_out(stack: GatewayStack) -> list[str]:
    return [line["subject"] for line in stack.audit() if line["event"] == "sign_out"]


async def test_a_sign_out_ends_every_session_although_the_browser_leaves(stack: GatewayStack) -> None:
    jar = await two_sessions(stack)
    with nobody_else_writes(stack):
        await leave_after(stack, "/oauth2/sign_out", jar)
        assert count(stack, "signed_out") == 0
    await until(lambda: count(stack, "signed_out") == 2)
    await until(lambda: signed_out(stack) == ["anna", "anna"])


async def switch_form(stack: GatewayStack, jar: CookieJar) -> str:
    """Returns what the page submits that asks anna's browser whether to become ben's."""
    url = f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket('ben')}"
    async with stack.client.get(url, headers=NAVIGATION | {"Cookie": jar.header}) as answer:
        (sealed,) = re.findall(r'name="switch" value="([^"]+)"', await answer.text())
    return str(sealed)


async def test_a_change_of_person_ends_the_others_sessions_although_the_browser_leaves(stack: GatewayStack) -> None:
    jar = await two_sessions(stack)
    sealed = await switch_form(stack, jar)
    with nobody_else_writes_after_the_first_use(stack):
        await leave_after(stack, "/oauth2/switch", jar, switch=sealed)
    await until(lambda: count(stack, "signed_out") == 2)
    await until(lambda: signed_out(stack) == ["anna", "anna"])


async def test_a_change_of_person_goes_on_if_the_browser_leaves_while_its_form_is_used(
    stack: GatewayStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar, consuming = await two_sessions(stack), asyncio.Event()
    body = urlencode({"switch": await switch_form(stack, jar)})
    store, consume = stack.gateway.store, stack.gateway.store.consume

    async def consume_and_tell(key: str, until: float, *, since: float | None = None) -> bool:
        consuming.set()
        return await consume(key, until, since=since)

    monkeypatch.setattr(store, "consume", consume_and_tell)
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Length": str(len(body)), "Cookie": jar.header}
    with nobody_else_writes(stack):
        async with connect(stack.url) as client:
            await client.send(request("POST", "/oauth2/switch", headers) + body.encode())
            await consuming.wait()
            client.abort()
        await until(lambda: '"left"' in stack.log.getvalue())
    await until(lambda: count(stack, "signed_out") == 2)
    await until(lambda: signed_out(stack) == ["anna", "anna"])


async def test_a_sign_in_that_ends_anothers_sessions_is_audited_if_the_browser_leaves(
    stack: GatewayStack,
) -> None:
    jar, attempt = await two_sessions(stack), CookieJar()
    query = await begin(stack, attempt, "/recordings")
    stack.provider.id_token = claims_of(stack, query, "ben")
    callback = f"/oauth2/callback?code=the-code&state={query['state']}"
    with nobody_else_writes_after_the_first_use(stack):
        await leave_after(stack, callback, jar, attempt.header, method="GET")
    await until(lambda: count(stack, "signed_out") == 2)
    await until(lambda: [line["subject"] for line in stack.audit()][-3:] == ["anna", "anna", "ben"])
    assert signed_out(stack) == ["anna", "anna"]


async def test_a_logout_of_a_provider_counts_although_its_connection_ends(stack: GatewayStack) -> None:
    jar = CookieJar()
    cookie = await stack.sign_in("anna", sid="first")
    jar.store([cookie["Cookie"]])
    token = logout_token(stack, sid="first")
    with nobody_else_writes(stack):
        await leave_after(stack, "/oauth2/backchannel_logout", jar, logout_token=token)
        assert count(stack, "revoked") == 0
    await until(lambda: signed_out(stack) == ["anna"])
    assert count(stack, "revoked") == 2  # the session, and those of the person without a sid


async def test_a_stop_waits_for_what_a_client_that_left_has_started(stack: GatewayStack) -> None:
    may_end = asyncio.Event()

    async def store() -> None:
        await may_end.wait()
        stack.gateway.audit.record_admin("undo")

    caller = asyncio.create_task(complete(store()))
    await asyncio.sleep(0)
    caller.cancel()
    stopping = asyncio.create_task(stack.gateway.stop())
    await asyncio.wait({stopping}, timeout=0.5)
    assert not stopping.done()
    may_end.set()
    assert await stopping
    lines = [json.loads(line) for line in (stack.folder / "audit.jsonl").read_text().splitlines()]
    assert [line["action"] for line in lines[-2:]] == ["undo", "stop"]
