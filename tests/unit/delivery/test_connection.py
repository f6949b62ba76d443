"""ReusableTimer: one timer of the event loop for one deadline after another."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest

from gateway.delivery.connection import ReusableTimer


class ManualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is set by the test, and which counts the timers that were created."""

    now, timers = 100.0, 0

    def time(self) -> float:
        return self.now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)

    def advance_to(self, now: float) -> None:
        self.now = now
        for _ in range(2):  # a due timer becomes ready in one iteration and runs in the next
            self.call_soon(self.stop)
            self.run_forever()


@pytest.fixture
def loop() -> Any:
    loop = ManualLoop()
    yield loop
    loop.close()


def test_the_callback_runs_at_the_deadline_once_and_not_before(loop: ManualLoop) -> None:
    calls: list[str] = []
    timer = ReusableTimer(loop)
    timer.set(110.0, lambda: calls.append("late"))
    loop.advance_to(109.9)
    assert calls == []
    loop.advance_to(110.0)
    assert calls == ["late"]
    loop.advance_to(200.0)
    assert calls == ["late"]


def test_a_hundred_deadlines_in_turn_take_one_timer_of_the_loop(loop: ManualLoop) -> None:
    timer = ReusableTimer(loop)
    for request in range(100):
        loop.now = 100.0 + request / 100
        timer.set(loop.now + 30, lambda: pytest.fail("no request is late"))
        timer.clear()
    assert loop.timers == 1
    loop.advance_to(130.0)
    assert loop.timers == 1


@pytest.mark.parametrize(("first", "second"), [(110.0, 120.0), (130.0, 105.0)], ids=["later", "sooner"])
def test_the_deadline_that_was_set_last_counts(loop: ManualLoop, first: float, second: float) -> None:
    calls: list[str] = []
    timer = ReusableTimer(loop)
    timer.set(first, lambda: calls.append("first"))
    timer.set(second, lambda: calls.append("second"))
    loop.advance_to(second - 0.1)
    assert calls == []
    loop.advance_to(second)
    assert calls == ["second"]


def test_a_closed_timer_calls_nothing_and_leaves_no_timer(loop: ManualLoop) -> None:
    timer = ReusableTimer(loop)
    timer.set(105.0, lambda: pytest.fail("the timer is closed"))
    timer.close()
    loop.advance_to(110.0)
    timer.close()
