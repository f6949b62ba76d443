"""Work that a caller who is cancelled does not interrupt."""

import asyncio

import pytest

from gateway.completion import complete, complete_all


async def test_work_goes_on_to_its_end_if_the_caller_is_cancelled() -> None:
    started, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        await may_end.wait()
        ended.set()

    caller = asyncio.create_task(complete(work()))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_end.set()
    await asyncio.wait_for(ended.wait(), 10)


async def test_a_caller_that_waits_has_the_result_and_the_error() -> None:
    async def work(divisor: int) -> float:
        return 1 / divisor

    assert await complete(work(2)) == 0.5
    with pytest.raises(ZeroDivisionError):
        await complete(work(0))


async def test_all_are_tried_before_the_first_error_is_raised() -> None:
    tried = []

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        tried.append(number)
        if number in (1, 2):
            raise ValueError(number)

    with pytest.raises(ValueError, match=r"^1$"):
        await complete_all(*(work(number) for number in range(4)))
    assert sorted(tried) == [0, 1, 2, 3]
    await complete_all()
