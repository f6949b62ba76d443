"""What a worker reports of the use of sessions."""

import asyncio
from pathlib import Path

from gateway.workers.channel import Channel
from tests.support.prepared_worker import prepared_worker


async def used_sessions(supervisor: Channel) -> list[str]:
    """Returns the sessions that are reported as used until the worker ends."""
    used = []
    while (message := await supervisor.receive()) is not None:
        if message["is"] == "used":
            used += message["sessions"]
    return used


async def test_what_was_used_just_before_the_end_of_a_worker_counts_in_the_others(tmp_path: Path) -> None:
    """A request that waits during a reload is often the last one of the worker that is replaced."""
    worker, _, supervisor = await prepared_worker(tmp_path)
    running = asyncio.create_task(worker.run(lambda _message: None))
    while (message := await supervisor.receive()) is not None and message["is"] != "report":
        pass  # the first report, which is sent with the first uses
    worker.gateway.streams.use("a session")
    supervisor.send({"do": "stop"})
    assert await used_sessions(supervisor) == ["a session"]
    assert await running == 0
    supervisor.close()
