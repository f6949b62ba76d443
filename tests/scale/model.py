"""The discrete-event model: requests wait for the core that their connection belongs to, for Redis and for VALT.

How it works: a worker is one core, which does one thing at a time in the order of arrival, and a viewer's connection
stays with its worker. A viewer comes, has a ticket consumed in Redis and a link loaded by whoever needs it first, and
then requests a range whenever the film has played as much as the last one had.
"""

import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import simpy

from tests.scale.costs import Costs, Workload

Steps = Generator[simpy.Event, Any, None]


@dataclass
class Measured:
    """What one run has measured. Times are in seconds."""

    responses: list[float] = field(default_factory=list)
    """From each request to the end of its work."""
    first_bytes: list[float] = field(default_factory=list)
    """From each viewer's arrival to the first byte."""
    busy: float = 0.0
    """Processor time of all cores."""
    area: float = 0.0
    """Requests in the system, integrated over time."""
    duration: float = 0.0
    valt_calls: int = 0

    def quantile(self, share: float) -> float:
        """Returns the response time that this share of the requests does not exceed."""
        ordered = sorted(self.responses)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Cores:
    """The workers' cores, and how many requests are in the system."""

    def __init__(self, env: simpy.Environment, count: int, measured: Measured) -> None:
        self._env = env
        self._cores = [simpy.Resource(env, capacity=1) for _ in range(count)]
        self._measured = measured
        self._inside = 0
        self._changed_at = 0.0

    def __len__(self) -> int:
        return len(self._cores)

    def work(self, core: int, cost: float) -> Steps:
        """Waits for the core, and works for *cost* seconds."""
        start = self._env.now
        self._count(+1)
        with self._cores[core].request() as turn:
            yield turn
            yield self._env.timeout(cost)
        self._count(-1)
        self._measured.busy += cost
        self._measured.responses.append(self._env.now - start)

    def _count(self, change: int) -> None:
        self._measured.area += self._inside * (self._env.now - self._changed_at)
        self._changed_at = self._env.now
        self._inside += change


def simulate_requests(rate: float, cost: float, cores: int, seconds: float, seed: int = 0) -> Measured:
    """Returns what happens to requests that arrive at random, *rate* per second, and cost the same."""
    env, measured, chosen = simpy.Environment(), Measured(duration=seconds), random.Random(seed)
    workers = Cores(env, cores, measured)

    def arrivals() -> Steps:
        while True:
            yield env.timeout(chosen.expovariate(rate))
            env.process(workers.work(chosen.randrange(cores), cost))

    env.process(arrivals())
    env.run(until=seconds)
    return measured


def simulate_viewers(
    viewers: int, cores: int, costs: Costs, workload: Workload, *, seconds: float, seed: int = 0, valt_at_once: int = 10
) -> Measured:
    """Returns what happens in the first *seconds*, while *viewers* come within the workload's window and watch."""
    env, measured, chosen = simpy.Environment(), Measured(duration=seconds), random.Random(seed)
    workers, redis = Cores(env, cores, measured), simpy.Resource(env, capacity=1)
    load_link = _links(env, simpy.Resource(env, capacity=valt_at_once), costs.valt_call, measured)
    recordings = max(1, viewers // workload.viewers_per_recording)

    def watch(arrival: float) -> Steps:
        yield env.timeout(arrival)
        core = chosen.randrange(cores)
        yield from workers.work(core, costs.decision)
        with redis.request() as turn:
            yield turn
            yield env.timeout(costs.redis_operation)
        yield env.timeout(costs.redis_round_trip)
        yield from load_link(chosen.randrange(recordings))
        first = True
        while True:
            start = env.now
            yield from workers.work(core, costs.range_of(workload.piece))
            if first:
                measured.first_bytes.append(env.now - arrival)
                first = False
            yield env.timeout(max(0.0, workload.period * chosen.uniform(0.9, 1.1) - (env.now - start)))

    for arrival in _arrivals(viewers, workload.arrival_window, chosen):
        env.process(watch(arrival))
    env.run(until=seconds)
    return measured


def _arrivals(viewers: int, window: float, chosen: random.Random) -> Iterator[float]:
    return (chosen.uniform(0.0, window) for _ in range(viewers))


def _links(env: simpy.Environment, valt: simpy.Resource, seconds: float, measured: Measured) -> Callable[[int], Steps]:
    """Returns what waits for the link of a recording, which is loaded once for all."""
    links: dict[int, simpy.Event] = {}

    def load(recording: int) -> Steps:
        if recording in links:
            yield links[recording]
            return
        links[recording] = env.event()
        with valt.request() as turn:
            yield turn
            yield env.timeout(seconds)
        measured.valt_calls += 1
        links[recording].succeed()

    return load
