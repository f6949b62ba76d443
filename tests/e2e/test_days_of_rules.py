"""Running streams when the days of rules begin and end, and when a recording becomes too old for its rule."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.sim.catalogue import Film, Recording
from tests.e2e.test_running_it import BIG, decided, is_aborted, watching
from tests.support.clock import ManualClock
from tests.support.configuration import grant
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack, settings_of

CHECKS = 2.5
"""Seconds in which the running streams are checked twice."""
TODAY = date(2027, 6, 30)
BEFORE_MIDNIGHT = datetime(2027, 6, 30, 23, 59, 50, tzinfo=UTC).timestamp()
IN_UTC = 'timezone = "UTC"'
GROUPS = {"groups": ["supervisors"]}


def rule(name: str, *, first: date | None = None, last: date | None = None, **keys: Any) -> str:
    """Returns a rule for supervisors, with its *first* and *last* day."""
    days = [f"{key} = {day}\n" for key, day in (("valid_from", first), ("valid_until", last)) if day is not None]
    return grant(name, **GROUPS | keys).rstrip() + "\n" + "".join(days) + "\n"


FILM = Film("film", "Ceiling", BIG)


@asynccontextmanager
async def of_young(stack: GatewayStack, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
    """A stream of the recording ``young`` that has started and does not end by itself."""
    stack.valt.knobs.stall_after.append(1_000_000)
    async with stack.client.get(f"{stack.url}/recordings/young/videos/film", headers=headers) as answer:
        await answer.content.readexactly(500_000)
        yield answer


async def status(stack: GatewayStack) -> int:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as answer:
        return answer.status


async def runs(stack: GatewayStack) -> bool:
    """Whether the one stream is still there after two checks."""
    await asyncio.sleep(CHECKS)
    return len(stack.gateway.streams) == 1


@pytest.mark.promise("rules-days", "streams-18")
async def test_a_stream_ends_with_the_last_day_of_its_rule(tmp_path: Path) -> None:
    clock = ManualClock(wall=BEFORE_MIDNIGHT)
    async with running_stack(tmp_path, clock=clock, grants=rule("june", last=TODAY), server=IN_UTC) as stack:
        async with watching(stack, stack.bearer()) as answer:
            clock.pass_(9)
            assert await runs(stack)
            clock.pass_(1)
            assert await is_aborted(answer)
        stack.valt.knobs.stall_gate.set()
        assert await status(stack) == 403
        await stack.ended()
        assert next(line["outcome"] for line in stack.audit() if line["event"] == "close") == "cut"


@pytest.mark.promise("rules-days")
async def test_a_stream_goes_on_where_another_rule_takes_over(tmp_path: Path) -> None:
    clock, tomorrow = ManualClock(wall=BEFORE_MIDNIGHT), TODAY + timedelta(days=1)
    grants = rule("june", last=TODAY) + rule("july", first=tomorrow, last=tomorrow)
    async with running_stack(tmp_path, clock=clock, grants=grants, server=IN_UTC) as stack:
        async with watching(stack, stack.bearer()) as answer:
            clock.pass_(20)
            assert await runs(stack)
            clock.pass_(86_400)
            assert await is_aborted(answer)
        stack.valt.knobs.stall_gate.set()


@pytest.mark.promise("rules-days", "rules-refusals")
async def test_a_stream_ends_when_a_rule_that_refuses_begins(tmp_path: Path) -> None:
    clock = ManualClock(wall=BEFORE_MIDNIGHT)
    grants = rule("never", first=TODAY + timedelta(days=1), allow=False) + rule("always")
    async with running_stack(tmp_path, clock=clock, grants=grants, server=IN_UTC) as stack:
        async with watching(stack, stack.bearer()) as answer:
            clock.pass_(10)
            assert await is_aborted(answer)
        stack.valt.knobs.stall_gate.set()


@pytest.mark.promise("rules-days")
async def test_a_stream_ends_when_its_recording_is_too_old_for_the_rule(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_stack(tmp_path, clock=clock, grants=rule("fresh", created_within="1h")) as stack:
        films = [Film("film", "Ceiling", BIG)]
        stack.valt.recordings.append(Recording("big", "Session", created=clock.now() - 3590, films=films))
        async with watching(stack, stack.bearer()) as answer:
            clock.pass_(10)
            assert await runs(stack)
            stack.valt.knobs.fail["record"] = [503] * 100
            clock.pass_(120)
            assert await runs(stack)  # VALT cannot be asked: neither allowed nor denied
            stack.valt.knobs.fail["record"].clear()
            clock.pass_(60)
            assert await is_aborted(answer)
        stack.valt.knobs.stall_gate.set()


@pytest.mark.promise("rules-days", "streams-18")
async def test_a_stream_ends_with_its_day_while_valt_is_silent_about_another(tmp_path: Path) -> None:
    clock = ManualClock(wall=BEFORE_MIDNIGHT)
    grants = rule("new", groups=["new"], created_within="1h") + rule("june", last=TODAY)
    async with running_stack(tmp_path, clock=clock, grants=grants, server=IN_UTC) as stack:
        stack.valt.recordings.append(Recording("young", "Young", created=clock.now() - 3595, films=[FILM]))
        async with of_young(stack, stack.bearer("ben", "new")), of_young(stack, stack.bearer()) as over:
            stack.valt.knobs.gate["record"], calls = asyncio.Event(), stack.valt.calls["record"]
            clock.steady += 3600  # details are cached no more
            clock.pass_(6)
            await stack.valt.wait_for(lambda: stack.valt.calls["record"] > calls)
            clock.pass_(4)
            assert await is_aborted(over)
            assert len(stack.gateway.streams) == 1
            stack.valt.knobs.gate["record"].set()


@pytest.mark.promise("rules-days", "streams-18")
async def test_what_replaced_rules_decide_late_prolongs_no_stream(tmp_path: Path) -> None:
    clock = ManualClock(wall=BEFORE_MIDNIGHT)
    grants = rule("june", groups=["others"], last=TODAY) + rule("new", created_within="90d")
    async with running_stack(tmp_path, clock=clock, grants=grants, server=IN_UTC) as stack:
        stack.valt.recordings.append(Recording("young", "Young", created=clock.now() - 3000, films=[FILM]))
        async with of_young(stack, stack.bearer()) as answer:
            late, calls = asyncio.Event(), stack.valt.calls["record"]
            stack.valt.knobs.gate["record"] = late
            clock.steady += 3600  # details are cached no more
            clock.pass_(10)
            await stack.valt.wait_for(lambda: stack.valt.calls["record"] > calls)
            del stack.valt.knobs.gate["record"]
            text = stack.config.read_text().replace('"90d"', '"1h"')
            stack.config.write_text(text.replace("[audit]\n", '[recordings]\nttl = "2m"\n[audit]\n', 1))
            assert await stack.gateway.reload(settings_of(stack.config))
            await decided()
            late.set()
            clock.pass_(700)
            assert await is_aborted(answer)
