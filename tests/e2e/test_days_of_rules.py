"""Running streams when the days of rules begin and end, and when a recording becomes too old for its rule."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import Film, Recording
from tests.e2e.test_running_it import BIG, is_aborted, watching
from tests.support.clock import ManualClock
from tests.support.configuration import grant
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack

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
