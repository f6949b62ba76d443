"""How many calls VALT gets, and which error each of its faulty responses becomes."""

import asyncio
from pathlib import Path

import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack


async def code_of(stack: GatewayStack, headers: dict[str, str] | None = None) -> tuple[int, str | None]:
    async with stack.client.get(
        stack.url + VIDEO_PATH, headers=headers or stack.bearer(), allow_redirects=False
    ) as answer:
        if answer.status < 400:
            await answer.read()
            return answer.status, None
        return answer.status, (await answer.json(content_type=None))["code"]


async def test_three_hundred_concurrent_people_cost_one_login_and_one_link(tmp_path: Path) -> None:
    limits = "[limits]\nstreams_per_address = 0\n"
    async with running_stack(tmp_path, more=limits) as stack:
        gate = stack.valt.knobs.gate["login"] = asyncio.Event()
        people = [asyncio.create_task(code_of(stack, stack.bearer(f"person{n}"))) for n in range(300)]
        await stack.valt.wait_for(lambda: stack.valt.calls["login"] == 1)
        gate.set()
        answers = await asyncio.gather(*people)

    assert set(answers) == {(200, None)}
    assert stack.valt.calls["login"] == 1
    assert stack.valt.calls["download"] == 1


async def test_concurrent_lists_cost_one_search(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:

        async def listed(person: str, group: str) -> int:
            async with stack.client.get(f"{stack.url}/recordings", headers=stack.bearer(person, group)) as answer:
                return int((await answer.json())["total"])

        gate = stack.valt.knobs.gate["search"] = asyncio.Event()
        groups = ["supervisors", "redirected"] * 40
        people = [asyncio.create_task(listed(f"person{n}", group)) for n, group in enumerate(groups)]
        accepted = 'valt_gateway_identity_total{outcome="accepted",provider="campus"}'
        while (await stack.metrics())[accepted] < len(people):
            await asyncio.sleep(0)
        people.pop(0).cancel()
        await stack.valt.wait_for(lambda: stack.valt.calls["search"] == 1)
        gate.set()
        assert set(await asyncio.gather(*people)) == {4}
    assert stack.valt.calls["search"] == 1


async def test_a_client_that_disconnects_cancels_the_link_for_nobody_else(stack: GatewayStack) -> None:
    gate = stack.valt.knobs.gate["download"] = asyncio.Event()
    first = asyncio.create_task(code_of(stack))
    await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 1)
    second = asyncio.create_task(code_of(stack))
    await asyncio.sleep(0.02)
    first.cancel()
    await asyncio.sleep(0.02)
    gate.set()
    assert await second == (200, None)
    assert stack.valt.calls["download"] == 1


