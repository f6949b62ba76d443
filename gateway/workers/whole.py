"""The admin listener of a gateway with several workers: it is the supervisor's, and speaks of all of them."""

from collections.abc import Mapping
from typing import Any

from gateway.build_info import version_of_process
from gateway.settings.model import Settings
from gateway.web.handlers.admin import AdminHandler, Readiness, StreamCommands
from gateway.workers.health import responds
from gateway.workers.supervisor import Supervisor
from gateway.workers.whole_streams import WholeStreams
from gateway.workers.worker_process import WorkerState


class WholeReadiness(Readiness):
    """Whether the gateway of *supervisor* accepts requests: if a worker does and none has a fault of its own."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__(self._dependencies, self._faults)
        self._supervisor = supervisor

    @property
    def ready(self) -> bool:
        return self._supervisor.is_ready

    @ready.setter
    def ready(self, value: bool) -> None:
        """Nothing to set: the workers' reports decide."""

    def _faults(self) -> list[str]:
        running = [worker for worker in self._supervisor.workers if worker.state == WorkerState.RUNNING]
        own = [f"worker {worker.number}: {fault}" for worker in running for fault in worker.report.get("faults", ())]
        # Each worker knows the sessions that it has issued or played: if one worker serves somebody, the gateway does.
        required = [str(worker.report.get("required") or "") for worker in running]
        return [*own, *required[:1]] if all(required) else own

    def _dependencies(self) -> Mapping[str, Any]:
        workers = self._supervisor.workers
        return {
            "streams": sum(worker.report.get("streams", 0) for worker in workers),
            "workers": {
                str(worker.number): {
                    "pid": worker.pid,
                    "phase": worker.state,
                    "responds": responds(worker),
                    **worker.report.get("dependencies", {}),
                }
                for worker in workers
            },
        }


def status_of(supervisor: Supervisor) -> str:
    """Returns what the gateway does at this moment, in a line for ``systemctl status``."""
    workers = supervisor.workers
    state = "Accepting" if supervisor.is_ready else "Draining"
    streams, connections = (sum(one.report.get(key, 0) for one in workers) for key in ("streams", "connections"))
    return f"{state}; {streams} streams, {connections} connections, {len(workers)} workers"


def whole_admin_handler(settings: Settings, supervisor: Supervisor) -> AdminHandler:
    """Returns the handler of the admin listener of the whole gateway."""
    streams = WholeStreams(supervisor)
    return AdminHandler(
        WholeReadiness(supervisor),
        supervisor.metrics.render,
        version_of_process(),
        settings.admin.hosts,
        settings.admin.token,
        StreamCommands(streams.list_streams, streams.cut, streams.refuse_cut),
    )
