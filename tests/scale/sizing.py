"""What so many viewers need, by the costs of the model, and how they divide over VALT servers."""

import math
from dataclasses import dataclass

from tests.scale.costs import Costs, Workload

UTILISATION = 0.6
"""Share of a core that is planned for: with it the model's late responses stay far below a tenth of a second."""
VALT_EGRESS = 10e9
"""Bits per second that one VALT server, or its media server, can send: a network interface of ten gigabits."""
WORKERS = 8
"""Of one replica."""
_LINK_LIFE = 1800.0
_RENEWAL = 10.0
_VIEWER_MEMORY, _WORKER_MEMORY = 58 * 1024, 80e6
"""Bytes of a viewer over https, and of a worker."""


@dataclass(frozen=True, slots=True)
class Need:
    """What *viewers* need at once. Egress is in bits per second, calls and operations per second."""

    viewers: int
    valt_servers: int
    cores: float
    replicas: int
    """In all, at least two for each VALT server, one of which may fail."""
    memory: float
    egress: float
    decisions: float
    redis_operations: float
    redis_cores: float
    valt_calls: float


def per_viewer(costs: Costs, workload: Workload) -> float:
    """Returns the share of a core that one viewer in proxy delivery takes."""
    return costs.range_of(workload.piece) / workload.period


def viewers_per_core(costs: Costs, workload: Workload) -> float:
    """Returns how many viewers in proxy delivery a core carries."""
    return UTILISATION / per_viewer(costs, workload)


def decisions_per_core(costs: Costs) -> float:
    """Returns how many redirects per second a core answers."""
    return UTILISATION / costs.decision


def need_of(viewers: int, costs: Costs, workload: Workload, *, proxied: bool) -> Need:
    """Returns what *viewers* need; if not *proxied*, they are redirected to VALT's media server."""
    egress = viewers * workload.bitrate
    servers = max(1, math.ceil(egress / VALT_EGRESS))
    starts = viewers / workload.arrival_window
    decisions = starts + viewers / _LINK_LIFE
    cores = decisions * costs.decision / UTILISATION
    # A ticket once, and a proxied viewer's number of streams, of the person and of the address.
    operations = starts
    if proxied:
        cores += viewers / viewers_per_core(costs, workload)
        operations += viewers * 2 / _RENEWAL + starts * 2
    of_a_server = math.ceil(cores / servers / WORKERS)
    replicas = servers * max(2, of_a_server + 1)
    links = viewers / workload.viewers_per_recording / _LINK_LIFE
    memory = replicas * WORKERS * _WORKER_MEMORY + (viewers * _VIEWER_MEMORY if proxied else 0)
    return Need(
        viewers,
        servers,
        cores,
        replicas,
        memory,
        egress,
        decisions,
        operations,
        operations * costs.redis_operation,
        links,
    )
