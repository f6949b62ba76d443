"""The model of docs/scale.md, checked against what queueing theory says of it."""

import pytest

from tests.scale.costs import HTTPS, Workload
from tests.scale.model import simulate_requests, simulate_viewers
from tests.scale.sizing import UTILISATION, need_of, per_viewer, viewers_per_core

COST = 0.002


@pytest.mark.parametrize("utilisation", [0.3, 0.6, 0.8])
def test_the_mean_wait_is_that_of_pollaczek_and_khinchine(utilisation: float) -> None:
    measured = simulate_requests(utilisation / COST, COST, 1, 120.0)
    mean = sum(measured.responses) / len(measured.responses)
    expected = COST + utilisation * COST / (2 * (1 - utilisation))
    assert mean == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("cores", [1, 4])
def test_requests_in_the_system_are_rate_times_response_time(cores: int) -> None:
    """Little's law: the number is integrated over time, apart from the response times."""
    measured = simulate_requests(cores * 0.7 / COST, COST, cores, 60.0)
    mean = sum(measured.responses) / len(measured.responses)
    rate = len(measured.responses) / measured.duration
    assert measured.area / measured.duration == pytest.approx(rate * mean, rel=0.01)


def test_viewers_take_the_share_of_a_core_that_the_sizing_says() -> None:
    workload = Workload(arrival_window=5.0)
    measured = simulate_viewers(200, 1, HTTPS, workload, seconds=60.0)
    expected = 200 * per_viewer(HTTPS, workload) * (60.0 - 2.5)
    assert measured.busy == pytest.approx(expected, rel=0.05)
    assert len(measured.first_bytes) == 200
    assert measured.valt_calls == 10  # a link for each recording, however many viewers


def test_the_planned_load_keeps_late_responses_below_a_tenth_of_a_second() -> None:
    workload = Workload(arrival_window=5.0)
    measured = simulate_viewers(int(viewers_per_core(HTTPS, workload)), 1, HTTPS, workload, seconds=30.0)
    assert measured.quantile(0.99) < 0.1


def test_needs_grow_with_the_viewers() -> None:
    small, large = (need_of(count, HTTPS, Workload(), proxied=True) for count in (1_000, 100_000))
    assert large.cores == pytest.approx(100 * small.cores)
    assert (small.valt_servers, large.valt_servers) == (1, 40)
    assert small.replicas >= 2
    assert 0 < UTILISATION < 1