async def test_an_hour_of_ranges_costs_one_link_per_lifetime(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        token = stack.bearer(exp=int(clock.now()) + 7200)
        for _ in range(3600):
            async with stack.client.get(stack.url + VIDEO_PATH, headers=token | {"Range": "bytes=0-9"}) as answer:
                assert answer.status == 206
                await answer.read()
            clock.pass_(1.0)

    # Links live 1800 s and are not used again in their last 30: at 0 s, 1770 s and 3540 s.
    assert stack.valt.calls["download"] == 3
    assert stack.valt.calls["login"] == 1


async def test_a_token_is_renewed_after_token_ttl(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        assert await code_of(stack) == (200, None)
        clock.pass_(6 * 3600 + 1)
        assert await code_of(stack) == (200, None)
    assert stack.valt.calls["login"] == 2


async def test_a_refused_token_is_renewed_once(stack: GatewayStack) -> None:
    assert await code_of(stack) == (200, None)
    stack.valt.forget_tokens()
    stack.valt.add_video(SESSION, "another", b"x" * 100)
    async with stack.client.get(f"{stack.url}/recordings/{SESSION}/videos/another", headers=stack.bearer()) as answer:
        assert answer.status == 200
    assert stack.valt.calls["login"] == 2


async def test_a_refused_password_is_not_tried_for_five_minutes_and_is_reported(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        stack.valt.knobs.refuse_logins = True
        for _ in range(5):
            assert await code_of(stack) == (502, "valt_login")
        assert stack.valt.calls["login"] == 1
        metrics = await stack.metrics()
        assert metrics['valt_gateway_valt_logins_total{account="reviewer",outcome="refused"}'] == 1
        async with stack.client.get(f"{stack.admin}/readyz?verbose") as answer:
            assert answer.status == 200
            assert (await answer.json())["valt"]["reviewer"] == "refused"
        assert "VALT refused the account 'reviewer'" in stack.log.getvalue()
        clock.pass_(301)
        stack.valt.knobs.refuse_logins = False
        assert await code_of(stack) == (200, None)


@pytest.mark.parametrize("knob", ["link_without_exp", "link_not_jwt"])
async def test_a_link_without_expiry_is_used_once_and_not_cached(stack: GatewayStack, knob: str) -> None:
    setattr(stack.valt.knobs, knob, True)
    assert await code_of(stack) == (200, None)
    assert await code_of(stack) == (200, None)
    assert stack.valt.calls["download"] == 2


@pytest.mark.promise("findings-1")
async def test_a_redirect_gets_a_new_link_if_the_cached_one_expires_soon(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        rita = stack.bearer("rita", "redirected")
        assert await code_of(stack, rita) == (307, None)
        clock.pass_(1800 - 299)
        assert await code_of(stack, stack.bearer("rita", "redirected")) == (307, None)
        assert stack.valt.calls["download"] == 2
        stack.valt.knobs.link_life = 100
        clock.pass_(1600)
        assert await code_of(stack, stack.bearer("rita", "redirected")) == (307, None)
        metrics = await stack.metrics()
    assert metrics['valt_gateway_cache_lookups_total{cache="link",result="short"}'] >= 1


async def test_the_url_is_also_read_under_data(stack: GatewayStack) -> None:
    stack.valt.knobs.url_under_data = True
    assert await code_of(stack) == (200, None)


@pytest.mark.parametrize(("host", "scheme"), [("evil.test:8000", None), ("127.0.0.2:1", None), (None, "ftp")])
async def test_a_link_to_another_host_is_refused_and_nothing_is_fetched(
    stack: GatewayStack, host: str | None, scheme: str | None
) -> None:
    stack.valt.knobs.link_host, stack.valt.knobs.link_scheme = host, scheme
    assert await code_of(stack) == (502, "link_refused")
    assert await code_of(stack, stack.bearer("rita", "redirected")) == (502, "link_refused")
    assert not stack.valt.media_requests


async def test_a_link_to_a_listed_media_host_is_accepted(tmp_path: Path) -> None:
    async with running_stack(tmp_path, valt_more='media_hosts = ["media.test:8000"]\n') as stack:
        stack.valt.knobs.link_host = "media.test:8000"
        async with stack.client.get(
            stack.url + VIDEO_PATH, headers=stack.bearer("rita", "redirected"), allow_redirects=False
        ) as answer:
            assert answer.status == 307
            assert answer.headers["Location"].startswith("http://media.test:8000/")


@pytest.mark.promise("operation-O5")
@pytest.mark.parametrize(
    ("operation", "status", "expected"),
    [
        ("download", 500, (503, "valt_unavailable")),
        ("download", 502, (503, "valt_unavailable")),
        ("download", 403, (502, "valt_response")),
        ("download", 302, (502, "valt_response")),
        ("download", 400, (502, "valt_response")),
        ("login", 500, (503, "valt_unavailable")),
        ("login", 403, (502, "valt_login")),
        ("login", 404, (502, "valt_response")),
        ("login", 429, (503, "valt_unavailable")),
    ],
)
async def test_each_status_of_valt_becomes_its_error(
    stack: GatewayStack, operation: str, status: int, expected: tuple[int, str]
) -> None:
    stack.valt.knobs.fail[operation] = [status] * 3  # the first, and two retries where it may be repeated
    assert await code_of(stack) == expected


@pytest.mark.parametrize("operation", ["login", "download"])
async def test_a_response_that_is_not_json_is_502(stack: GatewayStack, operation: str) -> None:
    stack.valt.knobs.rubbish.add(operation)
    assert await code_of(stack) == (502, "valt_response")


async def test_an_unreachable_valt_is_503_with_retry_after(stack: GatewayStack) -> None:
    await stack.valt.stop()
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (await answer.json(content_type=None))["code"] == "valt_unavailable"


async def test_a_valt_that_does_not_respond_is_504(tmp_path: Path) -> None:
    async with running_stack(tmp_path, valt_more='read_timeout = "100ms"\n') as stack:
        stack.valt.knobs.gate["download"] = asyncio.Event()
        assert await code_of(stack) == (504, "valt_timeout")
        stack.valt.knobs.gate.pop("download").set()


async def test_a_valt_clock_that_is_ahead_changes_nothing(stack: GatewayStack) -> None:
    stack.valt.knobs.clock_ahead = 600
    assert await code_of(stack) == (200, None)
    assert await code_of(stack) == (200, None)
    assert stack.valt.calls["download"] == 1


async def test_each_account_has_its_own_token_and_link(stack: GatewayStack) -> None:
    assert await code_of(stack) == (200, None)
    assert await code_of(stack, stack.bearer("ben", "students")) == (200, None)
    assert stack.valt.calls["login"] == 2
    assert stack.valt.calls["download"] == 2
    assert stack.valt.recording(SESSION).film(CAMERA_A)
