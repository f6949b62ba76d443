"""The running streams of all workers, for the supervisor's admin listener."""

from typing import Any

from gateway.workers.supervisor import Supervisor


class WholeStreams:
    """Lists and cuts the streams of the workers of *supervisor*, as `delivery.stream_control` does in one process."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def __repr__(self) -> str:
        return f"<WholeStreams {self._supervisor}>"

    async def list_streams(self) -> dict[str, Any]:
        """Returns the streams of all workers, the newest first, their number in all as ``total``, and as
        ``missing_workers`` the numbers of the workers that have not responded."""
        responses = await self._supervisor.call_workers("list_streams")
        streams = [
            {**stream, "worker": number}
            for number, response in responses.items()
            if response is not None
            for stream in response["streams"]
        ]
        return {
            "streams": sorted(streams, key=lambda stream: stream["seconds"]),
            "total": sum(response["total"] for response in responses.values() if response is not None),
            "missing_workers": [number for number, response in responses.items() if response is None],
        }

    async def cut(self, request_id: str, peer: str | None) -> bool | None:
        """Has each worker cut the stream of that request; the one that has it audits that."""
        responses = await self._supervisor.call_workers("cut", request_id=request_id, peer=peer)
        if any(response is not None and response["done"] for response in responses.values()):
            return True
        self._supervisor.instruct_one("report_cut", request_id=request_id, peer=peer, outcome="not_found")
        return None if None in responses.values() else False

    async def refuse_cut(self, request_id: str, peer: str | None) -> None:
        """Has a worker audit the attempt: the supervisor has no audit."""
        self._supervisor.instruct_one("report_cut", request_id=request_id, peer=peer, outcome="refused")
