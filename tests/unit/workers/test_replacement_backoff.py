"""The pauses before workers that have ended by themselves are replaced."""

import pytest

from gateway.workers.replacement_backoff import ReplacementBackoff

LONGEST = 30.0
"""Seconds, as docs/operations.md has them, like the others here."""


@pytest.mark.promise("restart-3")
def test_a_fallen_worker_is_restarted_with_a_pause_that_doubles() -> None:
    backoff = ReplacementBackoff()
    assert [backoff.next_pause(0) for _ in range(9)] == pytest.approx([0.1 * 2**failures for failures in range(9)])


@pytest.mark.promise("restart-3")
def test_the_pause_before_a_fallen_worker_is_restarted_is_bounded() -> None:
    backoff = ReplacementBackoff()
    pauses = [backoff.next_pause(0) for _ in range(100_000)]
    assert max(pauses) == LONGEST
    assert pauses[9:] == [LONGEST] * (len(pauses) - 9)


@pytest.mark.promise("restart-3")
@pytest.mark.parametrize("failures", [1, 2, 9, 1000])
def test_the_pause_is_short_again_after_a_worker_has_run_for_a_minute(failures: int) -> None:
    backoff = ReplacementBackoff()
    for _ in range(failures):
        before = backoff.next_pause(0)
    assert backoff.next_pause(59.9) == pytest.approx(min(LONGEST, 2 * before))
    assert backoff.next_pause(60) == pytest.approx(0.1)
    assert backoff.next_pause(0) == pytest.approx(0.2)
