"""A coroutine that is begun outside a task, and the task that takes it on once it has to wait."""

import asyncio
from contextvars import ContextVar

import pytest

from gateway.web.begun import Begun

WHO: ContextVar[str] = ContextVar("who", default="nobody")


async def test_what_needs_no_waiting_is_done_at_once() -> None:
    async def work() -> int:
        return 7

    begun = Begun(work())
    assert begun.done
    assert begun.result == 7
    assert await begun.rest() == 7


async def test_what_waits_is_begun_and_goes_on_in_whatever_awaits_its_rest() -> None:
    came, seen = asyncio.get_running_loop().create_future(), []

    async def work() -> str:
        seen.append("begun")
        return f"{await came} and {await asyncio.sleep(0, 'slept')}"

    begun = Begun(work())
    assert seen == ["begun"]
    assert not begun.done
    rest = asyncio.ensure_future(begun.rest())
    came.set_result("came")
    assert await rest == "came and slept"


@pytest.mark.parametrize("waits", [False, True])
async def test_what_it_raises_is_raised_to_whoever_awaits_its_rest(waits: bool) -> None:
    async def work() -> None:
        if waits:
            await asyncio.sleep(0)
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await Begun(work()).rest()


async def test_what_an_awaited_future_raises_is_raised_inside() -> None:
    came = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await came
        except OSError:
            return "told"
        return "not told"

    begun = Begun(work())
    came.set_exception(OSError())
    assert await begun.rest() == "told"


async def test_both_halves_see_the_same_context_and_nobody_else_does() -> None:
    async def work() -> str:
        WHO.set("somebody")
        await asyncio.sleep(0)
        return WHO.get()

    begun = Begun(work())
    assert WHO.get() == "nobody"
    assert await begun.rest() == "somebody"
    assert WHO.get() == "nobody"


async def test_cancelling_whoever_awaits_the_rest_cancels_it_and_what_it_waits_for() -> None:
    came, ended = asyncio.get_running_loop().create_future(), []

    async def work() -> None:
        try:
            await came
        finally:
            ended.append(True)

    begun = Begun(work())
    task = asyncio.ensure_future(begun.rest())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended
    assert came.cancelled()


async def test_its_end_may_be_awaited_before_anybody_wants_to_know_it() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise LookupError("nothing there")

    begun = Begun(work())
    await begun.end()
    assert begun.done
    with pytest.raises(LookupError):
        await begun.rest()
