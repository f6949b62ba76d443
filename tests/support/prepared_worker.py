"""A worker process's part of the gateway, prepared in this process."""

import socket
from pathlib import Path

from gateway.settings.model import Settings
from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from gateway.workers.channel import Channel
from gateway.workers.worker import Worker
from tests.support.gateway_fixture import settings_of

NOWHERE = "http://127.0.0.1:1"


async def prepared_worker(folder: Path, *, running: bool = False) -> tuple[Worker, Settings, Channel]:
    """Returns a worker with the demo's configuration in *folder*, its settings, and the supervisor's end of the
    channel. *running*: whether the gateway runs already."""
    make_portal_key(folder)
    config = write_demo_configuration(folder, port=0, public_url=NOWHERE, valt_url=NOWHERE, portal_url=NOWHERE)
    settings = settings_of(config)
    ours, theirs = socket.socketpair()
    supervisor = await Channel.open(ours)
    start = {"seal": "a-seal-of-more-than-thirty-two-bytes", "started_at": 0.0, "durable": True, "running": running}
    worker = Worker(settings, start, await Channel.open(theirs), {})
    await worker.gateway.prepare()
    return worker, settings, supervisor
