"""One timer for one time limit after another."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest

from gateway.delivery.reusable_timer import ReusableTimer


class Loop(asyncio.SelectorEventLoop):
    """Its time is told, and its timers are counted."""

    now, armed = 100.0, 0

    def time(self) -> float:
        return self.now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.armed += 1
        return super().call_at(when, callback, *args, context=context)

    def until(self, now: float) -> None:
        self.now = now
        for _ in range(2):  # what is due is made ready in one turn and run in the next
            self.call_soon(self.stop)
            self.run_forever()


@pytest.fixture
def loop() -> Any:
    loop = Loop()
    yield loop
    loop.close()


def test_whoever_is_late_is_told_when_his_time_is_over_and_not_before(loop: Loop) -> None:
    told: list[str] = []
    timer = ReusableTimer(loop)
    timer.set(110.0, lambda: told.append("late"))
    loop.until(109.9)
    assert told == []
    loop.until(110.0)
    assert told == ["late"]
    loop.until(200.0)
    assert told == ["late"]


def test_a_hundred_limits_in_turn_take_one_timer(loop: Loop) -> None:
    timer = ReusableTimer(loop)
    for request in range(100):
        loop.now = 100.0 + request / 100
        timer.set(loop.now + 30, lambda: pytest.fail("nobody is late"))
        timer.clear()
    assert loop.armed == 1
    loop.until(130.0)
    assert loop.armed == 1


@pytest.mark.parametrize(("first", "second"), [(110.0, 120.0), (130.0, 105.0)], ids=["later", "sooner"])
def test_the_limit_that_was_set_last_counts_and_goes_by_its_own_time(loop: Loop, first: float, second: float) -> None:
    told: list[str] = []
    timer = ReusableTimer(loop)
    timer.set(first, lambda: told.append("first"))
    timer.set(second, lambda: told.append("second"))
    loop.until(second - 0.1)
    assert told == []
    loop.until(second)
    assert told == ["second"]


def test_after_its_closing_nobody_is_told_and_no_timer_is_left(loop: Loop) -> None:
    timer = ReusableTimer(loop)
    timer.set(105.0, lambda: pytest.fail("it is closed"))
    timer.close()
    loop.until(110.0)
    timer.close()
